"""`harness measure`."""

from pathlib import Path

import click

from harness.commands.options import answer, benchmark_options, json_option


@click.command(epilog="""\b
Examples:
  harness measure estimates.parquet --column few_shot --benchmark nasbench201 --dataset cifar10 --truth c10_test_200_v10
  harness measure genotypes.json --benchmark nasbench201 --dataset cifar10 --json
""")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--column", help="The column of estimates; needed when there are several.")
@click.option("--population", default="all", show_default=True, help="all, connected or distinct.")
@benchmark_options
@json_option
def measure(file: Path, column: str | None, population: str, benchmark: str | None, dataset: str | None, truth: str | None,
            as_json: bool) -> None:
    """Anybody's estimates (parquet, CSV or JSON, by architecture) against a truth.

    An architecture without an estimate is ranked last; the second tau leaves those out.
    """
    import numpy as np

    from benchmarks.ceiling import ceiling
    from benchmarks.rows import read_estimates
    from harness.measures.measure import measure as compute
    from harness.report.summary import measures_table
    from harness.truths import subject

    asked = subject(benchmark, dataset, truth)
    space, judged = asked.benchmark.space, asked.benchmark.population(population, asked.truth)
    estimates, true = read_estimates(file, column, space)[judged.members], asked.truth.mean()[judged.members]
    limit = ceiling(asked.truth, space, judged.members).value
    measures = compute(estimates, true, None, judged.name, None if np.isnan(limit) else limit)
    content = {"tau": measures.tau.to_json(), "measures": measures.to_json(), "truth": asked.truth.label,
               "truth_key": str(asked.truth.key)}
    answer(as_json, content, measures_table({judged.name: measures.to_json()}, f"{file.name} against {asked.truth.label}"))
