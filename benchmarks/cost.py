"""Parameters and FLOPs of stand-alone networks and supernets in closed form.

FLOPs follow the authors' counter: one multiply-add is one FLOP, only convolutions and the linear layer (with its bias) count,
and dead edges count like live ones. Source: specs of NAS-Bench-201; stored values of about 1 % of its architectures are wrong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.space import Space

STAGES = 3
# Hidden units of the simplex-net of K-shot NAS, as in its only public program (david-0429/Greedy-K-shot-NAS).
SIMPLEX_HIDDEN = 100


@dataclass(frozen=True)
class Skeleton:
    """The network around the cell: a stem, three stages of equal cells with residual blocks of stride 2 between, a head.

    channels: of the first stage; they double with every stage. cells: per stage. image_size: pixels of a side.
    """

    channels: int = 16
    cells: int = 5
    classes: int = 10
    image_size: int = 32
    image_channels: int = 3

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.channels << stage for stage in range(STAGES))

    @property
    def areas(self) -> tuple[int, ...]:
        """Pixels of a feature map of each stage; a residual block of stride 2 rounds odd sides up."""
        sides = [self.image_size]
        while len(sides) < STAGES:
            sides.append((sides[-1] + 1) // 2)
        return tuple(side * side for side in sides)

    def fixed_params(self, affine: bool) -> int:
        """Parameters outside the cells; `affine` adds scale and shift of every batch-norm."""
        norm = 2 if affine else 0
        total = 9 * self.image_channels * self.widths[0] + norm * self.widths[0]
        for narrow, wide in zip(self.widths, self.widths[1:], strict=False):
            total += 9 * narrow * wide + 9 * wide * wide + narrow * wide + 2 * norm * wide
        last = self.widths[-1]
        return total + norm * last + last * self.classes + self.classes

    def fixed_flops(self) -> int:
        """Multiply-adds outside the cells."""
        total = 9 * self.image_channels * self.widths[0] * self.areas[0]
        for stage in range(1, STAGES):
            narrow, wide = self.widths[stage - 1 : stage + 1]
            total += (9 * narrow * wide + 9 * wide * wide + narrow * wide) * self.areas[stage]
        return total + self.widths[-1] * self.classes + self.classes

    def edge_params(self, kernel: int, affine: bool) -> int:
        """Parameters of one convolution on one edge, over all cells."""
        norm = 2 if affine else 0
        return self.cells * sum(kernel * kernel * c * c + norm * c for c in self.widths)

    def edge_flops(self, kernel: int) -> int:
        """Multiply-adds of one convolution on one edge, over all cells."""
        return self.cells * sum(kernel * kernel * c * c * a for c, a in zip(self.widths, self.areas, strict=True))


NASBENCH201 = Skeleton()


def convolutions(space: Space, kernel: int, live_only: bool = False) -> NDArray[np.int64]:
    """int64 [n_arch]: convolutions of that kernel (1 or 3) per cell, on all edges or on live ones."""
    codes = space.live_codes if live_only else space.codes
    count: NDArray[np.int64] = (codes == space.op(f"nor_conv_{kernel}x{kernel}")).sum(axis=1)
    return count


def params(space: Space, skeleton: Skeleton = NASBENCH201, live_only: bool = False) -> NDArray[np.int64]:
    """int64 [n_arch]: parameters of the stand-alone networks (affine batch-norm)."""
    total = np.full(len(space), skeleton.fixed_params(affine=True))
    for kernel in (1, 3):
        total += skeleton.edge_params(kernel, affine=True) * convolutions(space, kernel, live_only)
    return total


def flops(space: Space, skeleton: Skeleton = NASBENCH201, live_only: bool = False) -> NDArray[np.int64]:
    """int64 [n_arch]: multiply-adds of one forward pass of one image."""
    total = np.full(len(space), skeleton.fixed_flops())
    for kernel in (1, 3):
        total += skeleton.edge_flops(kernel) * convolutions(space, kernel, live_only)
    return total


def supernet_params(space: Space, skeleton: Skeleton) -> int:
    """Parameters of one supernet with all operations on all edges and batch-norm without affine parameters."""
    return skeleton.fixed_params(affine=False) + skeleton.cells * sum(cell_params(space, width) for width in skeleton.widths)


def unused_params(space: Space, skeleton: Skeleton, codes: NDArray[np.uint8]) -> int:
    """Parameters of a supernet's convolutions that none of the codes [m, n_edge] has."""
    absent = [int(name[-1]) for op, name in enumerate(space.op_names) if name.startswith("nor_conv")
              for edge in range(len(space.edges)) if op not in codes[:, edge]]
    return sum(skeleton.edge_params(kernel, affine=False) for kernel in absent)


def layered_params(space: Space, skeleton: Skeleton, copies: int) -> int:
    """Parameters of one supernet whose cells after the first stage exist in so many copies; the rest is common to all."""
    later = skeleton.cells * sum(cell_params(space, width) for width in skeleton.widths[1:])
    return supernet_params(space, skeleton) + (copies - 1) * later


def mixture_params(space: Space, skeleton: Skeleton, copies: int) -> int:
    """Parameters of so many copies of a supernet and of the simplex-net, which weighs the copies for an architecture."""
    inputs = len(space.edges) * len(space.op_names)
    return copies * supernet_params(space, skeleton) + (inputs + 1) * SIMPLEX_HIDDEN + (SIMPLEX_HIDDEN + 1) * copies


def cell_params(space: Space, width: int) -> int:
    """Parameters of one supernet cell of that width, all operations on all edges."""
    kernels = [int(name[-1]) for name in space.op_names if name.startswith("nor_conv")]
    return len(space.edges) * sum(kernel * kernel * width * width for kernel in kernels)
