"""What is measured and with what: a network at its initialisation or trained, a batch, and one architecture of it."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.images import ImageData, load_images
from benchmarks.seeds import derive
from criteria.network import Watch
from harness.networks.supernet import Node, Supernet
from harness.runs.spec import RunSpec
from harness.training.augment import normalise
from harness.training.checkpoint import read_tensors


@dataclass(frozen=True)
class Network:
    """Which network: see NetworkScorer and Supernet. channels, cells: 0 = those of the benchmark's stand-alone networks."""

    benchmark: str
    dataset: str
    init: str = "default"
    channels: int = 0
    cells: int = 0
    normalised: bool = True
    double: bool = False
    absolute: bool = False
    device: str = "cpu"

    def drawn(self, seed: int) -> Supernet:
        """The network at its initialisation."""
        bench = benchmark(self.benchmark)
        alone = bench.skeleton_for(self.dataset)
        skeleton = replace(alone, channels=self.channels or alone.channels, cells=self.cells or alone.cells)
        made = Supernet(bench.space, skeleton, seed, self.init, self.normalised)
        if self.double:
            made = made.double()
        if self.absolute:
            with torch.no_grad():
                for weight in made.parameters():
                    weight.abs_()
        return made.to(self.device)


@lru_cache(maxsize=8)
def kept(network: Network, seed: int) -> Supernet:
    """The network of a seed, drawn once by each process."""
    return network.drawn(seed)


@lru_cache(maxsize=1)
def kept_trained(spec: RunSpec, weights: Path, key: str, device: str) -> Supernet:
    """A supernet of a run as it was trained, read once by each process."""
    made = Supernet(benchmark(spec.benchmark).space, spec.skeleton, 0)
    made.load_state_dict(read_tensors(weights, {"key": key})[0])
    return made.to(device)


@lru_cache(maxsize=1)
def kept_images(dataset: str) -> ImageData:
    """The images of a data set, read once by each process."""
    return load_images(dataset)


def batch(dataset: str, size: int, seed: int, device: str, number: int = 0, noise: bool = False) -> tuple[Tensor, Tensor]:
    """(float [B, channels, h, w], int64 [B]): images of the training half, not augmented, or of the same shape from N(0, 1)."""
    data = kept_images(dataset)
    order = np.random.default_rng(derive(seed, "probe", "batch")).permutation(len(data.train))
    chosen = data.train.take(np.take(order, np.arange(number * size, (number + 1) * size), mode="wrap"))
    if noise:
        generator = torch.Generator().manual_seed(derive(seed, "probe", "noise"))
        images = torch.randn(chosen.pixels.shape, generator=generator)
    else:
        images = normalise(torch.from_numpy(chosen.pixels), data.mean, data.std)
    return images.to(device), torch.from_numpy(chosen.labels).to(device)


class Entrance:
    """What a network makes of images before its first cell, kept from one architecture to the next."""

    def __init__(self, network: Supernet) -> None:
        self.network = network
        # What the entry and what is kept with it are made with.
        self._weights = tuple(weight for name, weight in network.named_parameters() if name.startswith(("stem", "cell0_")))
        self._images: Tensor | None = None
        self._state: tuple[tuple[int, int], ...] = ()
        self._node: Node | None = None

    def __call__(self, images: Tensor) -> Node | None:
        """None where gradients are wanted, as those of one architecture are no other's, and for images that count no changes."""
        if torch.is_grad_enabled() or images.is_inference():
            return None
        # A criterion may change images or weights in place; PyTorch counts that, but for changes through `.data`.
        state = tuple((each.data_ptr(), each._version) for each in (images, *self._weights))
        if images is not self._images or state != self._state:
            self._images, self._state, self._node = images, state, self.network.entry(images)
        return self._node


@lru_cache(maxsize=8)
def kept_entrance(network: Network, seed: int) -> Entrance:
    """The entrance of the network of a seed, made once by each process."""
    return Entrance(kept(network, seed))


@dataclass(frozen=True, eq=False)
class Cell:
    """One architecture of a network; see Subnet in criteria/network.py. entrance: shared with others of the network."""

    network: Supernet
    code: NDArray[np.uint8]
    entrance: Entrance | None = None

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.network.weights_of(self.code)

    def logits(self, images: Tensor, watch: Watch | None = None) -> Tensor:
        entry = self.entrance(images) if self.entrance else None
        logits: Tensor = self.network(images, self.code[None], watch, entry)[0]
        return logits
