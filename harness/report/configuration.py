"""The configuration that a run is a seed of: the part that it plays in a table, and its settings."""

import re
from collections.abc import Mapping
from typing import Any

from harness.runs.collection import Record

# Said of all rows at once, by the question that they answer or by the seeds.
SHARED = ("benchmark", "dataset", "seed", "truth", "population", "estimator", "estimation.split", "estimation.images")
# Of a parent only what its weights depend on counts.
UNUSED = ("benchmark", "dataset", "seed", "truth", "population", "estimator", "estimation")


def role_of(record: Record) -> str:
    """Which of ROLES a run plays."""
    spec = record.spec
    alone = spec.share == "all" or (spec.share == "part" and spec.k == 1)
    if alone and spec.sampler == "uniform" and spec.parent is None:
        return "one-shot"  # a partition that steers neither the sharing nor the sampling changes nothing
    if spec.criterion.partition("[")[0] == "random":
        return "random"  # of sizes that may be an oracle's
    return "oracle" if record.uses_truth("criterion", "parent") else "method"


def settings_of(record: Record) -> dict[str, Any]:
    """What makes its row: the fields of the spec by dotted name, and the code of a plug-in."""
    settings = {name: value for name, value in _leaves(record.spec.as_dict()) if name not in SHARED and not _unused(name)}
    for name in ("criterion", "parent.criterion", "sampler"):
        if name in settings:  # where the file of a plug-in lies is no part of what it does
            settings[name] = placeless(settings[name])
    code = hashes(record, "criterion", "sampler")
    return {**settings, "code": code} if code else settings


def placeless(selector: str) -> str:
    """A selector without the folders of plug-ins' files; a parameter that is a path stays whole."""
    return re.sub(r"[^\[\]=+,]*/(?=[^/\[\]=+,]+\.py:)", "", selector)


def hashes(record: Record, *names: str) -> str:
    """The beginnings of the hashes of the code of plug-ins, joined by +."""
    return "+".join(hash_[:8] for name in names if (hash_ := record.sources.get(name)))


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
