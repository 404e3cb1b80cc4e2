"""`harness data`: ground truth and images."""

from pathlib import Path
from typing import Any

import click

from harness.commands.options import answer, json_option


@click.group(epilog="""\b
Examples:
  harness data import nasbench201.parquet --as nasbench201
  harness data import accuracies.json --as mine --dataset cifar10 --split test --epochs 200 --train-on full
  harness data list
""")
def data() -> None:
    """Ground-truth tables: import, build, list and verify them."""


@data.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="The name of the table; an import into a table that is there adds columns.")
@click.option("--column", help="Only this column.")
@click.option("--dataset", help="What columns are about whose names do not say it.")
@click.option("--split", help="valid, test or valtest, likewise.")
@click.option("--epochs", type=int, help="How long the networks trained, likewise.")
@click.option("--train-on", help="full (the whole training set) or half (the training half of a search split), likewise.")
@json_option
def import_(file: Path, name: str, column: str | None, dataset: str | None, split: str | None, epochs: int | None,
            train_on: str | None, as_json: bool) -> None:
    """Take a table of accuracies (parquet, CSV, or JSON {architecture: accuracy}) into the data folder."""
    from dataclasses import asdict

    from benchmarks.convert import import_table

    summary = import_table(file, name, dataset=dataset, split=split, epochs=epochs, train_on=train_on, column=column)
    text = [f"{summary.table}: {len(summary.columns)} columns of {summary.architectures:,} architectures from {file.name}"
            + (f", {summary.missing:,} architectures are missing and stay NaN" if summary.missing else ""),
            f"  at {summary.path}, logical hash {summary.logical_sha256[:12]}" + ("" if summary.changed else " (nothing new)")]
    if summary.skipped:
        text.append(f"  left out, being no accuracies: {', '.join(summary.skipped)}")
    answer(as_json, {**asdict(summary), "path": str(summary.path)}, "\n".join(text))


@data.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Every table with the truths it holds."""
    from rich.table import Table

    from benchmarks.table import tables

    grid = Table("table", "truth key", "columns", "seeds", box=None, pad_edge=False)
    content: list[dict[str, Any]] = []
    for table in tables():
        for key in table.keys:
            columns = [column for column in table.columns if column.key == key]
            grid.add_row(table.name, str(key), " ".join(column.name for column in columns), " ".join(c.seed for c in columns))
            content.append({"table": table.name, "key": str(key), "columns": [column.name for column in columns],
                            "seeds": [column.seed for column in columns]})
    answer(as_json, {"truths": content}, grid)


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
    from harness.build import build as make
    from harness.progress import Reporter

    with Reporter() as reporter:
        table = make(name, classes, jobs=jobs, report=lambda done, total: reporter.step("train classes", done, total))
    answer(as_json, {"table": table.name, "path": str(table.path), "sha256": table.sha256}, f"{table.name}: {table.path}")
