"""`harness figure`."""

from pathlib import Path

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness figure violins results/published
  harness figure scatter results/published/digits201-controls --columns 1 --out figures/scatter
  harness figure scatter --csv figures/scatter.csv --out figures/again
""")
@click.argument("name")
@click.argument("runs", nargs=-1)
@click.option("--csv", type=click.Path(path_type=Path, dir_okay=False),
              help="Draw what this file holds, which was written with a figure, and not runs.")
@click.option("--columns", type=click.IntRange(1, 2), default=2, show_default=True,
              help="Columns of a paper that it spans: 3.25 or 6.75 inches.")
@click.option("--out", type=click.Path(path_type=Path),
              help="PATH.pdf, PATH.png and PATH.csv; by default `report/NAME` among the runs, or beside the file of --csv.")
@json_option
def figure(name: str, runs: tuple[str, ...], csv: Path | None, columns: int, out: Path | None, as_json: bool) -> None:
    """A figure of finished runs: PDF, PNG and the CSV that it can be drawn from again.

    NAME is one of `harness list figures`. RUNS are folders or names of runs, or folders that hold some; by default those of
    `harness list runs`. Runs that are left out, and why, are said on standard error and in the JSON's `notes`.
    """
    from rich.text import Text

    from benchmarks.errors import UsageError
    from harness.figures.gallery import figure as kind_of
    from harness.figures.kind import too_high
    from harness.runs.collection import collect
    from harness.store import results_home

    kind = kind_of(name)
    if csv is not None and runs:
        raise UsageError(f"The figure is drawn from runs or from {csv}, not from both; leave one of them out.")
    left_out: list[str] = []
    if csv is not None:
        found = kind.read(csv)
    else:
        records = collect(runs).records
        found, left_out = kind.frame(records), kind.left_out(records)
    drawn = kind.draw(found, columns)
    place = out or (csv.with_suffix("") if csv is not None else results_home() / "report" / kind.name)
    paths, said, notes = kind.save(drawn, found, place), kind.describe(found), [*left_out, *too_high(drawn, columns)]
    for each in notes:
        click.echo(each, err=True)
    answer(as_json, {"figure": kind.name, "files": list(map(str, paths)), "says": said, "notes": notes},
           Text(f"{said}\n\nWritten: {', '.join(map(str, paths))}"))
