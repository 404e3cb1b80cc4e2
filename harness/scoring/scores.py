"""A criterion's scores of all architectures, from several seeds, against every truth at hand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Population, benchmark
from benchmarks.table import tables
from benchmarks.truth import GroundTruth, load_truth
from criteria.base import Context, Criterion
from criteria.guard import score
from criteria.registry import criteria
from harness.measures.tau import Tau, number, tau
from harness.scoring.world import reseeded
from harness.store import results_home, slug, write_frame
from harness.truths import about, subject

POPULATIONS = ("all", "connected")
SCHEMA = "scores/1"


@dataclass(frozen=True, eq=False)
class Scored:
    """values: float64 [n_seed, n_arch], NaN = undefined, of one seed only where the scores do not depend on it.

    depends: whether the scores of any two seeds differ; None where only one was tried. sample: all that is scored, None = the
    whole space.
    """

    criterion: str
    meaning: str
    unit: str
    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    depends: bool | None
    sample: Population | None = None

    @property
    def n_undefined(self) -> int:
        """Architectures that were to be scored and have no score from some seed."""
        asked = self.values if self.sample is None else self.values[:, self.sample.members]
        return int(np.isnan(asked).any(axis=0).sum())

    @property
    def columns(self) -> dict[str, NDArray[np.float64]]:
        """The scores [n_arch] by the names that they have in files."""
        if self.depends is False:
            return {"score": self.values[0]}
        return {f"score_seed{seed}": values for seed, values in zip(self.seeds, self.values, strict=True)}


@dataclass(frozen=True)
class Verdict:
    """What one truth says on one population: tau-b of each seed, with undefined scores ranked last and left out.

    mean, sd: of the former over the seeds; sd (of a sample) is None for fewer than two.
    """

    truth: str
    truth_key: str
    population: str
    taus: tuple[Tau, ...]
    finite: tuple[Tau, ...]

    @property
    def mean(self) -> float:
        return float(np.mean([found.value for found in self.taus]))

    @property
    def sd(self) -> float | None:
        return float(np.std([found.value for found in self.taus], ddof=1)) if len(self.taus) > 1 else None

    def to_json(self) -> dict[str, Any]:
        return {"truth": self.truth, "truth_key": self.truth_key, "population": self.population,
                "tau": [found.to_json() for found in self.taus], "tau_finite": [found.to_json() for found in self.finite],
                "mean": number(self.mean), "sd": number(self.sd)}


def setting(name: str | None, dataset: str | None, key: str | None) -> tuple[Benchmark, str, GroundTruth | None]:
    """The benchmark, dataset and truth that are meant, as by `subject`; but the default truth may be missing."""
    if key is None and name is not None and not _at_hand(benchmark(name), dataset):
        bench = benchmark(name)
        dataset = bench.check_dataset(dataset or bench.datasets[0])
        return bench, dataset, None
    asked = subject(name, dataset, key)
    return asked.benchmark, asked.dataset, asked.truth


def _at_hand(bench: Benchmark, dataset: str | None) -> bool:
    key = bench.truth_for(dataset or bench.datasets[0])
    return any(table.select(key) for table in tables())


def scored(criterion: Criterion, context: Context, seeds: int, sample: Population | None = None) -> Scored:
    """Score from `seeds` seeds, beginning with that of the context; no third one where two give the same scores.

    sample: the only architectures whose scores are kept. Raises what the criterion raises, UsageError for one that only splits.
    """
    found = [score(criterion, context)]
    for seed in range(context.seed + 1, context.seed + seeds):
        found.append(score(criterion, reseeded(context, seed)))
        if len(found) == 2 and np.array_equal(found[0].values, found[1].values, equal_nan=True):
            found = found[:1]
            break
    first, values = found[0], np.stack([each.values for each in found])
    if sample is not None:
        values[:, np.setdiff1d(np.arange(values.shape[1]), sample.members)] = np.nan
    return Scored(criteria.text(criterion), first.meaning, first.unit, tuple(range(context.seed, context.seed + len(found))),
                  values, None if seeds < 2 else len(found) > 1, sample)


def truths_at_hand(bench: Benchmark, keys: Sequence[str] = (), dataset: str | None = None) -> tuple[GroundTruth, ...]:
    """The truths of the given keys or columns, and the default truths of the benchmark that some table has; each once.

    Raises UsageError for a key that no table has, or that is about no dataset of the benchmark (about another one, where a
    dataset is given), DataError for a damaged table.
    """
    found = []
    for key in keys:
        truth = load_truth(key, bench.table)
        found.append(about(truth, key, bench, dataset or truth.key.dataset))
    found += [load_truth(bench.truth_for(each), bench.table) for each in bench.datasets if _at_hand(bench, each)]
    return tuple({truth.sha256: truth for truth in reversed(found)}.values())[::-1]


def verdicts(found: Scored, bench: Benchmark, truths: Iterable[GroundTruth]) -> tuple[Verdict, ...]:
    """The scores against each truth, on all architectures that it can judge and on the connected ones, or on the sample."""
    judged = []
    for truth in truths:
        true = truth.mean()
        populations = [found.sample] if found.sample else [bench.population(name, truth) for name in POPULATIONS]
        for population in populations:
            members, name = population.members, population.name
            whole = tuple(tau(values[members], true[members], population=name) for values in found.values)
            finite = tuple(
                tau(values[members], true[members], population=f"{name}, finite scores", undefined="drop")
                if np.isnan(values[members]).any() else last for values, last in zip(found.values, whole, strict=True))
            judged.append(Verdict(truth.label, str(truth.key), name, whole, finite))
    return tuple(judged)


def scores_file(found: Scored, criterion: Criterion, bench: Benchmark, dataset: str) -> Path:
    """Where scores lie unless the user says: its name holds whatever they depend on."""
    facts = "\n".join((found.criterion, criteria.source_sha256(criterion), bench.name, dataset, *map(str, found.seeds)))
    facts += "" if found.sample is None else f"\n{found.sample.name}"
    name = f"{slug(found.criterion)}-{bench.name}-{dataset}-s{found.seeds[0]}-{sha256(facts.encode()).hexdigest()[:12]}.parquet"
    return results_home() / "scores" / name


def write_scores(path: Path, found: Scored, criterion: Criterion, bench: Benchmark, dataset: str) -> None:
    """The scores of all architectures as parquet, whole or not at all: index, arch, and a column a seed."""
    about = {"schema": SCHEMA, "criterion": found.criterion, "source_sha256": criteria.source_sha256(criterion),
             "benchmark": bench.name, "dataset": dataset, "seeds": " ".join(map(str, found.seeds)), "meaning": found.meaning,
             "unit": found.unit, "population": found.sample.name if found.sample else "all"}
    write_frame(path, {"index": np.arange(len(bench.space)), "arch": bench.space.strings, **found.columns}, about)
