"""Which runs may stand in one table, and what its rows are: one a configuration, which is a spec without its seed."""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from math import isnan
from typing import Any

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from harness.measures.statistics import Spread, spread
from harness.report.configuration import hashes, placeless, role_of, settings_of
from harness.report.summary import three
from harness.runs.collection import Record

# What rows are, in the order of a table: methods first, then what they have to be compared with.
ROLES = ("method", "one-shot", "random", "oracle")
# Passes are made in steps of as many as there are parts, and in phases, so budgets that are meant to be equal differ by some.
ROUNDING = 0.01
# What does not matter to a run whose partition steers nothing.
STEERING = ("criterion", "k", "share")


@dataclass(frozen=True, order=True)
class Question:
    """What numbers must have in common to be compared: the truth, whom it judges, what the estimates are made from, and the cost.

    Costs are the same when they differ by less than ROUNDING from the lowest one of the same question, which stands for all.

    values: hash of the truth's, "" where unknown. estimator: with the hash of its code where it is a plug-in. images: how many of
    which split the estimates use. data: hash of the images, "" where unknown. n, ceiling: architectures that the runs were judged
    on, and the tau-b that noise leaves reachable there. passes: subnet passes that were asked for, what a
    sampler spends on looks among them; trained: the images in them.
    """

    benchmark: str
    dataset: str
    truth: str
    values: str
    population: str
    estimator: str
    images: str
    data: str
    n: int
    ceiling: str
    passes: int
    trained: int

    @classmethod
    def of(cls, record: Record) -> "Question":
        """What a record answers."""
        spec, asked = record.spec, record.spec.estimation
        number = f"{asked.images:,}" if asked.images else "all"
        code, n = hashes(record, "estimator"), record.value("tau", "n")
        return cls(spec.benchmark, spec.dataset, record.truth, record.sources.get("truth", "")[:12], record.population,
                   placeless(spec.estimator) + (f" ({code})" if code else ""), f"{number} {asked.split} images",
                   record.sources.get("images", "")[:12], 0 if isnan(n) else int(n), three(record.value("tau", "ceiling")),
                   spec.passes, spec.images)

    @property
    def slug(self) -> str:
        """The beginning of file names: readable, and another one for every question."""
        key = sha256(json.dumps([getattr(self, each.name) for each in fields(self)]).encode()).hexdigest()
        return re.sub(r"[^\w-]+", "-", f"{self.benchmark}-{self.dataset}-{key[:6]}")


@dataclass(frozen=True, eq=False)
class Row:
    """The runs of one configuration. role: one of ROLES. settings: its fields by dotted name; records: by seed, ascending."""

    role: str
    settings: Mapping[str, Any]
    records: Mapping[int, Record]

    @property
    def name(self) -> str:
        """What the row is called."""
        criterion = str(self.settings["criterion"])
        if self.role == "one-shot":
            return "one-shot" if criterion == "none" else f"one-shot ({criterion})"
        return criterion

    @property
    def first(self) -> Record:
        """The record of its lowest seed."""
        return next(iter(self.records.values()))

    @property
    def flops(self) -> float:
        """Of its training, the mean over its seeds, which draw different architectures."""
        return self.spread(lambda record: record.budget.flops).mean

    def values(self, measure: Callable[[Record], float]) -> dict[int, float]:
        """A measure by seed."""
        return {seed: measure(record) for seed, record in self.records.items()}

    def spread(self, measure: Callable[[Record], float]) -> Spread:
        """A measure over the seeds."""
        return spread(list(self.values(measure).values()))


@dataclass(frozen=True, eq=False)
class Group:
    """Rows that answer one question."""

    question: Question
    rows: tuple[Row, ...]

    @property
    def varying(self) -> tuple[str, ...]:
        """The settings, besides the criterion, in which rows differ."""
        names = dict.fromkeys(name for row in self.rows for name in row.settings)
        found = []
        for name in names:
            # What is said of parents is compared among rows that have one; whether there is one shows in its criterion.
            optional = name == "code" or (name.startswith("parent.") and name != "parent.criterion")
            asked = [row for row in self.rows if name in row.settings or not optional]
            if name != "criterion" and len({json.dumps(row.settings.get(name)) for row in asked}) > 1:
                found.append(name)
        return tuple(found)


def groups(records: Sequence[Record]) -> tuple[Group, ...]:
    """Records by question, each with its rows; UsageError when two runs of one question differ in nothing but their numbers."""
    questions = [Question.of(record) for record in records]
    for hashed, owner in (("data", "dataset"), ("values", "truth")):
        questions = _completed(questions, hashed, owner)
    for cost in ("passes", "trained"):
        questions = _rounded(questions, cost)
    asked: dict[Question, list[Record]] = {}
    for record, question in zip(records, questions, strict=True):
        asked.setdefault(question, []).append(record)
    return tuple(Group(question, _rows(asked[question])) for question in sorted(asked))


def group(records: Sequence[Record]) -> Group:
    """All records as one group; UsageError that says why they cannot stand in one table, or that there are none."""
    found = groups(records)
    if not found:
        raise UsageError("There is no finished run and so no table; name folders of runs, or finish one with `harness run`.")
    if len(found) > 1:
        raise UsageError(f"These runs cannot stand in one table, since they differ in {differing(found)}; make a table of each.")
    return found[0]


def differing(found: Sequence[Group]) -> str:
    """In what the questions of groups differ, in words; their values, too, where there are few of them."""
    titles = {"data": "image data", "values": "the truth's values", "images": "images behind the estimates",
              "n": "architectures judged", "ceiling": "the ceiling of tau-b",
              "passes": "subnet passes", "trained": "images trained on"}
    known = {each.name: list(dict.fromkeys(getattr(one.question, each.name) for one in found)) for each in fields(Question)}
    known = {name: values for name, values in known.items() if len(values) > 1}
    parts = []
    for name, values in known.items():
        texts = [f"{value:,}" if isinstance(value, int) else value or "unknown" for value in values]
        shown = f" ({' / '.join(texts)})" if len(known) < 4 and len(values) < 4 else ""
        parts.append(f"{titles.get(name, name)}{shown}")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _completed(questions: Sequence[Question], hashed: str, owner: str) -> list[Question]:
    """With the one hash that is known of a dataset or truth where a question has none: its run is from before this was noted."""
    known: dict[str, set[str]] = {}
    for question in questions:
        known.setdefault(getattr(question, owner), set()).add(getattr(question, hashed))
    only = {name: max(found) for name, found in known.items() if len(found - {""}) == 1}
    completed = []
    for question in questions:
        found: dict[str, Any] = {hashed: getattr(question, hashed) or only.get(getattr(question, owner), "")}
        completed.append(replace(question, **found))
    return completed


def _rounded(questions: Sequence[Question], cost: str) -> list[Question]:
    """With the lowest of costs that are as good as equal, among the questions that differ in no more than their costs."""
    blank: dict[str, Any] = dict.fromkeys(("trained",) if cost == "trained" else ("passes", "trained"), 0)
    alike: dict[Question, list[int]] = {}
    for question in questions:
        alike.setdefault(replace(question, **blank), []).append(getattr(question, cost))
    near = {question: _near(values) for question, values in alike.items()}
    rounded = []
    for question in questions:
        found: dict[str, Any] = {cost: near[replace(question, **blank)][getattr(question, cost)]}
        rounded.append(replace(question, **found))
    return rounded


def _near(values: Sequence[int]) -> dict[int, int]:
    """The lowest of the values that each of them is as good as equal to."""
    found: dict[int, int] = {}
    lowest = 0
    for value in sorted(values):
        lowest = lowest if value <= lowest * (1 + ROUNDING) else value
        found[value] = lowest
    return found


def _rows(records: Sequence[Record]) -> tuple[Row, ...]:
    found: dict[str, tuple[dict[str, Any], dict[int, Record]]] = {}
    for record in records:
        settings = settings_of(record)
        _, known = found.setdefault(json.dumps(settings, sort_keys=True), (settings, {}))
        if (twin := known.get(record.spec.seed)) is not None:
            raise UsageError(f"{twin.folder} (metrics {twin.key}) and {record.folder} (metrics {record.key}) are one run, made "
                             "with two versions of the code or of the truth; leave one of them out.")
        known[record.spec.seed] = record
    rows = [Row(role_of(next(iter(known.values()))), settings, dict(sorted(known.items()))) for settings, known in found.values()]
    return tuple(_merged(rows))


def _merged(rows: Sequence[Row]) -> list[Row]:
    """The rows, those of one one-shot experiment as one: it is the same whatever partition steers nothing in it."""
    alone = [row for row in rows if _is_whole(row)]
    alone.sort(key=lambda row: (row.settings["criterion"] != "none", str(row.settings)))
    alike: dict[str, list[Row]] = {}
    for row in alone:
        key = json.dumps({name: value for name, value in row.settings.items() if name not in STEERING}, sort_keys=True)
        alike.setdefault(key, []).append(row)
    merged = []
    for same in alike.values():
        if all(_agree(one, other) for one, other in itertools.combinations(same, 2)):
            records = {seed: record for row in reversed(same) for seed, record in row.records.items()}
            same = [replace(same[0], records=dict(sorted(records.items())))]
        merged += same
    return [*(row for row in rows if not _is_whole(row)), *merged]


def _is_whole(row: Row) -> bool:
    """One-shot, with every architecture in some part: then all draw from the same ones."""
    return row.role == "one-shot" and all(sum(record.parts) == len(benchmark(record.spec.benchmark).space)
                                          for record in row.records.values())


def _agree(one: Row, other: Row) -> bool:
    """Whether the seeds that both have gave the same numbers; those within parts depend on the parts."""
    def numbers(record: Record) -> list[dict[str, Any]]:
        return [{**found, "decomposition": None} for found in record.populations.values()]

    return all(numbers(one.records[seed]) == numbers(other.records[seed]) for seed in one.records if seed in other.records)
