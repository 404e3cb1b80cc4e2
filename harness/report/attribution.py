"""What factors are worth, as it is printed."""

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from harness.experiments.attribution import Effect
from harness.experiments.factorial import Factorial, Result, unequal
from harness.report.summary import MISSING, scaled, table, three

TITLES = {"mean": "mean", "main": "main effects", "interaction": "two-way interactions"}


def attribution_table(design: Factorial, effects: Sequence[Effect]) -> RenderableType:
    """Marginal means, main effects and interactions, one a line."""
    blocks: list[RenderableType] = []
    for kind, title in TITLES.items():
        rows = [(f"{', '.join(effect.factors)}: {effect.contrast}", _signed(effect.value, kind), _interval(effect, kind),
                 *((probability(effect.p), probability(effect.p_holm)) if kind != "mean" else ()))
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


def _signed(value: float, kind: str) -> str:
    return three(value) if kind == "mean" else f"{value:+.3f}"


def _interval(effect: Effect, kind: str) -> str:
    if np.isnan(effect.low):
        return MISSING
    return f"[{_signed(effect.low, kind)}, {_signed(effect.high, kind)}]"


def probability(value: float) -> str:
    """A p to three digits."""
    return MISSING if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
