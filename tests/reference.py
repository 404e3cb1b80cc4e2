"""The plain, slow, obviously right network that the engine is held to: one module per operation, nothing saved.

As in the papers' own code: every edge of every cell is computed, dead ones too, each with a ReLU of its own; 'none' multiplies
by zero; pooling and batch-norm are PyTorch's modules; images lie in the usual contiguous layout.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.cost import STAGES
from harness.networks.supernet import Supernet


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


Norm = Callable[[int], nn.Module]


def bare_norm(width: int) -> nn.Module:
    """Batch-norm as supernets have it; stand-alone networks have PyTorch's defaults."""
    return nn.BatchNorm2d(width, affine=False, track_running_stats=False)


def relu_conv_norm(inputs: int, outputs: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, norm(outputs))


def operation(name: str, width: int, norm: Norm) -> nn.Module:
    modules = {"none": Zero, "skip_connect": nn.Identity,
               "nor_conv_1x1": lambda: relu_conv_norm(width, width, 1, norm),
               "nor_conv_3x3": lambda: relu_conv_norm(width, width, 3, norm),
               "avg_pool_3x3": lambda: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)}
    return modules[name]()


class Cell(nn.Module):
    """All operations on all edges, or those of one code only; a node is the sum of its edges."""

    def __init__(self, engine: Supernet, width: int, norm: Norm, only: Sequence[int] | None) -> None:
        super().__init__()
        self.edges = engine.space.edges
        self.operations = nn.ModuleList(
            nn.ModuleList(operation(name, width, norm) if only is None or only[edge] == op else None
                          for op, name in enumerate(engine.space.op_names)) for edge in range(len(self.edges)))

    def forward(self, x: Tensor, code: Sequence[int]) -> Tensor:
        nodes = [x]
        for node in range(1, 1 + max(target for _, target in self.edges)):
            nodes.append(sum(self.operations[edge][code[edge]](nodes[source])
                             for edge, (source, target) in enumerate(self.edges) if target == node))
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block of stride 2 between two stages."""

    def __init__(self, narrow: int, wide: int, norm: Norm) -> None:
        super().__init__()
        self.first, self.second = relu_conv_norm(narrow, wide, 3, norm, stride=2), relu_conv_norm(wide, wide, 3, norm)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(narrow, wide, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + self.shortcut(x)


class Reference(nn.Module):
    """The network of a supernet's space and skeleton with (copies of) its weights, under the same code in every cell.

    only: the network of this one code, with weights of its own, as those who measure one network after the other build it.
    """

    def __init__(self, engine: Supernet, only: Sequence[int] | None = None) -> None:
        super().__init__()
        skeleton, norm = engine.skeleton, bare_norm if only is None else nn.BatchNorm2d
        widths = skeleton.widths
        self.stem = nn.Sequential(nn.Conv2d(skeleton.image_channels, widths[0], 3, padding=1, bias=False), norm(widths[0]))
        self.stages = nn.ModuleList(
            nn.ModuleList(Cell(engine, width, norm, only) for _ in range(skeleton.cells)) for width in widths)
        self.reductions = nn.ModuleList(Reduction(widths[i], widths[i + 1], norm) for i in range(STAGES - 1))
        self.last = nn.Sequential(norm(widths[-1]), nn.ReLU())
        self.head = nn.Linear(widths[-1], skeleton.classes)
        if only is not None:
            return
        # The engine's name of a weight -> the weight here.
        self.weights = dict(self._names(engine))
        with torch.no_grad():
            for name, weight in engine.named_parameters():
                self.weights[name].data = weight.detach().clone(memory_format=torch.contiguous_format)

    def _names(self, engine: Supernet) -> list[tuple[str, nn.Parameter]]:
        names = [("stem", self.stem[0].weight), ("head", self.head.weight), ("head_bias", self.head.bias)]
        cells = [cell for stage in self.stages for cell in stage]
        for position, cell in enumerate(cells):
            for edge, operations in enumerate(cell.operations):
                for name, module in zip(engine.space.op_names, operations, strict=True):
                    if name.startswith("nor_conv"):
                        names.append((f"cell{position}_edge{edge}_{name}", module[1].weight))
        for stage, block in enumerate(self.reductions, start=1):
            names += [(f"reduce{stage}_first", block.first[1].weight), (f"reduce{stage}_second", block.second[1].weight),
                      (f"reduce{stage}_shortcut", block.shortcut[1].weight)]
        return names

    def forward(self, images: Tensor, code: Sequence[int]) -> Tensor:
        """float [B, classes]: the logits of float images [B, channels, H, W] under one code [n_edge]."""
        x = self.stem(images)
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x)
            for cell in cells:
                x = cell(x, code)
        return self.head(self.last(x).mean((2, 3)))
