"""Augmentation and normalisation, for a whole batch at once on the device the images are on."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.images import Augmentation, ImageData


def augment(images: Tensor, augmentation: Augmentation, seed: int) -> Tensor:
    """float32 [B, C, H, W], not yet normalised: images uint8 0..255 or float 0..1 [B, C, H, W], each with its own draw.

    Every random number comes from one CPU generator, so that a batch is augmented alike on every device. The noise is
    not clipped to 0..1.
    """
    generator = torch.Generator().manual_seed(seed)
    batch, height, width = len(images), images.shape[2], images.shape[3]
    # Top and left of the crop, flip, top and left of the square: one tensor, hence one copy to the device.
    draws = torch.zeros(5, batch, dtype=torch.int64)
    if augmentation.pad:
        draws[:2] = torch.randint(2 * augmentation.pad + 1, (2, batch), generator=generator)
    if augmentation.flip:
        draws[2] = torch.randint(2, (batch,), generator=generator)
    if augmentation.occlude:
        draws[3] = torch.randint(height - augmentation.occlude + 1, (batch,), generator=generator)
        draws[4] = torch.randint(width - augmentation.occlude + 1, (batch,), generator=generator)
    noise = torch.randn(images.shape, generator=generator) if augmentation.noise else None

    draws = draws.to(images.device, non_blocking=True)
    if augmentation.pad or augmentation.flip:
        images = _crop(images, augmentation.pad, draws[0], draws[1], draws[2])
    pixels = _unit(images)
    if augmentation.occlude:
        square = (_inside(draws[3], augmentation.occlude, height)[:, None, :, None]
                  & _inside(draws[4], augmentation.occlude, width)[:, None, None, :])
        pixels = pixels.masked_fill(square, 0.0)
    if noise is not None:
        pixels = pixels + noise.to(images.device, non_blocking=True) * augmentation.noise
    return pixels


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """float32 [B, C, H, W]: images uint8 0..255 or float 0..1, less the mean and over the std of each channel."""
    pixels = _unit(images)
    return (pixels - _channels(mean, pixels.device)).div_(_channels(std, pixels.device))


def evaluation_images(data: ImageData, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """float32 [copies * n, C, H, W] normalised and int64 [copies * n] labels of a split, on the CPU.

    With data.copies = 1 the images are as they are; else all of them are repeated that many times, each copy augmented
    on its own under `seed`.
    """
    images = data.select(split)
    pixels, labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
    if data.copies > 1:
        pixels, labels = pixels.repeat(data.copies, 1, 1, 1), labels.repeat(data.copies)
        pixels = augment(pixels, data.augmentation, seed)
    return normalise(pixels, data.mean, data.std), labels


def _crop(images: Tensor, pad: int, top: Tensor, left: Tensor, flip: Tensor) -> Tensor:
    """Each image zero-padded, cut at its (top, left) to its old size, and mirrored where flip is 1; by one gather."""
    batch, channels, height, width = images.shape
    rows = top[:, None] + torch.arange(height, device=images.device)
    x = torch.arange(width, device=images.device).expand(batch, width)
    columns = left[:, None] + torch.where(flip[:, None] > 0, width - 1 - x, x)
    index = (rows[:, :, None] * (width + 2 * pad) + columns[:, None, :]).view(batch, 1, height * width)
    padded = F.pad(images, [pad] * 4) if pad else images
    return padded.flatten(2).gather(2, index.expand(-1, channels, -1)).view(batch, channels, height, width)


def _inside(start: Tensor, length: int, size: int) -> Tensor:
    """bool [B, size]: the positions start .. start + length - 1 of each image."""
    offset = torch.arange(size, device=start.device) - start[:, None]
    return (offset >= 0) & (offset < length)


def _unit(images: Tensor) -> Tensor:
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


@cache
def _channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    # Kept per device: making it anew would make a GPU wait at every step.
    return torch.tensor(values, device=device).view(-1, 1, 1)
