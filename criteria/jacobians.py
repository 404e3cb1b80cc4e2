"""Proxies of the gradient of the outputs with respect to the images: how alike a network at its initialisation treats them.

Disconnected architectures have no score; what is not finite is undefined (NaN). Higher = better throughout.
"""

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, ClassVar

from criteria.gradients import Saliency
from criteria.network import Subnet, finite
from criteria.registry import register

if TYPE_CHECKING:
    from torch import Tensor


def jacobian(subnet: Subnet, images: "Tensor") -> "Tensor":
    """float64 [B, pixels]: the gradient of the sum of an image's logits with respect to the image."""
    import torch

    images = images.clone().requires_grad_()
    gradient, = torch.autograd.grad(subnet.logits(images).sum(), images)
    return gradient.flatten(1).double()


@register("jacov")
@dataclass(frozen=True)
class Jacov(Saliency):
    """How little the input gradients of different images correlate (Mellor et al., 2020, first version).

    - sum of log(v + 1e-5) + 1 / (v + 1e-5) over the eigenvalues v of their correlation matrix.
    """

    reference: ClassVar[str] = "tau-b 0.615 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        correlation = torch.corrcoef(jacobian(subnet, images))
        if not torch.isfinite(correlation).all():
            return nan
        values = torch.linalg.eigvalsh(correlation).clamp(min=0) + 1e-5
        return finite(-float((values.log() + 1 / values).sum()))


@register("epe_nas")
@dataclass(frozen=True)
class EpeNas(Saliency):
    """Correlation of input gradients within each class (Lopes et al., "EPE-NAS", ICANN 2021).

    s = sum of log(|correlation| + 1e-5) of the images of a class; the sum of |s| over classes, or, with more than 100 classes,
    the mean difference between classes. Few images per class leave little of it.
    """

    reference: ClassVar[str] = "tau-b 0.578 on 9,445 cells, CIFAR-10, NATS truth (NAS-Bench-Suite-Zero)"

    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        import torch

        rows, classes, found = jacobian(subnet, images), int(labels.max()) + 1, []
        many = classes > 100
        for label in labels.unique().tolist():
            mine = rows[labels == label]
            correlation = torch.corrcoef(mine) if len(mine) > 1 else torch.ones(1, 1, dtype=rows.dtype)
            value = float((correlation.abs() + 1e-5).log().sum())
            found.append(value / len(mine) if many else value)
        if not many:
            return finite(sum(abs(value) for value in found))
        return finite(sum(abs(one - other) for one in found for other in found) / len(found))
