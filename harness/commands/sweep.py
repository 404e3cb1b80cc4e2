"""`harness sweep`, and how it and `harness plan` are told what to vary."""

import re
import tomllib
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.errors import RunError, UsageError
from harness.commands.options import answer, json_option, time_limit_option
from harness.commands.run import fields_of, run

if TYPE_CHECKING:
    from harness.experiments.factor import Factor
    from harness.experiments.sweep import Sweep

# What `harness run` takes and a sweep takes in its own way.
OTHER = ("config", "jobs", "time_limit", "as_json")
# The largest product that is believed to be meant.
MOST_VALUES = 1000


def _finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """UsageError for what click takes as a number and is none."""
    if value is not None and not isfinite(value):
        raise UsageError(f"{option.opts[0]} takes a number above 0, not {value}; give one such as 0.01.")
    return value


def sweep_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Everything that `harness run` takes, and `--vary`, `--config`, `--workers` and `--sd`."""
    for option in (
        click.option("--sd", type=click.FloatRange(min=0, min_open=True), callback=_finite,
                     help="Standard deviation of tau over seeds; by default that of the runs at hand of the same budget."),
        click.option("--workers", type=click.IntRange(min=1),
                     help="Runs at once; by default one a core, or one where there is a GPU."),
        click.option("--config", type=click.Path(path_type=Path),
                     help="A TOML file with the fields of a run and a table [vary]; flags beat it."),
        click.option("--vary", "varied", multiple=True, metavar="FIELD=VALUE,VALUE",
                     help="A flag or any field of a run and its values; seed=0..4 is a range. Can be given several times; the "
                     "last of one FIELD counts."),
    ):
        command = option(command)
    inherited = [option for option in run.params if option.name not in OTHER]
    command.__click_params__ = [*getattr(command, "__click_params__", []), *reversed(inherited)]  # type: ignore[attr-defined]
    return command


@click.command(epilog="""\b
Examples:
  harness sweep --vary share=all,part --vary sampler=uniform,sbs --vary seed=0..4 --budget smoke
  harness sweep --vary 'criterion=nonlinear,random[like=nonlinear],oracle' --vary seed=0,1,2 --workers 2
  harness sweep --config sweep.toml --json
""")
@sweep_options
@time_limit_option
@json_option
def sweep(varied: tuple[str, ...], config: Path | None, assignments: tuple[str, ...], device: str, workers: int | None,
          sd: float | None, time_limit: float, as_json: bool, **flags: Any) -> None:
    """Run every combination of the varied fields, several at once, and write one table.

    Each cell is an ordinary run: finished ones are skipped, and the same command goes on where it stopped. A cell that fails is
    named with its reason, the others go on, and the exit code is 1.
    """
    from harness.experiments.sweeper import run_all, suitable
    from harness.progress import Reporter
    from harness.report.sweep import design_lines, sweep_table
    from harness.scoring.world import Machine

    found = swept(varied, config, fields_of(flags, assignments))
    with Reporter() as reporter:
        for line in design_lines(found, sd):
            reporter.say(line)
        failures = run_all(found, Machine(device, time_limit=time_limit), workers or suitable(device), reporter)
        reporter.say(f"Sweep: {found.folder}")
    rows, _ = found.results()
    content = {"sweep": str(found.folder), "rows": rows,
               "failed": [{"varied": dict(each.varied), "reason": each.reason} for each in failures]}
    answer(as_json, content, sweep_table(found, rows))
    if failures:
        cells = len(found.cells) + len(found.refused)
        raise RunError(f"{len(failures)} of {cells} cells failed (first: {failures[0].reason}); "
                       f"{'the others are done, and ' * (len(failures) < cells)}the same command tries these again.")


def swept(varied: tuple[str, ...], config: Path | None, given: dict[str, Any]) -> "Sweep":
    """The sweep that `--vary`, a config file and flags mean, the earlier beating the later."""
    from harness.experiments.factor import product_of
    from harness.presets import merge, read_config

    common = read_config(config) if config else {}
    listed = common.pop("vary", {})
    if not isinstance(listed, Mapping):
        raise UsageError("'vary' is a table in a config file; write [vary] and below it lines such as seed = [0, 1, 2].")
    factors = {name: _listed(name, values) for name, values in _flat(listed).items()}
    factors |= {factor.name: factor for factor in map(_given, varied)}
    if not factors:
        raise UsageError("A sweep without values runs nothing; give --vary FIELD=VALUE,VALUE, or use `harness run` for one run.")
    return product_of(list(factors.values()), merge(common, given))


def _given(text: str) -> "Factor":
    """The factor of `--vary FIELD=VALUE,VALUE`."""
    from criteria.selector import parts

    name, equals, values = text.partition("=")
    pieces = parts(values, ",")
    if not equals or not name.strip() or not all(pieces):
        raise UsageError(f"--vary takes field=value,value such as share=all,part, not '{text}'.")
    return _listed(name.strip(), pieces)


def _listed(name: str, values: Any) -> "Factor":
    """The factor of a name and its values: a list of them, or one text such as 0..4."""
    from harness.experiments.factor import Factor
    from harness.presets import FIELD_OF

    found = [tuple(value) if isinstance(value, list) and all(type(each) is int for each in value) else value
             for piece in (values if isinstance(values, list) else [values]) for value in _values(piece)]
    if not found or any(not isinstance(value, bool | int | float | str | tuple) for value in found):
        raise UsageError(f"'{name}' cannot be varied over {values!r}; give numbers, words, lists such as [15,20], or a range "
                         "such as 0..4.")
    return Factor(name, FIELD_OF.get(name, name), tuple(dict.fromkeys(found)))


def _values(piece: Any) -> list[Any]:
    """A value read as TOML where it is text that is one, or all of a range."""
    if not isinstance(piece, str):
        return [piece]
    if ends := re.fullmatch(r"(-?\d+)\.\.(-?\d+)", piece):
        low, high = map(int, ends.groups())
        if not 0 <= high - low < MOST_VALUES:
            raise UsageError(f"The range {piece} has {high - low + 1} values; give the smaller end first and at most "
                             f"{MOST_VALUES} values.")
        return list(range(low, high + 1))
    try:
        return [tomllib.loads(f"value = {piece}")["value"]]
    except tomllib.TOMLDecodeError:
        return [piece]


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"recipe.lr": ...} of nested tables: TOML reads a dotted name as one."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found
