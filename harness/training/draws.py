"""The passes of one supernet in its training, step by step, and what its sampler remembers."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.seeds import derive
from harness.estimation.estimate import estimate, held_out_images
from harness.training.curve import Curve
from harness.training.sampling import Memory, Pass, samplers
from harness.training.task import SharedWeights, Task


class Draws:
    """A sampler at work on one supernet: its plan, or what it chooses after a look at the network's losses."""

    def __init__(self, task: Task, network: SharedWeights, curve: Curve) -> None:
        self._task, self._network, self._curve = task, network, curve
        self._sampler = samplers.get(task.spec.sampler)
        self._memory: Memory = {}

    def __call__(self, step: int, paths: int = 1) -> list[tuple[Pass, ...]]:
        """The passes of this supernet in a step, each of so many rows that share its batch; the first is the sampler's own."""
        task = self._task
        rows = self._sampler.choose(task.pool, task.spec.stream, step, task.steps, self._memory, self._losses)
        others = [self._sampler.draw(task.pool, derive(task.spec.stream, "path", path), step) for path in range(1, paths)]
        return [each for each in zip(rows, *others, strict=True) if task.supernet_of(each[0].part) == task.supernet]

    def _losses(self, members: NDArray[np.int64]) -> list[float]:
        images, labels = self._held_out
        self._curve.look(members, len(labels))
        codes = benchmark(self._task.spec.benchmark).space.codes[members]
        found: list[float] = estimate(self._network, images, labels, codes, len(labels))[1].tolist()
        return found

    @cached_property
    def _held_out(self) -> tuple[Tensor, Tensor]:
        """One batch of validation images: no weight is trained on them, and estimates see them only where they ask for all."""
        images, labels = held_out_images(self._task.images, self._task.spec.recipe.batch)
        return images.to(self._task.device), labels.to(self._task.device)

    def tensors(self) -> dict[str, Tensor]:
        """What the sampler remembers, for the checkpoint; nothing where it is a pure plan."""
        if not self._memory:
            return {}
        return {"memory.architectures": torch.tensor(list(self._memory)),
                "memory.losses": torch.tensor(list(self._memory.values()), dtype=torch.float64)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        if "memory.losses" in tensors:
            self._memory.update(zip(tensors["memory.architectures"].tolist(), tensors["memory.losses"].tolist(), strict=True))
