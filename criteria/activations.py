"""Proxies of forward passes: which ReLUs images switch on in a network at its initialisation.

Disconnected architectures have no score; a measurement that is not finite is undefined (NaN). Higher = better throughout.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, ClassVar

from criteria.network import Init, NetworkScorer, Subnet, Watch
from criteria.registry import register

if TYPE_CHECKING:
    from torch import Tensor


@register("naswot")
@dataclass(frozen=True)
class Naswot(NetworkScorer):
    """Log-determinant of how many ReLUs two images set alike (NASWOT).

    K[i, j] counts the ReLU units in the same state for images i and j, over all ReLUs in front of live convolutions, one for each
    convolution, those of the reductions and the last. Source: Mellor et al., "Neural Architecture Search without Training", ICML
    2021; its code leaves dead branches out by a backward pass, we by construction. Two images alike in every unit: undefined.
    """

    batch: int = field(default=128, kw_only=True)
    reference: ClassVar[str] = "tau-b 0.595 on all of CIFAR-10 (a published extract, NATS truth)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        seen = _Kernel(len(images))
        with torch.no_grad():
            subnet.logits(images, seen)
        sign, value = torch.linalg.slogdet(seen.kernel.double())
        return float(value) if sign > 0 else nan


class _Kernel(Watch):
    """kernel: float64 [B, B], ReLU units that two images set alike."""

    def __init__(self, size: int) -> None:
        import torch

        self.kernel = torch.zeros(size, size, dtype=torch.float64)

    def relu(self, value: "Tensor", edges: int) -> None:
        # As channels-last maps lie, so that nothing is copied; the order of units does not matter.
        on = (value > 0).permute(0, 2, 3, 1).flatten(1).to(value.dtype)
        both, count = on @ on.T, on.sum(1)
        alike = on.shape[1] - count[:, None] - count[None, :] + 2 * both
        self.kernel = self.kernel.to(value.device) + edges * alike.double()


@register("linear_regions")
@dataclass(frozen=True)
class LinearRegions(NetworkScorer):
    """Distinct ReLU patterns that crops of images cause in the first cell of a thin network (TE-NAS).

    `batch` images, each cropped anywhere to `crop` x `crop` pixels, through one cell of `channels` channels. On the full network
    every image has a pattern of its own, so the count says nothing there. Source: Chen et al., "Neural Architecture Search on
    ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021, which takes 3 x 1,000 crops of 3x3 pixels and 1 channel.
    """

    batch: int = field(default=1000, kw_only=True)
    channels: int = field(default=1, kw_only=True)
    cells: int = field(default=1, kw_only=True)
    init: Init = field(default="kaiming_in", kw_only=True)
    repeats: int = field(default=3, kw_only=True)
    crop: int = 3

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        generator = torch.Generator().manual_seed(len(images))
        corners = torch.randint(images.shape[2] - self.crop + 1, (2, len(images)), generator=generator)
        windows = images.unfold(2, self.crop, 1).unfold(3, self.crop, 1)
        seen = _FirstCell()
        with torch.no_grad(), suppress(_Enough):
            subnet.logits(windows[torch.arange(len(images)), :, corners[0], corners[1]], seen)
        if not seen.patterns:
            return nan
        return float(len(torch.unique(torch.cat(seen.patterns, 1), dim=0)))


class _Enough(Exception):
    """The rest of the forward pass is not wanted."""


class _FirstCell(Watch):
    """patterns: bool [B, units] of each ReLU up to the end of the first cell."""

    def __init__(self) -> None:
        self.patterns: list[Tensor] = []
        self._left = 1

    def relu(self, value: "Tensor", edges: int) -> None:
        self.patterns.append((value > 0).flatten(1))

    def features(self, value: "Tensor") -> None:
        if not self._left:
            raise _Enough
        self._left -= 1


@register("swap")
@dataclass(frozen=True)
class Swap(NetworkScorer):
    """Distinct patterns of the units over a few images: which images switch a unit on (SWAP-Score).

    Source: Peng et al., "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-Fast NAS", ICLR 2024, which takes 16 images and
    averages 32 initialisations.
    """

    batch: int = field(default=16, kw_only=True)
    init: Init = field(default="kaiming_in", kw_only=True)

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        seen = _Units(len(images))
        with torch.no_grad():
            subnet.logits(images, seen)
        return float(len(torch.cat(seen.patterns).unique()))


class _Units(Watch):
    """patterns: int64 [units] of each ReLU, one bit for each image; at most 62 images."""

    def __init__(self, size: int) -> None:
        import torch

        self._bits = 2 ** torch.arange(min(size, 62))
        self.patterns: list[Tensor] = []

    def relu(self, value: "Tensor", edges: int) -> None:
        on = (value[: len(self._bits)] > 0).flatten(1).long()
        self.patterns.append((on * self._bits.to(on.device)[:, None]).sum(0).unique())
