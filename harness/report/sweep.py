"""A sweep as it is printed: what it can show before it starts, and its table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import comb, isnan, nan, prod
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.errors import DataError
from harness.experiments.factorial import Result
from harness.experiments.power import ALPHA, POWER, Spread, detectable_between, pooled
from harness.experiments.sweep import Failure, Sweep, named, shown, unseeded
from harness.report.attribution import inequality_line
from harness.report.summary import MISSING, interval, scaled, table, three
from harness.runs.collection import read_record
from harness.runs.spec import RunSpec
from harness.store import results_home, run_folders


def design_lines(sweep: Sweep, sd: float | None) -> list[str]:
    """What is said before a sweep starts: its size, what it cannot run, unequal budgets, and the least difference it can find."""
    done = sum(cell.finished for cell in sweep.cells)
    lines = [f"{len(sweep.cells)} cells, {done} of them finished: {' x '.join(sweep.factors)}"]
    lines += refusal_lines(sweep.refused)
    results = [Result({name: shown(value) for name, value in cell.varied.items() if name != "seed"}, cell.spec.seed, nan,
                      cell.spec.passes, nan) for cell in sweep.cells]
    if passes := inequality_line(results, "passes"):
        lines.append(f"Budgets are unequal: subnet {passes}; what looks like an effect can be the budget.")
    return [*lines, *detectable_lines(sweep, sd)]


def refusal_lines(refused: Sequence[Failure]) -> list[str]:
    """A line for each reason, with the first cell that has it."""
    reasons = Counter(each.reason for each in refused)
    first = {each.reason: named(each.varied) for each in reversed(refused)}
    return [f"Cannot run {first[reason]}{f' and {n - 1} more' if n > 1 else ''}: {reason}" for reason, n in reasons.items()]


def detectable_lines(sweep: Sweep, sd: float | None) -> list[str]:
    """The minimum detectable difference of tau between two cells and, where every combination of levels is there, of each
    factor's main effect, by itself and at the threshold that Holm's correction has for the first of all."""
    seeds = len({cell.spec.seed for cell in sweep.cells})
    if seeds < 2:
        return ["Minimum detectable difference: none, as one seed says nothing about noise; more seeds do."]
    spread, damaged = (Spread(sd, 0, 0), []) if sd else spread_at_hand(sweep)
    left_out = [f"Left out of the spread over seeds, {len(damaged)} in all: {damaged[0]}"] if damaged else []
    if spread is None:
        unit = detectable_between(1.0, 1, seeds)
        return [*left_out, f"Minimum detectable difference between two cells with {seeds} seeds: {unit:.2f} standard deviations "
                "over seeds; no finished runs of this budget say how large that is, so give --sd, or plan again once some are "
                "there."]
    source = "as given" if sd else f"pooled over {spread.values} runs in {spread.groups} groups"
    found = [f"{three(detectable_between(spread.sd, 1, seeds))} between two cells"]
    levels = {factor: len({cell.varied[factor] for cell in sweep.cells}) for factor in sweep.factors if factor != "seed"}
    whole = prod(levels.values()) * seeds == len(sweep.cells)
    cells = {factor: len(sweep.cells) // seeds // n for factor, n in levels.items() if n > 1} if whole else {}
    found += [f"{three(detectable_between(spread.sd, n, seeds))} of {factor} (mean of {n} cells a level)"
              for factor, n in cells.items() if n > 1]
    lines = [*left_out, f"Minimum detectable difference of tau with {seeds} seeds (two-sided t, alpha {ALPHA:g}, power "
             f"{POWER:g}, sd over seeds {spread.sd:.4f} {source}, cells taken as independent): {'; '.join(found)}."]
    if (contrasts := sum(comb(levels[factor], 2) for factor in cells)) > 1:
        first = [f"{three(detectable_between(spread.sd, n, seeds, ALPHA / contrasts))} of {factor}"
                 for factor, n in cells.items()]
        lines.append(f"At Holm's first threshold for {contrasts} main effects, alpha / {contrasts}, which `attribute` judges by: "
                     f"{'; '.join(first)}.")
    return lines


def spread_at_hand(sweep: Sweep) -> tuple[Spread | None, list[str]]:
    """The spread of tau over seeds of all finished runs that share benchmark, budget, truth and estimation with a cell; and why
    some runs cannot be read, which are left out."""
    wanted, damaged = {_circumstances(cell.spec) for cell in sweep.cells}, []
    groups: dict[str, dict[int, float]] = {}
    for path in (path for folder in run_folders(results_home()) for path in sorted(folder.glob("metrics-*.json"))):
        try:
            record = read_record(path)
        except DataError as error:
            damaged.append(str(error))
            continue
        value = record.value("tau", "value")
        if not isnan(value) and _circumstances(record.spec) in wanted:
            alike = repr((unseeded(record.spec), record.population))
            groups.setdefault(alike, {})[record.spec.seed] = value
    return pooled([list(group.values()) for group in groups.values()]), damaged


def _circumstances(spec: RunSpec) -> tuple[Any, ...]:
    return (spec.benchmark, spec.dataset, spec.passes, spec.truth, spec.estimation, spec.estimator)


def sweep_table(sweep: Sweep, rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The finished cells of a sweep, one a line."""
    varying = [factor for factor in sweep.factors if len({cell.varied[factor] for cell in sweep.cells}) > 1]
    others = list(dict.fromkeys(name for row in rows for name in row if name.startswith("tau, ")))
    heads = ("cell", "tau-b\n[95 % interval]", *(name.replace("tau, ", "tau-b,\n") for name in others), "passes", "FLOPs")
    lines = [(" ".join(f"{name}={row[name]}" for name in varying) or MISSING, interval({**row, "value": row["tau"]}),
              *(three(row.get(name)) for name in others), f"{row['passes']:,}", scaled(row["flops"]).strip()) for row in rows]
    judged = ", ".join(dict.fromkeys(str(row["population"]) for row in rows))
    missing = len(sweep.cells) + len(sweep.refused) - len(rows)
    notes = [Text(f"tau-b on {judged}; interval: over architectures, of one training each.", style="dim")] if rows else []
    return Group(table(heads, lines), Text(), *notes, *([Text(f"{missing} cells are missing.")] if missing else []))
