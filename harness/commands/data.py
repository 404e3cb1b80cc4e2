"""`harness data`: ground truth and images."""

from pathlib import Path
from typing import Any

import click

from harness.commands.options import answer, json_option


@click.group(epilog="""\b
Examples:
  harness data import NATS-tss-v1_0-3ffb9-simple --as nasbench201 --jobs 4
  harness data import accuracies.json --as mine --dataset cifar10 --split test --epochs 200 --train-on full
  harness data explain c10_test_200_v10
  harness data diff nasbench201:c10_test_200 nasbench201:c10_test_200_v10
""")
def data() -> None:
    """Ground truth and images: import, explain, compare, verify, build and fetch."""


@data.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="The name of the table; an import into a table that is there adds to it.")
@click.option("--format", "form", help="nasbench201, nasbench201-folder, nats, nats-folder, naslib-json, json, csv or parquet; "
                                       "recognised from the content unless given.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes for an official folder.")
@click.option("--column", help="Only this column.")
@click.option("--dataset", help="What columns are about whose names do not say it.")
@click.option("--split", help="valid, test or valtest, likewise.")
@click.option("--epochs", type=int, help="How long the networks trained, likewise.")
@click.option("--train-on", help="full (the whole training set) or half (the training half of a search split), likewise.")
@json_option
def import_(source: Path, name: str, form: str | None, jobs: int, column: str | None, dataset: str | None, split: str | None,
            epochs: int | None, train_on: str | None, as_json: bool) -> None:
    """Take an official file or folder, or a table of accuracies, into the data folder; nothing in it is executed."""
    from dataclasses import asdict

    from benchmarks.convert import import_table
    from harness.progress import Reporter

    try:
        with Reporter() as reporter:
            summary = import_table(source, name, dataset=dataset, split=split, epochs=epochs, train_on=train_on, column=column,
                                   form=form, jobs=jobs, report=lambda done, total: reporter.step("read", done, total))
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the table has all of the import or nothing of it; run the same command again to import from the "
                                "start") from None
    columns = f"{len(summary.columns)} column{'s' if len(summary.columns) > 1 else ''}"
    architectures = f"{summary.architectures:,} architecture{'s' if summary.architectures > 1 else ''}"
    text = [f"{summary.table}: {columns} of {architectures} from {source.name}"
            + (f", {summary.missing:,} architectures are missing and stay NaN" if summary.missing else ""),
            f"  source: {summary.format}, {summary.size:,} bytes, sha256 {summary.sha256}",
            f"  at {summary.path}, logical hash {summary.logical_sha256[:12]}" + ("" if summary.changed else " (nothing new)")]
    text += [f"  odd, and kept as it stands: {oddity}" for oddity in summary.oddities]
    if summary.skipped:
        text.append(f"  left out, being no measurements: {', '.join(summary.skipped)}")
    answer(as_json, {**asdict(summary), "path": str(summary.path)}, "\n".join(text))


@data.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every table with the truths it holds; a damaged one is named at the end."""
    from rich.table import Table

    from benchmarks.errors import DataError
    from benchmarks.table import tables

    grid = Table("table", "truth key", "columns", "seeds", "other columns", box=None, pad_edge=False)
    content: list[dict[str, Any]] = []
    damaged: list[DataError] = []
    for table in tables(damaged):
        truths = [(key, [c for c in table.columns if c.key == key and c.quantity == "accuracy"]) for key in table.keys]
        for key, columns in truths:
            other = [c.name for c in table.columns if c.key == key and c.quantity != "accuracy"]
            grid.add_row(table.name, str(key), " ".join(c.name for c in columns), " ".join(c.seed for c in columns),
                         str(len(other)))
            content.append({"table": table.name, "key": str(key), "columns": [c.name for c in columns],
                            "seeds": [c.seed for c in columns], "other_columns": other})
    answer(as_json, {"truths": content}, grid)
    if damaged:
        raise damaged[0]


@data.command("explain")
@click.argument("key")
@click.option("--table", help="Look into this table first.")
@json_option
def explain(key: str, table: str | None, as_json: bool) -> None:
    """Say in words what a truth key or a column is, how many seeds it has, who used it and what it is confused with."""
    from dataclasses import asdict

    from benchmarks.convert.explanation import explain as words
    from harness.report.truths import explanation_text

    found = words(key, table)
    answer(as_json, asdict(found), explanation_text(found))


@data.command("diff")
@click.argument("a")
@click.argument("b")
@json_option
def diff(a: str, b: str, as_json: bool) -> None:
    """Compare two tables, or two numbers written TABLE:KEY: tau, largest differences, missing seeds."""
    from dataclasses import asdict

    from benchmarks.convert.difference import diff as compare
    from harness.report.truths import difference_text

    found = compare(a, b)
    answer(as_json, asdict(found), difference_text(found))


@data.command("fetch")
@click.argument("name")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Download a data set and check it against its published hashes; says what to get by hand where that is not possible."""
    from benchmarks.fetch import fetch as download
    from harness.progress import Reporter

    with Reporter() as reporter:
        # Without a size there is nothing to measure the progress by.
        paths = download(name, lambda done, total: reporter.step(f"fetch {name}", done, total) if total else None)
    answer(as_json, {"name": name, "paths": [str(path) for path in paths]}, "\n".join(str(path) for path in paths))


@data.command("verify")
@click.argument("tables", nargs=-1)
@json_option
def verify(tables: tuple[str, ...], as_json: bool) -> None:
    """Read every value of the named tables, or of all, and compare with their hashes."""
    from benchmarks.table import table_names
    from benchmarks.table import verify as check

    found = [check(name) for name in tables or table_names()]
    content = {table.name: {"sha256": table.sha256, "columns": len(table.columns)} for table in found}
    lines = (f"{table.name}: {len(table.columns)} columns as written ({table.sha256[:12]})" for table in found)
    answer(as_json, content, "\n".join(lines))


@data.command("build")
@click.argument("name", default="digits201")
@click.option("--classes", type=int, help="So many training-equivalent classes in the order of drawing; all 5,260 by default.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes at once.")
@json_option
def build(name: str, classes: int | None, jobs: int, as_json: bool) -> None:
    """Train the stand-alone networks of an embedded benchmark and make its table; killed, it goes on where it stopped."""
    from harness.progress import Reporter
    from harness.training.build import build as make

    with Reporter() as reporter:
        table = make(name, classes, jobs=jobs, report=lambda done, total: reporter.step("train classes", done, total))
    answer(as_json, {"table": table.name, "path": str(table.path), "sha256": table.sha256}, f"{table.name}: {table.path}")
