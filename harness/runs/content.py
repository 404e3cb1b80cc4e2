"""What the JSON files of a run may hold: what else a stranger's says is refused before it meets a calculation or a page.

Each function gives what it was given, and raises TypeError, KeyError or ValueError where that is something else.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

# Of whole numbers but seeds; nothing can be counted as far.
LARGEST = 2**53
# The texts within measures.
WORDS = ("population", "variant")


def typed(section: type, values: Any) -> dict[str, Any]:
    """The values of the fields of a spec or of a section of it, each of the type of its default."""
    if not isinstance(values, dict):
        raise TypeError(f"{_shown(values)} is no {section.__name__}")
    for each in fields(section):
        value, default = values.get(each.name, each.default), each.default
        if isinstance(default, float):
            fits = type(value) in (int, float)
        elif isinstance(default, tuple):
            fits = isinstance(value, list | tuple) and all(type(one) is int for one in value)
        elif default is None or is_dataclass(default):
            fits = value in (None, default) or isinstance(value, dict)
        else:
            fits = type(value) is type(default)
        if not fits or (isinstance(value, int) and abs(value) > LARGEST and each.name != "seed"):
            raise TypeError(f"{each.name}={_shown(value)} is of another type or size than a spec has")
    return values


def count(value: Any) -> int:
    """A whole number that is not negative."""
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise ValueError(f"{_shown(value)} counts nothing")
    return value


def amount(value: Any) -> float:
    """A number that is not negative."""
    if type(value) not in (int, float) or not 0 <= value <= 1e300:
        raise ValueError(f"{_shown(value)} is no amount")
    return float(value)


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} is no text")
    return value


def texts(value: Any) -> dict[str, str]:
    """Texts by name."""
    return {name: text(each) for name, each in value.items()}


# Of a stage: what a fact is, where it is known.
FACTS: Mapping[str, Callable[[Any], object]] = {
    "seconds": amount, "process_seconds": amount, "peak_memory_mib": amount, "cores": count, "images": count,
    **dict.fromkeys(("device", "machine", "processor", "python", "commit"), text)}


def summarised(metrics: Any) -> None:
    """What a summary shows of metrics besides their measures, budget and parts."""
    _has(metrics["labels"], "criterion")
    for name in ("images", "estimator", "run"):
        text(metrics[name])
    if type(metrics["seed"]) is not int:
        raise TypeError(f"{_shown(metrics['seed'])} is no seed")
    if len(metrics["parts"]) != len(metrics["part_names"]):
        raise ValueError(f"it has {len(metrics['parts'])} parts and {len(metrics['part_names'])} names of parts")
    count(metrics["budget"].get("parameters_used", 0))
    inherited = metrics["budget"].get("inherited", {"passes": 0})
    _has(inherited, "passes")
    for spent in inherited.values():
        amount(spent)


def measures(value: Any) -> Mapping[str, Any]:
    """`Measures.to_json()`, with all that tables and summaries show of it."""
    for each in (value["tau"], value["tau_finite"], value["tau_top"]["0.1"], *value["tau_top"].values()):
        tau(each)
    for each in (value["regret"]["10"], *value["regret"].values()):
        _each_a_number(each, "mean")
    _each_a_number(value, "spearman")
    if value["decomposition"] is not None:
        decomposition(value["decomposition"])
    count(value["n_undefined"])
    _numbers("", value)
    return dict(value)


def tau(value: Any) -> Mapping[str, Any]:
    """`Tau.to_json()`."""
    count(value["n"])
    text(value["population"])
    _each_a_number(value, "value", "low", "high", "ceiling")
    _numbers("", value)
    return dict(value)


def decomposition(value: Any) -> Mapping[str, Any]:
    """`Decomposition.to_json()`; files of the first runs say nothing of the parts."""
    _each_a_number(value, "within", "across")
    for each in value.get("parts") or ():
        _number("parts", each)
    for each in value.get("sizes") or ():
        count(each)
    return dict(value)


def stages(value: Any) -> Mapping[str, Any]:
    """The content of provenance.json: what each stage took and where it ran, besides its schema and the hashes of the data."""
    for name, facts in value.items():
        if name not in ("schema", "data_sha256"):
            for fact, fits in FACTS.items():
                if facts.get(fact) is not None:
                    fits(facts[fact])
            texts({package: version for package, version in facts.get("packages", {}).items() if version is not None})
    return dict(value)


def _has(value: Any, *names: str) -> None:
    if missing := [name for name in names if name not in value]:
        raise KeyError(missing[0])


def _each_a_number(value: Any, *names: str) -> None:
    _has(value, *names)
    for name in names:
        _number(name, value[name])


def _number(name: str, value: Any) -> None:
    """TypeError for something else than a number and null."""
    if not (value is None or type(value) is float or (type(value) is int and abs(value) <= LARGEST)):
        raise TypeError(f"{name}={_shown(value)} is no number")


def _numbers(name: str, value: Any) -> None:
    """TypeError where something else than numbers and null is at the ends."""
    if isinstance(value, Mapping):
        for inner, each in value.items():
            _numbers(inner, each)
    elif isinstance(value, list):
        for each in value:
            _numbers(name, each)
    elif not (name in WORDS and isinstance(value, str)):
        _number(name, value)


def _shown(value: Any) -> str:
    return f"{str(value)[:60]!r}"
