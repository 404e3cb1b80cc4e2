"""What factors are worth, as it is printed and drawn."""

from collections.abc import Sequence
from csv import DictWriter
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.folder import write_atomically
from harness.experiments.attribution import Effect
from harness.experiments.factorial import Factorial, Result, unequal
from harness.figures.style import INK, ONE_COLUMN, TWO_COLUMNS, beside, canvas, save, style
from harness.report.summary import MISSING, scaled, table, three

TITLES = {"mean": "mean", "main": "main effects", "interaction": "two-way interactions"}
# Of Okabe and Ito, too, and not those that mean truth and estimate.
COLOURS = {"main": "#0072B2", "interaction": "#E69F00"}
# In inches, of a figure: a line, and what is around them.
LINE, AROUND = 0.16, 0.75
# Characters of the longest label that leaves room for the intervals in one column.
LONGEST = 26


def attribution_table(design: Factorial, effects: Sequence[Effect]) -> RenderableType:
    """Marginal means, main effects and interactions, one a line."""
    blocks: list[RenderableType] = []
    for kind, title in TITLES.items():
        rows = [(f"{', '.join(effect.factors)}: {effect.contrast}", _signed(effect.value, kind), _interval(effect, kind),
                 *((_p(effect.p), _p(effect.p_holm)) if kind != "mean" else ()))
                for effect in effects if effect.kind == kind]
        if rows:
            heads = (title, "tau-b" if kind == "mean" else "difference", "95 % interval")
            blocks += [table((*heads, *(("p", "p (Holm)") if kind != "mean" else ())), rows), Text()]
    cells = " x ".join(f"{factor} ({len(levels)})" for factor, levels in zip(design.factors, design.levels, strict=True))
    seeds = ", ".join(map(str, design.seeds))
    return Group(*blocks, Text(
        f"{cells}, seeds {seeds}, each a block. Means are over the cells of a level, a main effect is the difference of two, "
        "an interaction a difference of differences, within each seed; estimate: mean over seeds; interval and p: Student's t on "
        f"the {len(design.seeds)} numbers (paired, two-sided); Holm: corrected for the other lines of the block.", style="dim"))


def inequality_line(results: Sequence[Result], what: str) -> str:
    """Between which runs `passes` or `flops` differ; empty where they are equal."""
    ends = unequal(results, what)
    if ends is None:
        return ""
    low, high = (f"{scaled(getattr(end, what)).strip()} ({end.name})" for end in ends)
    return f"{what.replace('flops', 'FLOPs')} run from {low} to {high}"


def effects_csv(effects: Sequence[Effect], out: Path) -> Path:
    """Write the effects as out.csv, one a line."""
    sink = StringIO()
    rows = [{**effect.to_json(), "factors": " x ".join(effect.factors)} for effect in effects]
    writer = DictWriter(sink, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = beside(out, "csv")
    write_atomically(path, sink.getvalue().encode())
    return path


def draw_attribution(effects: Sequence[Effect], out: Path) -> tuple[Path, Path]:
    """Write the figure of main effects and interactions with their intervals as out.png and out.pdf."""
    drawn = [effect for effect in effects if effect.kind in COLOURS]
    labels = [f"{' x '.join(effect.factors)}: {effect.contrast}" for effect in drawn]
    with style():
        width = ONE_COLUMN if max(map(len, labels)) <= LONGEST else TWO_COLUMNS
        ax = canvas(width, AROUND + LINE * len(drawn))
        ax.axvline(0, color=INK, linewidth=0.6)
        ax.grid(axis="x")
        for kind, colour in COLOURS.items():
            rows = [row for row, effect in enumerate(drawn) if effect.kind == kind]
            values, reach = (np.array([getattr(drawn[row], name) for row in rows]) for name in ("value", "high"))
            if rows:
                ax.errorbar(values, rows, xerr=np.nan_to_num(reach - values), fmt="o", color=colour, markersize=3, capsize=1.5,
                            label=TITLES[kind])
        ax.set_yticks(range(len(drawn)), labels)
        ax.set_ylim(len(drawn) - 0.4, -0.6)
        ax.set_xlabel(f"difference of tau-b (95 % interval over {drawn[0].n_seed} seeds)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
        figure = ax.get_figure(root=True)
        assert figure is not None
        return save(figure, out)


def _signed(value: float, kind: str) -> str:
    return three(value) if kind == "mean" else f"{value:+.3f}"


def _interval(effect: Effect, kind: str) -> str:
    if np.isnan(effect.low):
        return MISSING
    return f"[{_signed(effect.low, kind)}, {_signed(effect.high, kind)}]"


def _p(value: float) -> str:
    return MISSING if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
