"""`harness diagnose`."""

import click

from harness.commands.options import answer, benchmark_options, criterion_options, json_option, supernet_option


@click.command(epilog="""\b
Examples:
  harness diagnose --criterion nonlinear --k 3
  harness diagnose --criterion flops --k 3 --benchmark nasbench201 --dataset cifar10 --truth c10_test_200_v10
""")
@click.option("--criterion", default="nonlinear", show_default=True, help="As for `harness run`.")
@click.option("--k", type=int, help="Number of parts; 3 unless the criterion fixes it.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True,
              help="From so many seeds it splits to see whether that changes the parts; 1 leaves it out.")
@click.option("--population", default="all", show_default=True, help="all, connected or distinct.")
@supernet_option
@benchmark_options
@criterion_options
@json_option
def diagnose(criterion: str, k: int | None, seed: int, seeds: int, population: str, supernet: str | None, benchmark: str | None,
             dataset: str | None, truth: str | None, architectures: int | None, device: str, jobs: int, time_limit: float,
             as_json: bool) -> None:
    """A partition before any training: sizes, accuracies per part, tau of scores and labels, beside random and oracle splits.

    Also stability over seeds, twins torn apart, and how often training would meet each operation.
    """
    from criteria.registry import criteria
    from harness.progress import Reporter
    from harness.report.diagnosis import diagnosis_table
    from harness.scoring.deadline import deadline
    from harness.scoring.sample import judged_on
    from harness.scoring.world import Machine, context_of, with_supernet
    from harness.splits.diagnosis import diagnose as compute
    from harness.truths import subject

    asked, chosen = subject(benchmark, dataset, truth), criteria.get(criterion)
    chosen = with_supernet([chosen], supernet)[0] if supernet else chosen
    judged = judged_on(asked.benchmark, asked.truth, population, architectures)
    with Reporter() as reporter, deadline(criteria.text(chosen), time_limit):
        context = context_of(asked.benchmark, asked.dataset, seed, asked.truth, (chosen,), Machine(device, jobs), reporter,
                             judged if architectures else None)
        result = compute(chosen, context, chosen.fixed_k or 3 if k is None else k, asked.truth, judged, seeds)
    answer(as_json, result.to_json(), diagnosis_table(result))
