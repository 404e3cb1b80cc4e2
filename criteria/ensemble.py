"""Ensembles: the ranks that several criteria give, added up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.errors import UsageError
from criteria.activations import LinearRegions
from criteria.base import Context, Criterion, Scorer, Scores, checked
from criteria.counts import Flops
from criteria.features import Isotropy, Progressivity, Trainability
from criteria.gradients import Ntk
from criteria.registry import criteria, register


def log_rank_sum(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """float64 [m]: the sum over members of log(rank / m), 0 at best, of one score [m] a member, any units, higher = better.

    Equal scores share the mean of their ranks, and undefined ones (NaN) those below all others. NaN where no member has a
    score. Source: AZ-NAS (Lee and Ham, CVPR 2024), which ranks the candidates that it compares: a sum depends on which
    architectures are there.
    """
    return _total(scores, np.log(_shares(scores)))


def rank_sum(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """float64 [m]: as log_rank_sum, of the ranks themselves, as shares of m (TE-NAS, AngleNet's program)."""
    return _total(scores, _shares(scores))


def _shares(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """float64 [member, m]: rank / m, 1 at best."""
    table = np.array([np.where(np.isnan(member), -np.inf, member) for member in scores])
    shares: NDArray[np.float64] = rankdata(table, axis=1) / table.shape[1]
    return shares


def _total(scores: Sequence[NDArray[np.float64]], added: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(np.array(scores)).all(axis=0), np.nan, added.sum(axis=0))


def scored(member: Criterion, ctx: Context) -> NDArray[np.float64]:
    """float64 [n_arch]: the scores of a member of a sum; UsageError when it does not score."""
    if not isinstance(member, Scorer):
        raise UsageError(f"its member '{criteria.text(member)}' does not score architectures; name criteria that do.")
    seen = ctx if "truth" in member.needs else replace(ctx, truth=None)
    return checked(member.score(seen), ctx).values


@register("ensemble")
@dataclass(frozen=True)
class Ensemble(Scorer):
    """Log-rank sum of other criteria, written ensemble[params+paths+nonlinear[count=live]].

    An architecture that a member leaves undefined ranks last there; one that all do has no score.
    Source: the assembly of AZ-NAS (Lee and Ham, CVPR 2024); its scores depend on the architectures ranked, here the space.
    """

    of: tuple[Criterion, ...]
    reference: ClassVar[str] = "tau-b 0.741 of published nwot+jacov+params, 9,445 live cells (nats/cifar10/test/200/full)"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """What any member needs."""
        return frozenset[str]().union(*(member.needs for member in self.of))

    def score(self, ctx: Context) -> Scores:
        """The log-rank sum of every architecture; UsageError when a member does not score."""
        if not self.of:
            raise UsageError("it has no members; name some, as in ensemble[params+paths].")
        columns = [scored(member, ctx) for member in self.of]
        asked = np.arange(len(ctx.space)) if ctx.members is None else ctx.members
        values = np.full(len(ctx.space), np.nan)
        values[asked] = log_rank_sum([column[asked] for column in columns])
        return Scores(values, f"log-rank sum of {' and '.join(map(criteria.text, self.of))}")


@register("az_nas")
@dataclass(frozen=True)
class AzNas(Scorer):
    """Log-rank sum of isotropy (expressivity), progressivity, trainability and FLOPs (AZ-NAS).

    batch: of noise images; weights: see NetworkScorer. Its scores depend on the architectures ranked, here the space. Source: Lee
    and Ham, CVPR 2024.
    """

    batch: int = 64
    weights: Literal["shared", "own"] = "shared"
    needs: ClassVar[frozenset[str]] = frozenset({"network", "images"})
    reference: ClassVar[str] = "tau-b 0.741 (published, all 15,625, CIFAR-10, NATS truth)"

    def score(self, ctx: Context) -> Scores:
        """The log-rank sum of every architecture."""
        measured = [member(batch=self.batch, weights=self.weights) for member in (Isotropy, Progressivity, Trainability)]
        return Ensemble((*measured, Flops())).score(ctx)


@register("te_nas")
@dataclass(frozen=True)
class TeNas(Scorer):
    """Sum of the ranks of ntk and linear_regions (TE-NAS, which prunes a supernet by it; Chen et al., ICLR 2021)."""

    needs: ClassVar[frozenset[str]] = frozenset({"network", "images"})

    def score(self, ctx: Context) -> Scores:
        """The sum of both ranks of every architecture, as shares of the architectures ranked; undefined ones rank last."""
        asked = np.arange(len(ctx.space)) if ctx.members is None else ctx.members
        columns = [member.score(ctx).values[asked] for member in (Ntk(), LinearRegions())]
        values = np.full(len(ctx.space), np.nan)
        values[asked] = rank_sum(columns)
        return Scores(values, "rank sum of ntk and linear_regions")
