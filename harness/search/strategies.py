"""Searching a space by a fitness that is known of every architecture: which ones a method looks at, in which order.

Pure: the answer of every method is the fittest of all that it visited. Equal fitness goes to the one visited first; NaN is worst.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import Space
from benchmarks.suggestion import suggestion

# Of a random search and of regularised evolution: as many as the paper's evolution makes at most.
EVALUATIONS = 1050
# A method that finds nothing new gives up: so many children for each evaluation.
PATIENCE = 10


@dataclass(frozen=True, eq=False)
class World:
    """What is searched: fitness float64 [n_arch], higher = better, and allowed bool [n_arch], which no method ever leaves."""

    space: Space
    fitness: NDArray[np.float64]
    allowed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not self.allowed.any():
            raise UsageError("No architecture is within the constraint, so nothing can be found; loosen it.")

    @property
    def members(self) -> NDArray[np.int64]:
        """int64 [m], ascending: what is allowed."""
        return np.flatnonzero(self.allowed)


class Visits:
    """The architectures that a method has looked at, in order, each once."""

    def __init__(self, world: World, stream: np.random.Generator) -> None:
        self._world, self._seen = world, dict[int, None]()
        self._random = iter(stream.permutation(world.members).tolist())

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def order(self) -> NDArray[np.int64]:
        """int64 [n]: their official indices."""
        return np.array(list(self._seen), dtype=np.int64)

    def best(self, count: int = 1) -> NDArray[np.int64]:
        """int64 [count]: the fittest so far, the fittest first."""
        order = self.order
        fitness = np.nan_to_num(self._world.fitness[order], nan=-np.inf)
        return order[np.argsort(-fitness, kind="stable")[:count]]

    def add(self, architecture: int) -> bool:
        """Look at one; False when it is not allowed or was looked at before."""
        new = bool(self._world.allowed[architecture]) and architecture not in self._seen
        if new:
            self._seen[architecture] = None
        return new

    def fill(self, count: int) -> None:
        """Look at random ones until there are `count`, or no more."""
        while len(self) < count and (architecture := next(self._random, None)) is not None:
            self.add(architecture)

    def breed(self, count: int, children: NDArray[np.uint8]) -> None:
        """Look at the first `count` new ones among the codes of children [m, n_edge], or at as many as there are."""
        for architecture in self._world.space.index(children).tolist():
            if count and self.add(architecture):
                count -= 1


def evolution(world: World, seed: int, population: int = 50, generations: int = 20, parents: int = 10, bred: int = 25,
              rate: float = 0.1, tries: int = 250) -> Visits:
    """The evolutionary search of SPOS, with the parameters of EFS-NAS's released code.

    In each generation the `parents` fittest of all so far have `bred` mutants, whose edges are drawn anew with probability
    `rate`, and as many crossovers, which take each edge from one of two; random ones fill up the rest of the population. Source:
    Guo et al., ECCV 2020.
    """
    space, stream = world.space, np.random.default_rng(derive(seed, "search", "evolution"))
    visits, shape = Visits(world, stream), (tries, len(space.edges))
    visits.fill(population)
    for generation in range(generations):
        best = space.codes[visits.best(parents)]
        one, other, another = best[stream.integers(len(best), size=(3, tries))]
        drawn = stream.integers(len(space.op_names), size=shape, dtype=np.uint8)
        visits.breed(bred, np.where(stream.random(shape) < rate, drawn, one))
        visits.breed(bred, np.where(stream.random(shape) < 0.5, other, another))
        visits.fill(population * (generation + 2))
    return visits


def regularised(world: World, seed: int, population: int = 10, tournament: int = 3, evaluations: int = EVALUATIONS) -> Visits:
    """Regularised evolution: the oldest dies, the fittest of some drawn has a child with one operation changed.

    An architecture that comes again costs nothing. Source: Real et al., AAAI 2019, with the parameters of NAS-Bench-201.
    """
    space, stream = world.space, np.random.default_rng(derive(seed, "search", "regularised"))
    visits = Visits(world, stream)
    most = min(evaluations, len(world.members))
    visits.fill(min(population, most))
    alive, fitness = deque(visits.order.tolist()), np.nan_to_num(world.fitness, nan=-np.inf)
    for _ in range(PATIENCE * most):
        if len(visits) == most:
            break
        drawn = [alive[i] for i in stream.integers(len(alive), size=tournament)]
        code = space.codes[max(drawn, key=lambda architecture: fitness[architecture])].copy()
        edge = stream.integers(len(code))
        code[edge] = (code[edge] + stream.integers(1, len(space.op_names))) % len(space.op_names)
        child = int(space.index([code])[0])
        if world.allowed[child]:
            visits.add(child)
            alive.append(child)
            alive.popleft()
    return visits


def random_search(world: World, seed: int, evaluations: int = EVALUATIONS) -> Visits:
    """So many drawn uniformly, without replacement."""
    visits = Visits(world, np.random.default_rng(derive(seed, "search", "random")))
    visits.fill(evaluations)
    return visits


def exhaustive(world: World, seed: int) -> Visits:
    """All, in random order, so that ties are broken at random."""
    return random_search(world, seed, len(world.members))


METHODS: dict[str, Callable[[World, int], Visits]] = {
    "evolution": evolution, "random": random_search, "exhaustive": exhaustive, "regularised": regularised}


def strategy(name: str) -> Callable[[World, int], Visits]:
    """The method of that name: a world and a seed in, what it looked at out. UsageError when there is none."""
    if name not in METHODS:
        raise UsageError(f"Unknown search method '{name}'{suggestion(name, METHODS) or ';'} choose one of {', '.join(METHODS)}.")
    return METHODS[name]
