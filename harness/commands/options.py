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


def supernet_option(command: F) -> F:
    """`--supernet`."""
    return click.option("--supernet", metavar="RUN", help="A finished run whose trained weights are asked by criteria that can "
                        "(gradient_matching); by default they ask weights at their initialisation.")(command)


def time_limit_option(command: F) -> F:
    """`--time-limit`."""
    from harness.scoring.deadline import SECONDS

    return click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=SECONDS, show_default=True,
                        metavar="SECONDS", help="A criterion that takes longer is stopped.")(command)


def criterion_options(command: F) -> F:
    """`--architectures`, `--device`, `--jobs` and `--time-limit` of commands that ask criteria."""
    command = time_limit_option(command)
    for option in (
        click.option("--jobs", type=click.IntRange(min=0), default=0, help="Processes at once, where networks are measured."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda, likewise."),
        click.option("--architectures", type=click.IntRange(min=2), metavar="N",
                     help="Measure networks for a sample of N connected architectures only, and judge on it; it is the same for "
                     "every criterion and run."),
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
