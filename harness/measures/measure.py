"""Every rank measure of one vector of estimates against one truth. Pure: arrays in, values out.

Undefined estimates (NaN) are ranked last and tied; architectures without a truth are left out of everything. Where a
measure has to choose between tied estimates it does so at random, 20 times under a seed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.seeds import derive
from harness.measures.tau import Decomposition, Floats, Ranks, Tau, decompose, number, ranks, tau

TIE_BREAKS = 20
TOP_SHARES = (0.5, 0.1, 0.05, 0.01)
PRECISION_SHARES = (0.01, 0.05, 0.1)
REGRET_BUDGETS = (1, 10, 100)


@dataclass(frozen=True)
class Regret:
    """Truth lost by trusting the estimates, in the unit of the truth: mean and worst over the tie-breaks."""

    mean: float
    worst: float

    def to_json(self) -> dict[str, object]:
        return {"mean": number(self.mean), "worst": number(self.worst)}


@dataclass(frozen=True)
class Measures:
    """All measures of one estimate. tau ranks undefined estimates last, tau_finite leaves them out.

    tau_top, precision: by share of the architectures (0.1 = a tenth); regret: by number of architectures one may train.
    """

    tau: Tau
    tau_finite: Tau
    spearman: float
    tau_top: Mapping[float, Tau]
    precision: Mapping[float, float]
    regret: Mapping[int, Regret]
    decomposition: Decomposition | None
    n_undefined: int

    def to_json(self) -> dict[str, object]:
        return {"tau": self.tau.to_json(), "tau_finite": self.tau_finite.to_json(), "spearman": number(self.spearman),
                "tau_top": {str(share): top.to_json() for share, top in self.tau_top.items()},
                "precision": {str(share): number(value) for share, value in self.precision.items()},
                "regret": {str(budget): regret.to_json() for budget, regret in self.regret.items()},
                "decomposition": None if self.decomposition is None else self.decomposition.to_json(),
                "n_undefined": self.n_undefined}


def measure(estimates: Floats, truth: Floats, labels: NDArray[np.integer] | None = None, population: str = "all",
            ceiling: float | None = None, seed: int = 0) -> Measures:
    """Every measure of estimates [n] against truth [n] (any units), and of the parts `labels` [n] when given.

    The vectors hold the population only, in official order. Raises DataError for infinite values or different lengths,
    RunError when tau fails its permutation check.
    """
    whole = tau(estimates, truth, population=population, ceiling=ceiling, seed=seed)
    n_undefined = int((np.isnan(estimates) & ~np.isnan(truth)).sum())
    finite = whole if not n_undefined else tau(estimates, truth, population=f"{population}, finite estimates",
                                               undefined="drop", seed=seed)  # whose ceiling is another
    return Measures(
        tau=whole, tau_finite=finite, spearman=spearman(estimates, truth),
        tau_top={share: tau_top(estimates, truth, share, population=population, seed=seed) for share in TOP_SHARES},
        precision={share: precision_at(estimates, truth, share, seed) for share in PRECISION_SHARES},
        regret={budget: regret(estimates, truth, budget, seed) for budget in REGRET_BUDGETS},
        decomposition=None if labels is None else decompose(estimates, truth, labels), n_undefined=n_undefined)


def spearman(estimates: Floats, truth: Floats) -> float:
    """Spearman's rho with average ranks; NaN where it is not defined."""
    x, y = ranks(estimates, truth, "last")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(spearmanr(x, y).statistic)


def tau_top(estimates: Floats, truth: Floats, share: float, *, population: str, ceiling: float | None = None,
            seed: int = 0) -> Tau:
    """tau-b among the ceil(share * n) architectures of the highest truth (ties at the border: the lower index)."""
    estimates, truth = _with_truth(estimates, truth)
    rows = np.argsort(-truth, kind="stable")[:ceil(round(share * len(truth), 9))]  # 0.07 * 100 is a little above 7
    return tau(estimates[rows], truth[rows], population=f"{population}, top {share:.0%} by truth", ceiling=ceiling,
               seed=seed)


def precision_at(estimates: Floats, truth: Floats, share: float, seed: int = 0) -> float:
    """|estimated top K and true top K| / K with K = max(1, round(share * n)); mean over the tie-breaks."""
    x, y = ranks(estimates, truth, "last")
    if not len(x):
        return float("nan")
    k = max(1, round(share * len(x)))
    best = np.argsort(-y, kind="stable")[:k]
    return float(np.mean([len(np.intersect1d(chosen[:k], best)) / k for chosen in _orders(x, seed)]))


def regret(estimates: Floats, truth: Floats, budget: int, seed: int = 0) -> Regret:
    """The best truth of all minus the best truth among the `budget` highest estimates, in the unit of the truth."""
    x, _ = ranks(estimates, truth, "last")
    if not len(x):
        return Regret(float("nan"), float("nan"))
    values = _with_truth(estimates, truth)[1]
    lost = [float(values.max() - values[chosen[:budget]].max()) for chosen in _orders(x, seed)]
    return Regret(float(np.mean(lost)), max(lost))


def _orders(x: Ranks, seed: int) -> Iterator[NDArray[np.int64]]:
    """TIE_BREAKS orders of the architectures by falling estimate, ties in random order."""
    rng = np.random.default_rng(derive(seed, "measure", "ties"))
    for _ in range(TIE_BREAKS):
        yield np.lexsort((rng.random(len(x)), -x))


def _with_truth(estimates: Floats, truth: Floats) -> tuple[Floats, Floats]:
    estimates, truth = np.asarray(estimates, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    known = ~np.isnan(truth)
    return estimates[known], truth[known]
