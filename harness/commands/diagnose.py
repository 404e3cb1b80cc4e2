"""`harness diagnose`."""

import click

from harness.commands.options import answer, benchmark_options, json_option


@click.command(epilog="""\b
Examples:
  harness diagnose --criterion nonlinear --k 3
  harness diagnose --criterion flops --k 3 --benchmark nasbench201 --dataset cifar10 --truth c10_test_200_v10
""")
@click.option("--criterion", default="nonlinear", show_default=True, help="As for `harness run`.")
@click.option("--k", type=int, help="Number of parts; 3 unless the criterion fixes it.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--population", default="all", show_default=True, help="all, connected or distinct.")
@benchmark_options
@json_option
def diagnose(criterion: str, k: int | None, seed: int, population: str, benchmark: str | None, dataset: str | None,
             truth: str | None, as_json: bool) -> None:
    """A partition before any training: sizes, accuracies per part, tau of scores and labels, beside random and oracle splits."""
    from criteria.base import Context
    from criteria.registry import criteria
    from harness.diagnosis import diagnose as compute
    from harness.report.diagnosis import diagnosis_table
    from harness.truths import subject

    asked, chosen = subject(benchmark, dataset, truth), criteria.get(criterion)
    context = Context(asked.benchmark.space, asked.benchmark.skeleton_for(asked.dataset), seed, asked.truth)
    result = compute(chosen, context, chosen.fixed_k or 3 if k is None else k, asked.truth,
                     asked.benchmark.population(population, asked.truth))
    answer(as_json, result.to_json(), diagnosis_table(result))
