"""`harness report`."""

from pathlib import Path

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness report
  harness report results/published --out results/report --json
""")
@click.argument("runs", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="A folder for the files; by default `report` among the runs.")
@json_option
def report(runs: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Tables of finished runs, as Markdown, CSV and LaTeX: a row a configuration, its seeds as mean and spread.

    RUNS are folders or names of runs, or folders that hold some; by default those of `harness list runs`. Runs that cannot be
    compared stand in several tables, and the reason is said.
    """
    from rich.console import Group
    from rich.text import Text

    from benchmarks.errors import UsageError
    from harness.report.formats import table_text, write_table
    from harness.report.rows import differing, groups
    from harness.report.tables import table
    from harness.runs.collection import collect
    from harness.store import results_home

    found = collect(runs)
    split = groups(found.records)
    if not split:
        raise UsageError("There is no finished run and so no table; name folders of runs, or finish one with `harness run`.")
    made = [table(each) for each in split]
    folder = out or results_home() / "report"
    paths = [write_table(each, folder) for each in made]
    said = []
    if len(made) > 1:
        said.append(f"There are {len(made)} tables, since the runs differ in {differing(split)}.")
    if found.unfinished:
        said.append(f"Left out, as they are not finished: {', '.join(run.name for run in found.unfinished)}.")
    content = {"tables": [{**each.to_json(), "files": list(map(str, files))} for each, files in zip(made, paths, strict=True)],
               "unfinished": [str(run) for run in found.unfinished], "said": said}
    lines = [part for each in made for part in (table_text(each), Text())]
    answer(as_json, content, Group(*lines, *map(Text, said), Text(f"{len(made)} tables in {folder}")))
