"""Batch-norm and pooling of the supernets, each as fast as it goes on its device and equal to PyTorch's to rounding."""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5  # PyTorch's default, which the benchmark's networks use
# Up to this many channels `_norm_narrow` is used; its rows hold ROW numbers, several vector registers.
NARROW, ROW = 16, 128


def memory_format(weight: Tensor) -> torch.memory_format:
    """The layout of weights: those of convolutions are channels-last, as the feature maps are."""
    return torch.channels_last if weight.dim() == 4 else torch.contiguous_format


def norm(x: Tensor) -> Tensor:
    """Batch-norm with the batch's own statistics, without affine parameters."""
    if x.shape[1] <= NARROW and not x.is_cuda and not torch.is_grad_enabled():
        return _norm_narrow(x)
    return F.batch_norm(x, None, None, training=True, eps=EPSILON)


def unchanged(x: Tensor, m: int = 1) -> Tensor:
    """Where a network has no batch-norm."""
    return x


def _norm_narrow(x: Tensor) -> Tensor:
    """`norm` of a channels-last x with few channels, without a gradient.

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


def norm_each(x: Tensor, m: int) -> Tensor:
    """`norm` of each of the m architectures' batches that x [m * B, C, H, W] holds one after another."""
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
