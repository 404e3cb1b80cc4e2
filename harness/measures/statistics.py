"""What several seeds allow one to say: mean and spread, paired differences, and which row of a table is the best. Pure.

The best row of a table is chosen by the very numbers that would then be tested, so one test of it against another row says too
much. Here it is best only when it beats every other row: in two-sided tests, because either row of a pair could have been chosen,
over the seeds that both have, with Holm's correction for the number of comparisons.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np

# Both of an interval (95 %) and of the tests.
LEVEL = 0.05
# Differences that vary by no more than this are one number several times, which no test can judge.
SAME = 1e-9


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1; NaN for fewer than two) of n values."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class Difference:
    """The mean difference of two rows over their n common seeds, its 95 % t interval, and the two-sided p of a paired t test.

    NaN where n < 2, and where the differences do not vary: copies of one number are no repetitions.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True)
class Standing:
    """How the rows of a table stand to one another; all positions are those of the rows as they were given.

    best, second: of the highest means, None where there is none. differences: the best minus each other row. adjusted: their p
    with Holm's correction. significant: the best beats every other row.
    """

    best: int | None
    second: int | None
    differences: Mapping[int, Difference]
    adjusted: Mapping[int, float]
    significant: bool

    @property
    def ahead(self) -> int | None:
        """The row that is better than the best on their common seeds, beyond chance; None where none is."""
        found = [row for row, gap in self.differences.items() if gap.mean < 0 and self.adjusted[row] <= LEVEL]
        return min(found, key=lambda row: self.adjusted[row], default=None)

    @property
    def closest(self) -> int | None:
        """The row that the best is told from least, None where it is the only one or some pair cannot be tested."""
        if not self.adjusted or any(map(isnan, self.adjusted.values())):
            return None
        return max(self.adjusted, key=lambda row: self.adjusted[row])


def spread(values: Sequence[float]) -> Spread:
    """Mean, standard deviation and number of values; NaN where one of them is."""
    count = len(values)
    return Spread(float(np.mean(values)) if count else nan, float(np.std(values, ddof=1)) if count > 1 else nan, count)


def difference(one: Mapping[int, float], other: Mapping[int, float]) -> Difference:
    """one minus other (seed -> value), paired over their common seeds; a NaN value leaves its seed out."""
    from scipy.stats import t

    pairs = [one[seed] - other[seed] for seed in sorted(one) if seed in other]
    each = [pair for pair in pairs if not isnan(pair)]
    found = spread(each)
    if found.n < 2 or found.sd <= SAME:
        return Difference(found.mean, nan, nan, nan, found.n)
    error, freedom = found.sd / sqrt(found.n), found.n - 1
    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    p = 2 * float(t.sf(abs(found.mean) / error, freedom))
    return Difference(found.mean, found.mean - half, found.mean + half, p, found.n)


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """p values with Holm's correction, in their order; one that is NaN counts as 1 and stays NaN.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
    """
    known = [1.0 if isnan(value) else value for value in p]
    adjusted, highest = [nan] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: known[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * known[i]))
        adjusted[i] = nan if isnan(p[i]) else highest
    return tuple(adjusted)


def standing(rows: Sequence[Mapping[int, float]]) -> Standing:
    """How rows stand, each seed -> value, higher = better; a row whose mean is NaN is neither best nor second."""
    means = [spread(list(row.values())).mean for row in rows]
    order = sorted((i for i, mean in enumerate(means) if not isnan(mean)), key=lambda i: (-means[i], i))
    if not order:
        return Standing(None, None, {}, {}, False)
    best, second = order[0], order[1] if len(order) > 1 else None
    others = [i for i in range(len(rows)) if i != best]
    found = {i: difference(rows[best], rows[i]) for i in others}
    adjusted = dict(zip(others, holm([found[i].p for i in others]), strict=True))
    # Rows need not have the same seeds, so the best of all its own can be behind on the common ones.
    beaten = [found[i].mean > 0 and adjusted[i] <= LEVEL for i in others]
    return Standing(best, second, found, adjusted, bool(beaten) and all(beaten))
