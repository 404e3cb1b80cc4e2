"""One supernet's training: all that it depends on, and where its files go."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from benchmarks.benchmark import benchmark
from benchmarks.images import ImageData, load_images
from benchmarks.seeds import derive
from harness.sampling import Pool, samplers
from harness.spec import RunSpec
from harness.supernet import Supernet


@dataclass(frozen=True, eq=False)
class Task:
    """All that one supernet's training depends on, and where its files go."""

    spec: RunSpec
    supernet: int
    pool: Pool
    folder: Path
    key: str
    device: str

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

    def network(self) -> Supernet:
        """The supernet at initialisation."""
        seed = derive(self.spec.seed, "supernet", self.supernet)
        return Supernet(benchmark(self.spec.benchmark).space, self.spec.skeleton, seed)


@lru_cache(maxsize=1)
def _images(dataset: str) -> ImageData:
    return load_images(dataset)
