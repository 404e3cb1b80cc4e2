"""What a random search finds that trains what it looks at: in closed form over a truth, without drawing anything."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln


def expected_best(truth: NDArray[np.float64], k: int) -> float:
    """The expected highest of k values drawn from truth [n] without replacement, in its unit; NaN values are left out.

    The i-th lowest of n is the highest drawn with probability C(i-1, k-1) / C(n, k).
    """
    ordered, at_most = _highest(truth, k)
    return float(ordered @ np.diff(at_most, prepend=0.0))


def best_quantile(truth: NDArray[np.float64], k: int, share: float) -> float:
    """The lowest value of truth [n] that the highest of k drawn values exceeds with a probability of at most 1 - share."""
    ordered, at_most = _highest(truth, k)
    return float(ordered[np.searchsorted(at_most, share - 1e-12)])


def _highest(truth: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The known values [n] in ascending order, and [n] the probability that none of k drawn ones stands behind each."""
    ordered = np.sort(truth[~np.isnan(truth)])
    n = len(ordered)
    if not 1 <= k <= n:
        raise ValueError(f"{k} of {n} values cannot be drawn.")
    at_most = np.zeros(n)
    i = np.arange(k, n + 1)
    at_most[k - 1:] = np.exp(gammaln(i + 1) - gammaln(i - k + 1) - gammaln(n + 1) + gammaln(n - k + 1))
    return ordered, at_most


def position(truth: NDArray[np.float64], value: float) -> int:
    """The fewest draws from truth [n] whose expected best is not below the value; n where it takes all of them."""
    low, high = 1, int((~np.isnan(truth)).sum())
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if expected_best(truth, middle) >= value else (middle + 1, high)
    return low
