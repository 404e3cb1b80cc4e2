"""What a number of seeds can show: the smallest difference that a paired t-test finds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import optimize, stats

ALPHA, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Spread:
    """The standard deviation over seeds, pooled over groups of values: each weighs by its size less one."""

    sd: float
    values: int
    groups: int


def pooled(groups: Sequence[Sequence[float]]) -> Spread | None:
    """The spread within groups of values; None where no group has two."""
    several = [np.asarray(group, float) for group in groups if len(group) > 1]
    if not several:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in several)
    values = sum(map(len, several))
    return Spread((squares / (values - len(several))) ** 0.5, values, len(several))


def detectable(sd: float, n: int, alpha: float = ALPHA, power: float = POWER) -> float:
    """The smallest true difference that a two-sided paired t-test at `alpha` finds with probability `power`.

    sd: of the differences, in their unit; n: pairs, one a seed. NaN with less than two, which show nothing. The statistic has
    Student's t distribution with n - 1 degrees of freedom and noncentrality difference / sd * sqrt(n).
    """
    if n < 2:
        return float("nan")
    critical = stats.t.ppf(1 - alpha / 2, n - 1)

    def lacking(noncentrality: float) -> float:
        # The other tail is left out: with a power above one half it holds less than a thousandth.
        return float(stats.nct.sf(critical, n - 1, noncentrality)) - power

    # Two seeds need the most, 1.28 of it at a power of 0.8; far beyond that SciPy's series does not converge.
    return float(optimize.brentq(lacking, 0.0, 3 * critical)) * sd / sqrt(n)


def detectable_between(sd: float, cells: float, n: int, alpha: float = ALPHA) -> float:
    """The same for the difference of two means over `cells` runs each, all independent with that sd over seeds."""
    return detectable(sd * sqrt(2 / cells), n, alpha)
