"""What a run is: every field changes exactly the keys of the stages that read it, and bad values are refused."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import UsageError
from harness.presets import resolve
from harness.runs import spec as module
from harness.runs.run import Run
from harness.runs.spec import Estimation, Keys, Network, Recipe, RunSpec

SOURCES = {"sampler": "", "images": "i", "criterion": "c", "truth": "t"}
STAGES = ("partition", "weights", "estimates", "metrics")
# field -> (another value, the first stage that reads it); the stages after it build on it.
CHANGES: dict[str, tuple[Any, str]] = {
    "benchmark": ("nasbench201", "partition"),
    "dataset": ("cifar10", "partition"),
    "criterion": ("flops", "partition"),
    "k": (4, "partition"),
    "seed": (1, "partition"),
    "sampler": ("uniform", "weights"),
    "share": ("all", "weights"),
    "network.channels": (32, "weights"),
    "network.gamma": (4, "weights"),
    "network.cells": (3, "weights"),
    "network.copies": (4, "weights"),
    "network.thresholds": ((3,), "weights"),
    "recipe.passes": (10, "weights"),
    "recipe.batch": (32, "weights"),
    "recipe.lr": (0.05, "weights"),
    "recipe.lr_end": (0.01, "weights"),
    "recipe.momentum": (0.8, "weights"),
    "recipe.nesterov": (False, "weights"),
    "recipe.weight_decay": (1e-4, "weights"),
    "recipe.unsampled": ("moving", "weights"),
    "estimation.split": ("test", "estimates"),
    "estimation.images": (100, "estimates"),
    "estimation.batch": (128, "estimates"),
    "estimation.architectures": (800, "estimates"),
    "estimation.norm": ("recalibrated", "estimates"),
    "estimation.calibration": (64, "estimates"),
    "truth": ("v1_0/cifar10/test/200/full", "metrics"),
    "population": ("connected", "metrics"),
    "estimator": ("loss", "metrics"),
    "parent": (RunSpec(seed=1), "partition"),
    "start": ("restart", "weights"),
}
# What is changed, where the field means nothing without another.
BASES = {"start": RunSpec(parent=RunSpec()), "network.copies": RunSpec(share="mixture"),
         "network.thresholds": RunSpec(share="layers"),
         "estimation.calibration": RunSpec(estimation=Estimation(norm="recalibrated"))}


def leaves(value: Any, prefix: str = "") -> set[str]:
    """The dotted names of all fields."""
    names = set()
    for field in fields(value):
        inner = getattr(value, field.name)
        names |= leaves(inner, f"{prefix}{field.name}.") if is_dataclass(inner) else {prefix + field.name}
    return names


def base(name: str) -> RunSpec:
    return BASES.get(name, RunSpec())


def changed(name: str) -> RunSpec:
    spec = base(name)
    outer, _, inner = name.partition(".")
    value = CHANGES[name][0]
    return replace(spec, **{outer: replace(getattr(spec, outer), **{inner: value}) if inner else value})


def keys(spec: RunSpec) -> Keys:
    """The keys over made-up sources, of which the weights of a parent are one."""
    parent = {} if spec.parent is None else {"parent": keys(spec.parent).weights}
    return Keys.of(spec, {**SOURCES, **parent}, frozenset())


def differing(one: Keys, other: Keys) -> list[str]:
    return [stage for stage in STAGES if getattr(one, stage) != getattr(other, stage)]


def test_every_field_has_a_stage() -> None:
    assert leaves(RunSpec()) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_a_field_changes_the_stages_that_read_it_and_no_others(name: str) -> None:
    assert differing(keys(base(name)), keys(changed(name))) == list(STAGES[STAGES.index(CHANGES[name][1]):])


def test_no_two_changes_have_one_key() -> None:
    found = [keys(changed(name)).metrics for name in CHANGES]
    assert len(set(found)) == len(CHANGES)
    assert all(len(key) == 12 and set(key) <= set("0123456789abcdef") for key in found)


@pytest.mark.parametrize(("source", "needs", "architectures", "first"), [
    ("criterion", (), 0, "partition"), ("images", (), 0, "weights"), ("truth", (), 0, "metrics"),
    ("truth", (), 800, "estimates"), ("truth", ("truth",), 0, "partition"), ("images", ("network", "images"), 0, "partition")])
def test_data_change_the_stages_that_read_them(source: str, needs: tuple[str, ...], architectures: int, first: str) -> None:
    spec = RunSpec(estimation=Estimation(architectures=architectures))
    before, after = (Keys.of(spec, sources, frozenset(needs)) for sources in (SOURCES, {**SOURCES, source: "other"}))
    assert differing(before, after) == list(STAGES[STAGES.index(first):])


@pytest.mark.parametrize("stage", STAGES)
def test_a_new_version_of_a_stage_is_computed_anew(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Keys.of(RunSpec(), SOURCES, frozenset())
    monkeypatch.setitem(module.STAGE_VERSIONS, stage, 99)
    assert differing(before, Keys.of(RunSpec(), SOURCES, frozenset())) == list(STAGES[STAGES.index(stage):])


SPECS = st.builds(
    RunSpec, k=st.integers(1, 20), seed=st.integers(0, 2**63), share=st.sampled_from(["part", "all"]),
    criterion=st.text(min_size=1), network=st.builds(Network, st.just(16), st.sampled_from([1, 2, 4]), st.integers(1, 5)),
    recipe=st.builds(Recipe, st.integers(1, 10**7), st.integers(2, 512), st.floats(0.01, 10), st.floats(0, 0.01),
                     st.floats(0, 0.99), st.booleans(), st.floats(0, 1)),
    estimation=st.builds(Estimation, st.sampled_from(["valid", "test"]), st.integers(0, 5000), st.integers(2, 512),
                         st.integers(0, 1000)))


@given(SPECS)
def test_a_spec_survives_json(spec: RunSpec) -> None:
    again = RunSpec.from_dict(json.loads(json.dumps(spec.as_dict())))
    assert again == spec
    assert Keys.of(again, SOURCES, frozenset()) == Keys.of(spec, SOURCES, frozenset())


def test_lists_of_thresholds_are_tuples() -> None:
    spec = resolve({"share": "layers", "network": {"thresholds": [2, 5]}})
    assert spec.network.thresholds == (2, 5)
    assert RunSpec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec
    with pytest.raises(UsageError, match=r"'network.thresholds' takes a list of whole numbers such as \[15,20\], not '15'"):
        resolve({"share": "layers", "network": {"thresholds": "15"}})


def test_whole_numbers_and_floats_are_one_spec() -> None:
    whole, floats = RunSpec(recipe=Recipe(lr=1, lr_end=0)), RunSpec(recipe=Recipe(lr=1.0, lr_end=0.0))
    assert Keys.of(whole, SOURCES, frozenset()) == Keys.of(floats, SOURCES, frozenset())


def test_channels_are_divided_by_gamma_and_parts_counted_as_supernets() -> None:
    spec = RunSpec(benchmark="nasbench201", dataset="cifar10", network=Network(16, 2, 5))
    assert (spec.skeleton.channels, spec.skeleton.cells, spec.skeleton.image_size) == (8, 5, 32)
    assert (spec.supernets(3), replace(spec, share="all").supernets(3)) == (3, 1)


@pytest.mark.parametrize(("kind", "values", "says"), [
    (Network, {"gamma": 3}, "cannot be divided by gamma=3"), (Network, {"gamma": 0}, "gamma=0"),
    (Network, {"channels": 0}, "network.channels=0"), (Network, {"cells": 0}, "leaves no cell"),
    (Network, {"copies": -1}, "leaves no weight"), (Network, {"thresholds": (20, 15)}, "do not ascend"),
    (Network, {"thresholds": [3, 3]}, "do not ascend"), (Network, {"thresholds": (-1, 3)}, "do not ascend"),
    (RunSpec, {"network": Network(copies=2)}, "network.copies=2 means nothing with share=part"),
    (RunSpec, {"network": Network(thresholds=(3,)), "share": "mixture"}, "choose --share layers"),
    (Recipe, {"passes": 0}, "train nothing"), (Recipe, {"batch": 1}, "needs two images"),
    (Recipe, {"lr": 0.0}, "lr=0.0"), (Recipe, {"lr": float("nan")}, "lr=nan"), (Recipe, {"lr": float("inf")}, "lr=inf"),
    (Recipe, {"lr_end": 0.2}, "lr_end=0.2"), (Recipe, {"momentum": 1.0}, "momentum=1.0"),
    (Recipe, {"weight_decay": -1.0}, "weight_decay=-1.0"), (Recipe, {"weight_decay": float("nan")}, "weight_decay=nan"),
    (Estimation, {"split": "train"}, "choose valid or test"), (Estimation, {"batch": 1}, "batch=1"),
    (Estimation, {"norm": "running"}, "choose norm=batch or"),
    (Estimation, {"norm": "recalibrated", "calibration": 1}, "2 or more"),
    (Estimation, {"calibration": 64}, "means nothing with norm=batch"), (Estimation, {"images": -1}, "images=-1"),
    (Estimation, {"architectures": -1}, "architectures=-1"),
    (RunSpec, {"share": "none"}, "Unknown share 'none'"), (RunSpec, {"k": 0}, "k=0 makes no part")])
def test_values_that_cannot_be_are_refused(kind: type, values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        kind(**values)


def test_published_runs_keep_their_keys() -> None:
    published = sorted((Path(__file__).parents[1] / "results/published/digits201-controls").glob("*/spec.json"))
    assert len(published) >= 18
    for path in published:
        content = json.loads(path.read_text())
        found = Run.prepare(RunSpec.from_dict(content["spec"])).keys
        assert found.weights == content["key"], path.parent.name
        assert (path.parent / f"metrics-{found.metrics}.json").exists()


def test_ranks_have_a_version_and_columns_of_the_estimates_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [RunSpec(estimator=estimator) for estimator in ("accuracy", "loss", "angle", "params", "accuracy+params")]
    before = [keys(spec) for spec in specs]
    monkeypatch.setattr(module, "RANKED_VERSION", 99)
    changed = [differing(one, keys(spec)) for one, spec in zip(before, specs, strict=True)]
    assert changed == [[], [], [], ["metrics"], ["metrics"]]
