"""Gradient matching: operations whose subnets pull the shared weights the same way stay together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from criteria.base import Context, Partition
from criteria.gradients import loss_gradients
from criteria.mask import Mask
from criteria.network import Init, Subnet
from criteria.registry import register
from criteria.tree import Cut, divide, grow, masks_of

if TYPE_CHECKING:
    from torch import Tensor

# How a parent shares weights whose supernets have one gradient for each operation.
PLAIN = ("all", "part")


@register("gradient_matching")
@dataclass(frozen=True)
class GradientMatching:
    """GM-NAS: at each node the edge is divided 2|3 whose groups of operations have the least alike gradients.

    Two operations are as alike as the cosine of the gradients of L with one or the other on the edge and a random connected path
    on the others, the same for all five, over the weights of cells and reductions that are not on that edge; the mean over
    `batches` batches of `batch` images, a path each. A path that the operation disconnects is like no other. levels: of the whole
    tree; those that the parts of the run's parent are already are taken from it, and each part is divided by what its own trained
    supernet says. Without a parent the weights are those of their initialisation, or those of the run named as `supernet`.
    Source: Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022, as in its code for RSPS, which takes 100
    batches and two levels.
    """

    levels: int = 2
    batches: int = 20
    batch: int = 64
    init: Init = "default"
    channels: int = 0
    cells: int = 0
    supernet: str = ""
    needs: ClassVar[frozenset[str]] = frozenset({"network", "images"})

    @property
    def fixed_k(self) -> int:
        """Two for each level, multiplied."""
        return 1 << max(self.levels, 0)

    def check_parent(self, share: str) -> None:
        """UsageError where the parent of a run, with that share, cannot be asked, or a parameter says to ask other networks."""
        for name in ("supernet", "init", "channels", "cells"):
            if (value := getattr(self, name)) != getattr(GradientMatching, name):
                raise UsageError(f"gradient_matching[{name}={value}] means nothing in a run with a parent, whose trained "
                                 f"supernets are asked; leave {name} out, or the section [parent].")
        if share not in PLAIN:
            raise UsageError(f"gradient_matching cannot ask a parent trained with share={share}; let the parent have share="
                             f"{' or '.join(PLAIN)}.")

    def split(self, ctx: Context, k: int) -> Partition:
        """The leaves of the tree as parts; UsageError when nothing tells the operations of any edge apart."""
        laboratory = ctx.need_laboratory()
        roots = (Mask.whole(ctx.space),) if ctx.parent is None else masks_of(ctx.parent, ctx.space)
        if k % len(roots):
            raise UsageError(f"the parent's {len(roots)} parts cannot be divided by two until they are {k}; choose more levels "
                             "or another parent.")

        def cut(mask: Mask, edge: int) -> Cut:
            return divide(mask.allowed[edge], laboratory.match(self, mask, edge), balanced=True)

        edges = range(len(ctx.space.edges))
        levels = (k // len(roots)).bit_length() - 1
        return grow(ctx.space, edges, levels, cut, choose=True, roots=roots).partition(ctx.space, edges)

    def alike(self, subnets: "Sequence[Subnet | None]", edge: int, images: "Tensor", labels: "Tensor") -> NDArray[np.float64]:
        """float64 [n_op, n_op]: cosines between the gradients of subnets that differ in one edge; 0 with a cut one (None)."""
        found = [{} if subnet is None else self._pull(subnet, edge, images, labels) for subnet in subnets]
        products = np.array([[sum(float((one[name] * other[name]).sum()) for name in one if name in other) for other in found]
                             for one in found])
        length = np.sqrt(np.diag(products))
        size = length[:, None] * length[None, :]
        alike: NDArray[np.float64] = np.divide(products, size, out=np.zeros_like(products), where=size > 0)
        return alike

    @staticmethod
    def _pull(subnet: Subnet, edge: int, images: "Tensor", labels: "Tensor") -> "dict[str, Tensor]":
        """The gradients of cells and reductions but those on the edge, by name, in float64."""
        gradients = zip(subnet.weights, loss_gradients(subnet, images, labels), strict=True)
        return {name: gradient.double() for name, (_, gradient) in gradients
                if name not in ("stem", "head") and f"_edge{edge}_" not in name}
