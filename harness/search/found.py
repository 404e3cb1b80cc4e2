"""What searches on a run's estimates find, judged by the truths at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Population, benchmark
from benchmarks.cost import flops
from benchmarks.errors import Absent, DataError, UsageError
from benchmarks.truth import GroundTruth, load_truth
from harness.estimation.estimators import ESTIMATED, kept_values
from harness.runs.collection import Record, collect
from harness.runs.spec import RunSpec
from harness.search.cost import Cost, search_cost, training_cost
from harness.search.random_curve import expected_best, position
from harness.search.strategies import World, strategy
from harness.store import read_frame


@dataclass(frozen=True)
class Found:
    """What one search found: the official index and the fitness of the best it visited, of so many distinct ones.

    accuracy: per cent, by truth; NaN where that truth does not know it.
    """

    seed: int
    architecture: int
    fitness: float
    evaluations: int
    accuracy: Mapping[str, float]


@dataclass(frozen=True)
class Standing:
    """How searches stand by one truth, in per cent: mean and sample standard deviation (NaN of one) over what they found.

    regret: best known within the constraint minus mean. The random-search curve (random_curve.py) is that over `n`
    architectures of `population` within the constraint: where a truth has gaps these are a uniform sample, not what was searched,
    which favours large classes. position: how many a random search trains to be as good as the mean; None where all n do not
    suffice. looks: how many estimates a search looked at, on average; random_at_looks: what a random search expects that trains
    as many. training: FLOPs of one of its trainings; trainings: how many of them cost what a search did; random_at_cost: what it
    expects of them, to the nearest whole number from 1. It picks by the truth itself and pays for one training of each, so it is
    the best that any random search could be. What is not known is NaN or None, as what more than a sample of n would find.
    """

    mean: float
    std: float
    regret: float
    population: str
    n: int
    position: int | None
    looks: int
    random_at_looks: float
    training: float
    trainings: float
    random_at_cost: float


@dataclass(frozen=True, eq=False)
class Curve:
    """What random search is over by one truth: the values [n] of a population, whether these are all that may be found or a
    sample, and the FLOPs of one training; NaN = not known."""

    population: str
    true: NDArray[np.float64]
    whole: bool
    training: float

    def expected(self, trained: float) -> float:
        """The expected best of so many, to the nearest whole number from 1; NaN of NaN, of no values, of more than a sample."""
        if np.isnan(trained) or not len(self.true):
            return float("nan")
        k = max(1, round(trained))
        return float("nan") if k > len(self.true) and not self.whole else expected_best(self.true, min(len(self.true), k))


@dataclass(frozen=True, eq=False)
class Searched:
    """Searches by one run's estimates. unknown: how many within the constraint no truth knows; truths, standings: by dataset."""

    record: Record
    method: str
    flops_limit: float | None
    world: World
    unknown: int
    cost: Cost
    truths: Mapping[str, GroundTruth]
    made: Sequence[Found]
    standings: Mapping[str, Standing]


def search(record: Record, method: str, seeds: Sequence[int], flops_limit: float | None = None) -> Searched:
    """Searches by a run's estimates, one for each seed, judged by the truths at hand; flops_limit in millions."""
    whole, truths = world_of(record, flops_limit), truths_at_hand(record.spec)
    world, bench = judgeable(whole, truths), benchmark(record.spec.benchmark)
    made, cost = searches(world, method, seeds, truths), search_cost(record, bench, world.members)
    standings = {}
    for dataset, truth in truths.items():
        best = float(np.nanmax(truth.mean()[world.allowed], initial=-np.inf))
        standings[dataset] = standing(made, dataset, best, curve_of(bench, truth, world.allowed), cost)
    return Searched(record, method, flops_limit, world, len(whole.members) - len(world.members), cost, truths, made, standings)


def run_to_search(text: str, key: str | None) -> Record:
    """The metrics of a run whose estimates cover the space; UsageError where there are none, or several and no key."""
    known = collect([text]).records
    records = [record for record in known if key in (None, record.key)]
    whole = [record for record in records if not record.spec.estimation.architectures]
    if not records and known:
        raise UsageError(f"'{text}' has no metrics {key}; choose one of {', '.join(record.key for record in known)}.")
    if not records:
        raise UsageError(f"'{text}' has no metrics yet; finish it with `harness run`.")
    if not whole:
        raise UsageError(f"'{text}' estimated a sample of {records[0].spec.estimation.architectures} architectures, and a search "
                         "goes anywhere; run it again with --set estimation.architectures=0, which trains nothing anew.")
    if len({(record.folder, record.spec.estimation, record.spec.estimator, record.spec.truth) for record in whole}) > 1:
        several = ", ".join(f"{record.key} ({record.spec.estimator}, {record.spec.truth})" for record in whole)
        raise UsageError(f"'{text}' has several sets of estimates, or truths that they are judged by; choose one of these with "
                         f"--key: {several}.")
    return whole[0]


def world_of(record: Record, flops_limit: float | None) -> World:
    """The estimates of a run, and what may be found: connected architectures of at most so many million multiply-adds.

    Counted as the benchmark counts, dead edges included, for the stand-alone network. UsageError for a limit that is no finite
    number, DataError where estimates are missing.
    """
    if flops_limit is not None and not isfinite(flops_limit):
        raise UsageError(f"--flops-limit {flops_limit:g} is no limit; give a finite number of million multiply-adds, or leave it "
                         "out.")
    spec, bench = record.spec, benchmark(record.spec.benchmark)
    if record.estimates_file is None:
        raise DataError(f"The estimates behind the metrics {record.key} are not in {record.folder}; run it again.")
    columns, _ = read_frame(record.estimates_file, {"schema": "estimates/1"})
    fitness = np.full(len(bench.space), np.nan)
    fitness[columns["index"]] = kept_values(record.folder, record.key, spec.estimator, columns,
                                             Population(ESTIMATED, columns["index"]))
    allowed = bench.space.connected
    if flops_limit is not None:
        allowed = allowed & (flops(bench.space, bench.skeleton_for(spec.dataset)) <= flops_limit * 1e6)
    return World(bench.space, fitness, allowed)


def judgeable(world: World, truths: Mapping[str, GroundTruth]) -> World:
    """The same world without architectures that no truth knows, which are many where a benchmark is only partly trained."""
    known = [np.isfinite(truth.mean()) for truth in truths.values()]
    return replace(world, allowed=world.allowed & np.any(known, axis=0)) if known else world


def truths_at_hand(spec: RunSpec) -> dict[str, GroundTruth]:
    """Dataset -> truth, where it is here: of the run's own dataset the one it was judged by, of the others the default.

    DataError for a damaged table.
    """
    bench, found = benchmark(spec.benchmark), {}
    for dataset in sorted(bench.datasets, key=lambda name: name != spec.dataset):
        try:
            found[dataset] = load_truth(spec.truth if dataset == spec.dataset else bench.truth_for(dataset), bench.table)
        except (Absent, UsageError):
            continue
    return found


def searches(world: World, method: str, seeds: Sequence[int], truths: Mapping[str, GroundTruth]) -> list[Found]:
    """One search for each seed; UsageError for an unknown method."""
    look = strategy(method)
    means, made = {dataset: truth.mean() for dataset, truth in truths.items()}, []
    for seed in seeds:
        visits = look(world, seed)
        best = int(visits.best()[0])
        made.append(Found(seed, best, float(world.fitness[best]), len(visits),
                          {dataset: float(mean[best]) for dataset, mean in means.items()}))
    return made


def curve_of(bench: Benchmark, truth: GroundTruth, allowed: NDArray[np.bool_]) -> Curve:
    """The random-search curve among the allowed [n_arch], all connected: of a truth with gaps over the sample that is uniform."""
    population = bench.population("connected", truth)
    members = population.members[allowed[population.members]]
    whole = len(members) == int(allowed.sum())
    return Curve(population.name, truth.mean()[members], whole, training_cost(bench, truth.key, members))


def standing(made: Sequence[Found], dataset: str, best: float, curve: Curve, cost: Cost) -> Standing:
    """Searches of that cost by the truth of a dataset, the best that they could find being `best`."""
    values = np.array([found.accuracy[dataset] for found in made])
    mean, std = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    looks = float(np.mean([found.evaluations for found in made]))
    trainings = cost.of(looks) / curve.training
    within = len(curve.true) > 0 and mean <= curve.true.max()
    return Standing(mean, std, best - mean, curve.population, len(curve.true), position(curve.true, mean) if within else None,
                    round(looks), curve.expected(looks), curve.training, trainings, curve.expected(trainings))
