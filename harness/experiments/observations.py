"""Finished runs as results for a factorial: those of a sweep by what it varies, others by what differs between them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from math import inf
from typing import Any

from benchmarks.errors import UsageError
from harness.experiments.factorial import Result
from harness.experiments.sweep import Sweep, shown
from harness.presets import FIELD_OF
from harness.runs.collection import Record, read_record
from harness.store import slug

# One-shot NAS, as words of a spec's fields: no criterion, one supernet, the uniform sampler.
ONE_SHOT = ("none", "all", "uniform")
PARENT_DIGITS = 6


def of_sweep(sweep: Sweep, population: str | None = None) -> list[Result]:
    """The finished cells of a sweep, by tau on a population (the one that each is judged on by default)."""
    return [_result({name: shown(value) for name, value in cell.varied.items() if name != "seed"}, read_record(cell.metrics_file),
                    population) for cell in sweep.cells if cell.finished]


def of_runs(records: Sequence[Record], population: str | None = None) -> list[Result]:
    """Runs that were made one by one, in the order of their levels, whatever order they come in.

    Levels are all fields of their specs but the seed, by their flags where they have some; a parent is one field. Numbers ascend;
    words stand by the alphabet, those of one-shot NAS first, so that effects are what a method adds to it.
    """
    short = {field: name for name, field in FIELD_OF.items()}
    found = []
    for record in records:
        levels = {name: level for name, level in _flat(record.spec.as_dict()).items() if name != "seed"}
        found.append(_result({short.get(name, name): level for name, level in levels.items()}, record, population))
    names = list(dict.fromkeys(name for result in found for name in result.levels))
    found = [replace(result, levels={name: result.levels.get(name, "") for name in names}) for result in found]
    return sorted(found, key=lambda result: ([_place(level) for level in result.levels.values()], result.seed))


def _place(level: str) -> tuple[float, str]:
    try:
        return float(level), ""
    except ValueError:
        return -inf if level in ONE_SHOT else inf, level


def _result(levels: Mapping[str, str], record: Record, population: str | None) -> Result:
    if population is not None and population not in record.populations:
        raise UsageError(f"{record.name} was not judged on '{population}'; choose one of {', '.join(record.populations)}.")
    # The passes of the spec have what a sampler only looks at among them; FLOPs are as they were counted.
    return Result(levels, record.spec.seed, record.value("tau", "value", population=population), record.spec.passes,
                  record.budget.flops)


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """{"recipe.lr": ...} of nested fields, values as text."""
    found: dict[str, str] = {}
    for name, value in fields.items():
        nested = isinstance(value, Mapping) and name != "parent"
        found |= _flat(value, f"{prefix}{name}.") if nested else {prefix + name: str(value)}
    if isinstance(parent := fields.get("parent"), Mapping):
        found["parent"] = _parent(parent, found)
    return found


def _parent(fields: Mapping[str, Any], child: Mapping[str, str]) -> str:
    """A parent in a word, `none-k1-3f09ab`, that is the same for all seeds and wherever it differs from its child in the same."""
    own = {name: value for name, value in _flat(fields).items() if name != "seed" and child.get(name) != value}
    content = json.dumps(own, sort_keys=True)
    return slug(f"{fields['criterion']}-k{fields['k']}-{sha256(content.encode()).hexdigest()[:PARENT_DIGITS]}")
