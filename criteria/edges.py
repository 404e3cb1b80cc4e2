"""FS-NAS: one edge split exhaustively, a part for each operation on it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from benchmarks.seeds import derive
from criteria.base import Context, Partition
from criteria.mask import Mask, Masks
from criteria.registry import register


@register("edge")
@dataclass(frozen=True)
class Edge:
    """FS-NAS: one part per operation on one edge, 5 x 3,125 cells; edges count 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2.

    edge=random draws the edge from the seed of the context. Default: edge 0 (1<-0), `edge_to_split=0` of the authors' code.
    Source: Zhao et al., "Few-shot Neural Architecture Search", ICML 2021.
    """

    edge: Literal[0, 1, 2, 3, 4, 5, "random"] = 0
    needs: ClassVar[frozenset[str]] = frozenset()
    fixed_k: ClassVar[int | None] = 5
    reference: ClassVar[str] = "rank eta2 0.198, 0.080, 0.022, 0.199, 0.063, 0.153 on edges 0..5 (nats/cifar10/test/200/full)"

    def split(self, ctx: Context, k: int) -> Partition:
        """The space in parts of equal operations on the edge, in the order of `space.op_names`."""
        space = ctx.space
        drawn = int(np.random.default_rng(derive(ctx.seed, "criterion", "edge")).integers(len(space.edges)))
        edge = drawn if self.edge == "random" else self.edge
        source, target = space.edges[edge]
        rule = Masks(tuple(Mask.whole(space).only(edge, (op,)) for op in range(k)))
        return Partition(rule.label(space.codes), tuple(f"{target}<-{source} {name}" for name in space.op_names), rule)
