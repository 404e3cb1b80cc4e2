"""Batch-norm by statistics that were measured on training images for the very architecture, instead of by the batch itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from harness.networks.layers import EPSILON, norm_each
from harness.training.task import SharedWeights


@contextmanager
def recalibrated(network: SharedWeights, batches: Sequence[Tensor], codes: NDArray[np.uint8]) -> Iterator[None]:
    """Within the block the network normalises the architectures of these codes [m, n_edge], asked for together, as measured.

    batches: float [B, C, H, W] each. They go through the network normalised by themselves, as in training; mean and variance of
    all that entered a batch-norm of an architecture are what it then normalises by. Without batches nothing changes.
    """
    if not batches:
        yield
        return
    moments = []
    try:
        for images in batches:
            measuring = _Measuring()
            network.engine.normalise_by(measuring)
            with torch.no_grad():
                network(images, codes)
            moments.append([len(images) * found for found in measuring.found])
        images_in_all = sum(len(images) for images in batches)
        network.engine.normalise_by(_Fixed([sum(parts[1:], parts[0]) / images_in_all for parts in zip(*moments, strict=True)]))
        yield
    finally:
        network.engine.normalise_by(norm_each)


class _Measuring:
    """found: mean and mean square float64 [2, m * c] of what entered each batch-norm, in order."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []

    def __call__(self, x: Tensor, m: int) -> Tensor:
        channels, count = m * x.shape[1], x.numel() // (m * x.shape[1])
        mean, variance = x.new_zeros(channels), x.new_zeros(channels)
        # Running statistics of momentum 1 are this batch's; PyTorch's variance there is the unbiased one.
        normalised = F.batch_norm(_side_by_side(x, m), mean, variance, training=True, momentum=1.0, eps=EPSILON)
        self.found.append(torch.stack([mean.double(), variance.double() * (count - 1) / count + mean.double().square()]))
        return _one_after_another(normalised, m)


class _Fixed:
    """Normalises by moments [2, m * c]; the codes alone decide the order in which a forward pass meets them."""

    def __init__(self, moments: Sequence[Tensor]) -> None:
        self._next = cycle([(mean, square - mean.square()) for mean, square in moments])

    def __call__(self, x: Tensor, m: int) -> Tensor:
        mean, variance = (values.to(x.dtype) for values in next(self._next))
        return _one_after_another(F.batch_norm(_side_by_side(x, m), mean, variance, training=False, eps=EPSILON), m)


def _side_by_side(x: Tensor, m: int) -> Tensor:
    """[B, m * c, h, w] of [m * B, c, h, w]: what is a batch-norm each for m architectures is one for channels."""
    return x if m == 1 else x.view(m, -1, *x.shape[1:]).transpose(0, 1).flatten(1, 2)


def _one_after_another(x: Tensor, m: int) -> Tensor:
    """The inverse of `_side_by_side`."""
    return x if m == 1 else x.view(len(x), m, -1, *x.shape[2:]).transpose(0, 1).flatten(0, 1)
