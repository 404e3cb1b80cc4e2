"""What a search costs, in FLOPs, beside one stand-alone training of the kind that is behind a truth.

Counted as training counts (harness/training/curve.py): a multiply-add is one FLOP, a backward pass costs two forward ones, dead
edges cost nothing. What criteria cost is not counted, be they in a sum of estimators or what the space was split by.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark
from benchmarks.convert.agreement import OFFICIAL, TRAINED
from benchmarks.cost import flops
from benchmarks.digits import TRAIN_PER_CLASS
from benchmarks.truth import TruthKey
from criteria.registry import criteria
from criteria.selector import parse
from harness.estimation.estimators import estimators, term_names
from harness.runs.collection import Record


@dataclass(frozen=True)
class Cost:
    """FLOPs of training all supernets, parents included, and of one estimate, on average; NaN = not known."""

    training: float
    estimate: float

    def of(self, looks: float) -> float:
        """FLOPs of a search that looks at so many estimates."""
        return self.training + looks * self.estimate


def search_cost(record: Record, bench: Benchmark, members: NDArray[np.int64]) -> Cost:
    """The cost of searching a run's estimates, the mean estimate being over members int64 [m]."""
    spec, asked = record.spec, record.spec.estimation
    blind = {"angle", *criteria.names()} - ({*estimators.names()} - {"angle"})  # show the supernets no image
    if {parse(name)[0] for name in term_names(spec.estimator)} <= blind:
        return Cost(record.budget.flops, 0.0)
    # Where all images are asked, provenance says how many they are.
    stage = record.provenance.get(record.estimates_file.stem, {}) if record.estimates_file else {}
    images = asked.images or stage.get("images") or float("nan")
    shown = images + (asked.calibration if asked.norm == "recalibrated" else 0)
    return Cost(record.budget.flops, shown * float(flops(bench.space, spec.skeleton, live_only=True)[members].mean()))


def uncounted_terms(estimator: str) -> list[str]:
    """The terms of an estimator, by their selectors, that are criteria or in somebody's file."""
    return [name for name in term_names(estimator) if parse(name)[0] not in estimators.names()]


def training_images(bench: Benchmark, key: TruthKey) -> int | None:
    """How many images a network of that truth saw in training, with repetition; None where that is nowhere written."""
    if key.source == "digits201" and key.train_on == "full":
        return key.epochs * bench.shapes["digits"][0] * TRAIN_PER_CLASS
    images = TRAINED.get((key.dataset, key.train_on)) if key.source in OFFICIAL else None
    return None if images is None else key.epochs * images


def training_cost(bench: Benchmark, key: TruthKey, members: NDArray[np.int64]) -> float:
    """FLOPs of training one of members int64 [m] by itself, with one seed, on average; NaN where it is not known or m is 0."""
    images = training_images(bench, key)
    if images is None or not len(members):
        return float("nan")
    return 3.0 * images * float(flops(bench.space, bench.skeleton_for(key.dataset), live_only=True)[members].mean())
