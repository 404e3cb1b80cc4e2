"""Which architectures are trained at which step: a sampler is a pure plan, step -> passes.

Nothing but (seed, step) enters a draw, so any process can replay the rows of its own supernet and a run can resume anywhere.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

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

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)


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
    """One architecture a step, uniform over all connected ones (SPOS, RSPS)."""

    def passes_per_step(self, k: int) -> int:
        return 1

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        rank = int(_stream(seed, step).integers(len(pool)))
        for part, members in enumerate(pool.parts):
            if rank < len(members):
                return (Pass(part, int(members[rank])),)
            rank -= len(members)
        raise AssertionError("a rank below the size of the pool lies in some part")


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
