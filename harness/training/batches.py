"""The order in which images are trained on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.images import ImageData
from benchmarks.seeds import derive
from harness.training.augment import augment, normalise


class Batches:
    """The training images in batches: an endless row of shuffled epochs cut into pieces of `size`, the same for all supernets."""

    def __init__(self, images: ImageData, size: int, seed: int, device: str) -> None:
        self._data, self._size, self._seed = images, size, seed
        self._pixels = torch.from_numpy(images.train.pixels).to(device)
        self._labels = torch.from_numpy(images.train.labels).to(device)
        self._orders: dict[int, NDArray[np.int64]] = {}

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """float [B, C, H, W] augmented and normalised, int64 [B], of a step."""
        n = len(self._labels)
        epochs, places = np.divmod(np.arange(step * self._size, (step + 1) * self._size), n)
        index = torch.from_numpy(np.array([self._order(int(e))[p] for e, p in zip(epochs, places, strict=True)]))
        pixels = augment(self._pixels[index], self._data.augmentation, derive(self._seed, "augment", step))
        return normalise(pixels, self._data.mean, self._data.std), self._labels[index]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = np.random.default_rng(derive(self._seed, "order", epoch)).permutation(len(self._labels))
        return self._orders[epoch]
