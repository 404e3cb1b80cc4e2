"""Criteria that count: convolutions, parameters, FLOPs. They need no network and no data.

Reference figures: Kendall's tau-b with the truth v1_0/cifar10/test/200/full, all 15,625 architectures.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.errors import UsageError
from criteria.base import Context, Scorer, Scores
from criteria.registry import register
from criteria.split import Cuts, RuleName, equal, thresholds

# The merges of the authors' code: k=4 merges nothing, k=3 has 0 and 1 in one part ("partition01"), k=2 also 2 and 3.
MERGES: dict[int, tuple[float, ...]] = {4: (0.0, 1.0, 2.0), 3: (1.0, 2.0), 2: (1.0,)}


@register("nonlinear")
@dataclass(frozen=True)
class Nonlinear(Scorer):
    """Nonlinear functions of a cell: convolutions on its richest live path (0..3), on live edges or in total (0..6).

    Every convolution holds one ReLU. `path` is the authors' definition (the most convolutions on a way from input to
    output without 'none'; 0 where there is none) and merges as they do; `live` and `total` merge neighbouring counts to
    the most equal sizes. Source: EFS-NAS, Eq. 4, and `get_num_of_nonlinear` of its code.
    """

    count: Literal["path", "live", "total"] = "path"
    rule: RuleName = field(default="merge", kw_only=True)
    reference: ClassVar[str] = "tau-b 0.5647 (path), 0.6094 (live), 0.5786 (total)"

    def score(self, ctx: Context) -> Scores:
        """The count for every architecture."""
        space = ctx.space
        codes = space.codes if self.count == "total" else space.live_codes
        is_conv = np.isin(codes, [space.op(name) for name in space.op_names if name.startswith("nor_conv")])
        if self.count != "path":
            return Scores(is_conv.sum(axis=1), f"convolutions ({self.count})")
        is_open = codes != space.op("none")
        on_path = [is_conv[:, path].sum(axis=1) * is_open[:, path].all(axis=1) for path in space.paths]
        return Scores(np.max(on_path, axis=0), "convolutions on the richest live path")

    def cut(self, values: NDArray[np.float64], k: int) -> Cuts:
        """The declared merges, unless a rule or thresholds are given."""
        if self.thresholds or self.rule != "merge":
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

    reference: ClassVar[str] = "tau-b 0.5764"

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
