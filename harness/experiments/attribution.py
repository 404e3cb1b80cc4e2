"""What each factor of an experiment is worth: main effects and two-way interactions over paired seeds.

Pure: arrays in, values out. The design is a full factorial that every seed went through, so a seed is a block. Of each seed an
effect is one number:

- a marginal mean is the mean over all cells of one level;
- a main effect is the marginal mean of one level minus that of another;
- an interaction is a difference of differences: what the step between two levels of one factor gains by a step of the other one,
  (b2 of a2 - b1 of a2) - (b2 of a1 - b1 of a1), each the mean over the cells of the factors that are left.

The estimate is the mean over seeds, its 95 % interval that of Student's t with n_seed - 1 degrees of freedom on those numbers
(paired t), p two-sided against 0; see harness/measures/statistics.py. p_holm has Holm's correction for the other effects of the
same kind. With one seed, or seeds that all say the same, there is neither an interval nor a p.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.measures.statistics import difference, holm, spread
from harness.measures.tau import number

Kind = Literal["mean", "main", "interaction"]


@dataclass(frozen=True)
class Effect:
    """One number about a factor, or two of them, in the unit of the values.

    contrast: what is compared, such as `part - all` or `(part - all) x (sbs - uniform)`. sd: over seeds. p, p_holm: NaN of
    marginal means, which are compared with nothing.
    """

    kind: Kind
    factors: tuple[str, ...]
    contrast: str
    value: float
    low: float
    high: float
    sd: float
    n_seed: int
    p: float
    p_holm: float

    def to_json(self) -> dict[str, object]:
        return {"kind": self.kind, "factors": list(self.factors), "contrast": self.contrast, "value": self.value,
                "low": number(self.low), "high": number(self.high), "sd": number(self.sd), "n_seed": self.n_seed,
                "p": number(self.p), "p_holm": number(self.p_holm)}


def attribute(values: NDArray[np.float64], factors: Sequence[str], levels: Sequence[Sequence[str]]) -> list[Effect]:
    """Marginal means, main effects and two-way interactions of values float64 [n_seed, n_level of each factor ...], without NaN.

    Levels are compared in their order: the later one minus the earlier one, for every pair.
    """
    assert values.shape[1:] == tuple(map(len, levels))
    assert np.isfinite(values).all()
    means = [_effect("mean", (factor,), name, _mean(values, axis)[:, level])
             for axis, factor in enumerate(factors) for level, name in enumerate(levels[axis])]
    main = [_effect("main", (factor,), _step(levels[axis], low, high), _mean(values, axis)[:, high] - _mean(values, axis)[:, low])
            for axis, factor in enumerate(factors) for low, high in combinations(range(len(levels[axis])), 2)]
    both = [_effect("interaction", (factors[one], factors[other]), contrast, gain)
            for one, other in combinations(range(len(factors)), 2)
            for contrast, gain in _gains(_mean(values, one, other), levels[one], levels[other])]
    return means + _corrected(main) + _corrected(both)


def _mean(values: NDArray[np.float64], *axes: int) -> NDArray[np.float64]:
    """[n_seed, levels of these factors]: the mean over all other factors."""
    others = tuple(axis + 1 for axis in range(values.ndim - 1) if axis not in axes)
    mean: NDArray[np.float64] = values.mean(axis=others)
    return mean


def _gains(table: NDArray[np.float64], ones: Sequence[str], others: Sequence[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Every difference of differences in a table [n_seed, n_level, n_level] of two factors."""
    for a1, a2 in combinations(range(len(ones)), 2):
        for b1, b2 in combinations(range(len(others)), 2):
            gain = (table[:, a2, b2] - table[:, a2, b1]) - (table[:, a1, b2] - table[:, a1, b1])
            yield f"({_step(ones, a1, a2)}) x ({_step(others, b1, b2)})", gain


def _step(names: Sequence[str], low: int, high: int) -> str:
    return f"{names[high]} - {names[low]}"


def _effect(kind: Kind, factors: tuple[str, ...], contrast: str, per_seed: NDArray[np.float64]) -> Effect:
    found = difference(dict(enumerate(per_seed.tolist())), dict.fromkeys(range(len(per_seed)), 0.0))
    p = nan if kind == "mean" else found.p  # which is compared with nothing
    return Effect(kind, factors, contrast, found.mean, found.low, found.high, spread(per_seed.tolist()).sd, found.n, p, p)


def _corrected(effects: list[Effect]) -> list[Effect]:
    """The same with Holm's p."""
    adjusted = holm([effect.p for effect in effects])
    return [replace(effect, p_holm=p) for effect, p in zip(effects, adjusted, strict=True)]
