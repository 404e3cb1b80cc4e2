"""Proxies of backward passes: saliencies, norms, curvature and kernels of the gradient of a network at its initialisation.

L is the mean cross-entropy of the batch, W the weights of live convolutions and of the classifier. Disconnected architectures
have no score; what is not finite is undefined (NaN). Higher = better throughout. Sources: Abdelfattah et al., "Zero-Cost Proxies
for Lightweight NAS", ICLR 2021, for grad_norm, l2_norm, plain, snip, grasp, fisher and synflow, unless said otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, ClassVar

from criteria.network import Init, NetworkScorer, Subnet, Watch, finite
from criteria.registry import register

if TYPE_CHECKING:
    from torch import Tensor


def loss_gradients(subnet: Subnet, images: "Tensor", labels: "Tensor") -> "list[tuple[Tensor, Tensor]]":
    """(weight, gradient of L) for each of the weights, both without a graph."""
    import torch
    import torch.nn.functional as F

    weights = list(subnet.weights.values())
    loss = F.cross_entropy(subnet.logits(images), labels)
    return [(w.detach(), g) for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True)]


@dataclass(frozen=True)
class Saliency(NetworkScorer):
    """Measures of one gradient of the loss, on few images, as in NAS-Bench-Suite-Zero."""

    batch: int = field(default=32, kw_only=True)


@register("grad_norm")
@dataclass(frozen=True)
class GradNorm(Saliency):
    """Sum over layers of the norm of the gradient of the loss."""

    reference: ClassVar[str] = "tau-b 0.441 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        return finite(sum(float(g.norm()) for _, g in loss_gradients(subnet, images, labels)))


@register("snip")
@dataclass(frozen=True)
class Snip(Saliency):
    """Sum of |W dL/dW|: how much the loss would feel each weight's removal (Lee et al., ICLR 2019)."""

    reference: ClassVar[str] = "tau-b 0.443 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        return finite(sum(float((w * g).abs().sum()) for w, g in loss_gradients(subnet, images, labels)))


@register("plain")
@dataclass(frozen=True)
class Plain(Saliency):
    """Sum of W dL/dW with its sign, a negative control: it is zero for every weight that a batch-norm follows."""

    reference: ClassVar[str] = "tau-b -0.234 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        return finite(sum(float((w * g).sum()) for w, g in loss_gradients(subnet, images, labels)))


@register("l2_norm")
@dataclass(frozen=True)
class L2Norm(Saliency):
    """Sum over layers of the norm of their weights: a noisy count of parameters."""

    reference: ClassVar[str] = "tau-b 0.551 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        return float(sum(float(w.detach().norm()) for w in subnet.weights.values()))


@register("grasp")
@dataclass(frozen=True)
class Grasp(Saliency):
    """- sum of W (H dL/dW), H the Hessian: how gradient flow changes without each weight (Wang et al., ICLR 2020)."""

    reference: ClassVar[str] = "tau-b 0.378 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch
        import torch.nn.functional as F

        weights = list(subnet.weights.values())
        loss = F.cross_entropy(subnet.logits(images), labels)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        flow = torch.stack([(g.detach() * g).sum() for g in gradients]).sum()
        curved = torch.autograd.grad(flow, weights)
        return finite(-sum(float((w.detach() * h).sum()) for w, h in zip(weights, curved, strict=True)))


@register("fisher")
@dataclass(frozen=True)
class Fisher(Saliency):
    """Sum over channels of the squared effect that removing their activation has on the loss (Turner et al., ICLR 2020).

    Per channel half the mean over images of (sum over pixels of a dL/da)^2, a being the convolution's output, once for each
    weight of the channel, as the released code counts.
    """

    reference: ClassVar[str] = "tau-b 0.400 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch
        import torch.nn.functional as F

        seen = _Outputs()
        logits = subnet.logits(images, seen)
        outputs = [*seen.outputs, logits]
        gradients = torch.autograd.grad(F.cross_entropy(logits, labels), outputs)
        weights = [*(subnet.weights[name] for name in seen.names), subnet.weights["head"]]
        total = 0.0
        for weight, output, gradient in zip(weights, outputs, gradients, strict=True):
            effect = (output * gradient).flatten(2).sum(2) if output.dim() == 4 else output * gradient
            total += float(effect.detach().pow(2).mean(0).sum()) / 2 * weight[0].numel()
        return finite(total)


class _Outputs(Watch):
    """outputs: of each convolution, by the name of its weight."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.outputs: list[Tensor] = []

    def conv(self, weight: str, output: "Tensor") -> None:
        self.names.append(weight)
        self.outputs.append(output)


@register("synflow")
@dataclass(frozen=True)
class Synflow(NetworkScorer):
    """Log of the sum of |W dR/dW|, R being the output for an image of ones through absolute weights without batch-norm.

    In float64 and as a logarithm, because the sums of deep cells overflow float32. Source: Tanaka et al., "Pruning neural
    networks without any data by iteratively conserving synaptic flow", NeurIPS 2020.
    """

    batch: int = field(default=1, kw_only=True)
    normalised: ClassVar[bool] = False
    double: ClassVar[bool] = True
    absolute: ClassVar[bool] = True
    reference: ClassVar[str] = "tau-b 0.581 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        weights = list(subnet.weights.values())
        gradients = torch.autograd.grad(subnet.logits(torch.ones_like(images)).sum(), weights)
        flow = torch.stack([(w.detach() * g).abs().sum() for w, g in zip(weights, gradients, strict=True)]).sum()
        return finite(float(flow.log()))


def _batches(images: "Tensor", labels: "Tensor", count: int) -> "Sequence[tuple[Tensor, Tensor]]":
    return list(zip(images.chunk(count), labels.chunk(count), strict=True))


@register("zico")
@dataclass(frozen=True)
class Zico(NetworkScorer):
    """Sum over layers of the log of mean over deviation of |dL/dW| across batches (ZiCo).

    Layers in which no weight varies count nothing. Source: Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation
    on Gradients", ICLR 2023, with 2 batches.
    """

    batch: int = field(default=128, kw_only=True)
    batches: int = 2

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        found = [[g.abs().double() for _, g in loss_gradients(subnet, *some)] for some in _batches(images, labels, self.batches)]
        total = 0.0
        for layer in zip(*found, strict=True):
            stack = torch.stack(layer)
            mean, deviation = stack.mean(0), stack.std(0, correction=0)
            ratio = float((mean[deviation > 0] / deviation[deviation > 0]).sum())
            total += torch.tensor(ratio).log().item() if ratio > 0 else 0.0
        return finite(total)


@register("knas")
@dataclass(frozen=True)
class Knas(NetworkScorer):
    """Mean of the Gram matrix of gradients over batches, per weight and layer (KNAS).

    1/L sum over layers of |mean gradient|^2 / |W|, as in the paper; the released code looks at 50 entries of one layer. Source:
    Xu et al., "KNAS: Green Neural Architecture Search", ICML 2021.
    """

    batch: int = field(default=256, kw_only=True)
    batches: int = 16

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        found = [[g for _, g in loss_gradients(subnet, *some)] for some in _batches(images, labels, self.batches)]
        layers = [sum(layer) / self.batches for layer in zip(*found, strict=True)]
        return finite(sum(float(g.pow(2).mean()) for g in layers) / len(layers))


@register("gradsign")
@dataclass(frozen=True)
class GradSign(NetworkScorer):
    """Agreement of the signs of the gradients of single images (GradSign).

    The mean over weights of |sum over images of sign(dL_n/dW)|. Source: Zhang and Jia, "GradSign: Model Performance Inference
    with Theoretical Insights", ICLR 2022.
    """

    batch: int = field(default=16, kw_only=True)

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch
        import torch.nn.functional as F

        weights = list(subnet.weights.values())
        losses = F.cross_entropy(subnet.logits(images), labels, reduction="none")
        signs = [torch.zeros_like(weight) for weight in weights]
        for loss in losses:
            for total, gradient in zip(signs, torch.autograd.grad(loss, weights, retain_graph=True), strict=True):
                total += gradient.sign()
        return finite(sum(float(s.abs().sum()) for s in signs) / sum(s.numel() for s in signs))


@register("ntk")
@dataclass(frozen=True)
class Ntk(NetworkScorer):
    """Minus the log of the condition number of the neural tangent kernel (TE-NAS).

    The kernel is the Gram matrix of the gradients of each image's summed logits; its smallest eigenvalue is cut off at 1e-12 of
    the largest. Source: Chen et al., TE-NAS, ICLR 2021, on networks of 3 channels and one cell a stage; batch-norms there have
    scales, which ours have not.
    """

    batch: int = field(default=32, kw_only=True)
    init: Init = field(default="kaiming_out", kw_only=True)
    channels: int = field(default=3, kw_only=True)
    cells: int = field(default=1, kw_only=True)
    repeats: int = field(default=3, kw_only=True)

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        weights = list(subnet.weights.values())
        outputs = subnet.logits(images).sum(1)
        rows = [torch.cat([g.flatten() for g in torch.autograd.grad(output, weights, retain_graph=True)]) for output in outputs]
        matrix = torch.stack(rows).double()
        values = torch.linalg.eigvalsh(matrix @ matrix.T)
        if not float(values[-1]) > 0:
            return nan
        return finite(-float((values[-1] / values[0].clamp(min=float(values[-1]) * 1e-12)).log()))
