"""The partitions behind runs: read from a run's folder, made again from its spec, or known of what was estimated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Population, benchmark
from benchmarks.errors import Absent, HarnessError, UsageError
from benchmarks.truth import GroundTruth, load_truth
from criteria.base import Context, Partition, Scores
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.runs.collection import Record
from harness.scoring.sample import sampled
from harness.store import read_frame


@dataclass(frozen=True, eq=False)
class Split:
    """The parts that runs share, which differ in their training.

    title: its criterion, and in what else it differs from the other splits beside it. record: of the lowest seed. whole: the
    parts of all architectures are known, not only of those that were estimated.
    """

    title: str
    record: Record
    partition: Partition
    whole: bool

    @property
    def benchmark(self) -> Benchmark:
        """Whose space it splits."""
        return benchmark(self.record.spec.benchmark)

    @property
    def context(self) -> Context:
        """The world that it was made in."""
        return Context(self.benchmark.space, self.benchmark.skeleton_for(self.record.spec.dataset), self.record.spec.seed)

    def members(self, truth: GroundTruth) -> NDArray[np.int64]:
        """int64 [m], ascending: the architectures of a part that the truth can judge; of a sample where not all are known."""
        known = self.benchmark.population(self.record.spec.population, truth) if self.whole else judged(self.record, truth)
        return known.members[self.partition.label[known.members] >= 0]


def splits(records: Sequence[Record]) -> list[Split]:
    """Each different partition of runs once, by dataset, criterion and number of parts; those that cannot be known are left out.

    Where none is left it raises Absent, if a truth would help, or UsageError; DataError for damaged files.
    """
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(json.dumps(_identity(record), sort_keys=True), []).append(record)
    lowest = sorted((min(each, key=lambda record: record.spec.seed) for each in found.values()), key=_order)
    made: list[tuple[Record, Partition, bool]] = []
    unknown: list[HarnessError] = []
    for record in lowest:
        try:
            made.append((record, *partition_of(record)))
        except (Absent, UsageError) as error:
            unknown.append(error)
    if not made:
        raise gravest(unknown)
    # Children of several parents may all be divided alike.
    alike = {(record.spec.benchmark, record.spec.dataset, record.spec.truth, record.spec.criterion, parts.label.tobytes()): i
             for i, (record, parts, _) in reversed(list(enumerate(made)))}
    made = [made[i] for i in sorted(alike.values())]
    return [Split(title, *each) for title, each in zip(_titles([record for record, _, _ in made]), made, strict=True)]


def _titles(records: Sequence[Record]) -> list[str]:
    facts = [{"criterion": record.spec.criterion, "k": f"k = {len(record.part_names)}", "dataset": record.spec.dataset,
              "truth": record.spec.truth} for record in records]
    shown = ["criterion", *(name for name in ("k", "dataset") if len({each[name] for each in facts}) > 1)]
    if len({tuple(each[name] for name in shown) for each in facts}) < len(facts):
        shown.append("truth")
    made = [", ".join(each[name] for name in shown) for each in facts]
    return [f"{text} ({made[:i].count(text) + 1})" if made.count(text) > 1 else text for i, text in enumerate(made)]


def gravest(errors: Sequence[HarnessError]) -> HarnessError:
    """Why there is nothing to show: an Absent, which can be helped, before others."""
    nothing = UsageError("There is no finished run; name folders of runs, or finish one with `harness run`.")
    return next((each for each in errors if isinstance(each, Absent)), next(iter(errors), nothing))


def partition_of(record: Record) -> tuple[Partition, bool]:
    """The partition of a run, and whether the parts of all architectures are known.

    Of its file; or by its criterion where that needs no networks, comes with the harness and is the code that the run used; else
    what its estimates say. Raises Absent where only the truth is missing, UsageError where no file says, DataError for damage.
    """
    file, space = record.folder / "partition.parquet", benchmark(record.spec.benchmark).space
    if file.exists():
        columns, words = read_frame(file, {"schema": "partition/1"})
        scores = Scores(columns["score"], words["meaning"], words["unit"]) if "score" in columns else None
        return Partition(columns["part"], tuple(json.loads(words["names"])), None, scores), True
    if (made := _made_again(record)) is not None:
        return made, True
    known = estimates_of(record)
    label = np.full(len(space), -1, np.int16)
    label[known["index"]] = known["part"]
    present = np.isin(np.arange(len(record.part_names)), known["part"])
    if not present.all():  # a part of which nothing was estimated cannot be shown, and none may be empty
        label[known["index"]] = np.where(known["part"] < 0, -1, (np.cumsum(present) - 1)[known["part"]])
    names = tuple(name for name, there in zip(record.part_names, present, strict=True) if there)
    return Partition(label, names, None), len(known["index"]) == len(label)


def judged(record: Record, truth: GroundTruth) -> Population:
    """What a run is judged on."""
    bench, size = benchmark(record.spec.benchmark), record.spec.estimation.architectures
    return sampled(bench, truth, size) if size else bench.population(record.spec.population, truth)


def truths_of(records: Sequence[Record]) -> dict[tuple[str, str], GroundTruth]:
    """The truths at hand by which runs were judged, by benchmark and text; where there is none it raises as `splits` does."""
    found, unknown = dict[tuple[str, str], GroundTruth](), list[HarnessError]()
    for record in {truth_name(record): record for record in records}.values():
        try:
            found[truth_name(record)] = truth_of(record)
        except (Absent, UsageError) as error:
            unknown.append(error)
    if not found:
        raise gravest(unknown)
    return found


def truth_name(record: Record) -> tuple[str, str]:
    """The key of `truths_of`."""
    return record.spec.benchmark, record.spec.truth


def truth_of(record: Record) -> GroundTruth:
    """The truth that a run was judged by; Absent where it is not at hand."""
    return load_truth(record.spec.truth, benchmark(record.spec.benchmark).table)


def estimates_of(record: Record) -> Mapping[str, NDArray[Any]]:
    """The columns of its estimates; UsageError where they are not there, DataError where they are damaged."""
    if record.estimates_file is None:
        raise UsageError(f"The estimates behind the metrics {record.key} are not in {record.folder}; put them back, or run it "
                        "again.")
    return read_frame(record.estimates_file, {"schema": "estimates/1"})[0]


def _made_again(record: Record) -> Partition | None:
    spec, bench = record.spec, benchmark(record.spec.benchmark)
    if ".py:" in spec.criterion or spec.parent is not None:
        return None
    try:
        criterion = criteria.get(spec.criterion)
    except HarnessError:
        return None
    if "network" in criterion.needs or criteria.source_sha256(criterion) != record.sources.get("criterion", ""):
        return None
    truth = truth_of(record) if "truth" in criterion.needs else None
    return split(criterion, Context(bench.space, bench.skeleton_for(spec.dataset), spec.seed, truth), spec.k)


def _order(record: Record) -> tuple[str, str, str, int, str]:
    spec = record.spec
    return spec.dataset, spec.benchmark, spec.criterion, len(record.part_names), json.dumps(_identity(record), sort_keys=True)


def _identity(record: Record) -> dict[str, Any]:
    """All that a partition depends on but the seed, and the truth that it is looked at by."""
    spec = record.spec
    return {**{name: getattr(spec, name) for name in ("benchmark", "dataset", "criterion", "truth", "population")},
            "k": len(record.part_names), "code": record.sources.get("criterion", ""),
            "parent": None if spec.parent is None else spec.parent.as_dict()}
