"""Runs as figures compare them: by the question that they answer, and by the configuration that several seeds share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from benchmarks.errors import UsageError
from harness.report.rows import ROLES, Group, Question, Row, groups
from harness.report.tables import setting_text
from harness.runs.collection import Record

# Said by the runs of one panel together, whatever they cost.
COSTS = ("passes", "trained")
# Of a one-shot run, see `role_of`.
USUAL = {"share": ("part", "all"), "sampler": ("uniform",)}
# What configurations are ordered by, before all else that tells them apart.
ORDER = ("criterion", "k", "share", "sampler", "network.gamma")
# How fields of a question are said that are numbers or hashes.
WORDS = {"values": "values {}", "data": "data {}", "n": "n = {:,}", "ceiling": "ceiling {}",
         "passes": "{:,} passes", "trained": "{:,} images"}


@dataclass(frozen=True, eq=False)
class Configuration:
    """Rows of a table that are one configuration but for some free settings, such as the passes of a training.

    panel: what the runs answer, in words. name: what tells it from the other configurations of its panel.
    """

    panel: str
    name: str
    rows: tuple[Row, ...]

    @property
    def first(self) -> Record:
        """The record of the first row and the lowest seed."""
        return self.rows[0].first


def configurations(records: Sequence[Record], free: Sequence[str] = (), least: int = 1) -> list[Configuration]:
    """The configurations of runs, panel by panel; those of fewer rows than `least` are left out.

    free: dotted names of settings that do not tell them apart, of a run or of its parents. Raises UsageError when two runs
    differ in nothing but their numbers.
    """
    found: dict[Question, dict[str, list[Row]]] = {}
    for group in groups(records):
        panel = found.setdefault(replace(group.question, passes=0, trained=0), {})
        for row in group.rows:
            panel.setdefault(repr(sorted(_kept(row, free).items())), []).append(row)
    shown = {question: sorted((rows for rows in panel.values() if len(rows) >= least), key=_order)
             for question, panel in found.items()}
    named = titles([question for question, panel in shown.items() if panel])
    return [Configuration(named[question], name, tuple(rows)) for question, panel in shown.items()
            for name, rows in zip(_names(question, panel, free), panel, strict=True)]


def few(found: Sequence[Configuration], most: int) -> Sequence[Configuration]:
    """The same; UsageError where they are more than a figure can hold."""
    if len(found) > most:
        raise UsageError(f"These runs have {len(found)} configurations and a figure holds at most {most}, as nobody could read "
                         "more; name fewer runs.")
    return found


def _order(rows: Sequence[Row]) -> tuple[Any, ...]:
    """Methods first, as in tables; then by what matters most to a reader, numbers ascending."""
    settings = rows[0].settings
    values = [settings.get(name) for name in (*ORDER, *sorted(settings))]
    return ROLES.index(rows[0].role), [(0, each, "") if isinstance(each, (int, float)) else (1, 0, str(each)) for each in values]


def _kept(row: Row, free: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in row.settings.items() if name.rpartition("parent.")[2] not in free}


def _names(question: Question, panel: Sequence[Sequence[Row]], free: Sequence[str]) -> list[str]:
    rows = tuple(Row(rows[0].role, _kept(rows[0], free), rows[0].records) for rows in panel)
    varying = _telling(rows, Group(question, rows).varying)
    return [", ".join([row.name, *(_setting(name, row.settings, varying) for name in [*_making(row, varying), *varying])])
            for row in rows]


def _making(row: Row, varying: Sequence[str]) -> list[str]:
    """The settings, besides those, without which a supernet of everything would be one-shot: 'none, mixture'."""
    if row.role != "method" or row.settings["criterion"] != "none":
        return []
    return [name for name, usual in USUAL.items() if name not in varying and row.settings.get(name) not in usual]


def _telling(rows: Sequence[Row], varying: Sequence[str]) -> list[str]:
    """Those settings, in their order, without which some rows would have one name."""
    kept: list[str] = []
    for name in varying:
        if _different(rows, [*kept, name]) > _different(rows, kept):
            kept.append(name)
    return kept


def _different(rows: Sequence[Row], names: Sequence[str]) -> int:
    return len({(row.name, *(repr(row.settings.get(name)) for name in names)) for row in rows})


def _setting(name: str, settings: Mapping[str, Any], varying: Sequence[str]) -> str:
    """sbs, but gamma=2: words speak for themselves and numbers do not."""
    value, short = settings.get(name), name.rpartition(".")[2]
    if isinstance(value, str):
        return value
    twice = sum(other.rpartition(".")[2] == short for other in varying) > 1
    return f"{name if twice else short}={setting_text(value)}"


def titles(questions: Sequence[Question], base: Sequence[str] = ("benchmark", "dataset"),
           left: Sequence[str] = COSTS) -> dict[Question, str]:
    """Each question by the fields of `base` and whatever else tells it from the others, but for those of `left`."""
    shown = list(base)
    for name in (each.name for each in fields(Question) if each.name not in (*base, *left)):
        if len({_values(question, [*shown, name]) for question in questions}) > len({_values(each, shown) for each in questions}):
            shown.append(name)
    return {question: ", ".join(_values(question, shown)) for question in questions}


def _values(question: Question, names: Sequence[str]) -> tuple[str, ...]:
    """Fields as they are said."""
    found = ((name, getattr(question, name)) for name in names)
    return tuple(WORDS.get(name, "{}").format("unknown" if value == "" else value) for name, value in found)
