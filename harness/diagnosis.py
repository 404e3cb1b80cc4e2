"""A partition judged before any training: its parts' true accuracies, and what its labels alone rank, beside the controls."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.benchmark import Population
from benchmarks.errors import DataError
from benchmarks.seeds import derive
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion, Partition, Scores
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.comparison import control_labels, label_tau
from harness.tau import Tau, number, ranks, tau, tau_b

DRAWS = 20
TOP_SHARE = 0.01
Labels = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One part. size, connected: architectures of the whole space; everything else is about the n that are judged.

    mean, sd, low (minimum), q1, median, q3, high (maximum): of the true accuracy, per cent; best: the official index of the
    best architecture, None where n = 0. top: architectures of the best 1 % that lie here; enrichment: the part's share of
    them divided by its share of all, 1 = as by chance.
    """

    name: str
    size: int
    connected: int
    n: int
    mean: float
    sd: float
    low: float
    q1: float
    median: float
    q3: float
    high: float
    best: int | None
    top: int
    enrichment: float


@dataclass(frozen=True)
class Separation:
    """How much of the accuracy the part numbers say.

    tau: tau-b of the part numbers. eta2: the share of the variance of the accuracies that lies between the parts; rank_eta2:
    the same of their ranks (ties share the mean rank). NaN where there is no variance.
    """

    tau: float
    eta2: float
    rank_eta2: float


@dataclass(frozen=True)
class Null:
    """The separations of random splits of the same sizes: mean, 5th and 95th percentile of `draws`."""

    mean: Separation
    low: Separation
    high: Separation
    draws: int


@dataclass(frozen=True)
class Diagnosis:
    """What is known about a split before training.

    n: architectures judged, those of the population that have a truth. scores, scores_finite: tau-b of the scores with
    undefined ones ranked last and with them left out, None where the criterion does not score. labels, oracle_labels: tau-b
    of the part numbers of the criterion and of the truth's own split (None where the truth has too few values for one).
    n_undefined, n_unassigned: architectures of the whole space without a score, and in no part.
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

    def to_json(self) -> dict[str, Any]:
        """Everything, with null for NaN; `tau` holds objects of the contract's form."""
        taus = {"scores": self.scores, "scores_finite": self.scores_finite, "labels": self.labels, "oracle": self.oracle_labels}
        return {"criterion": self.criterion, "k": self.k, "population": self.population, "n": self.n, "truth": self.truth,
                "truth_key": self.truth_key, "n_undefined": self.n_undefined, "n_unassigned": self.n_unassigned,
                "tau": {name: None if value is None else value.to_json() for name, value in taus.items()},
                "parts": [_plain(part) for part in self.parts], "separation": _plain(self.separation),
                "oracle": None if self.oracle is None else _plain(self.oracle),
                "random": {"mean": _plain(self.null.mean), "p5": _plain(self.null.low), "p95": _plain(self.null.high),
                           "draws": self.null.draws}}


def diagnose(criterion: Criterion, context: Context, k: int, truth: GroundTruth, judged: Population) -> Diagnosis:
    """Judge the criterion's split into k parts against a truth, on the judged architectures, without any training.

    The criterion sees the truth only when it says that it needs it. Raises what the criterion or its split raises, DataError
    when none of the judged has a truth.
    """
    space, true, population = context.space, truth.mean(), judged.name
    members = judged.members[np.isfinite(true[judged.members])]
    if not len(members):
        raise DataError(f"The truth {truth.label} has no architecture of the population {population}; choose another one.")
    context = replace(context, truth=truth)
    made = split(criterion, context, k)
    scores = made.scores
    oracle = control_labels(made, context, truth).get("oracle")
    first, last = (None, None) if scores is None else _score_taus(scores, true, members, population)
    return Diagnosis(
        criterion=criteria.text(criterion), k=made.k, population=population, n=len(members), truth=truth.label,
        truth_key=str(truth.key), n_undefined=0 if scores is None else scores.n_undefined, n_unassigned=made.n_unassigned,
        parts=_parts(made, space.connected, true, members), scores=first, scores_finite=last,
        labels=label_tau(made.label[members], true[members], population),
        oracle_labels=None if oracle is None else label_tau(oracle[members], true[members], population),
        separation=separation(made.label[members], true[members]),
        oracle=None if oracle is None else separation(oracle[members], true[members]),
        null=null(made.label, true, members, derive(context.seed, "diagnosis", "random", made.k)))


def separation(label: Labels, true: Floats) -> Separation:
    """label int16 [n], -1 = in no part and left out; true float64 [n], per cent, without NaN."""
    inside = label >= 0
    label, true = label[inside], true[inside]
    return Separation(tau_b(*ranks(label.astype(np.float64), true, "drop")), eta2(label, true), eta2(label, rankdata(true)))


def eta2(label: Labels, values: Floats) -> float:
    """Between-part share of the sum of squares of values [n]; label int16 [n], 0..; NaN where all values are equal."""
    if not len(values) or np.ptp(values) == 0:
        return float("nan")
    size = np.bincount(label)
    centred = values - values.mean()
    total = np.bincount(label, centred)
    return float((total[size > 0] ** 2 / size[size > 0]).sum() / (centred ** 2).sum())


def null(label: Labels, true: Floats, members: NDArray[np.int64], seed: int, draws: int = DRAWS) -> Null:
    """The labels [n_arch] of a split dealt out anew over the whole space, and judged on the same members, `draws` times."""
    rng = np.random.default_rng(seed)
    drawn = [separation(rng.permutation(label)[members], true[members]) for _ in range(draws)]
    table = np.array([(one.tau, one.eta2, one.rank_eta2) for one in drawn])
    low, high = np.percentile(table, (5, 95), axis=0).tolist()
    return Null(Separation(*table.mean(axis=0).tolist()), Separation(*low), Separation(*high), draws)


def _score_taus(scores: Scores, true: Floats, members: NDArray[np.int64], population: str) -> tuple[Tau, Tau]:
    values = scores.values[members]
    whole = tau(values, true[members], population=population)
    if not np.isnan(values).any():
        return whole, whole
    return whole, tau(values, true[members], population=f"{population}, finite scores", undefined="drop")


def _parts(made: Partition, connected: NDArray[np.bool_], true: Floats, members: NDArray[np.int64]) -> tuple[Part, ...]:
    """The top is that of the judged architectures, ties at its border going to the lower index."""
    top = members[np.argsort(-true[members], kind="stable")][:max(1, round(TOP_SHARE * len(members)))]
    parts = []
    for part, name in enumerate(made.names):
        mine = members[made.label[members] == part]
        values, best = true[mine], int((made.label[top] == part).sum())
        low, q1, median, q3, high = np.percentile(values, (0, 25, 50, 75, 100)).tolist() if len(mine) else (float("nan"),) * 5
        parts.append(Part(
            name=name, size=made.sizes[part], connected=int(connected[made.label == part].sum()), n=len(mine),
            mean=float(values.mean()) if len(mine) else float("nan"), sd=float(values.std()) if len(mine) else float("nan"),
            low=low, q1=q1, median=median, q3=q3, high=high, best=int(mine[np.argmax(values)]) if len(mine) else None, top=best,
            enrichment=best / len(top) / (len(mine) / len(members)) if len(mine) else float("nan")))
    return tuple(parts)


def _plain(facts: Part | Separation) -> Mapping[str, Any]:
    return {name: number(value) if isinstance(value, float) else value for name, value in vars(facts).items()}
