"""The noise ceiling of tau: what an estimator that knew the true accuracies exactly would reach against a noisy truth.

A truth y is a true accuracy m plus the noise of its trials. How noisy is read from repeated trials: seeds where there
are seeds, else training-equivalent cells, which are the same network trained separately. The ceiling is then the mean
of tau-b(m, y) over draws of m given y (normal noise). Two traps are avoided: adding noise to y once more would start
from a spread that already holds noise, and a population chosen by y (its top 150) is not that of m; conditioning on y
is right for both. The distribution of m over the space is the one that, with the noise, makes the observed y most
likely, found by expectation-maximisation and stopped early (Richardson 1972, Lucy 1974), the usual regularisation.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.space import Space
from benchmarks.truth import GroundTruth

BINS = 10
# A bin with fewer degrees of freedom would measure its own noise; fewer, wider bins are used instead.
FREEDOM_PER_BIN = 20
GRID = 1500
ITERATIONS = 40


@dataclass(frozen=True)
class Ceiling:
    """value: the expected tau-b. noise_sd: of the truth in per cent, root mean square over the connected cells scored.

    method: "seeds", "twins" (training-equivalent cells), or "none" when nothing was trained twice; then both are NaN.
    value is NaN, too, where tau-b is: on fewer than two architectures, or when all have one accuracy.
    """

    value: float
    method: Literal["seeds", "twins", "none"]
    noise_sd: float


@dataclass(frozen=True, eq=False)
class _Noise:
    """How noisy one measurement is: sds float64 [n_bin], per cent, at accuracies levels float64 [n_bin], ascending."""

    method: Literal["seeds", "twins"]
    levels: NDArray[np.float64]
    sds: NDArray[np.float64]

    def at(self, accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sd of one measurement at each accuracy; the end values beyond the ends."""
        sd: NDArray[np.float64] = np.interp(accuracy, self.levels, self.sds)
        return sd


def ceiling(truth: GroundTruth, space: Space, population: NDArray[np.int64], draws: int = 20, seed: int = 0) -> Ceiling:
    """The expected tau-b of the exact accuracies against `truth` on a population of architectures (int64 [m]).

    Missing truths are left out; disconnected cells have no noise, and cells that are the same network have the same
    exact accuracy. Noise and distribution are those of all architectures of the truth, not only of the population.
    """
    observed = truth.mean()
    known = np.isfinite(observed)
    noisy = known & space.connected
    noise = _from_seeds(truth, noisy) or _from_twins(observed, space, noisy)
    if noise is None:
        return Ceiling(float("nan"), "none", float("nan"))
    # A measurement is one trial, or, where only means are known, one mean.
    count = truth.n_trials if noise.method == "seeds" else known.astype(np.int64)
    trained = _separately_trained(observed, space, noisy)
    _, place = np.unique(space.training_id[noisy], return_inverse=True)
    total = np.asarray(np.bincount(place, (count * trained)[noisy]), dtype=np.float64)
    posterior = _Posterior(np.bincount(place, (count * trained * observed)[noisy]) / total, total, noise)
    scored = population[known[population]]
    exact = np.full(len(space), observed[known & ~noisy].mean() if (known & ~noisy).any() else np.nan)
    rng = np.random.default_rng(seed)
    taus = []
    for _ in range(draws):
        exact[noisy] = posterior.draw(rng)[place]
        taus.append(kendalltau(exact[scored], observed[scored]).statistic if len(scored) > 1 else np.nan)
    inside = scored[noisy[scored]]
    variance = noise.at(observed[inside]) ** 2 / count[inside]
    return Ceiling(float(np.mean(taus)), noise.method, float(np.sqrt(variance.mean())) if len(inside) else 0.0)


def _from_seeds(truth: GroundTruth, noisy: NDArray[np.bool_]) -> _Noise | None:
    repeated = np.flatnonzero(noisy & (truth.n_trials > 1))
    if not len(repeated):
        return None
    rows, columns = np.nonzero(np.isfinite(truth.accuracy[repeated]))
    return _noise("seeds", truth.accuracy[repeated][rows, columns], rows)


def _from_twins(observed: NDArray[np.float64], space: Space, noisy: NDArray[np.bool_]) -> _Noise | None:
    """None, too, when twins share one value: then they were not trained separately."""
    if not (_separately_trained(observed, space, noisy) == noisy).all():
        return None
    _, place, size = np.unique(space.training_id[noisy], return_inverse=True, return_counts=True)
    twins = size[place] > 1
    if not twins.any():
        return None
    return _noise("twins", observed[noisy][twins], np.unique(place[twins], return_inverse=True)[1])


def _separately_trained(observed: NDArray[np.float64], space: Space, noisy: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool [n_arch]: the noisy architectures, or the first of each class when all classes of a table share one row."""
    index = np.flatnonzero(noisy)
    _, first, place = np.unique(space.training_id[index], return_index=True, return_inverse=True)
    if len(first) == len(index) or (observed[index] != observed[index[first]][place]).any():
        return noisy
    once = np.zeros_like(noisy)
    once[index[first]] = True
    return once


def _noise(method: Literal["seeds", "twins"], values: NDArray[np.float64], group: NDArray[np.int64]) -> _Noise:
    """Pooled within-group sd per bin of the group means: the noise depends on the accuracy.

    values: float64 [n_measurement]; group: int64 [n_measurement], numbered from 0, each at least twice.
    """
    size = np.bincount(group)
    mean = np.bincount(group, values) / size
    squares = np.bincount(group, (values - mean[group]) ** 2)
    order = np.argsort(mean, kind="stable")
    freedom = np.cumsum((size - 1)[order])
    bins = int(np.clip(freedom[-1] // FREEDOM_PER_BIN, 1, BINS))
    which = np.minimum((freedom - 1) * bins // freedom[-1], bins - 1)
    levels, sds = [], []
    for b in np.unique(which):
        inside = order[which == b]
        levels.append(np.median(mean[inside]))
        sds.append(np.sqrt(squares[inside].sum() / (size[inside] - 1).sum()))
    return _Noise(method, np.array(levels), np.array(sds))


class _Posterior:
    """The exact accuracy of each class given the mean of its measurements, under the distribution of all classes."""

    def __init__(self, mean: NDArray[np.float64], count: NDArray[np.float64], noise: _Noise) -> None:
        """mean: float64 [n_class], per cent, of `count` measurements each."""
        # Steps of half the noise of a typical class; coarser where that would take more than GRID of them.
        fine = np.linspace(mean.min(), mean.max(), 20 * GRID)
        steps = np.cumsum(2 * np.sqrt(np.median(count)) / np.maximum(noise.at(fine), 1e-6)) * (fine[1] - fine[0])
        grid = np.interp(np.linspace(steps[0], steps[-1], min(GRID, 2 + int(steps[-1] - steps[0]))), steps, fine)
        sd = np.maximum(noise.at(grid), 1e-6)
        log = -0.5 * ((mean[:, None] - grid) / sd) ** 2 * count[:, None] - np.log(sd)
        likelihood = np.exp(log - log.max(axis=1, keepdims=True)).astype(np.float32)
        prior = np.full(len(grid), 1 / len(grid), dtype=np.float32)
        for _ in range(ITERATIONS):
            prior *= (1 / (likelihood @ prior)) @ likelihood / np.float32(len(mean))
        cumulative = np.cumsum(likelihood * prior, axis=1)
        self.cumulative = cumulative / cumulative[:, -1:]
        # A draw moves a class by whole steps of the grid, so that a step wider than the noise cannot swap two classes.
        nearest = np.abs(mean[:, None] - grid).argmin(axis=1)
        self.shift = mean - grid[nearest]
        self.grid = grid

    def draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """float64 [n_class], per cent: one draw for every class."""
        u = rng.random((len(self.cumulative), 1))
        drawn = np.minimum((self.cumulative < u).sum(axis=1), len(self.grid) - 1)
        exact: NDArray[np.float64] = self.grid[drawn] + self.shift
        return exact
