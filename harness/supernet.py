"""One weight-sharing network that holds every architecture of the cell space, and its forward pass.

Faithful to NAS-Bench-201's skeleton (Dong and Yang 2020) and to EFS-NAS's supernets: one cell in all positions, batch-norm
without affine parameters and running statistics (a batch is normalised by itself, in training and in evaluation),
convolutions without bias.

What is saved is exact: edges that reach no output are not computed, a node's ReLU and pooling are shared by its edges, the
stem and what leaves it are computed once for all architectures of a call, poolings are box sums, and a cell without a live
path costs nothing, because everything behind it is zero.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.cost import STAGES, Skeleton
from benchmarks.seeds import derive
from benchmarks.space import Space

# What flows into a node: (source node, edge, operation), live edges only.
Terms = tuple[tuple[int, int, int], ...]
# The live nodes of a cell in order, each with its terms; empty for a cell without a live path.
Plan = tuple[tuple[int, Terms], ...]
# Architectures that a GPU computes together; at 512 images and 8 channels of 32x32 each feature map of them all is 256 MiB.
TOGETHER = 16
Norm = Callable[[Tensor], Tensor]


class Supernet(nn.Module):
    """All operations on all edges of every cell position.

    Convolution weights are named `cell<position>_edge<edge>_<operation>` and have shape [c, c, kernel, kernel].
    """

    def __init__(self, space: Space, skeleton: Skeleton, seed: int) -> None:
        super().__init__()
        self.space, self.skeleton = space, skeleton
        self._plans: dict[tuple[int, ...], Plan] = {}
        draw = _Initialiser(seed)
        widths = skeleton.widths
        self.stem = draw.conv(skeleton.image_channels, widths[0], 3)
        self._names: list[dict[tuple[int, int], str]] = []
        for position in range(STAGES * skeleton.cells):
            width = widths[position // skeleton.cells]
            names = {}
            for edge in range(len(space.edges)):
                for op, name in enumerate(space.op_names):
                    if name.startswith("nor_conv"):
                        names[edge, op] = f"cell{position}_edge{edge}_{name}"
                        self.register_parameter(names[edge, op], draw.conv(width, width, int(name[-1])))
            self._names.append(names)
        for stage in range(1, STAGES):
            narrow, wide = widths[stage - 1 : stage + 1]
            self.register_parameter(f"reduce{stage}_first", draw.conv(narrow, wide, 3))
            self.register_parameter(f"reduce{stage}_second", draw.conv(wide, wide, 3))
            self.register_parameter(f"reduce{stage}_shortcut", draw.conv(narrow, wide, 1))
        self.head, self.head_bias = draw.linear(widths[-1], skeleton.classes)

    def forward(self, images: Tensor, codes: Sequence[Sequence[int]] | NDArray[np.uint8]) -> Tensor:
        """float [M, B, classes]: logits of float images [B, channels, H, W] under each of the codes [M, n_edge].

        A GPU is launch bound at these widths, so there all architectures run together; on a CPU one architecture at a
        time stays in cache. Both normalise each architecture's batch by itself.
        """
        images = images.contiguous(memory_format=torch.channels_last)
        plans = [self._plan(tuple(int(op) for op in code)) for code in codes]
        if images.is_cuda and len(plans) > 1:
            groups = (plans[start : start + TOGETHER] for start in range(0, len(plans), TOGETHER))
            return torch.cat([self._together(images, group) for group in groups])
        stem = _Node(self._stem(images), shared=True)
        return torch.stack([self._alone(stem, plan) for plan in plans])

    def _plan(self, code: tuple[int, ...]) -> Plan:
        if code not in self._plans:
            live = self.space.live_edges(np.array([code], dtype=np.uint8))[0]
            terms: dict[int, list[tuple[int, int, int]]] = {}
            for edge, (source, target) in enumerate(self.space.edges):
                if live[edge]:
                    terms.setdefault(target, []).append((source, edge, code[edge]))
            self._plans[code] = tuple((target, tuple(terms[target])) for target in sorted(terms))
        return self._plans[code]

    def _stem(self, images: Tensor) -> Tensor:
        return _norm(F.conv2d(images, self.stem, padding=1))

    def _alone(self, stem: "_Node", plan: Plan) -> Tensor:
        """float [B, classes] of one architecture."""
        if not plan:
            return self.head_bias.expand(len(stem.value), -1)
        x = self._cell(stem, 0, plan)
        for position in range(1, len(self._names)):
            x = self._cell(_Node(self._reduced(position, x, _norm)), position, plan)
        return F.linear(F.relu(_norm(x)).mean((2, 3)), self.head, self.head_bias)

    def _cell(self, entry: "_Node", position: int, plan: Plan) -> Tensor:
        nodes = {0: entry}
        for target, terms in plan:
            total = None
            for source, edge, op in terms:
                flow = self._flow(nodes[source], position, edge, op)
                total = flow if total is None else total + flow
            assert total is not None
            nodes[target] = _Node(total)
        return nodes[plan[-1][0]].value

    def _flow(self, source: "_Node", position: int, edge: int, op: int) -> Tensor:
        """What an edge makes of its source."""
        name = self.space.op_names[op]
        if name == "skip_connect":
            return source.value
        if name == "avg_pool_3x3":
            return source.pooled
        if (edge, op) in source.kept:
            return source.kept[edge, op]
        weight = self._weight(position, edge, op)
        flow = _norm(F.conv2d(source.rectified, weight, padding=weight.shape[-1] // 2))
        if source.shared:
            source.kept[edge, op] = flow
        return flow

    def _weight(self, position: int, edge: int, op: int) -> Tensor:
        weight: Tensor = getattr(self, self._names[position][edge, op])
        return weight

    def _reduced(self, position: int, x: Tensor, norm: Norm) -> Tensor:
        """x as the cell at this position sees it: through the residual block of stride 2 at the start of a stage."""
        stage, cell = divmod(position, self.skeleton.cells)
        if not stage or cell:
            return x
        first, second, shortcut = (getattr(self, f"reduce{stage}_{part}") for part in ("first", "second", "shortcut"))
        y = norm(F.conv2d(F.relu(x), first, stride=2, padding=1))
        y = norm(F.conv2d(F.relu(y), second, padding=1))
        return y + F.conv2d(F.avg_pool2d(x, 2), shortcut)

    # ---- many architectures at once

    def _together(self, images: Tensor, plans: Sequence[Plan]) -> Tensor:
        """float [M, B, classes]: each operation of an edge runs once, on all architectures that chose it."""
        m, b = len(plans), len(images)

        def norm(x: Tensor) -> Tensor:
            return _norm_each(x, len(x) // b)

        x = self._stem(images).repeat(m, 1, 1, 1)
        for position in range(len(self._names)):
            x = self._cell_together(self._reduced(position, x, norm), position, plans, norm)
        features = F.relu(norm(x)).mean((2, 3))
        return F.linear(features, self.head, self.head_bias).view(m, b, -1)

    def _cell_together(self, x: Tensor, position: int, plans: Sequence[Plan], norm: Norm) -> Tensor:
        choosers: dict[int, dict[tuple[int, int, int], list[int]]] = {}
        for i, plan in enumerate(plans):
            for target, terms in plan:
                for term in terms:
                    choosers.setdefault(target, {}).setdefault(term, []).append(i)
        each = x.view(len(plans), -1, *x.shape[1:])
        values = {0: each}
        for target in range(1, self.space.n_node):
            total = torch.zeros_like(each)
            for (source, edge, op), who in sorted(choosers.get(target, {}).items()):
                rows = torch.tensor(who, device=x.device)
                chosen = values[source].index_select(0, rows).flatten(0, 1)
                name = self.space.op_names[op]
                if name == "avg_pool_3x3":
                    chosen = pool(chosen)
                elif name != "skip_connect":
                    weight = self._weight(position, edge, op)
                    chosen = norm(F.conv2d(F.relu(chosen), weight, padding=weight.shape[-1] // 2))
                total = total.index_add(0, rows, chosen.view(len(who), *each.shape[1:]))
            values[target] = total
        return values[self.space.n_node - 1].flatten(0, 1)


class _Node:
    """A node's value and what its edges want of it, each computed once; `shared`: by several architectures."""

    def __init__(self, value: Tensor, shared: bool = False) -> None:
        self.value, self.shared = value, shared
        # (edge, operation) -> its normalised convolution. Within one architecture no edge asks twice.
        self.kept: dict[tuple[int, int], Tensor] = {}

    @cached_property
    def rectified(self) -> Tensor:
        return F.relu(self.value)

    @cached_property
    def pooled(self) -> Tensor:
        return pool(self.value)


class _Initialiser:
    """PyTorch's default initialisation (uniform with bound 1/sqrt(fan-in)) from a stream of its own."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(derive(seed, "init"))

    def _uniform(self, fan_in: int, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=self._generator)

    def conv(self, inputs: int, outputs: int, kernel: int) -> nn.Parameter:
        weight = self._uniform(inputs * kernel * kernel, outputs, inputs, kernel, kernel)
        return nn.Parameter(weight.contiguous(memory_format=torch.channels_last))

    def linear(self, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
        return nn.Parameter(self._uniform(inputs, outputs, inputs)), nn.Parameter(self._uniform(inputs, outputs))


EPSILON = 1e-5  # PyTorch's default, which the benchmark's networks use
# Up to this many channels `_norm_narrow` is used; its rows hold ROW numbers, several vector registers.
NARROW, ROW = 16, 128


def _norm(x: Tensor) -> Tensor:
    """Batch-norm with the batch's own statistics, without affine parameters."""
    if x.shape[1] <= NARROW and not x.is_cuda and not torch.is_grad_enabled():
        return _norm_narrow(x)
    return F.batch_norm(x, None, None, training=True, eps=EPSILON)


def _norm_narrow(x: Tensor) -> Tensor:
    """`_norm` of a channels-last x with few channels, without a gradient.

    Several pixels stand side by side in a row, so that vector registers are full. Measured on one thread against PyTorch's
    kernel: 1.6 to 2.2 times as fast at 8 channels of 32x32, 1.3 to 1.4 times at 16 of 16x16, 3 times at 4 of 8x8; slower on
    maps of a few pixels (0.8 at 8 of 4x4, 0.4 at 16 of 2x2).
    """
    b, c, h, w = x.shape
    side = math.gcd(b * h * w, ROW // c)
    rows = x.permute(0, 2, 3, 1).reshape(-1, side * c)

    def mean(values: Tensor) -> Tensor:
        return (values.sum(0).view(side, c).sum(0) / (len(rows) * side)).repeat(side)

    centred = rows - mean(rows)
    centred *= (mean(centred * centred) + EPSILON).rsqrt()
    return centred.view(b, h, w, c).permute(0, 3, 1, 2)


def _norm_each(x: Tensor, m: int) -> Tensor:
    """`_norm` of each of the m architectures' batches that x [m * B, C, H, W] holds one after another."""
    each = x.view(m, -1, *x.shape[1:])
    variance, mean = torch.var_mean(each, dim=(1, 3, 4), correction=0, keepdim=True)
    return ((each - mean) * (variance + EPSILON).rsqrt()).flatten(0, 1)


def pool(x: Tensor) -> Tensor:
    """Average pooling 3x3, stride 1, over the pixels inside the image (count_include_pad=False)."""
    if x.is_cuda:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    pooled: Tensor = _BoxPool.apply(x)
    return pooled


class _BoxPool(torch.autograd.Function):
    """Pooling as box sums over an image padded by zeros: faster than the CPU kernel of PyTorch, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _box_sum(x).mul_(_inverse_counts(*x.shape[1:]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return _box_sum(grads[0] * _inverse_counts(*grads[0].shape[1:]))


def _box_sum(x: Tensor) -> Tensor:
    """The sum over each pixel's 3x3 neighbourhood, as a depthwise convolution with ones."""
    channels = x.shape[1]
    return F.conv2d(x, x.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


@cache
def _inverse_counts(channels: int, height: int, width: int) -> Tensor:
    """[1, channels, height, width] in the layout of the feature maps: broadcasting over channels would be slow."""
    counts = _box_sum(torch.ones(1, channels, height, width))
    return (1 / counts).contiguous(memory_format=torch.channels_last)
