"""A sample of architectures that stands for the space where measuring or estimating all of them would take too long."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Population
from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.truth import GroundTruth


def sample(pool: NDArray[np.int64], known: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int64 [size], ascending: a uniform sample of the known architectures, themselves a uniform sample of the pool.

    It is the same for every run, so that runs are compared on the same architectures.
    """
    # Drawn from the whole pool, so that a truth with gaps leaves the rest of the sample as it is.
    drawn = np.random.default_rng(derive(0, "estimation", "sample")).permutation(pool)
    return np.sort(drawn[np.isin(drawn, known)][:size])


def sampled(bench: Benchmark, truth: GroundTruth | None, size: int) -> Population:
    """So many connected architectures, drawn uniformly from those that the truth can judge."""
    pool = bench.space.population("connected")
    known = Population("connected", pool) if truth is None else bench.population("connected", truth)
    chosen = sample(pool, known.members, size)
    return Population(f"sample of {len(chosen)} {known.name}", chosen)


def judged_on(bench: Benchmark, truth: GroundTruth, population: str, size: int | None) -> Population:
    """The population of that name, or a sample of a size; UsageError for an unknown name, and for a sample of 'distinct'."""
    whole = bench.population(population, truth)
    if size is None:
        return whole
    if population == "distinct":
        raise UsageError(f"population=distinct cannot be judged on a sample of {size} connected architectures; leave "
                         "--architectures out or choose another --population.")
    return sampled(bench, truth, size)
