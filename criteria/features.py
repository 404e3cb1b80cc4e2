"""Proxies of features: their entropy, how they grow and change from block to block, at initialisation.

Disconnected architectures have no score; a measurement that is not finite is undefined (NaN). Higher = better throughout. Blocks
are the cells and the reductions.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from typing import TYPE_CHECKING, ClassVar, Literal

from criteria.network import Features, Init, NetworkScorer, Subnet, Watch, finite
from criteria.registry import register

if TYPE_CHECKING:
    from torch import Tensor


class Entropies(Watch):
    """values: the entropy of the features after the stem, each cell and each reduction, in nats, while they are in cache."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def features(self, value: "Tensor") -> None:
        self.values.append(entropy(value))


def entropy(features: "Tensor") -> float:
    """The entropy, in nats, of the normalised eigenvalues of the c x c covariance of features [B, c, h, w]."""
    import torch
    from torch.nn.grad import conv2d_weight

    count, channels = features[:, 0].numel(), features.shape[1]
    # Products of pixels as they are and the mean taken off after: features have means near zero, so no digit is lost.
    mean = features.mean((0, 2, 3)).double()
    # The products are the gradient of a 1x1 convolution's weight: twice as fast as the product of a matrix so narrow.
    products = conv2d_weight(features, (channels, channels, 1, 1), features)[:, :, 0, 0]
    covariance = products.double() / count - mean[:, None] * mean
    # Rounding may make the smallest eigenvalues negative.
    eigenvalues = torch.linalg.eigvalsh(covariance).clamp(min=0)
    share = eigenvalues / eigenvalues.sum()
    return float(-(share * (share + 1e-8).log()).sum())


@dataclass(frozen=True)
class FeatureEntropy(NetworkScorer):
    """Measures of the entropies of features; images are noise, weights normal with variance 2/fan-in, as in AZ-NAS."""

    init: Init = field(default="kaiming_in", kw_only=True)
    shown: ClassVar[Literal["real", "noise"]] = "noise"

    def entropies(self, subnet: Subnet, images: "Tensor") -> list[float]:
        """The entropy after the stem, each cell and each reduction, in nats."""
        import torch

        seen = Entropies()
        with torch.no_grad():
            subnet.logits(images, seen)
        return seen.values


@register("isotropy")
@dataclass(frozen=True)
class Isotropy(FeatureEntropy):
    """Sum over stem, cells and reductions of the entropy of their features' principal components (AZ-NAS expressivity).

    The feature isotropy of EFS-NAS. Source: Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search",
    CVPR 2024, Eq. 1 to 3.
    """

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        return finite(sum(self.entropies(subnet, images)))


@register("progressivity")
@dataclass(frozen=True)
class Progressivity(FeatureEntropy):
    """The smallest growth of feature entropy from one block to the next (AZ-NAS progressivity; CVPR 2024, Eq. 4)."""

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        found = self.entropies(subnet, images)
        return finite(min(after - before for before, after in pairwise(found)))


@register("trainability")
@dataclass(frozen=True)
class Trainability(NetworkScorer):
    """Mean over blocks of 2 - s - 1/s, s the spectral norm of a block's Jacobian, estimated by one random gradient (AZ-NAS).

    A gradient of random signs at a block's output, its product with the block's Jacobian at the input, and the largest singular
    value of what both have in common per pixel. A block that passes gradients unchanged cannot be trained: undefined. Source: Lee
    and Ham, AZ-NAS, CVPR 2024, Eq. 5 to 7.
    """

    init: Init = field(default="kaiming_in", kw_only=True)
    shown: ClassVar[Literal["real", "noise"]] = "noise"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch
        import torch.nn.functional as F

        seen = Features()
        subnet.logits(images, seen)
        generator = torch.Generator().manual_seed(len(images))
        total, blocks = 0.0, len(seen.values) - 1
        for before, after in pairwise(seen.values):
            out = (torch.randint(2, after.shape, generator=generator) * 2 - 1).to(after)
            into, = torch.autograd.grad(after, before, out, retain_graph=True)
            if into.shape == out.shape and torch.equal(into, out):
                return nan
            if into.shape[2:] != out.shape[2:]:
                into = F.pixel_unshuffle(into, into.shape[2] // out.shape[2])
            rows, columns = (g.permute(0, 2, 3, 1).flatten(0, 2).double() for g in (into, out))
            largest = float(torch.linalg.matrix_norm(rows.T @ columns / len(rows), 2))
            total += 2 - largest - 1 / (largest + 1e-6)
        return total / blocks


@register("zen")
@dataclass(frozen=True)
class Zen(NetworkScorer):
    """Log-change of the features under a small change of the input, with the batch-norms' scale put back (Zen-score).

    log mean |f(x) - f(x + 0.01 x')|_1 before pooling, plus half the log of the mean batch variance of each convolution's output.
    Source: Lin et al., "Zen-NAS", ICCV 2021. Its code reads running variances after two batches, which are mostly their
    initial value; ours are the batch's own. One repeat is noisy: the paper averages 32.
    """

    batch: int = field(default=16, kw_only=True)
    init: Init = field(default="normal", kw_only=True)
    repeats: int = field(default=4, kw_only=True)
    shown: ClassVar[Literal["real", "noise"]] = "noise"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        generator = torch.Generator().manual_seed(len(images))
        change = torch.randn(images.shape, generator=generator).to(images)
        before, after = _Zen(), _Zen()
        with torch.no_grad():
            subnet.logits(images, before)
            subnet.logits(images + 0.01 * change, after)
        assert before.last is not None
        assert after.last is not None
        change_of_features = (before.last - after.last).abs().flatten(1).sum(1).mean()
        return finite(float(change_of_features.log()) + before.scale)


class _Zen(Watch):
    """last: the last ReLU's output; scale: the sum of half the logarithms of mean variances before each batch-norm."""

    def __init__(self) -> None:
        self.last: Tensor | None = None
        self.scale = 0.0

    def conv(self, weight: str, output: "Tensor") -> None:
        if not weight.endswith("shortcut"):  # which no batch-norm follows
            self.scale += 0.5 * float(output.double().var((0, 2, 3), correction=0).mean().log())

    def relu(self, value: "Tensor", edges: int) -> None:
        self.last = value.clamp(min=0)


@register("meco")
@dataclass(frozen=True)
class Meco(NetworkScorer):
    """Sum over layers of the smallest eigenvalue of the correlation between channels, of one image (MeCo).

    Layers are convolutions and block outputs; the paper's code also counts containers twice. Source: Jiang et al., "MeCo:
    Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of Correlation", NeurIPS 2023.
    """

    batch: int = field(default=2, kw_only=True)

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        seen = _Smallest()
        with torch.no_grad():
            subnet.logits(images, seen)
        return finite(seen.total)


class _Smallest(Watch):
    def __init__(self) -> None:
        self.total = 0.0

    def conv(self, weight: str, output: "Tensor") -> None:
        self._add(output)

    def features(self, value: "Tensor") -> None:
        self._add(value)

    def _add(self, value: "Tensor") -> None:
        import torch

        correlation = torch.corrcoef(value[0].flatten(1).double()).nan_to_num(0.0, 0.0, 0.0)
        self.total += float(torch.linalg.eigvalsh(correlation)[0])
