"""A criterion's scores against truths, as they are printed."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from harness.report.summary import MISSING, interval, table, three
from harness.scoring.scores import Scored, Verdict


def scores_table(found: Scored, judged: Sequence[Verdict], path: Path) -> RenderableType:
    """tau-b with each truth on each population, of every seed, and where the scores are."""
    unit = f" ({found.unit})" if found.unit else ""
    lines: list[RenderableType] = [Text(f"{found.criterion}: {found.meaning}{unit}", style="bold"), Text(_seeds(found)), Text()]
    several = len(found.seeds) > 1
    heads = ("truth", "population", "n", *(f"seed {seed}" for seed in found.seeds if several),
             "mean" if several else "tau-b [95 % interval]", *(("sd",) if several else ()))
    rows = []
    for verdict in judged:
        whole = verdict.taus
        shown = (*(three(tau.value) for tau in whole), three(verdict.mean), three(verdict.sd)) if several else (
            interval(whole[0].to_json()),)
        rows.append((verdict.truth_key, verdict.population, f"{whole[0].n:,}", *shown))
        if any(last.n > finite.n for last, finite in zip(whole, verdict.finite, strict=True)):
            values = [tau.value for tau in verdict.finite]
            shown = (*map(three, values), MISSING, MISSING) if several else (interval(verdict.finite[0].to_json()),)
            rows.append(("", "  without undefined scores", f"{verdict.finite[0].n:,}", *shown))
    if rows:
        lines.append(table(heads, rows))
    else:
        lines.append(Text("No truth is at hand to compare with; take one in with `harness data import`."))
    return Group(*lines, Text(), Text(f"Scores: {path}"))


def _seeds(found: Scored) -> str:
    lacking = f" {found.n_undefined:,} architectures have no score and are ranked last." if found.n_undefined else ""
    rest = f"{lacking} Scored: {found.sample.name}." if found.sample else lacking
    if found.depends is None:
        return f"From seed {found.seeds[0]} alone.{rest}"
    if found.depends:
        return f"From {len(found.seeds)} seeds, on which the scores depend.{rest}"
    return f"The scores do not depend on the seed.{rest}"
