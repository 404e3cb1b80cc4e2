"""Batch-norm and pooling of the supernets, each as fast as it goes on its device and equal to PyTorch's to rounding."""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-5  # PyTorch's default, which the benchmark's networks use
# From so many pixels of a batch on, PyTorch's batch-norm is slower than `_norm_rows`, whose rows hold ROW numbers.
MANY_PIXELS, ROW = 8192, 512


def memory_format(weight: Tensor) -> torch.memory_format:
    """The layout of weights: those of convolutions are channels-last, as the feature maps are."""
    return torch.channels_last if weight.dim() == 4 else torch.contiguous_format


def norm(x: Tensor) -> Tensor:
    """Batch-norm with the batch's own statistics, without affine parameters."""
    if x.is_cuda or x.numel() < MANY_PIXELS * x.shape[1]:
        return F.batch_norm(x, None, None, training=True, eps=EPSILON)
    if torch.is_grad_enabled():
        normalised: Tensor = _RowsNorm.apply(x)
        return normalised
    return _norm_rows(x)[0]


def unchanged(x: Tensor, m: int = 1) -> Tensor:
    """Where a network has no batch-norm."""
    return x


def _norm_rows(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`norm` of a channels-last x [B, c, h, w], its mean [c] and the inverse of its standard deviation [c].

    Several pixels stand side by side in a row, so that vector registers are full however few the channels, and sums have fewer
    terms: rounding errors are a tenth of those of PyTorch's kernel. Measured on one thread against it: 1.4 to 1.8 times as
    fast at 8 to 32 channels of 16x16, 2.6 times at 16 of 32x32, 3.9 times at 8 of 32x32.
    """
    b, c, h, w = x.shape
    side = math.gcd(b * h * w, max(1, ROW // c))
    rows = x.permute(0, 2, 3, 1).reshape(-1, side * c)
    means, variances = (each.view(side, c) for each in torch.batch_norm_update_stats(rows, None, None, 0.0))
    mean = means.mean(0)
    scale = ((variances + (means - mean) ** 2).mean(0) + EPSILON).rsqrt()
    normalised = torch.addcmul((-mean * scale).repeat(side), rows, scale.repeat(side))
    return normalised.view(b, h, w, c).permute(0, 3, 1, 2), mean, scale


class _RowsNorm(torch.autograd.Function):
    """`_norm_rows` with PyTorch's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        normalised, mean, scale = _norm_rows(x)
        ctx.save_for_backward(x, mean, scale)
        return normalised

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, mean, scale = ctx.saved_tensors
        native_backward, none = torch.ops.aten.native_batch_norm_backward, (None, None, None)
        gradient: Tensor = native_backward(grads[0], x, *none, mean, scale, True, EPSILON, (True, False, False))[0]
        return gradient


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
