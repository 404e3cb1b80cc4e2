"""A split judged before any training: its parts, what its labels alone rank beside the controls, and what training would meet."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.errors import DataError
from benchmarks.seeds import derive
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion, Partition, Scores
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.measures.tau import Tau, number, tau
from harness.runs.comparison import control_labels, label_tau
from harness.scoring.world import weights_of
from harness.splits.agreement import Stability, stability
from harness.splits.exposure import Exposure, exposures
from harness.splits.part import Part, parts
from harness.splits.separation import Null, Separation, null, separation
from harness.splits.twins import Twins, twins

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Diagnosis:
    """What is known about a split before training.

    n: architectures judged, those of the population that have a truth. scores, scores_finite: tau-b of the scores with
    undefined ones ranked last and with them left out, None where the criterion does not score. labels, oracle_labels: tau-b
    of the part numbers of the criterion and of the truth's own split (None where the truth has too few values for one).
    n_undefined, n_unassigned: architectures of the whole space without a score, and in no part; stability, twins and exposure
    are about the whole space, too. weights: see `weights_of`.
    """

    criterion: str
    k: int
    population: str
    n: int
    truth: str
    truth_key: str
    n_undefined: int
    n_unassigned: int
    parts: tuple[Part, ...]
    scores: Tau | None
    scores_finite: Tau | None
    labels: Tau
    oracle_labels: Tau | None
    separation: Separation
    oracle: Separation | None
    null: Null
    stability: Stability
    twins: tuple[Twins, ...]
    exposure: tuple[Exposure, ...]
    edges: tuple[tuple[int, int], ...]
    op_names: tuple[str, ...]
    weights: str | None

    def to_json(self) -> dict[str, Any]:
        """Everything, with null for NaN; `tau` holds objects of the contract's form."""
        taus = {"scores": self.scores, "scores_finite": self.scores_finite, "labels": self.labels, "oracle": self.oracle_labels}
        return {"criterion": self.criterion, "k": self.k, "population": self.population, "n": self.n, "truth": self.truth,
                "truth_key": self.truth_key, "weights": self.weights, "n_undefined": self.n_undefined,
                "n_unassigned": self.n_unassigned,
                "tau": {name: None if value is None else value.to_json() for name, value in taus.items()},
                "parts": [part.to_json() for part in self.parts], "separation": plain(self.separation),
                "oracle": None if self.oracle is None else plain(self.oracle), "random": null_json(self.null),
                "stability": self.stability.to_json(), "twins": [each.to_json() for each in self.twins],
                "passes": {"edges": [f"{target}<-{source}" for source, target in self.edges], "operations": list(self.op_names),
                           "samplers": [each.to_json() for each in self.exposure]}}


def diagnose(criterion: Criterion, context: Context, k: int, truth: GroundTruth, judged: Population, seeds: int = 1) -> Diagnosis:
    """Judge the criterion's split into k parts against a truth, on the judged architectures, without any training.

    The criterion sees the truth only when it says that it needs it. seeds: from so many, beginning with that of the context, it
    splits to see how stable it is. Raises what the criterion or its split raises, DataError when none of the judged has a truth.
    """
    members = known(judged, truth)
    context = replace(context, truth=truth)
    made = split(criterion, context, k)
    space, true, population = context.space, truth.mean(), judged.name
    oracle = control_labels(made, context, truth).get("oracle")
    first, last = (None, None) if made.scores is None else _score_taus(made.scores, true, members, population)
    return Diagnosis(
        criterion=criteria.text(criterion), k=made.k, population=population, n=len(members), truth=truth.label,
        truth_key=str(truth.key), n_undefined=0 if made.scores is None else made.scores.n_undefined,
        n_unassigned=made.n_unassigned, parts=parts(made, context, true, members), scores=first, scores_finite=last,
        labels=label_tau(made.label[members], true[members], population),
        oracle_labels=None if oracle is None else label_tau(oracle[members], true[members], population),
        separation=separation(made.label[members], true[members]),
        oracle=None if oracle is None else separation(oracle[members], true[members]),
        null=null_of(made, true, members, context.seed), stability=stability(criterion, context, made, seeds),
        twins=twins(made.label, space), exposure=exposures(made, space), edges=space.edges, op_names=space.op_names,
        weights=weights_of(criterion))


def known(judged: Population, truth: GroundTruth) -> NDArray[np.int64]:
    """int64 [n], ascending: the judged architectures that have a truth; DataError where there are none."""
    members = judged.members[np.isfinite(truth.mean()[judged.members])]
    if not len(members):
        raise DataError(f"The truth {truth.label} has no architecture of the population {judged.name}; choose another one.")
    return members


def null_of(made: Partition, true: Floats, members: NDArray[np.int64], seed: int) -> Null:
    """The random splits that a split with the seed of its context is compared with; true [n_arch], of the judged members."""
    return null(made.label, true, members, derive(seed, "diagnosis", "random", made.k))


def plain(found: Separation) -> dict[str, float | None]:
    """A separation for JSON."""
    return {name: number(value) for name, value in vars(found).items()}


def null_json(found: Null) -> dict[str, Any]:
    """A null distribution for JSON."""
    return {"mean": plain(found.mean), "p5": plain(found.low), "p95": plain(found.high), "percentile": plain(found.percentile),
            "draws": found.draws}


def _score_taus(scores: Scores, true: Floats, members: NDArray[np.int64], population: str) -> tuple[Tau, Tau]:
    values = scores.values[members]
    whole = tau(values, true[members], population=population)
    if not np.isnan(values).any():
        return whole, whole
    return whole, tau(values, true[members], population=f"{population}, finite scores", undefined="drop")
