"""All kinds of figures, in the order of a paper."""

from benchmarks.errors import UsageError
from benchmarks.suggestion import suggestion
from harness.figures import (
    agreement,
    budget,
    costs,
    curve,
    effects,
    exposure,
    leaves,
    parts,
    scatter,
    training,
    violins,
    widths,
)
from harness.figures.kind import Kind

FIGURES: dict[str, Kind] = {each.name: each for each in (
    parts.KIND, violins.KIND, costs.KIND, widths.KIND, scatter.KIND, exposure.KIND, leaves.KIND, budget.KIND, effects.KIND,
    agreement.KIND, curve.KIND, training.KIND,
)}


def figure(name: str) -> Kind:
    """The kind of that name; UsageError with the closest one when there is none."""
    if name not in FIGURES:
        hint = suggestion(name, FIGURES) or ";"
        raise UsageError(f"Unknown figure '{name}'{hint} choose one of {', '.join(FIGURES)}.")
    return FIGURES[name]
