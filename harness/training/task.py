"""One supernet's training: all that it depends on, and where its files go."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from benchmarks.images import ImageData, load_images
from benchmarks.seeds import derive
from harness.networks.layered import Layered
from harness.networks.mixture import PATHS, Mixture
from harness.networks.routes import default_thresholds, routes
from harness.networks.supernet import Supernet
from harness.runs.spec import RunSpec
from harness.training.checkpoint import read_tensors
from harness.training.sampling import Pool, samplers

# Each gives the logits of images under codes.
SharedWeights = Supernet | Layered | Mixture


@dataclass(frozen=True, eq=False)
class Task:
    """All that one supernet's training depends on, and where its files go. parent: the one whose weights it begins with."""

    spec: RunSpec
    supernet: int
    pool: Pool
    folder: Path
    key: str
    device: str
    parent: "Task | None" = None

    def __post_init__(self) -> None:
        if self.spec.share == "layers":  # copies that cannot be are refused before anything is written
            routes(benchmark(self.spec.benchmark).space, self.spec.skeleton, self.thresholds)
        if self.spec.share == "mixture" and self.spec.recipe.batch < 2 * PATHS:
            raise UsageError(f"recipe.batch={self.spec.recipe.batch} is too small for share=mixture, where {PATHS} paths share a "
                             f"batch and batch-norm needs two images of each; choose {2 * PATHS} or more.")

    @property
    def images(self) -> ImageData:
        """Loaded once by each process for itself, never sent along."""
        return _images(self.spec.dataset)

    @cached_property
    def steps(self) -> int:
        """Optimiser steps of the whole run, so that it makes `recipe.passes` passes over all its supernets."""
        return max(1, round(self.spec.recipe.passes / samplers.get(self.spec.sampler).passes_per_step(len(self.pool.parts))))

    @property
    def weights(self) -> Path:
        """The trained supernet's file."""
        return self.folder / f"supernet-{self.supernet}.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The unfinished supernet's file; gone once it is trained."""
        return self.folder / f"supernet-{self.supernet}.checkpoint"

    @property
    def curve(self) -> Path:
        """The finished training's curve."""
        return self.folder / f"training-{self.supernet}.safetensors"

    @property
    def done(self) -> bool:
        """The supernet is trained; one whose curve is gone is trained again."""
        return self.weights.exists() and self.curve.exists()

    @property
    def about(self) -> dict[str, str]:
        """What these files say of themselves."""
        return {"schema": "supernet/1", "key": self.key, "supernet": str(self.supernet)}

    def supernet_of(self, part: int) -> int:
        """Which supernet trains the architectures of a part."""
        return part if self.spec.share == "part" else 0

    @cached_property
    def members(self) -> NDArray[np.int64]:
        """int64 [m]: the architectures that it can train."""
        return np.concatenate([members for part, members in enumerate(self.pool.parts)
                               if self.supernet_of(part) == self.supernet])

    @property
    def thresholds(self) -> tuple[int, ...]:
        """Where one copy of a cell ends and the next begins, when share=layers; see harness/networks/routes.py."""
        network = self.spec.network
        return network.thresholds or default_thresholds(self.spec.copies(len(self.pool.parts)), network.cells)

    @property
    def same(self) -> NDArray[np.int32]:
        """int32 [n_arch]: architectures of one number have one estimate.

        Those of one function, as they have one route, too; but merged weights are the live cell's own.
        """
        space = benchmark(self.spec.benchmark).space
        return space.live_id if self.spec.share == "mixture" else space.function_id

    def network(self) -> SharedWeights:
        """The supernet at initialisation, which is that of the oldest of those whose weights it inherits."""
        if self.parent is not None:
            return self.parent.network()
        space, skeleton = benchmark(self.spec.benchmark).space, self.spec.skeleton
        seed = derive(self.spec.stream, "supernet", self.supernet)
        if self.spec.share == "mixture":
            return Mixture(space, skeleton, seed, self.spec.copies(len(self.pool.parts)))
        if self.spec.share == "layers":
            return Layered(space, skeleton, seed, self.thresholds)
        return Supernet(space, skeleton, seed)

    def begun(self) -> SharedWeights:
        """The supernet as its training begins: with the weights that its parent was trained to, or at initialisation."""
        network = self.network()
        if self.parent is not None:
            network.load_state_dict(read_tensors(self.parent.weights, self.parent.about)[0])
        return network


@lru_cache(maxsize=1)
def _images(dataset: str) -> ImageData:
    return load_images(dataset)
