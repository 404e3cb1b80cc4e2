"""`harness report`."""

from pathlib import Path

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness report
  harness report results/published --html --out results/report
  harness report results/published --json
""")
@click.argument("runs", nargs=-1)
@click.option("--html", is_flag=True, help="Also a page, index.html, that opens without a network: tables to sort, figures, and "
              "a page for every run.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help="A folder for the files; by default `report` among the runs.")
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="Processes at once for the figures; by default one a core.")
@json_option
def report(runs: tuple[str, ...], html: bool, out: Path | None, jobs: int, as_json: bool) -> None:
    """Tables of finished runs, as Markdown, CSV and LaTeX: a row a configuration, its seeds as mean and spread; and figures.

    RUNS are folders or names of runs, or folders that hold some; by default those of `harness list runs`. Runs that cannot be
    compared stand in several tables, and the reason is said. Figures, as PDF, PNG and CSV, show the runs of a table.
    """
    from rich.console import Group
    from rich.text import Text

    from benchmarks.benchmark import benchmark
    from benchmarks.errors import UsageError
    from benchmarks.folder import write_atomically
    from benchmarks.table import is_embedded
    from harness.progress import Reporter
    from harness.report.formats import table_text, write_table
    from harness.report.plates import plates
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
    with Reporter() as reporter:
        drawn = plates(split, folder / "figures", html, jobs, reporter.step)
    if not all(is_embedded(benchmark(record.spec.benchmark).table) for record in found.records):
        # Figures, and so the page, may hold accuracies of single architectures, which are not to be published.
        write_atomically(folder / ".gitignore", b"*\n")
    notes = []
    if len(made) > 1:
        notes.append(f"There are {len(made)} tables, since the runs differ in {differing(split)}.")
    if found.unfinished:
        notes.append(f"Left out, as they are not finished: {', '.join(run.name for run in found.unfinished)}.")
    content = {"tables": [{**each.to_json(), "files": list(map(str, files))} for each, files in zip(made, paths, strict=True)],
               "figures": [{"kind": plate.kind, "dataset": plate.dataset, "files": list(map(str, plate.files)), "why": plate.why}
                           for plate in drawn],
               "unfinished": [str(run) for run in found.unfinished], "said": notes}
    lines = [part for each in made for part in (table_text(each), Text())]
    left_out: dict[tuple[str, str], dict[str, None]] = {}
    for plate in drawn:
        if plate.why:
            left_out.setdefault((plate.dataset, plate.why), {})[plate.kind] = None
    said = notes + [f"Without figures of {dataset}: {', '.join(kinds)}. {why}" for (dataset, why), kinds in left_out.items()]
    number = sum(not plate.why for plate in drawn)
    ends = [f"{len(made)} table{'s' * (len(made) > 1)} in {folder}"]
    if number:
        ends.append(f"{number} figure{'s' * (number > 1)} in {folder / 'figures'}")
    if html:
        from harness.report.page.page import write_page

        content["page"] = str(write_page(list(zip(made, paths, strict=True)), drawn, notes, folder))
        ends.append(f"Page: {content['page']}")
    answer(as_json, content, Group(*lines, *map(Text, said + ends)))
