"""Several criteria on one space: what each one's split is worth before any training, and how alike the splits are."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.errors import HarnessError, UsageError
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion, Partition
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.measures.tau import number, ranks, tau_b
from harness.scoring.deadline import deadline
from harness.scoring.world import weights_of
from harness.splits.agreement import Agreement, Stability, agreement, stability
from harness.splits.diagnosis import known, null_json, null_of, plain
from harness.splits.separation import Null, Separation, separation
from harness.splits.twins import Twins, twins
from harness.store import results_home

# So many are done, and this one is next.
Report = Callable[[int, str], None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One criterion's split. seconds: that scoring and splitting took. scores, scores_finite: tau-b with undefined scores ranked
    last and left out, None where the criterion does not score; that of the labels stands in `separation`. weights: see
    `weights_of`."""

    criterion: str
    partition: Partition
    seconds: float
    scores: float | None
    scores_finite: float | None
    separation: Separation
    null: Null
    twins: tuple[Twins, ...]
    stability: Stability
    weights: str | None

    def to_json(self) -> dict[str, Any]:
        made = self.partition
        return {"criterion": self.criterion, "k": made.k, "seconds": self.seconds, "weights": self.weights,
                "parts": list(made.sizes), "part_names": list(made.names), "n_unassigned": made.n_unassigned,
                "n_undefined": 0 if made.scores is None else made.scores.n_undefined,
                "tau": {"labels": number(self.separation.tau), "scores": number(self.scores),
                        "scores_finite": number(self.scores_finite)},
                "separation": plain(self.separation), "random": null_json(self.null),
                "twins": [each.to_json() for each in self.twins], "stability": self.stability.to_json()}


@dataclass(frozen=True)
class Refusal:
    """A criterion that could not be compared, and the sentence that says why."""

    criterion: str
    reason: str


@dataclass(frozen=True, eq=False)
class Lineup:
    """Criteria side by side, in the order in which they were named.

    members: int64 [n], ascending: the architectures of the population that have a truth, on which they are judged. agreements:
    of each pair of candidates, by their positions among `candidates`, the first one lower.
    """

    k: int
    population: str
    members: NDArray[np.int64]
    truth: GroundTruth
    rows: tuple[Candidate | Refusal, ...]
    agreements: dict[tuple[int, int], Agreement]

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Those that could be compared."""
        return tuple(row for row in self.rows if isinstance(row, Candidate))

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Those that could not."""
        return tuple(row for row in self.rows if isinstance(row, Refusal))

    def to_json(self) -> dict[str, Any]:
        """Everything, with null for NaN."""
        names = [row.criterion for row in self.candidates]
        return {"k": self.k, "population": self.population, "n": len(self.members), "truth": self.truth.label,
                "truth_key": str(self.truth.key),
                "criteria": [row.to_json() for row in self.candidates],
                "failed": [{"criterion": row.criterion, "reason": row.reason} for row in self.refusals],
                "agreement": [{"criteria": [names[one], names[other]], **found.to_json()}
                              for (one, other), found in self.agreements.items()]}


def compare_splits(chosen: Sequence[Criterion], context: Context, k: int, truth: GroundTruth, judged: Population, seeds: int = 1,
                   time_limit: float | None = None, report: Report = lambda done, criterion: None) -> Lineup:
    """Each criterion's split into k parts, or as many as it fixes, judged against a truth without any training.

    seeds: as for `diagnose`. A criterion that fails, or takes longer than time_limit seconds, becomes a `Refusal`. report hears
    how many are done, and which one comes next. Raises UsageError when a criterion stands twice, DataError when none of the
    judged has a truth.
    """
    texts = [criteria.text(criterion) for criterion in chosen]
    if twice := [text for i, text in enumerate(texts) if text in texts[:i]]:
        raise UsageError(f"The criterion '{twice[0]}' stands twice; name each once, with other parameters if need be.")
    members, context = known(judged, truth), replace(context, truth=truth)
    rows: list[Candidate | Refusal] = []
    for criterion, text in zip(chosen, texts, strict=True):
        report(len(rows), text)
        try:
            rows.append(_candidate(criterion, context, k, truth.mean(), members, seeds, time_limit))
        except HarnessError as error:
            rows.append(Refusal(text, str(error)))
    report(len(rows), "")
    labels = [row.partition.label for row in rows if isinstance(row, Candidate)]
    pairs = {(i, j): agreement(labels[i], labels[j]) for j in range(len(labels)) for i in range(j)}
    return Lineup(k, judged.name, members, truth, tuple(rows), pairs)


def figures_folder(found: Lineup, benchmark: str, dataset: str, seed: int) -> Path:
    """Where the figures of a comparison lie unless the user says: beside the runs, named by what is compared."""
    facts = "\n".join([found.population, str(found.truth.key), *(row.criterion for row in found.rows)])
    return results_home() / f"splits-k{found.k}-{benchmark}-{dataset}-s{seed}-{sha256(facts.encode()).hexdigest()[:12]}"


def _candidate(criterion: Criterion, context: Context, k: int, true: NDArray[np.float64],
               members: NDArray[np.int64], seeds: int, time_limit: float | None) -> Candidate:
    text = criteria.text(criterion)

    def limited() -> AbstractContextManager[None]:
        return nullcontext() if time_limit is None else deadline(text, time_limit)

    start = time.perf_counter()
    with limited():
        made = split(criterion, context, criterion.fixed_k or k)
    seconds = time.perf_counter() - start
    with limited():
        stable = stability(criterion, context, made, seeds)
    values = None if made.scores is None else made.scores.values[members]
    last, finite = (None, None) if values is None else (tau_b(*ranks(values, true[members], how)) for how in ("last", "drop"))
    return Candidate(text, made, seconds, last, finite, separation(made.label[members], true[members]),
                     null_of(made, true, members, context.seed), twins(made.label, context.space), stable, weights_of(criterion))
