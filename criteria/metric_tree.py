"""The metric-driven tree: any metric divides the operations of the edges, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from criteria.base import Context, Criterion, Partition, Scorer, checked
from criteria.controls import Random
from criteria.counts import Params
from criteria.mask import Mask
from criteria.registry import criteria, register
from criteria.tree import Cut, bipartitions, closeness, divide, group_sizes, grow


@runtime_checkable
class MaskMetric(Protocol):
    """A metric of sub-supernets: a criterion with this method is asked by the tree instead of the mean over its scores."""

    def score_masks(self, ctx: Context, masks: Sequence[Mask]) -> NDArray[np.float64]:
        """float64 [n_mask] or [n_mask, d]: the metric of the supernet of each mask; NaN = undefined."""
        ...


@register("metric_tree")
@dataclass(frozen=True)
class MetricTree:
    """Metric-driven tree: on one edge after the other, operations are divided where a metric tells them apart most.

    At each node the metric of the supernet with one operation on the edge is taken for each operation, and of all divisions
    the one with the largest sum of distances between its sides is cut. metric: a criterion that scores (a supernet then has
    the mean score of its cells, which for `params` cuts like its own count), one with `score_masks`, or `random`: a division
    drawn at each node, the null model. Where networks are measured the mean is over connected cells, of a sample if one is asked
    for; the released code measures one network instead, the mixture of all that a supernet may hold. edges, levels: cut in that
    order, as many as there are levels (default: all of them); order=score takes at each node the edge with the largest distance,
    as GM-NAS does. balanced=true: 2|3 only.
    mode=paper refuses a cut where the metric tells nothing apart; mode=released marks it with ! and does what the released
    code does: it cuts off the first operation, and sees the parameters of edge 0 only.
    Source: Ly-Manson et al., "Analyzing Few-Shot Neural Architecture Search in a Metric-Driven Framework", AutoML 2024.
    """

    metric: Criterion = field(default_factory=Params)
    edges: tuple[int, ...] = (0, 1, 2)
    levels: int | None = None
    order: Literal["given", "score"] = "given"
    balanced: bool = False
    mode: Literal["paper", "released"] = "paper"
    reference: ClassVar[str] = "rank eta2 0.079 (metric=random, mean of 400), 0.199 (metric=oracle) (nats/cifar10/test/200/full)"

    @property
    def needs(self) -> frozenset[str]:
        """What the metric needs."""
        return self.metric.needs

    @property
    def fixed_k(self) -> int:
        """Two for each level, multiplied."""
        return 1 << self._levels

    @property
    def _levels(self) -> int:
        return len(self.edges) if self.levels is None else max(self.levels, 0)

    def split(self, ctx: Context, k: int) -> Partition:
        """The leaves of the tree as parts; UsageError for edges that are not there, and at a cut that nothing speaks for."""
        n_edge = len(ctx.space.edges)
        if sorted(set(self.edges)) != sorted(self.edges) or not all(0 <= edge < n_edge for edge in self.edges):
            raise UsageError(f"edges must be different ones of 0..{n_edge - 1}, not {'+'.join(map(str, self.edges))}.")
        if not 1 <= self._levels <= len(self.edges):
            raise UsageError(f"levels must be 1..{len(self.edges)}, as many as there are edges to cut; name more edges.")
        cut = self._draw(ctx) if isinstance(self.metric, Random) else self._by_metric(ctx)
        tree = grow(ctx.space, self.edges, self._levels, cut, choose=self.order == "score", default=self.mode == "released")
        return tree.partition(ctx.space, self.edges)

    def _draw(self, ctx: Context) -> Callable[[Mask, int], Cut]:
        """Divisions drawn from the seed of the context, all alike likely; their weights are drawn, too, for order=score."""
        if self.metric != Random():
            raise UsageError("of the random criteria a tree can only draw by `random` itself; say metric=random.")
        rng = np.random.default_rng(derive(ctx.seed, "criterion", "metric_tree"))

        def cut(mask: Mask, edge: int) -> Cut:
            ops = mask.allowed[edge]
            divisions = bipartitions(ops, group_sizes(len(ops), self.balanced))
            return Cut(*divisions[rng.integers(len(divisions))], weight=rng.random())

        return cut

    def _by_metric(self, ctx: Context) -> Callable[[Mask, int], Cut]:
        """The cuts between the operations that the metric tells apart most."""
        measure = self._measure(ctx)

        def cut(mask: Mask, edge: int) -> Cut:
            ops = mask.allowed[edge]
            alone = [mask.only(edge, (op,)) for op in ops]
            if self.mode == "released" and isinstance(self.metric, Params):
                alone = [Mask.whole(ctx.space).only(0, one.allowed[0]) for one in alone]
            return divide(ops, closeness(measure(alone)), self.balanced)

        return cut

    def _measure(self, ctx: Context) -> Callable[[Sequence[Mask]], NDArray[np.float64]]:
        """The metric of the supernets of masks."""
        metric = self.metric
        if isinstance(metric, MaskMetric):
            return lambda masks: metric.score_masks(ctx, masks)
        if not isinstance(metric, Scorer):
            raise UsageError(f"its metric '{criteria.text(metric)}' does not score architectures; choose one that scores, such "
                             "as params, or random.")
        values = checked(metric.score(ctx), ctx).values
        defined = ~np.isnan(values)

        def mean(masks: Sequence[Mask]) -> NDArray[np.float64]:
            inside = [values[mask.holds(ctx.space.codes) & defined] for mask in masks]
            for mask, scores in zip(masks, inside, strict=True):
                if ctx.members is not None and not len(scores):
                    raise UsageError(f"none of the {len(ctx.members)} architectures of the sample has a score in "
                                     f"{mask.text(ctx.space, self.edges)}; take a larger sample or fewer levels.")
            return np.array([scores.mean() if len(scores) else np.nan for scores in inside])

        return mean
