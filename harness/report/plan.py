"""What a sweep will cost, as it is printed."""

from math import nan

from rich.console import Group, RenderableType
from rich.text import Text

from harness.experiments.factorial import Result
from harness.experiments.plan import Line, Plan
from harness.experiments.sweep import Sweep, Value, named, shown
from harness.report.attribution import inequality_line
from harness.report.summary import clock, scaled, table
from harness.report.sweep import refusal_lines

MIB = 1 << 20


def plan_table(sweep: Sweep, plan: Plan) -> RenderableType:
    """A line for each training, those that differ by the seed alone together; then the sweep's whole cost and its time."""
    groups: dict[tuple[tuple[tuple[str, Value], ...], tuple[int, ...]], list[Line]] = {}
    last = {cell.run for cell in sweep.cells}
    for line in plan.lines:
        varied = {name: value for name, value in line.cell.varied.items() if name != "seed"}
        parent: tuple[int, ...] = () if line.run in last else (line.cost.supernets,)
        groups.setdefault((tuple(varied.items()), parent), []).append(line)
    rows = []
    for (key, parent), lines in groups.items():
        name = named(dict(key)) or "run"
        cost, n = lines[0].cost, len(lines)
        rows.append((name + " (a parent)" * len(parent), str(n), str(cost.supernets), f"{cost.parameters:,}",
                     f"{sum(line.cost.passes for line in lines) // n:,}",
                     scaled(sum(line.cost.flops for line in lines) / n).strip(), f"{lines[0].memory:.0f}",
                     f"{cost.disk / MIB:.1f}", clock(sum(line.left for line in lines) / n)))
    heads = ("runs, mean of a run", "runs", "super-\nnets", "para-\nmeters", "passes", "FLOPs", "MiB\nmemory", "MiB\ndisk",
             "one core,\nto do")
    passes, flops, disk = (sum(getattr(line.cost, name) for line in plan.lines) for name in ("passes", "flops", "disk"))
    total = (f"In all {passes:,} passes, {scaled(flops)}FLOPs, {disk / MIB:,.0f} MiB of disk; memory is of one process, which "
             "each worker is.")
    times = table(("workers", "predicted time"), [(str(i + 1), clock(seconds)) for i, seconds in enumerate(plan.seconds)])
    return Group(table(heads, rows), Text(), Text(total), Text(), times, Text(
        "If nothing else runs here; 1 worker uses all cores for one run, several have one each. Proxies that measure networks, "
        "the comparison with the truth and what is partly done are not in it.", style="dim"))


def plan_lines(sweep: Sweep, plan: Plan) -> list[str]:
    """Warnings: cells that fail, FLOPs that are not equal, and parts that are not known yet."""
    spent: dict[str, Result] = {}
    for line in plan.lines:
        levels = {name: shown(value) for name, value in line.cell.varied.items()}
        before = spent.get(line.cell.name, Result(levels, 0, nan, 0.0, 0.0))
        spent[line.cell.name] = Result(levels, 0, nan, before.passes + line.cost.passes, before.flops + line.cost.flops)
    lines = refusal_lines(plan.failed)
    if flops := inequality_line(list(spent.values()), "flops"):
        lines.append(f"Budgets are unequal: {flops}.")
    guessed = list(dict.fromkeys(line.cell.spec.criterion for line in plan.lines if line.cost.guessed))
    if guessed:
        lines.append(f"The parts of {', '.join(guessed)} are not known before networks are measured; random ones stand for them.")
    return lines
