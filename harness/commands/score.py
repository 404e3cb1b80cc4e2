"""`harness score`."""

from pathlib import Path

import click

from harness.commands.options import answer, criterion_options, json_option


@click.command(epilog="""\b
Examples:
  harness score --criterion flops
  harness score --criterion naswot --architectures 500
  harness score --criterion ./my_proxy.py:MyProxy --benchmark nasbench201 --truth c10_test_200_v10 --out scores.parquet
""")
@click.option("--criterion", required=True, help="As for `harness run`; one that scores architectures.")
@click.option("--benchmark", help="digits201 (the default) or nasbench201; a truth names its own.")
@click.option("--dataset", help="Dataset of the benchmark; by default that of the first truth, or the first one.")
@click.option("--truth", "truths", metavar="KEY", multiple=True,
              help="A truth beside the default ones of the benchmark's datasets; may be given several times.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True,
              help="How many seeds, where the scores depend on them.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              help="A parquet file for the scores; by default one among the runs, named after the criterion.")
@criterion_options
@json_option
def score(criterion: str, benchmark: str | None, dataset: str | None, truths: tuple[str, ...], seed: int, seeds: int,
          out: Path | None, architectures: int | None, device: str, jobs: int, time_limit: float, as_json: bool) -> None:
    """A criterion's scores of all architectures, written to a file, and their tau-b with every truth at hand."""
    from benchmarks.errors import UsageError
    from criteria.registry import criteria
    from harness.progress import Reporter
    from harness.report.scores import scores_table
    from harness.scoring.deadline import deadline
    from harness.scoring.sample import sampled
    from harness.scoring.scores import scored, scores_file, setting, truths_at_hand, verdicts, write_scores
    from harness.scoring.world import Machine, context_of

    if out is not None and out.suffix != ".parquet":
        raise UsageError(f"Scores are written as parquet, and {out} is no name of such a file; end it in .parquet.")
    chosen = criteria.get(criterion)
    bench, used, truth = setting(benchmark, dataset, truths[0] if truths else None)
    known = truths_at_hand(bench, truths, dataset)
    population = sampled(bench, truth, architectures) if architectures else None
    with Reporter() as reporter, deadline(criteria.text(chosen), time_limit):
        context = context_of(bench, used, seed, truth, (chosen,), Machine(device, jobs), reporter, population)
        found = scored(chosen, context, seeds, population)
    path = out or scores_file(found, chosen, bench, used)
    write_scores(path, found, chosen, bench, used)
    judged = verdicts(found, bench, known)
    content = {"criterion": found.criterion, "benchmark": bench.name, "dataset": used, "meaning": found.meaning,
               "unit": found.unit, "population": population and population.name, "seeds": list(found.seeds),
               "depends_on_seed": found.depends, "columns": list(found.columns),
               "file": str(path), "truths": [verdict.to_json() for verdict in judged]}
    answer(as_json, content, scores_table(found, judged, path))
