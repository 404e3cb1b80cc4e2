"""`harness compare-splits`."""

from pathlib import Path

import click

from harness.commands.options import answer, benchmark_options, criterion_options, json_option, supernet_option


@click.command("compare-splits", epilog="""\b
Examples:
  harness compare-splits nonlinear flops params random oracle --k 3
  harness compare-splits ./my_proxy.py:MyProxy nonlinear random oracle --k 3 --benchmark nasbench201 --out figures
""")
@click.argument("names", metavar="CRITERION...", nargs=-1, required=True)
@click.option("--k", type=click.IntRange(min=1), default=3, show_default=True,
              help="Number of parts; a criterion that fixes its own shows that.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True,
              help="From so many seeds each one splits to see whether that changes the parts.")
@click.option("--population", default="all", show_default=True, help="all, connected or distinct.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="Folder of the figures; by default one among the runs, named after what is compared.")
@supernet_option
@benchmark_options
@criterion_options
@json_option
def compare_splits(names: tuple[str, ...], k: int, seed: int, seeds: int, population: str, out: Path | None,
                   supernet: str | None, benchmark: str | None, dataset: str | None, truth: str | None, architectures: int | None,
                   device: str, jobs: int, time_limit: float, as_json: bool) -> None:
    """Several criteria's splits before any training, side by side and with random ones, and figures of their parts.

    A criterion that fails is named with its reason; the others are compared, and the exit code is 1.
    """
    from benchmarks.errors import RunError
    from criteria.registry import criteria
    from harness.figures import agreement, costs, violins
    from harness.progress import Reporter
    from harness.report.splits import lineup_table
    from harness.scoring.sample import judged_on
    from harness.scoring.world import Machine, context_of, with_supernet
    from harness.splits.rivals import compare_splits as compute
    from harness.splits.rivals import figures_folder
    from harness.truths import subject

    asked, chosen = subject(benchmark, dataset, truth), [criteria.get(name) for name in names]
    chosen = with_supernet(chosen, supernet) if supernet else chosen
    judged = judged_on(asked.benchmark, asked.truth, population, architectures)
    with Reporter() as reporter:
        context = context_of(asked.benchmark, asked.dataset, seed, asked.truth, chosen, Machine(device, jobs), reporter,
                             judged if architectures else None)
        found = compute(chosen, context, k, asked.truth, judged, seeds, time_limit,
                        lambda done, criterion: reporter.step("split", done, len(chosen), criterion))
        drawn = []
        if found.candidates:
            folder = out or figures_folder(found, asked.benchmark.name, asked.dataset, seed)
            drawn = [path for each in (violins, costs)
                     for path in each.KIND.write(each.lineup_frame(found, context), folder / each.KIND.name)]
            if len(found.candidates) > 1:
                drawn += agreement.KIND.write(agreement.lineup_frame(found), folder / agreement.KIND.name)
            reporter.say(f"Figures: {', '.join(str(path) for path in drawn if path.suffix == '.png')}")
    answer(as_json, {**found.to_json(), "figures": [str(path) for path in drawn]}, lineup_table(found))
    if found.refusals:
        named = ", ".join(row.criterion for row in found.refusals)
        raise RunError(f"{len(found.refusals)} of {len(chosen)} criteria could not be compared ({named}); their reasons stand on "
                       "standard output.")
