"""A run's estimates against a truth: every population's measures, beside the labels alone and the controls' labels."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.ceiling import ceiling
from benchmarks.errors import UsageError
from benchmarks.space import Space
from benchmarks.truth import GroundTruth
from criteria.base import Context, Partition
from criteria.controls import Oracle, shuffled
from criteria.guard import partition as split
from harness.measures.measure import Measures, measure
from harness.measures.tau import Tau, tau


@dataclass(frozen=True)
class Comparison:
    """What one truth says about one run.

    population: the name of the one that the run is judged on. populations: the measures of each. labels: tau-b of the part
    numbers alone, of the criterion and of its controls, on the architectures that the run is judged on.
    """

    population: str
    populations: Mapping[str, Measures]
    labels: Mapping[str, Tau]

    def to_json(self) -> dict[str, Any]:
        return {"population": self.population, "tau": self.populations[self.population].tau.to_json(),
                "populations": {name: measures.to_json() for name, measures in self.populations.items()},
                "labels": {name: value.to_json() for name, value in self.labels.items()}}


def compare(estimates: Sequence[NDArray[np.float64]], truth: GroundTruth, space: Space, partition: Partition,
            populations: Sequence[Population], controls: Mapping[str, NDArray[np.int16]]) -> Comparison:
    """The estimates [m] of the members of each population against the truth; on the first the run is judged."""
    true = truth.mean()
    measured = {}
    for population, values in zip(populations, estimates, strict=True):
        members = population.members
        limit = ceiling(truth, space, members).value
        measured[population.name] = measure(values, true[members], partition.label[members], population.name,
                                            None if np.isnan(limit) else limit)
    first, members = populations[0].name, populations[0].members
    labels = {"criterion": partition.label, **controls}
    return Comparison(first, measured, {name: label_tau(label[members], true[members], first) for name, label in labels.items()})


def label_tau(label: NDArray[np.int16], true: NDArray[np.float64], population: str) -> Tau:
    """tau-b of part numbers [n] against the truth [n]; an architecture in no part is undefined and left out."""
    return tau(np.where(label < 0, np.nan, label), true, population=population, undefined="drop")


def control_labels(partition: Partition, context: Context, truth: GroundTruth) -> dict[str, NDArray[np.int16]]:
    """The labels of a partition's controls: its own in random order, and the truth's own equal parts.

    The oracle is left out where the truth has too few distinct values for as many parts.
    """
    labels = {"random": shuffled(partition.label, context.seed, partition.k)}
    with suppress(UsageError):
        labels["oracle"] = split(Oracle(), replace(context, truth=truth), partition.k).label
    return labels
