"""From flags, files, presets and budgets to one RunSpec: flags beat the config file, which beats the budget, then the preset."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import ceil, inf
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from benchmarks.suggestion import suggestion
from criteria.registry import criteria
from harness.estimation.estimators import estimator_text
from harness.runs.spec import Estimation, Network, Recipe, RunSpec
from harness.training.sampling import samplers

FOLDER = Path(__file__).parent
BUDGETS = ("smoke", "cpu", "full")
DEFAULT_PRESET, DEFAULT_BUDGET, DEFAULT_BENCHMARK = "efs-nas", "smoke", "digits201"
# Short names of fields, which flags have.
FIELD_OF = {"gamma": "network.gamma", "cells": "network.cells", "images": "estimation.split", "norm": "estimation.norm"}
SECTIONS = {"network": Network, "recipe": Recipe, "estimation": Estimation}

Fields = dict[str, Any]


def preset_names() -> tuple[str, ...]:
    """The presets that come with the harness."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != "budgets"))


def preset(name: str) -> Fields:
    """The fields that a preset sets, and its summary; UsageError when there is none of that name."""
    if name not in preset_names():
        hint = suggestion(name, preset_names()) or ";"
        raise UsageError(f"Unknown preset '{name}'{hint} choose one of {', '.join(preset_names())}.")
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def budget(benchmark_name: str, name: str) -> Fields:
    """The fields that a budget sets on a benchmark; UsageError when there is none of that name."""
    if name not in BUDGETS:
        raise UsageError(f"Unknown budget '{name}'{suggestion(name, BUDGETS) or ';'} choose one of {', '.join(BUDGETS)}.")
    found: Fields = tomllib.loads((FOLDER / "budgets.toml").read_text())[benchmark_name][name]
    return found


def read_config(path: Path) -> Fields:
    """The fields of a TOML file; UsageError when it cannot be read or names something that is no field."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"Cannot read the config file {path} ({error.strerror}); check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML file ({error}); correct it.") from error
    return content


def assignment(text: str) -> Fields:
    """The fields of `--set a.b=value`; the value is read as TOML, or as text where it is none."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set takes field=value, such as recipe.lr=0.05, not '{text}'.")
    try:
        found = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value
    for part in reversed(name.strip().split(".")):
        found = {part: found}
    return dict(found)


def resolve(*layers: Mapping[str, Any]) -> RunSpec:
    """The spec that these fields make, later layers beating earlier ones, over preset and budget.

    Raises UsageError for unknown names, wrong types and values that cannot be.
    """
    given: Fields = {}
    for layer in layers:
        given = merge(given, layer)
    bench = benchmark(str(given.get("benchmark", DEFAULT_BENCHMARK)))
    dataset = bench.check_dataset(str(given.get("dataset", bench.datasets[0])))
    method = preset(str(given.pop("preset", DEFAULT_PRESET)))
    del method["summary"]
    below = merge(method, budget(bench.name, str(given.pop("budget", DEFAULT_BUDGET))))
    wanted: Fields = {"benchmark": bench.name, "dataset": dataset, "truth": bench.truth_for(dataset), **merge(below, given)}
    spec: RunSpec | None = None
    portions: list[float] = []
    for each in generations(wanted, "k" in given):
        portions.append(portion(each.pop("portion", 1)))
        spec = build(each, spec)
    assert spec is not None
    if spec.recipe.passes * min(portions) < sum(portions):
        said, least = ", ".join(f"{each:g}" for each in portions), ceil(sum(portions) / min(portions))
        raise UsageError(f"recipe.passes={spec.recipe.passes} cannot be divided between {len(portions)} generations with "
                         f"portions of {said}; set it to {least} or more.")
    return divided(spec, portions, spec.recipe.passes)


def generations(wanted: Fields, k_given: bool) -> list[Fields]:
    """The fields of a run's ancestors, the oldest first, and its own.

    What a section [parent] does not say is as in its child, but for `start` and `portion`.
    """
    own = dict(wanted)
    parent = own.pop("parent", None)
    criterion = criteria.get(str(own["criterion"]))
    own["criterion"] = criteria.text(criterion)
    own["sampler"] = samplers.text(samplers.get(str(own["sampler"])))
    own["estimator"] = estimator_text(str(own.get("estimator", RunSpec.estimator)))
    if criterion.fixed_k is not None and not k_given:
        own["k"] = criterion.fixed_k
    if parent is None:
        return [own]
    for section, kind in SECTIONS.items() if isinstance(parent, Mapping) else ():
        if not isinstance(parent.get(section, {}), Mapping):
            raise UsageError(f"'parent.{section}' is a section of a run, not a value; set its fields, such as parent.{section}."
                             f"{fields(kind)[1].name}=....")
    if not isinstance(parent, Mapping) or {"passes", "epochs"} & set(parent.get("recipe", {})):
        raise UsageError("'parent' is a section with fields of a run, such as parent.criterion=none, but its passes are its "
                         "`portion` of recipe.passes; set parent.portion.")
    older = merge({name: value for name, value in own.items() if name not in ("start", "portion")}, parent)
    return [*generations(older, "k" in parent), own]


def portion(value: Any) -> float:
    """How much of the passes a generation takes, relative to the others."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < inf:
        raise UsageError(f"'portion' takes a number above 0, not {value!r}.")
    return float(value)


def divided(spec: RunSpec, portions: Sequence[float], passes: int) -> RunSpec:
    """The spec with these passes divided between its ancestors and itself, by portions, the oldest first."""
    before = 0
    if spec.parent is not None:
        before = round(passes * sum(portions[:-1]) / sum(portions))
        spec = replace(spec, parent=divided(spec.parent, portions[:-1], before))
    return replace(spec, recipe=replace(spec.recipe, passes=passes - before))


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> Fields:
    """`low` with the fields of `high` over it, section by section."""
    both = dict(low)
    for name, value in high.items():
        old = both.get(name)
        both[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    if "passes" in high and "epochs" not in high:  # two ways to say how long: the higher layer's counts
        both.pop("epochs", None)
    return both


def build(wanted: Fields, parent: RunSpec | None = None) -> RunSpec:
    """The spec of these fields, each checked against the spec's own fields and types."""
    made = {name: typed(name, value, RunSpec, "") for name, value in wanted.items() if name not in SECTIONS}
    for section, kind in SECTIONS.items():
        values = wanted.get(section, {})
        if not isinstance(values, Mapping):
            raise UsageError(f"'{section}' is a section of a run, not a value; set its fields, such as {section}."
                             f"{fields(kind)[0].name}=....")
        made[section] = kind(**{name: typed(name, value, kind, f"{section}.") for name, value in values.items()
                                if (section, name) != ("recipe", "epochs")})
    spec, epochs = RunSpec(**made, parent=parent), wanted.get("recipe", {}).get("epochs")
    return spec if epochs is None else with_epochs(spec, epochs)


def with_epochs(spec: RunSpec, epochs: object) -> RunSpec:
    """The spec with as many passes as make that many epochs of the training images."""
    from benchmarks.images import load_images

    if isinstance(epochs, bool) or not isinstance(epochs, int | float) or not 0 < epochs < inf:
        raise UsageError(f"'recipe.epochs' takes a number above 0, not {epochs!r}.")
    n_train = len(load_images(spec.dataset).train)
    # One pass of every part at each batch, whatever the sampler: samplers are compared at equal passes.
    passes = round(epochs * n_train / spec.recipe.batch) * spec.k
    return replace(spec, recipe=replace(spec.recipe, passes=passes))


def typed(name: str, value: Any, kind: type, prefix: str) -> Any:
    """The value, if the field exists and takes values of its type; UsageError otherwise."""
    types = get_type_hints(kind)
    if name not in types:
        known = [prefix + field for field in types]
        raise UsageError(f"A run has no field '{prefix}{name}'{suggestion(prefix + name, known) or ';'} its fields are "
                         f"{', '.join(known)}.")
    wanted = types[name]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(wanted) is tuple:
        if not isinstance(value, list | tuple) or not all(type(each) is int for each in value):
            raise UsageError(f"'{prefix}{name}' takes a list of whole numbers such as [15,20], not {value!r}.")
        return tuple(value)
    if not isinstance(value, wanted) or isinstance(value, bool) != (wanted is bool):
        raise UsageError(f"'{prefix}{name}' takes {wanted.__name__}, not {value!r}.")
    return value
