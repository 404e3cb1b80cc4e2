"""One weight-sharing network that holds every architecture of the cell space, and its forward pass.

Faithful to NAS-Bench-201's skeleton (Dong and Yang 2020) and to EFS-NAS's supernets: one cell in all positions, batch-norm
without affine parameters and running statistics (a batch is normalised by itself, in training and in evaluation),
convolutions without bias.

What is saved is exact: edges that reach no output are not computed, a node's ReLU and pooling are shared by its edges, the
stem and what leaves it are computed once for all architectures of a call, poolings are box sums, and a cell without a live
path costs nothing, because everything behind it is zero.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.cost import STAGES, Skeleton
from benchmarks.space import Space
from criteria.network import Watch
from harness.networks.initialiser import Initialiser
from harness.networks.layers import norm, norm_each, pool, unchanged

# What flows into a node: (source node, edge, operation), live edges only.
Terms = tuple[tuple[int, int, int], ...]
# The live nodes of a cell in order, each with its terms; empty for a cell without a live path.
Plan = tuple[tuple[int, Terms], ...]
# Architectures that a GPU computes together; at 512 images and 8 channels of 32x32 each feature map of them all is 256 MiB.
TOGETHER = 16
# Batch-norm, as the device and the network have it; of x [m * B, c, h, w], the batches of m architectures one after another.
Norm = Callable[[Tensor], Tensor]
NormEach = Callable[[Tensor, int], Tensor]


class Supernet(nn.Module):
    """All operations on all edges of every cell position.

    Convolution weights are named `cell<position>_edge<edge>_<operation>` and have shape [c, c, kernel, kernel].
    init: see Initialiser. normalised: False leaves every batch-norm out, for proxies that are defined without.
    """

    def __init__(self, space: Space, skeleton: Skeleton, seed: int, init: str = "default", normalised: bool = True) -> None:
        super().__init__()
        self.space, self.skeleton, self.normalised = space, skeleton, normalised
        self._norm: Norm = norm if normalised else unchanged
        self._norm_each: NormEach = norm_each if normalised else unchanged
        self._plans: dict[tuple[int, ...], Plan] = {}
        self._convs = frozenset(op for op, name in enumerate(space.op_names) if name.startswith("nor_conv"))
        draw = Initialiser(seed, init)
        widths = skeleton.widths
        self.stem = draw.conv(skeleton.image_channels, widths[0], 3)
        self._names: list[dict[tuple[int, int], str]] = []
        for position in range(STAGES * skeleton.cells):
            width = widths[position // skeleton.cells]
            names = {}
            for edge in range(len(space.edges)):
                for op in sorted(self._convs):
                    name = space.op_names[op]
                    names[edge, op] = f"cell{position}_edge{edge}_{name}"
                    self.register_parameter(names[edge, op], draw.conv(width, width, int(name[-1])))
            self._names.append(names)
        for stage in range(1, STAGES):
            narrow, wide = widths[stage - 1 : stage + 1]
            self.register_parameter(f"reduce{stage}_first", draw.conv(narrow, wide, 3))
            self.register_parameter(f"reduce{stage}_second", draw.conv(wide, wide, 3))
            self.register_parameter(f"reduce{stage}_shortcut", draw.conv(narrow, wide, 1))
        self.head, self.head_bias = draw.linear(widths[-1], skeleton.classes)

    def forward(self, images: Tensor, codes: Sequence[Sequence[int]] | NDArray[np.uint8], watch: Watch | None = None,
                entry: "Node | None" = None) -> Tensor:
        """float [M, B, classes]: logits of float images [B, channels, H, W] under each of the codes [M, n_edge].

        A GPU is launch bound at these widths, so there all architectures run together; on a CPU one architecture at a
        time stays in cache. Both normalise each architecture's batch by itself. A `watch` sees one architecture at a time.
        entry: `self.entry(images)`, for calls that have the images in common.
        """
        images = images.contiguous(memory_format=torch.channels_last)
        plans = [self._plan(tuple(int(op) for op in code)) for code in codes]
        if images.is_cuda and len(plans) > 1 and watch is None:
            groups = (plans[start : start + TOGETHER] for start in range(0, len(plans), TOGETHER))
            return torch.cat([self._together(images, group) for group in groups])
        stem = entry or self.entry(images)
        if watch and stem.conv is not None:
            watch.conv("stem", stem.conv)
        return torch.stack([self._alone(stem, plan, watch) for plan in plans])

    def entry(self, images: Tensor) -> "Node":
        """What all architectures make of images [B, channels, H, W] at first: what leaves the stem, and more when one asks."""
        conv, value = self._stem(images.contiguous(memory_format=torch.channels_last))
        return Node(value, conv, shared=True)

    @property
    def engine(self) -> "Supernet":
        """The network that computes: itself."""
        return self

    def normalise_by(self, each: NormEach) -> None:
        """Let all batch-norms be another function; `norm_each` is the one that they begin with."""
        self._norm_each = each
        self._norm = norm if each is norm_each else lambda x: each(x, 1)

    def weights_of(self, code: NDArray[np.uint8]) -> dict[str, Tensor]:
        """The weights behind an architecture's logits, by name: convolutions of live edges, stem, reductions and classifier."""
        plan = self._plan(tuple(int(op) for op in code))
        convs = [(edge, op) for _, terms in plan for _, edge, op in terms if op in self._convs]
        mine = {names[conv] for names in self._names for conv in convs}
        return {name: weight for name, weight in self.named_parameters()
                if name in mine or (not name.startswith("cell") and name != "head_bias")}

    def _plan(self, code: tuple[int, ...]) -> Plan:
        if code not in self._plans:
            live = self.space.live_edges(np.array([code], dtype=np.uint8))[0]
            terms: dict[int, list[tuple[int, int, int]]] = {}
            for edge, (source, target) in enumerate(self.space.edges):
                if live[edge]:
                    terms.setdefault(target, []).append((source, edge, code[edge]))
            self._plans[code] = tuple((target, tuple(terms[target])) for target in sorted(terms))
        return self._plans[code]

    def _stem(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The stem's convolution, before and after batch-norm."""
        conv = F.conv2d(images, self.stem, padding=1)
        return conv, self._norm(conv)

    def _alone(self, stem: "Node", plan: Plan, watch: Watch | None) -> Tensor:
        """float [B, classes] of one architecture."""
        if not plan:
            return self.head_bias.expand(len(stem.value), -1)
        if watch:
            watch.features(stem.value)
        x = self._cell(stem, 0, plan, watch)
        for position in range(1, len(self._names)):
            entry = Node(self._reduced(position, x, self._norm, watch))
            if watch and entry.value is not x:
                watch.features(entry.value)
            x = self._cell(entry, position, plan, watch)
        last = self._norm(x)
        if watch:
            watch.relu(last, 1)
        return F.linear(F.relu(last).mean((2, 3)), self.head, self.head_bias)

    def _cell(self, entry: "Node", position: int, plan: Plan, watch: Watch | None) -> Tensor:
        nodes = {0: entry}
        for target, terms in plan:
            total = None
            for source, edge, op in terms:
                flow = self._flow(nodes[source], position, edge, op, watch)
                total = flow if total is None else total + flow
            assert total is not None
            nodes[target] = Node(total)
        out = nodes[plan[-1][0]].value
        if watch:
            for source, node in nodes.items():
                convs = sum(op in self._convs for _, terms in plan for start, _, op in terms if start == source)
                if convs:
                    watch.relu(node.value, convs)
            watch.features(out)
        return out

    def _flow(self, source: "Node", position: int, edge: int, op: int, watch: Watch | None) -> Tensor:
        """What an edge makes of its source."""
        name = self.space.op_names[op]
        if name == "skip_connect":
            return source.value
        if name == "avg_pool_3x3":
            return source.pooled
        conv, flow = source.kept.get((edge, op), (None, None))
        if flow is None or (watch and conv is None):
            weight = self._weight(position, edge, op)
            conv = F.conv2d(source.rectified, weight, padding=weight.shape[-1] // 2)
            flow = self._norm(conv)
            if source.shared:
                source.kept[edge, op] = conv if watch else None, flow
        if watch and conv is not None:
            watch.conv(self._names[position][edge, op], conv)
        return flow

    def _weight(self, position: int, edge: int, op: int) -> Tensor:
        weight: Tensor = getattr(self, self._names[position][edge, op])
        return weight

    def _reduced(self, position: int, x: Tensor, norm: Norm, watch: Watch | None = None) -> Tensor:
        """x as the cell at this position sees it: through the residual block of stride 2 at the start of a stage."""
        stage, cell = divmod(position, self.skeleton.cells)
        if not stage or cell:
            return x
        first, second, shortcut = (getattr(self, f"reduce{stage}_{part}") for part in ("first", "second", "shortcut"))
        inner = F.conv2d(F.relu(x), first, stride=2, padding=1)
        middle = norm(inner)
        outer = F.conv2d(F.relu(middle), second, padding=1)
        past = F.conv2d(F.avg_pool2d(x, 2), shortcut)
        if watch:
            watch.relu(x, 1)
            watch.relu(middle, 1)
            for part, conv in (("first", inner), ("second", outer), ("shortcut", past)):
                watch.conv(f"reduce{stage}_{part}", conv)
        return norm(outer) + past

    # ---- many architectures at once

    def _together(self, images: Tensor, plans: Sequence[Plan]) -> Tensor:
        """float [M, B, classes]: each operation of an edge runs once, on all architectures that chose it."""
        m, b = len(plans), len(images)

        def norm(x: Tensor) -> Tensor:
            return self._norm_each(x, len(x) // b)

        x = self._stem(images)[1].repeat(m, 1, 1, 1)
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


class Node:
    """A node's value and what its edges want of it, each computed once; `shared`: by several architectures.

    conv: what batch-norm made the value of, at the stem.
    """

    def __init__(self, value: Tensor, conv: Tensor | None = None, shared: bool = False) -> None:
        self.value, self.conv, self.shared = value, conv, shared
        # (edge, operation) -> its convolution, where somebody watches, and that normalised. No architecture asks twice.
        self.kept: dict[tuple[int, int], tuple[Tensor | None, Tensor]] = {}

    @cached_property
    def rectified(self) -> Tensor:
        return F.relu(self.value)

    @cached_property
    def pooled(self) -> Tensor:
        return pool(self.value)
