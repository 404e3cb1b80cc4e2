"""Which runs may stand in one table, and what its rows are: one a configuration, which is a spec without its seed."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import Any

from benchmarks.errors import UsageError
from harness.measures.statistics import Spread, spread
from harness.runs.collection import Record

# What rows are, in the order of a table: methods first, then what they have to be compared with.
ROLES = ("method", "one-shot", "random", "oracle")
# Passes are made in steps of as many as there are parts, and in phases, so budgets that are meant to be equal differ by some.
ROUNDING = 0.01
# Said of all rows at once, by the question that they answer or by the seeds.
SHARED = ("benchmark", "dataset", "seed", "truth", "population", "estimator", "estimation.split", "estimation.images")
# Of a parent only what its weights depend on counts.
UNUSED = ("benchmark", "dataset", "seed", "truth", "population", "estimator", "estimation")


@dataclass(frozen=True, order=True)
class Question:
    """What numbers must have in common to be compared: the truth, whom it judges, what the estimates are made from, and the cost.

    Costs are the same when they differ by less than ROUNDING; then the lowest one stands for all.

    images: how many of which split the estimates use. data: hash of the images, "" where unknown. passes: subnet passes of the
    training; trained: the images in them.
    """

    benchmark: str
    dataset: str
    truth: str
    population: str
    estimator: str
    images: str
    data: str
    passes: int
    trained: int

    @classmethod
    def of(cls, record: Record) -> "Question":
        """What a record answers."""
        spec, asked = record.spec, record.spec.estimation
        number = f"{asked.images:,}" if asked.images else "all"
        images, data = f"{number} {asked.split} images", record.sources.get("images", "")[:12]
        return cls(spec.benchmark, spec.dataset, record.truth, record.population, spec.estimator, images, data,
                   record.budget.passes, record.budget.images)

    @property
    def slug(self) -> str:
        """The beginning of file names: readable, and another one for every question."""
        key = sha256(json.dumps([getattr(self, each.name) for each in fields(self)]).encode()).hexdigest()
        return f"{self.benchmark}-{self.dataset}-{key[:6]}"


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

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of any row."""
        return tuple(sorted({seed for row in self.rows for seed in row.records}))


def groups(records: Sequence[Record]) -> tuple[Group, ...]:
    """Records by question, each with its rows; UsageError when two runs of one question differ in nothing but their numbers."""
    questions = [Question.of(record) for record in records]
    known = {(question.dataset, question.data) for question in questions if question.data}
    passes, trained = (_near([getattr(question, name) for question in questions]) for name in ("passes", "trained"))
    asked: dict[Question, list[Record]] = {}
    for record, question in zip(records, questions, strict=True):
        same = sorted(data for dataset, data in known if dataset == question.dataset)
        # A run from before this was noted has the data that there is, where there is one.
        data = same[0] if not question.data and len(same) == 1 else question.data
        near = replace(question, data=data, passes=passes[question.passes], trained=trained[question.trained])
        asked.setdefault(near, []).append(record)
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
    titles = {"data": "image data", "images": "images behind the estimates", "passes": "subnet passes",
              "trained": "images trained on"}
    known = {each.name: list(dict.fromkeys(getattr(one.question, each.name) for one in found)) for each in fields(Question)}
    known = {name: values for name, values in known.items() if len(values) > 1}
    parts = []
    for name, values in known.items():
        texts = [f"{value:,}" if isinstance(value, int) else value or "unknown" for value in values]
        shown = f" ({' / '.join(texts)})" if len(known) < 4 and len(values) < 4 else ""
        parts.append(f"{titles.get(name, name)}{shown}")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _near(values: Sequence[int]) -> dict[int, int]:
    """The lowest of the values that each of them is as good as equal to."""
    found: dict[int, int] = {}
    lowest = 0
    for value in sorted(values):
        lowest = lowest if value <= lowest * (1 + ROUNDING) else value
        found[value] = lowest
    return found


def role_of(record: Record) -> str:
    """Which of ROLES a run plays."""
    spec = record.spec
    alone = spec.share == "all" or (spec.share == "part" and spec.k == 1)
    if alone and spec.sampler == "uniform" and spec.parent is None:
        return "one-shot"  # a partition that steers neither the sharing nor the sampling changes nothing
    head = spec.criterion.partition("[")[0]
    return head if head in ("random", "oracle") else "method"


def _rows(records: Sequence[Record]) -> tuple[Row, ...]:
    found: dict[str, tuple[dict[str, Any], dict[int, Record]]] = {}
    for record in records:
        settings = settings_of(record)
        _, known = found.setdefault(json.dumps(settings, sort_keys=True), (settings, {}))
        if (twin := known.get(record.spec.seed)) is not None:
            raise UsageError(f"{twin.folder} (metrics {twin.key}) and {record.folder} (metrics {record.key}) are one run, made "
                             "with two versions of the code or of the truth; leave one of them out.")
        known[record.spec.seed] = record
    return tuple(Row(role_of(next(iter(known.values()))), settings, dict(sorted(known.items())))
                 for settings, known in found.values())


def settings_of(record: Record) -> dict[str, Any]:
    """What makes its row: the fields of the spec by dotted name, and the code of a plug-in."""
    settings = {name: value for name, value in _leaves(record.spec.as_dict()) if name not in SHARED and not _unused(name)}
    for name in ("criterion", "parent.criterion", "sampler"):
        if name in settings:  # where the file of a plug-in lies is no part of what it does
            settings[name] = re.sub(r"[^\[\]=+]*/", "", settings[name])
    code = "+".join(hash_[:8] for name in ("criterion", "sampler") if (hash_ := record.sources.get(name)))
    return {**settings, "code": code} if code else settings


def _leaves(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            found += _leaves(inner, f"{prefix}{name}.")
        elif (prefix + name).rpartition(".")[2] != "parent":  # None
            found.append((prefix + name, inner))
    return found


def _unused(name: str) -> bool:
    own = name.rpartition("parent.")[2]
    return own != name and own.partition(".")[0] in UNUSED
