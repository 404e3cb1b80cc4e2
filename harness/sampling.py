"""Which architectures are trained at which step: a sampler is a pure plan, step -> passes.

Nothing but (seed, step) enters a draw, so any process can replay the rows of its own supernet and a run can resume anywhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import Space
from criteria.base import Partition
from criteria.registry import Registry


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass of one architecture: its part, and its official index."""

    part: int
    architecture: int


@dataclass(frozen=True, eq=False)
class Pool:
    """What can be drawn: the connected architectures of each part, ascending official indices."""

    parts: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, partition: Partition, space: Space) -> "Pool":
        """The pool of a partition. UsageError when a part has no connected architecture: it could never be trained."""
        parts = tuple(np.flatnonzero((partition.label == part) & space.connected) for part in range(partition.k))
        for name, members in zip(partition.names, parts, strict=True):
            if not len(members):
                raise UsageError(f"Part '{name}' holds no connected architecture, so its supernet could never be trained; "
                                 "choose another k or rule.")
        return cls(parts)

    @cached_property
    def everything(self) -> NDArray[np.int64]:
        """int64 [m], ascending: the members of all parts, in an order that does not depend on the partition."""
        return np.sort(np.concatenate(self.parts))

    def part_of(self, architecture: int) -> int:
        """The part that holds an architecture of the pool."""
        return self._part_of[architecture]

    @cached_property
    def _part_of(self) -> dict[int, int]:
        return {architecture: part for part, members in enumerate(self.parts) for architecture in members.tolist()}


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws the passes of a step, all on the same batch of images; their losses are summed into one optimiser step."""

    @abstractmethod
    def passes_per_step(self, k: int) -> int:
        """How many passes a step makes when there are k parts."""

    @abstractmethod
    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        """The passes of one step."""


samplers: Registry[Sampler] = Registry(
    "sampler", "split_harness.samplers", Sampler, "draw")  # type: ignore[type-abstract]


def _stream(seed: int, step: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(derive(seed, "sample", step)))


@samplers.register("uniform")
@dataclass(frozen=True)
class Uniform(Sampler):
    """One architecture a step, uniform over all connected ones, the same whatever the partition (SPOS, RSPS)."""

    def passes_per_step(self, k: int) -> int:
        return 1

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        architecture = int(_stream(seed, step).choice(pool.everything))
        return (Pass(pool.part_of(architecture), architecture),)


@samplers.register("balanced")
@dataclass(frozen=True)
class Balanced(Sampler):
    """One architecture a step, from a part drawn uniformly (the balanced sampling of EFS-NAS's released code)."""

    def passes_per_step(self, k: int) -> int:
        return 1

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        stream = _stream(seed, step)
        part = int(stream.integers(len(pool.parts)))
        return (Pass(part, int(stream.choice(pool.parts[part]))),)


@samplers.register("sbs")
@dataclass(frozen=True)
class SupernetBalanced(Sampler):
    """One architecture of every part a step, losses summed (supernet-balanced sampling, EFS-NAS eq. 9)."""

    def passes_per_step(self, k: int) -> int:
        return k

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        stream = _stream(seed, step)
        return tuple(Pass(part, int(stream.choice(members))) for part, members in enumerate(pool.parts))
