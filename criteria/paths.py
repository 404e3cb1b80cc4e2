"""Criteria of the ways from a cell's input to its output: how many are live, how long they are, what lies on them.

A way is live when none of its edges holds 'none'. They need no network and no data.
Reference figures: Kendall's tau-b with the truth v1_0/cifar10/test/200/full, all 15,625 architectures.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.space import Space
from criteria.base import Context, Scorer, Scores
from criteria.registry import register
from criteria.split import RuleName

Unit = Literal["edges", "operations", "convolutions"]


def holds(space: Space, codes: NDArray[np.uint8], names: tuple[str, ...]) -> NDArray[np.bool_]:
    """bool [m, n_edge]: the operation on that edge of the codes [m, n_edge] is one of those named."""
    return np.array([name in names for name in space.op_names])[codes]


def convolutions(space: Space) -> tuple[str, ...]:
    """The operations that are convolutions."""
    return tuple(name for name in space.op_names if name.startswith("nor_conv"))


def along(space: Space, edge: NDArray[np.bool_]) -> NDArray[np.int8]:
    """int8 [n_arch, n_path]: how many of the marked edges [n_arch, n_edge] lie on each of `space.paths`."""
    marked = edge.view(np.int8).T
    return np.stack([sum((marked[e] for e in path), np.zeros(len(edge), np.int8)) for path in space.paths], axis=1)


def live_ways(space: Space) -> NDArray[np.bool_]:
    """bool [n_arch, n_path]: no edge of that one of `space.paths` holds 'none'."""
    live: NDArray[np.bool_] = along(space, holds(space, space.codes, ("none",))) == 0
    return live


@register("paths")
@dataclass(frozen=True)
class Paths(Scorer):
    """Live ways from the input to the output of a cell: 0..4."""

    reference: ClassVar[str] = "tau-b 0.2373"

    def score(self, ctx: Context) -> Scores:
        """The number of live ways of every architecture."""
        return Scores(live_ways(ctx.space).sum(axis=1), "live ways from input to output")


@register("depth")
@dataclass(frozen=True)
class Depth(Scorer):
    """Depth of a cell: the length of its longest live way, its shortest, or their mean; 0 where there is none.

    of: what a way counts, its edges (1..3), its operations (edges that are no skip) or its convolutions. The longest way in
    convolutions is `nonlinear`. A count is taken as it is, more for better: shorter shortest ways are in fact slightly better.
    """

    path: Literal["longest", "shortest", "mean"] = "longest"
    of: Unit = "edges"
    rule: RuleName = field(default="equal", kw_only=True)
    reference: ClassVar[str] = ("tau-b 0.2080 (longest), -0.0265 (shortest), 0.1235 (mean); of operations 0.2711, 0.0453, "
                                "0.2040; of convolutions 0.5647, 0.3135, 0.6005")

    def score(self, ctx: Context) -> Scores:
        """The depth of every architecture."""
        space, live = ctx.space, live_ways(ctx.space)
        edges = {"edges": space.op_names, "convolutions": convolutions(space),
                 "operations": tuple(name for name in space.op_names if name != "skip_connect")}[self.of]
        length = along(space, holds(space, space.codes, edges))
        if self.path == "longest":
            values = (length * live).max(axis=1)
        elif self.path == "shortest":
            values = np.where(live, length, 2 * len(space.edges)).min(axis=1) * live.any(axis=1)
        else:
            values = (length * live).sum(axis=1) / np.maximum(live.sum(axis=1), 1)
        return Scores(values, f"{self.of} on the {self.path} live way")
