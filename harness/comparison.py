"""A run's estimates against a truth: every population's measures, beside the labels alone and the controls' labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.ceiling import ceiling
from benchmarks.errors import UsageError
from benchmarks.space import Space
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion, Partition
from criteria.controls import Oracle, Random
from criteria.guard import partition as split
from harness.measure import Measures, measure
from harness.tau import Tau, tau


@dataclass(frozen=True)
class Comparison:
    """What one truth says about one run.

    populations: the measures of each population, the first being the one that the run is judged by. labels: tau-b of the
    part numbers alone, of the criterion and of its controls, on the architectures of the first population.
    """

    populations: Mapping[str, Measures]
    labels: Mapping[str, Tau]

    def to_json(self) -> dict[str, Any]:
        return {"populations": {name: measures.to_json() for name, measures in self.populations.items()},
                "labels": {name: value.to_json() for name, value in self.labels.items()}}


def compare(estimates: NDArray[np.float64], truth: GroundTruth, space: Space, partition: Partition,
            populations: Sequence[Population], controls: Mapping[str, NDArray[np.int16]]) -> Comparison:
    """The estimates [n_arch] against the truth on each population."""
    true = truth.mean()
    measured = {}
    for population in populations:
        members = population.members
        limit = ceiling(truth, space, members).value
        measured[population.name] = measure(estimates[members], true[members], partition.label[members], population.name,
                                            None if np.isnan(limit) else limit)
    first, members = populations[0].name, populations[0].members
    labels = {"criterion": partition.label, **controls}
    return Comparison(measured, {name: label_tau(label[members], true[members], first) for name, label in labels.items()})


def label_tau(label: NDArray[np.int16], true: NDArray[np.float64], population: str) -> Tau:
    """tau-b of part numbers [n] against the truth [n]; an architecture in no part is undefined and left out."""
    return tau(np.where(label < 0, np.nan, label), true, population=population, undefined="drop")


def control_labels(criterion: Criterion, context: Context, k: int, truth: GroundTruth) -> dict[str, NDArray[np.int16]]:
    """The labels of the criterion's controls: a random split with its part sizes, and the truth's own equal parts.

    The oracle is left out where the truth has too few distinct values for k parts.
    """
    labels = {"random": split(Random(like=criterion), context, k).label}
    try:
        seen = Context(context.space, context.skeleton, context.seed, truth)
        labels["oracle"] = split(Oracle(), seen, k).label
    except UsageError:
        pass
    return labels
