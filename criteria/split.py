"""Split rules: from scores to cuts between parts.

Equal scores always share a part. Part i holds the scores in (cut i-1, cut i], so a higher part means a higher score. An
architecture without a score (NaN) is in no part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError

RuleName = Literal["merge", "quantile", "equal", "value", "jenks", "kmeans"]

Spread = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]


class Rule(Protocol):
    """What made a partition, able to label architectures that it has not seen, from their scores or codes."""

    @property
    def reads(self) -> str:
        """'scores' (float64 [m]) or 'codes' (uint8 [m, n_edge]): what `label` takes."""
        ...

    def label(self, of: NDArray[Any], /) -> NDArray[np.int16]:
        """int16 [m]: the part of each, -1 = in no part."""
        ...


@dataclass(frozen=True)
class Cuts:
    """Cuts between scores: a score equal to a cut belongs to the part below it. `how`: the rule that placed them."""

    cuts: tuple[float, ...]
    how: str
    reads: ClassVar[str] = "scores"

    def __post_init__(self) -> None:
        if any(not low < high for low, high in zip(self.cuts, self.cuts[1:], strict=False)):
            raise UsageError(f"cuts must ascend, and {'+'.join(map(number, self.cuts))} do not.")

    def label(self, of: NDArray[np.float64], /) -> NDArray[np.int16]:
        """int16 [m]: the part of each score [m], -1 for NaN."""
        part = np.searchsorted(np.array(self.cuts, float), of, side="left").astype(np.int16)
        return np.where(np.isnan(of), np.int16(-1), part)


@dataclass(frozen=True)
class Whole:
    """Everything in one part."""

    reads: ClassVar[str] = "codes"

    def label(self, of: NDArray[np.uint8], /) -> NDArray[np.int16]:
        """int16 [m]: 0 for each of the codes [m, n_edge]."""
        return np.zeros(len(of), np.int16)


def thresholds(values: NDArray[np.float64], k: int, cuts: tuple[float, ...], how: str = "thresholds") -> Cuts:
    """Cuts given beforehand; UsageError when they do not make k parts or leave one of them empty."""
    if len(cuts) != k - 1:
        raise UsageError(f"{len(cuts)} thresholds make {len(cuts) + 1} parts; say --k {len(cuts) + 1} or give {k - 1}.")
    rule = Cuts(cuts, how)
    label = rule.label(values)
    for part in range(k):
        if not (label == part).any():
            distinct = _distinct(values)[0]
            raise UsageError(f"the cuts {'+'.join(map(number, cuts))} leave part {part} empty, as the scores run from "
                             f"{number(distinct[0])} to {number(distinct[-1])}; move them.")
    return rule


def by_value(values: NDArray[np.float64], k: int) -> Cuts:
    """Each distinct score a part; UsageError unless there are exactly k of them."""
    distinct, _ = _distinct(values)
    if len(distinct) != k:
        raise UsageError(f"rule=value makes one part of each of the {len(distinct)} distinct scores; say "
                         f"--k {len(distinct)} or choose rule=quantile or rule=equal.")
    return Cuts(tuple(distinct[:-1].tolist()), "value")


def quantile(values: NDArray[np.float64], k: int) -> Cuts:
    """Cuts at the i/k quantiles: cut i is the smallest score that at least i/k of the architectures do not exceed.

    All architectures of that score go below the cut. These are the terciles of the papers: FLOPs of the 15,625 cells
    give 5,554 / 5,901 / 4,170. UsageError when quantiles fall on one score.
    """
    distinct, counts = _distinct(values)
    _enough(len(distinct), k)
    n, up_to = int(counts.sum()), np.cumsum(counts)

    def cuts(k: int) -> tuple[float, ...]:
        ranks = [-(-i * n // k) for i in range(1, k)]
        found = np.unique(distinct[np.searchsorted(up_to, ranks)])
        return tuple(found[found < distinct[-1]].tolist())

    if len(cuts(k)) < k - 1:
        most = max(fewer for fewer in range(1, k) if len(cuts(fewer)) == fewer - 1)
        raise UsageError("quantiles fall together, because equal scores are never split; choose rule=equal, which can "
                         f"make up to {len(distinct)} parts, or say --k {most}.")
    return Cuts(cuts(k), "quantile")


def equal(values: NDArray[np.float64], k: int) -> Cuts:
    """The cuts between distinct scores whose lower sides are closest, in sum, to i*n/k architectures.

    Of two equally close cuts the lower is taken. More even than quantiles where ties are large: FLOPs of the 15,625
    cells give 5,554 / 4,686 / 5,385.
    """
    return sized(values, (1,) * k, "equal")


def sized(values: NDArray[np.float64], sizes: tuple[int, ...], how: str = "sizes") -> Cuts:
    """The same for parts of given sizes, or in proportion to them: architectures without a score leave fewer to divide.

    FLOPs of the 15,625 cells for the sizes of nonlinear's parts, 9,105 / 5,520 / 1,000, give 9,604 / 5,016 / 1,005.
    """
    distinct, counts = _distinct(values)
    k, whole = len(sizes), sum(sizes)
    if min(sizes) < 1:
        raise UsageError(f"sizes={'+'.join(map(str, sizes))} leave a part empty; give 1 or more for each.")
    _enough(len(distinct), k)
    n, below = int(counts.sum()), np.cumsum(counts)[:-1]
    never = np.iinfo(np.int64).max // 2
    totals: list[NDArray[np.int64]] = []
    for up_to in np.cumsum(sizes)[:-1].tolist():
        # The least distance of cuts 1..i, where cut i stands behind each distinct score; integers keep equals equal.
        before = np.zeros_like(below)
        if totals:
            before = np.concatenate(([never], np.minimum.accumulate(totals[-1])[:-1]))
        totals.append(np.minimum(np.abs(whole * below - up_to * n) + before, never))
    chosen: list[int] = []
    for total in reversed(totals):
        chosen.append(int(np.argmin(total[: chosen[-1] if chosen else None])))
    return Cuts(tuple(distinct[chosen[::-1]].tolist()), how)


def jenks(values: NDArray[np.float64], k: int) -> Cuts:
    """Natural breaks: the parts with the least sum of squared distances from their mean scores, exactly.

    That is k-means of one dimension, solved by dynamic programming over the distinct scores. Source: Fisher, "On grouping
    for maximum homogeneity", JASA 1958; Jenks made it the classes of maps.
    """
    scores, counts = _standardised(values, k)
    n = len(scores)
    weight, total, square = (np.concatenate(([0.0], np.cumsum(counts * scores**power))) for power in (0, 1, 2))

    def spread(low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.float64]:
        """The sum of squared distances from their mean of the scores low..high-1; infinite where there are none."""
        mean_square = (total[high] - total[low]) ** 2 / np.maximum(weight[high] - weight[low], 1.0)
        inside: NDArray[np.float64] = np.where(low < high, square[high] - square[low] - mean_square, np.inf)
        return inside

    ends = np.arange(n + 1)
    least, begins = spread(np.zeros_like(ends), ends), []
    for _ in range(k - 1):
        begin = _best_begins(least, spread)
        begins.append(begin)
        least = least[begin] + spread(begin, ends)
    chosen = [n]
    for begin in reversed(begins):
        chosen.append(int(begin[chosen[-1]]))
    return Cuts(_highest_below(values, chosen[:0:-1]), "jenks")


def kmeans(values: NDArray[np.float64], k: int) -> Cuts:
    """scikit-learn's KMeans on the scores, the best of ten starts drawn with seed 0.

    It looks for what `jenks` finds; on published proxies it stopped up to a tenth above that optimum. For comparison with
    work that used it.
    """
    from sklearn.cluster import KMeans

    scores, counts = _standardised(values, k)
    # Distinct scores with weights keep equal scores together, and their order fixes the draw.
    found = KMeans(k, n_init=10, random_state=0).fit(scores[:, None], sample_weight=counts).labels_
    return Cuts(_highest_below(values, np.flatnonzero(np.diff(found)) + 1), "kmeans")


RULES: dict[str, Callable[[NDArray[np.float64], int], Cuts]] = {
    "quantile": quantile, "equal": equal, "value": by_value, "jenks": jenks, "kmeans": kmeans}


def number(value: float) -> str:
    """A score as text: whole numbers in full, others with six digits."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def part_names(values: NDArray[np.float64], label: NDArray[np.int16], k: int) -> tuple[str, ...]:
    """The scores of each part, `2` or `0..1`, from values and label [n_arch]."""
    names = []
    for part in range(k):
        inside = values[label == part]
        low, high = number(inside.min()), number(inside.max())
        names.append(low if low == high else f"{low}..{high}")
    return tuple(names)


def _distinct(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct finite scores, ascending, and how many architectures have each."""
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return distinct, counts.astype(np.int64)


def _standardised(values: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct scores with mean 0 and deviation 1, so that no digits are lost, and how many architectures have each."""
    distinct, counts = _distinct(values)
    _enough(len(distinct), k)
    centred = distinct - np.average(distinct, weights=counts)
    return centred / (np.sqrt(np.average(centred**2, weights=counts)) or 1.0), counts


def _highest_below(values: NDArray[np.float64], begins: Sequence[int] | NDArray[np.int64]) -> tuple[float, ...]:
    """Cuts in front of the distinct scores with those numbers."""
    return tuple(_distinct(values)[0][np.asarray(begins, np.int64) - 1].tolist())


def _best_begins(least: NDArray[np.float64], spread: Spread) -> NDArray[np.int64]:
    """int64 [n + 1]: the begin of the last part, for every end, that minimises least[begin] + spread(begin, end).

    The best begin never falls as the end grows, so the ends halfway between settled ones only look between their begins:
    all of them at once, in about log2(n) rounds.
    """
    n = len(least) - 1
    begins = np.zeros(n + 1, np.int64)
    step = 1 << n.bit_length()
    while step > 1:
        step //= 2
        ends = np.arange(step, n + 1, 2 * step)
        if not len(ends):
            continue
        low = begins[ends - step]
        high = np.where(ends + step <= n, np.minimum(begins[np.minimum(ends + step, n)], ends), ends)
        width = high - low + 1
        starts = np.cumsum(width) - width
        tried = np.arange(width.sum()) - np.repeat(starts - low, width)
        costs = least[tried] + spread(tried, np.repeat(ends, width))
        best = np.repeat(np.minimum.reduceat(costs, starts), width)
        begins[ends] = np.minimum.reduceat(np.where(costs == best, tried, n + 1), starts)
    return begins


def _enough(n_distinct: int, k: int) -> None:
    if k > n_distinct:
        raise UsageError(f"there are only {n_distinct} distinct scores and equal scores are never split; say "
                         f"--k {n_distinct} or less.")
