"""Options that several commands share, and the one way they answer."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(command)


def benchmark_options(command: F) -> F:
    """`--benchmark`, `--dataset` and `--truth`."""
    for option in (
        click.option("--truth", metavar="KEY", help="A truth key (v1_0/cifar10/test/200/full) or an imported column."),
        click.option("--dataset", help="Dataset of the benchmark; by default that of the truth, or the first one."),
        click.option("--benchmark", help="digits201 (the default) or nasbench201; a truth names its own."),
    ):
        command = option(command)
    return command


def criterion_options(command: F) -> F:
    """`--device`, `--jobs` and `--time-limit` of commands that ask criteria."""
    from harness.deadline import SECONDS

    for option in (
        click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=SECONDS, show_default=True,
                     metavar="SECONDS", help="A criterion that takes longer is stopped."),
        click.option("--jobs", type=click.IntRange(min=0), default=0, help="Processes at once, where networks are measured."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda, likewise."),
    ):
        command = option(command)
    return command


def answer(as_json: bool, content: Any, text: Any) -> None:
    """Print the JSON content, or the text (anything rich can render), on standard output."""
    if as_json:
        click.echo(json.dumps(content, sort_keys=True))
        return
    from rich.console import Console

    from harness.report.summary import as_text

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(text, markup=False, crop=False)
    else:
        click.echo(as_text(text), nl=False)
