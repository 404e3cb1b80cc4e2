"""What is measured and with what: a network at its initialisation or trained, a batch, and one architecture of it."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from benchmarks.images import load_images
from benchmarks.seeds import derive
from criteria.network import Watch
from harness.augment import normalise
from harness.checkpoint import read_tensors
from harness.spec import RunSpec
from harness.store import SPEC_SCHEMA, find_run, read_json
from harness.supernet import Supernet


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

    def trained(self, run: str) -> Supernet:
        """The only supernet of a run, as it was trained; UsageError for a run that has several or another space's."""
        folder = find_run(run)
        content = read_json(folder / "spec.json", SPEC_SCHEMA)
        spec = RunSpec.from_dict(content["spec"])
        if (spec.benchmark, spec.dataset) != (self.benchmark, self.dataset) or not (folder / "supernet-0.safetensors").exists() \
                or (folder / "supernet-1.safetensors").exists():
            raise UsageError(f"The run {folder.name} has not one trained supernet of {self.benchmark} on {self.dataset}; name a "
                             "finished run with --share all.")
        made = Supernet(benchmark(spec.benchmark).space, spec.skeleton, 0)
        made.load_state_dict(read_tensors(folder / "supernet-0.safetensors", {"key": content["key"]})[0])
        return made.to(self.device)


@lru_cache(maxsize=8)
def kept(network: Network, seed: int) -> Supernet:
    """The network of a seed, drawn once by each process."""
    return network.drawn(seed)


@lru_cache(maxsize=1)
def kept_trained(network: Network, run: str) -> Supernet:
    """The network of a run, read once by each process."""
    return network.trained(run)


def batch(dataset: str, size: int, seed: int, device: str, number: int = 0, noise: bool = False) -> tuple[Tensor, Tensor]:
    """(float [B, channels, h, w], int64 [B]): images of the training half, not augmented, or of the same shape from N(0, 1)."""
    data = load_images(dataset)
    order = np.random.default_rng(derive(seed, "probe", "batch")).permutation(len(data.train))
    chosen = data.train.take(np.take(order, np.arange(number * size, (number + 1) * size), mode="wrap"))
    if noise:
        generator = torch.Generator().manual_seed(derive(seed, "probe", "noise"))
        images = torch.randn(chosen.pixels.shape, generator=generator)
    else:
        images = normalise(torch.from_numpy(chosen.pixels), data.mean, data.std)
    return images.to(device), torch.from_numpy(chosen.labels).to(device)


@dataclass(frozen=True, eq=False)
class Cell:
    """One architecture of a network; see Subnet in criteria/network.py."""

    network: Supernet
    code: NDArray[np.uint8]

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.network.weights_of(self.code)

    def logits(self, images: Tensor, watch: Watch | None = None) -> Tensor:
        logits: Tensor = self.network(images, self.code[None], watch)[0]
        return logits
