"""`harness reproduce`."""

from pathlib import Path
from tempfile import TemporaryFile

import click

from benchmarks.errors import RunError
from benchmarks.folder import reason
from harness.commands.options import answer, json_option, time_limit_option
from harness.commands.run import fields_of


@click.command(epilog="""\b
Examples:
  harness reproduce efs-nas:table1 --budget smoke
  harness reproduce efs-nas:table1 --budget cpu --rows spos,efs-nonlinear --seeds 3
  harness reproduce angle --only-finished --json
""")
@click.argument("name", metavar="PAPER:TABLE")
@click.option("--budget", type=click.Choice(("smoke", "cpu", "full")), default="smoke", show_default=True,
              help="smoke: on digits201; cpu, full: on CIFAR-10, full as long as the papers.")
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs of each row, with seeds from 0.")
@click.option("--rows", help="Only these, by name, joined by commas.")
@click.option("--only-finished", is_flag=True, help="Run nothing; the table as far as its runs are there.")
@click.option("--benchmark", help="Run on another one than the budget's.")
@click.option("--dataset", help="Of the benchmark.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Any field of a run, for all rows.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--workers", type=click.IntRange(min=1), help="Runs at once; by default one a core, or one where there is a GPU.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write PATH.csv.")
@time_limit_option
@json_option
def reproduce(name: str, budget: str, seeds: int, rows: str | None, only_finished: bool, benchmark: str | None,
              dataset: str | None, assignments: tuple[str, ...], device: str, workers: int | None, out: Path | None,
              time_limit: float, as_json: bool) -> None:
    """Run what a paper's table reports, and print what it says beside what was measured here, with a verdict for each number.

    The runs are ordinary ones: finished ones are skipped, and the same command goes on where it stopped. The exit code is 1 when
    a run failed and when a row is missing, lacks seeds, or is not reproduced; a run that does not compare is no failure.
    """
    from harness.experiments.baselines import baselines
    from harness.experiments.reproduction import chosen, read_table, sweep_of, verdicts
    from harness.experiments.sweep import named
    from harness.experiments.sweeper import run_all, suitable
    from harness.figures.style import beside
    from harness.progress import Reporter
    from harness.report.reproduction import reproduction_csv, reproduction_table, verdict_json
    from harness.report.sweep import design_lines
    from harness.scoring.world import Machine

    table = chosen(read_table(name), rows)
    if out is not None:
        _check_folder(out)
    sweep = sweep_of(table, budget, seeds, fields_of({"benchmark": benchmark, "dataset": dataset}, assignments))
    with Reporter() as reporter:
        failed = list(sweep.refused)
        if not only_finished:
            for line in design_lines(sweep, None):
                reporter.say(line)
            failed = run_all(sweep, Machine(device, time_limit=time_limit), workers or suitable(device), reporter)
        found = verdicts(table, sweep, failed)
        for each in found:
            if not each.complete:
                reporter.say(f"Missing: {each.row}, {each.measure}: {each.why}")
        spec = sweep.cells[0].spec
        free = baselines(table, spec)
        reporter.say(f"Runs: {sweep.folder}")
    content = {"table": f"{table.paper}:{table.name}", "budget": budget, "benchmark": spec.benchmark, "dataset": spec.dataset,
               "truth": spec.truth, "images": spec.estimation.split, "rows": [verdict_json(each) for each in found],
               "baselines": [verdict_json(each) for each in free], "files": [str(beside(out, "csv"))] if out is not None else [],
               "failed": [{"varied": dict(each.varied), "reason": each.reason} for each in failed]}
    answer(as_json, content, reproduction_table(table, spec, budget, found, free))
    if out is not None:
        reproduction_csv([*found, *free], out)
    bad = [each for each in found if each.verdict == "not reproduced" or not each.complete]
    if failed or any(each.verdict == "not reproduced" or not only_finished for each in bad):
        said = [f"{named(each.varied)}: {each.reason}" for each in failed]
        said += [f"{each.row}, {each.verdict}{f': {each.why}' if each.why else ''}"
                 for each in sorted(bad, key=lambda each: each.verdict != "not reproduced")]
        runs = len(sweep.cells) + len(sweep.refused)
        raise RunError(f"{len(bad)} of {len(found)} numbers are missing, lack seeds or are not reproduced, and {len(failed)} of "
                       f"{runs} runs failed (first: {said[0]}); the same command{' without --only-finished' * only_finished} "
                       "goes on with what is missing.")


def _check_folder(out: Path) -> None:
    """Make the folder of a file; RunError when nothing can be written there, which is not to be found after all runs."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise RunError(f"Cannot write {out}: {reason(error)}.") from error
