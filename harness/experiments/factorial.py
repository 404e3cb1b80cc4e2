"""Results of runs as a full factorial: every combination of levels for every seed. Pure: rows in, an array out."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import isnan, prod

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError

# What may be varied with the budget as the question.
BUDGETS = ("budget", "recipe.passes", "recipe.epochs", "recipe.batch")
# Architectures are drawn, so FLOPs of equal passes differ by some.
TOLERANCE = 1.01
MOST_NAMED = 3
# Two levels of each are 64 runs a seed.
MOST_FACTORS = 6


@dataclass(frozen=True)
class Result:
    """What one run found: the levels of its factors as text, its seed, tau, and the passes and FLOPs of its training.

    passes: those of its spec and of its ancestors', a look of a sampler being a third of one, before they are rounded to steps.
    """

    levels: Mapping[str, str]
    seed: int
    tau: float
    passes: float
    flops: float

    @property
    def name(self) -> str:
        return " ".join(f"{factor}={level}" for factor, level in self.levels.items())


@dataclass(frozen=True, eq=False)
class Factorial:
    """values: float64 [n_seed, n_level of each factor ...]; left_out: seeds that lack a cell, and which one."""

    factors: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    left_out: Mapping[int, str]


def factorial(results: Sequence[Result]) -> Factorial:
    """The seeds of which every cell is there; factors are what has more than one level, levels in order of appearance.

    Raises UsageError when nothing is varied or too much, when a cell stands twice with two values, or when no seed has all cells.
    """
    levels = varied(results)
    factors = tuple(levels)
    if not factors:
        raise UsageError(f"Nothing but the seed differs between these {len(results)} runs; give runs of a sweep that varies "
                         "something.")
    if len(factors) > MOST_FACTORS:
        raise UsageError(f"These {len(results)} runs differ in {len(factors)} fields ({', '.join(factors[:MOST_FACTORS])} and "
                         "others), too many for a factorial; keep some of the runs with --where FIELD=VALUE.")
    found: dict[int, dict[tuple[str, ...], float]] = {}
    for result in results:
        cells, cell = found.setdefault(result.seed, {}), tuple(result.levels[factor] for factor in factors)
        if not isnan(result.tau) and cells.setdefault(cell, result.tau) != result.tau:
            raise UsageError(f"Two runs with different results are {result.name} of seed {result.seed}; keep one of them with "
                             "--where FIELD=VALUE.")
    shape = tuple(len(levels[factor]) for factor in factors)
    missing = {seed: prod(shape) - len(cells) for seed, cells in sorted(found.items())}
    named = {seed: _named(factors, levels, found[seed], number) for seed, number in missing.items() if number}
    seeds = tuple(seed for seed, number in missing.items() if not number)
    if not seeds:
        fewest = min(named, key=lambda seed: missing[seed])
        raise UsageError(f"No seed has all {prod(shape):,} cells of {' x '.join(factors)}: seed {fewest} lacks {named[fewest]}; "
                         "run them, or choose a part of the cells that is complete with --where FIELD=VALUE.")
    wanted = list(_cells(factors, levels))
    values = np.array([[found[seed][cell] for cell in wanted] for seed in seeds]).reshape(len(seeds), *shape)
    return Factorial(factors, tuple(levels[factor] for factor in factors), seeds, values, named)


def varied(results: Sequence[Result]) -> dict[str, tuple[str, ...]]:
    """What has more than one level, and its levels in order of appearance."""
    names = dict.fromkeys(name for result in results for name in result.levels)
    levels = {name: tuple(dict.fromkeys(result.levels[name] for result in results)) for name in names}
    return {name: found for name, found in levels.items() if len(found) > 1}


def unequal(results: Sequence[Result], what: str) -> tuple[Result, Result] | None:
    """The runs with the least and the most `passes` or `flops` (`what`) where these are not equal, else None.

    Where a budget is itself varied, runs of one budget are compared.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(tuple(result.levels[name] for name in BUDGETS if name in result.levels), []).append(result)
    for group in groups.values():
        least, most = (end(group, key=lambda result: getattr(result, what)) for end in (min, max))
        if getattr(most, what) > TOLERANCE * getattr(least, what):
            return least, most
    return None


def _cells(factors: Sequence[str], levels: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """All of them, one by one: unrelated runs differ in so many fields that they could not be listed."""
    return product(*(levels[factor] for factor in factors))


def _named(factors: Sequence[str], levels: Mapping[str, Sequence[str]], there: Container[tuple[str, ...]], number: int) -> str:
    """The first of the `number` cells that are missing, and how many more there are."""
    cells = islice((cell for cell in _cells(factors, levels) if cell not in there), MOST_NAMED)
    named = [" ".join(f"{factor}={level}" for factor, level in zip(factors, cell, strict=True)) for cell in cells]
    more = number - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
