"""Kendall's tau-b with its interval, ties and population, and its exact split into within and across parts.

Source: Kendall, "The treatment of ties in ranking problems", Biometrika 1945. Of the n(n-1)/2 pairs of architectures, C
are ordered alike by estimates and truth and D the other way round; u pairs are not tied by the estimates, v not by the
truth. Then tau-b = (C - D) / sqrt(u v). It depends on values only, never on the order of the rows.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.errors import DataError, RunError
from benchmarks.seeds import derive

RESAMPLES = 200
PERMUTATION_TOLERANCE = 1e-9

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]
Undefined = Literal["last", "drop"]


@dataclass(frozen=True)
class Tau:
    """Kendall's tau-b of n architectures; NaN where it is not defined (n < 2, or a side that is one single tie).

    low, high: 95 % percentile interval of a bootstrap over architectures. ties_estimates, ties_truth: share of all
    pairs that this side ties. ceiling: the tau that noise in the truth leaves within reach, None where unknown.
    """

    value: float
    low: float
    high: float
    n: int
    ties_estimates: float
    ties_truth: float
    ceiling: float | None
    population: str
    variant: str = "b"

    def to_json(self) -> dict[str, object]:
        return {"value": number(self.value), "low": number(self.low), "high": number(self.high), "n": self.n,
                "ties": {"estimates": number(self.ties_estimates), "truth": number(self.ties_truth)},
                "ceiling": number(self.ceiling), "population": self.population, "variant": self.variant}


@dataclass(frozen=True)
class Decomposition:
    """tau-b over the pairs inside one part (within) and over those of two parts (across), and how they add up.

    Exact, since C - D, u and v are sums over pairs: (C - D) = (C - D)_w + (C - D)_a, u = u_w + u_a, v = v_w + v_a. With
    within = (C - D)_w / sqrt(u_w v_w) and weight_within = sqrt(u_w v_w) / sqrt(u v), and likewise across,
    tau-b = weight_within * within + weight_across * across. The weights add up to 1 without ties, else to at most 1.

    pair_share_within: the share of all pairs that lie inside one part. parts, sizes: tau-b and number of architectures
    of each part. Architectures in no part (label -1) are left out everywhere.
    """

    within: float
    across: float
    pair_share_within: float
    weight_within: float
    weight_across: float
    parts: tuple[float, ...]
    sizes: tuple[int, ...]

    def to_json(self) -> dict[str, object]:
        return {"within": number(self.within), "across": number(self.across),
                "pair_share_within": number(self.pair_share_within), "weight_within": number(self.weight_within),
                "weight_across": number(self.weight_across), "parts": [number(part) for part in self.parts],
                "sizes": list(self.sizes)}


def tau(estimates: Floats, truth: Floats, *, population: str, undefined: Undefined = "last",
        ceiling: float | None = None, seed: int = 0) -> Tau:
    """Kendall's tau-b of estimates [n] against truth [n], any units, with a bootstrap interval.

    A NaN truth is always left out. A NaN estimate is ranked last, tied with the other undefined ones
    (undefined="last"), or left out too ("drop"). Raises DataError for infinite values or different lengths, RunError
    when the value changes with the order of the rows.
    """
    x, y = ranks(estimates, truth, undefined)
    value = tau_b(x, y)
    _check_row_order(value, x, y, seed)
    low, high = _interval(x, y, seed)
    pairs = _pairs(len(x))
    return Tau(value, low, high, len(x), _share(pairs - _untied(x), pairs), _share(pairs - _untied(y), pairs), ceiling,
               population)


def decompose(estimates: Floats, truth: Floats, labels: NDArray[np.integer]) -> Decomposition:
    """The within-part and across-part shares of tau; labels integer [n], -1 = in no part.

    Undefined values are treated as by `tau` (estimates ranked last), and so are bad ones (DataError).
    """
    labels = np.asarray(labels)
    if labels.shape != np.shape(estimates):
        raise DataError(f"There are {labels.size} labels for {np.size(estimates)} estimates; give each one label.")
    inside = labels >= 0
    x, y = ranks(np.asarray(estimates)[inside], np.asarray(truth)[inside], "last")
    kept = labels[inside & ~np.isnan(truth)]
    members = [np.flatnonzero(kept == part) for part in range(int(labels.max(initial=-1)) + 1)]
    whole = np.array(_concordance(x, y))
    inner = np.array([_concordance(x[rows], y[rows]) for rows in members], dtype=np.int64).reshape(-1, 3).sum(axis=0)
    outer = whole - inner
    sizes = tuple(len(rows) for rows in members)
    pair_share = _share(sum(_pairs(size) for size in sizes), _pairs(len(x)))
    within, across = (_ratio((float(u) * float(v)) ** 0.5, *whole[1:]) for _, u, v in (inner, outer))
    return Decomposition(_ratio(*inner), _ratio(*outer), pair_share, within, across,
                         tuple(tau_b(x[rows], y[rows]) for rows in members), sizes)


def tau_b(x: Floats | Ranks, y: Floats | Ranks) -> float:
    """tau-b of two vectors [n] without NaN; NaN where it is not defined."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(kendalltau(x, y, variant="b").statistic)


def ranks(estimates: Floats, truth: Floats, undefined: Undefined) -> tuple[Ranks, Ranks]:
    """Both sides as ranks int64 [m]: equal values share one, undefined estimates have -1, NaN truths are left out."""
    estimates, truth = np.asarray(estimates, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if estimates.ndim != 1 or estimates.shape != truth.shape:
        raise DataError(f"Estimates of shape {estimates.shape} cannot be compared with a truth of {truth.shape}; "
                        "give one value per architecture on both sides.")
    for name, values in (("estimates", estimates), ("truth", truth)):
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise DataError(f"The {name} hold an infinite value at position {row}, counted from 0; "
                            "write NaN where a value is undefined.")
    kept = ~np.isnan(truth) & (~np.isnan(estimates) | (undefined == "last"))
    return _rank(estimates[kept]), _rank(truth[kept])


def number(value: float | None) -> float | None:
    """A float for JSON, which has no NaN."""
    return None if value is None or np.isnan(value) else float(value)


def _rank(values: Floats) -> Ranks:
    rank = np.full(len(values), -1, dtype=np.int64)
    finite = ~np.isnan(values)
    rank[finite] = np.unique(values[finite], return_inverse=True)[1]
    return rank


def _check_row_order(value: float, x: Ranks, y: Ranks, seed: int) -> None:
    order = np.random.default_rng(derive(seed, "tau", "permutation")).permutation(len(x))
    again = tau_b(x[order], y[order])
    if not np.isnan(value) and not abs(again - value) <= PERMUTATION_TOLERANCE:
        raise RunError(f"Kendall's tau depends on the order of the rows ({value!r}, permuted {again!r}), so neither "
                       "can be trusted; report this with the versions of numpy and scipy.")


def _interval(x: Ranks, y: Ranks, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(derive(seed, "tau", "bootstrap"))
    draws = (rng.integers(len(x), size=len(x)) for _ in range(RESAMPLES if len(x) > 1 else 0))
    values = np.array([tau_b(x[rows], y[rows]) for rows in draws])
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def _untied(rank: Ranks) -> int:
    """How many pairs have two different ranks."""
    counts = np.unique(rank, return_counts=True)[1]
    return _pairs(len(rank)) - int((counts * (counts - 1) // 2).sum())


def _concordance(x: Ranks, y: Ranks) -> tuple[int, int, int]:
    """(C - D, u, v): integers, so C - D is recovered exactly from tau-b."""
    u, v = _untied(x), _untied(y)
    return (round(tau_b(x, y) * (u * v) ** 0.5) if u and v else 0), u, v


def _ratio(concordance: float, u: float, v: float) -> float:
    return float(concordance / (float(u) * float(v)) ** 0.5) if u and v else float("nan")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
