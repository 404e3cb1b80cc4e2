"""Which architectures are trained at which step: a sampler is a pure plan, step -> passes.

Nothing but (seed, step) enters a draw, so any process can replay the rows of its own supernet and a run can resume anywhere. The
one exception is a sampler that looks at the network before it chooses (`choose`): what it remembers is in the checkpoint.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import Space, nasbench201
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
    space: Space = field(default_factory=nasbench201)

    @classmethod
    def of(cls, partition: Partition, space: Space) -> "Pool":
        """The pool of a partition. UsageError when a part has no connected architecture: it could never be trained."""
        parts = tuple(np.flatnonzero((partition.label == part) & space.connected) for part in range(partition.k))
        for name, members in zip(partition.names, parts, strict=True):
            if not len(members):
                raise UsageError(f"Part '{name}' holds no connected architecture, so its supernet could never be trained; "
                                 "choose another k or rule.")
        return cls(parts, space)

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


# The losses of the architectures [m] under the network as it is now, on one batch of images that are not trained on.
Losses = Callable[[NDArray[np.int64]], list[float]]
# What a sampler that looks knows of architectures: their loss when it last looked.
Memory = dict[int, float]


@dataclass(frozen=True)
class Sampler(ABC):
    """Draws the passes of a step, all on the same batch of images; their losses are summed into one optimiser step."""

    @abstractmethod
    def passes_per_step(self, k: int) -> float:
        """What a step costs when there are k parts, in passes; a forward pass alone is a third of one."""

    @abstractmethod
    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        """The passes of one step."""

    def check(self, pool: Pool, supernets: int) -> None:  # noqa: B027 - most can do with any
        """UsageError when it cannot do what it says with these parts and so many supernets."""

    def choose(self, pool: Pool, seed: int, step: int, steps: int, memory: Memory, losses: Losses) -> tuple[Pass, ...]:
        """The passes of one step of `steps`, for a sampler that asks for losses first and notes them in `memory`; others draw."""
        return self.draw(pool, seed, step)


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


@samplers.register("strict")
@dataclass(frozen=True)
class Strict(Sampler):
    """Every operation of every edge exactly once a step, in as many architectures as there are operations (FairNAS).

    Each edge draws a permutation of the operations, and architecture i takes the i-th of each. One of them can be disconnected:
    then all permutations are drawn again, so that what is trained is connected and the step still fair. Source: Chu et al.,
    ICCV 2021, strict fairness; losses are summed there, too.
    """

    def passes_per_step(self, k: int) -> int:
        return len(nasbench201().op_names)

    def check(self, pool: Pool, supernets: int) -> None:
        if supernets > 1 or len(pool.everything) < pool.space.connected.sum():
            raise UsageError("The sampler 'strict' gives every operation its turn in one supernet of the whole space, and here "
                             f"are {supernets} of {len(pool.everything):,} architectures; choose --share all or a k of 1.")

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        stream, space = _stream(seed, step), pool.space
        operations = np.tile(np.arange(len(space.op_names)), (len(space.edges), 1))
        while True:
            drawn = space.index(stream.permuted(operations, axis=1).T)
            if space.connected[drawn].all():
                return tuple(Pass(pool.part_of(architecture), architecture) for architecture in drawn.tolist())


@samplers.register("greedy")
@dataclass(frozen=True)
class Greedy(Sampler):
    """Of some candidates, those of the lowest loss on one held-out batch are trained (GreedyNAS).

    A candidate comes from the best that were trained so far (at most `capacity`) with a probability that rises from 0, after a
    `warm_up` share of the steps, to `greed` at the end; else from all. The held-out batch is of validation images, as many as
    a training batch. A look costs a third of a pass: of the recipe's passes 60 % are trained, the rest are looks. Source: You et
    al., CVPR 2020; the length of the warm-up is ours, and training does not stop early.
    """

    candidates: int = 10
    trained: int = 5
    capacity: int = 1000
    greed: float = 0.8
    warm_up: float = 0.1

    def __post_init__(self) -> None:
        if not (1 <= self.trained <= self.candidates and self.capacity >= 1 and 0 <= self.greed <= 1 and 0 <= self.warm_up < 1):
            raise UsageError(f"The sampler greedy cannot work with {self}; need 1 <= trained <= candidates, capacity >= 1, "
                             "0 <= greed <= 1 and 0 <= warm_up < 1.")

    def passes_per_step(self, k: int) -> float:
        return self.trained + self.candidates / 3

    def check(self, pool: Pool, supernets: int) -> None:
        if supernets > 1:
            raise UsageError(f"The sampler 'greedy' compares losses under one supernet, and here are {supernets}; choose --share "
                             "all, or --criterion none.")

    def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
        """As many as it trains, uniform: what it chooses from when nothing is known."""
        drawn = _stream(seed, step).choice(pool.everything, self.trained)
        return tuple(Pass(pool.part_of(architecture), architecture) for architecture in drawn.tolist())

    def choose(self, pool: Pool, seed: int, step: int, steps: int, memory: Memory, losses: Losses) -> tuple[Pass, ...]:
        stream = _stream(seed, step)
        greed = self.greed * max(0.0, step / steps - self.warm_up) / (1 - self.warm_up)
        known = np.array(sorted(memory), dtype=np.int64)
        drawn = stream.choice(pool.everything, self.candidates)
        if len(known):
            drawn = np.where(stream.random(self.candidates) < greed, stream.choice(known, self.candidates), drawn)
        found = losses(drawn)
        chosen = [int(i) for i in np.argsort(found, kind="stable")[: self.trained]]
        memory.update({int(drawn[i]): found[i] for i in chosen})
        for worst in sorted(memory, key=lambda architecture: (memory[architecture], architecture))[self.capacity :]:
            del memory[worst]
        return tuple(Pass(pool.part_of(int(drawn[i])), int(drawn[i])) for i in chosen)
