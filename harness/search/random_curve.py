"""What a random search finds that trains what it looks at: in closed form over a truth, without drawing anything."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln


def expected_best(truth: NDArray[np.float64], k: int) -> float:
    """The expected highest of k values drawn from truth [n] without replacement, in its unit; NaN values are left out.

    The i-th lowest of n is the highest drawn with probability C(i-1, k-1) / C(n, k).
    """
    ordered = np.sort(truth[~np.isnan(truth)])
    n = len(ordered)
    if not 1 <= k <= n:
        raise ValueError(f"{k} of {n} values cannot be drawn.")
    at_most = np.zeros(n + 1)  # the probability that none of the k is above the i-th
    i = np.arange(k, n + 1)
    at_most[k:] = np.exp(gammaln(i + 1) - gammaln(i - k + 1) - gammaln(n + 1) + gammaln(n - k + 1))
    return float(ordered @ np.diff(at_most))


def position(truth: NDArray[np.float64], value: float) -> int:
    """The fewest draws from truth [n] whose expected best is not below the value; n where it takes all of them."""
    low, high = 1, int((~np.isnan(truth)).sum())
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if expected_best(truth, middle) >= value else (middle + 1, high)
    return low
