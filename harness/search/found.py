"""What searches on a run's estimates find, judged by the truths at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population, benchmark
from benchmarks.cost import flops
from benchmarks.errors import Absent, DataError, UsageError
from benchmarks.truth import GroundTruth, load_truth
from harness.estimation.estimators import ESTIMATED, kept_values
from harness.runs.collection import Record, collect
from harness.runs.spec import RunSpec
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

    regret: best within the constraint minus mean. random: expected best of a random search that trains as many architectures as
    these looked at, within the same constraint. position: how many such a search has to train to be as good as the mean. NaN and
    None where the truth does not know all that was found.
    """

    mean: float
    std: float
    regret: float
    random: float
    position: int | None


def run_to_search(text: str, key: str | None) -> Record:
    """The metrics of a run whose estimates cover the space; UsageError where there are none, or several and no key."""
    records = [record for record in collect([text]).records if key in (None, record.key)]
    whole = [record for record in records if not record.spec.estimation.architectures]
    if not records:
        raise UsageError(f"'{text}' has no metrics{f' {key}' if key else ''} yet; finish it with `harness run`, and see its keys "
                         "with `harness show`.")
    if not whole:
        raise UsageError(f"'{text}' estimated a sample of {records[0].spec.estimation.architectures} architectures, and a search "
                         "goes anywhere; run it again with --set estimation.architectures=0, which trains nothing anew.")
    if len({(record.folder, record.spec.estimation, record.spec.estimator, record.spec.truth) for record in whole}) > 1:
        known = ", ".join(f"{record.key} ({record.spec.estimator}, {record.spec.truth})" for record in whole)
        raise UsageError(f"'{text}' has several sets of estimates, or truths that they are judged by; choose one of these with "
                         f"--key: {known}.")
    return whole[0]


def world_of(record: Record, flops_limit: float | None) -> World:
    """The estimates of a run, and what may be found: connected architectures of at most so many million multiply-adds.

    Counted as the benchmark counts, dead edges included, for the stand-alone network. DataError where estimates are missing.
    """
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


def standing(made: Sequence[Found], dataset: str, true: NDArray[np.float64]) -> Standing:
    """Searches by one truth, its values [m] being those of all that is allowed."""
    values = np.array([found.accuracy[dataset] for found in made])
    mean, known = float(values.mean()), int(np.isfinite(true).sum())
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    if np.isnan(mean):
        return Standing(mean, std, mean, mean, None)
    evaluations = min(known, round(np.mean([found.evaluations for found in made])))
    return Standing(mean, std, float(np.nanmax(true)) - mean, expected_best(true, evaluations), position(true, mean))
