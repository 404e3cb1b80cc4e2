"""Criteria that count: operations, convolutions, parameters, FLOPs. They need no network and no data.

A count is taken as it is, more for better; where accuracy falls with it, its tau is negative.
Reference figures: Kendall's tau-b with the truth v1_0/cifar10/test/200/full, all 15,625 architectures.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.errors import UsageError
from benchmarks.suggestion import suggestion
from criteria.base import Context, Scorer, Scores
from criteria.paths import along, convolutions, holds, live_ways
from criteria.registry import register
from criteria.split import Cuts, RuleName, equal, thresholds

# The merges of the authors' code: k=4 merges nothing, k=3 has 0 and 1 in one part ("partition01"), k=2 also 2 and 3.
MERGES: dict[int, tuple[float, ...]] = {4: (0.0, 1.0, 2.0), 3: (1.0, 2.0), 2: (1.0,)}


@register("nonlinear")
@dataclass(frozen=True)
class Nonlinear(Scorer):
    """Nonlinear functions of a cell: convolutions on its richest live path (0..3), on live edges or in total (0..6).

    Every convolution holds one ReLU. `path` is the authors' definition (the most convolutions on a way from input to
    output without 'none'; 0 where there is none) and merges as they do; `live`, `total` and `sum` (over the live paths,
    0..8) merge neighbouring counts to the most equal sizes. Source: EFS-NAS, Eq. 4, and `get_num_of_nonlinear` of its code.
    """

    count: Literal["path", "live", "total", "sum"] = "path"
    rule: RuleName = field(default="merge", kw_only=True)
    reference: ClassVar[str] = "tau-b 0.5647 (path), 0.6094 (live), 0.5786 (total), 0.5710 (sum)"

    def score(self, ctx: Context) -> Scores:
        """The count for every architecture."""
        space = ctx.space
        is_conv = holds(space, space.live_codes if self.count == "live" else space.codes, convolutions(space))
        if self.count in ("live", "total"):
            return Scores(is_conv.sum(axis=1), f"convolutions ({self.count})")
        on_path = along(space, is_conv) * live_ways(space)
        if self.count == "sum":
            return Scores(on_path.sum(axis=1), "convolutions, summed over the live paths")
        return Scores(on_path.max(axis=1), "convolutions on the richest live path")

    def cut(self, values: NDArray[np.float64], k: int) -> Cuts:
        """The declared merges, unless a rule, thresholds or sizes are given."""
        if self.thresholds or self.sizes or self.rule != "merge":
            return super().cut(values, k)
        if self.count != "path":
            return equal(values, k)
        if k not in MERGES:
            raise UsageError("merges are declared for k=4, 3 and 2 only; give the cuts as nonlinear[thresholds=A+B], "
                             "where a count equal to a cut goes below it.")
        return thresholds(values, k, MERGES[k], "merge")


@dataclass(frozen=True)
class Cost(Scorer):
    """Costs of the stand-alone network; live: of the edges that reach the output only."""

    live: bool = False


@register("params")
@dataclass(frozen=True)
class Params(Cost):
    """Parameters of the stand-alone network, in closed form; live=true leaves out edges that reach no output."""

    reference: ClassVar[str] = "tau-b 0.5764, live 0.6528"

    def score(self, ctx: Context) -> Scores:
        """The number of parameters of every architecture."""
        values = cost.params(ctx.space, ctx.skeleton, self.live).astype(np.float64)
        return Scores(values, "parameters" + " (live)" * self.live)


@register("flops")
@dataclass(frozen=True)
class Flops(Cost):
    """Multiply-adds of one image through the stand-alone network; live=true leaves out edges that reach no output."""

    reference: ClassVar[str] = "tau-b 0.5764, live 0.6528"

    def score(self, ctx: Context) -> Scores:
        """The multiply-adds of every architecture."""
        values = cost.flops(ctx.space, ctx.skeleton, self.live).astype(np.float64)
        return Scores(values, "FLOPs" + " (live)" * self.live, "multiply-adds")


@register("operations")
@dataclass(frozen=True)
class Operations(Scorer):
    """Edges that hold one of the operations given, such as op=nor_conv_3x3 or op=skip_connect+avg_pool_3x3.

    live=true takes dead edges for 'none', so that op=none counts all that reach no output.
    """

    op: tuple[str, ...]
    live: bool = False
    reference: ClassVar[str] = ("tau-b 0.5228 (nor_conv_3x3), 0.1817 (nor_conv_1x1), -0.0755 (skip_connect), "
                                "-0.3409 (avg_pool_3x3), -0.2189 (none)")

    def score(self, ctx: Context) -> Scores:
        """The number of such edges of every architecture."""
        space = ctx.space
        for name in self.op:
            if name not in space.op_names:
                hint = suggestion(name, space.op_names) or ";"
                raise UsageError(f"There is no operation '{name}'{hint} choose from {', '.join(space.op_names)}.")
        is_one = holds(space, space.live_codes if self.live else space.codes, self.op)
        return Scores(is_one.sum(axis=1), f"edges with {' or '.join(self.op)}" + " (live)" * self.live)


@register("linear")
@dataclass(frozen=True)
class Linear(Scorer):
    """Linear operations of a cell, skips and poolings (0..6): a control, 6 less convolutions and 'none's.

    live=true leaves out edges that reach no output.
    """

    live: bool = False
    reference: ClassVar[str] = "tau-b -0.3592, live -0.2297"

    def score(self, ctx: Context) -> Scores:
        """The number of linear operations of every architecture."""
        count = Operations(("skip_connect", "avg_pool_3x3"), self.live).score(ctx)
        return Scores(count.values, "linear operations" + " (live)" * self.live)


@register("hand_rule")
@dataclass(frozen=True)
class HandRule(Scorer):
    """Four weights set by hand, over live edges: 1x1 + 1.3 (3x3) - 0.8 pooling + 0.3 for a skip from input to output.

    What a training-free baseline reaches without any proxy. A cell whose output sees no input ranks last, with -4.9: a
    tenth below six poolings. Summed in tenths, as equal sums of floats would differ in their last digit and be ranked by it:
    the published 0.690 (all), 0.676 (connected) are those of such sums.
    """

    reference: ClassVar[str] = "tau-b 0.6921, connected 0.6782 (published, with ties broken by rounding: 0.690, 0.676)"

    def score(self, ctx: Context) -> Scores:
        """The weighted sum of every architecture."""
        space, tenths = ctx.space, np.zeros(len(ctx.space), np.int64)
        for name, weight in (("nor_conv_1x1", 10), ("nor_conv_3x3", 13), ("avg_pool_3x3", -8)):
            tenths += weight * holds(space, space.live_codes, (name,)).sum(axis=1)
        through = space.live_codes[:, space.edges.index((0, space.n_node - 1))]
        tenths += 3 * (through == space.op("skip_connect"))
        return Scores(np.where(space.connected, tenths, -49) / 10, "weighted live operations")
