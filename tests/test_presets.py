"""The presets are what their papers say, one by one: recipe, network, sampler and sharing, and their parameters as audited."""

from dataclasses import asdict
from typing import Any

import pytest

from benchmarks.errors import UsageError
from harness.presets import preset_names, resolve
from harness.runs.spec import RunSpec

# In passes, since epochs need the images at hand.
FULL = {"benchmark": "nasbench201", "budget": "full", "recipe": {"passes": 546_000}}
# specs of the papers and of their code: lr, lr_end, weight decay, Nesterov, what becomes of weights that a step did not sample.
RSPS = (0.025, 0.001, 5e-4, True, "moving")
SPLIT = (0.025, 0.001, 1e-4, True, "moving")
METHODS: dict[str, tuple[Any, ...]] = {
    #                     criterion, k, sampler, share, gamma, copies, estimator, start, recipe
    "spos":              ("none", 1, "uniform", "part", 1, 0, "accuracy", "inherit", RSPS),
    "angle":             ("none", 1, "uniform", "part", 1, 0, "angle", "inherit", (*RSPS[:4], "frozen")),
    "fairnas":           ("none", 1, "strict", "part", 1, 0, "accuracy", "inherit", RSPS),
    "greedynas":         ("none", 1, "greedy", "part", 1, 0, "accuracy", "inherit", RSPS),
    "one-shot-balanced": ("nonlinear", 3, "balanced", "all", 1, 0, "accuracy", "inherit", RSPS),
    "one-shot-narrow":   ("nonlinear", 3, "balanced", "all", 4, 0, "accuracy", "inherit", RSPS),
    "k-shot":            ("none", 1, "uniform", "mixture", 1, 8, "accuracy", "inherit", (0.12, 0.0, 4e-5, True, "moving")),
    "fs-nas":            ("edge", 5, "sbs", "part", 1, 0, "accuracy", "inherit", SPLIT),
    "gm-nas":            ("gradient_matching", 4, "sbs", "part", 1, 0, "accuracy", "restart", SPLIT),
    "gm-nas-8":          ("gradient_matching[levels=3]", 8, "sbs", "part", 1, 0, "accuracy", "restart", SPLIT),
    "metric-tree":       ("metric_tree", 8, "sbs", "part", 1, 0, "accuracy", "inherit", SPLIT),
    "efs-nas":           ("nonlinear", 3, "sbs", "part", 2, 0, "accuracy", "inherit", (0.12, 0.0, 4e-5, False, "moving")),
    "efs-nas-code":      ("nonlinear", 3, "balanced", "part", 2, 0, "accuracy", "inherit", RSPS),
    "efs-nas-layers":    ("nonlinear", 3, "balanced", "layers", 2, 0, "accuracy", "inherit", RSPS),
}
# (criterion, k, sampler, share of the passes before it) of the ancestors, the oldest first.
ANCESTORS = {
    "fs-nas": [("none", 1, "uniform", 600 / 2100)],
    "gm-nas": [("none", 1, "uniform", 20 / 260), ("gradient_matching[levels=1]", 2, "sbs", 40 / 260)],
    "gm-nas-8": [("none", 1, "uniform", 20 / 540), ("gradient_matching[levels=1]", 2, "sbs", 40 / 540),
                 ("gradient_matching", 4, "sbs", 80 / 540)],
}
# fewshot.md, section 7: of all supernets together, complete.
PARAMETERS = {"spos": 1_685_562, "angle": 1_685_562, "fs-nas": 8_427_810, "gm-nas": 6_742_248, "gm-nas-8": 13_484_496,
              "k-shot": 13_484_496 + 3_908, "efs-nas": 1_264_998, "one-shot-balanced": 1_685_562, "one-shot-narrow": 164_845,
              "metric-tree": 13_484_496}


def full(name: str, **given: Any) -> RunSpec:
    return resolve({**FULL, "preset": name, **given})


def test_every_preset_is_written_down_here() -> None:
    assert set(METHODS) == set(preset_names())


@pytest.mark.parametrize("name", METHODS)
def test_a_preset_is_the_method_of_its_paper(name: str) -> None:
    spec = full(name)
    recipe, network = spec.recipe, spec.network
    assert (spec.criterion, spec.k, spec.sampler, spec.share, network.gamma, network.copies, spec.estimator, spec.start,
            (recipe.lr, recipe.lr_end, recipe.weight_decay, recipe.nesterov, recipe.unsampled)) == METHODS[name]
    assert (network.channels // network.gamma, network.cells) == (5 if name == "one-shot-narrow" else 16 // network.gamma, 5)
    assert (recipe.momentum, recipe.batch) == (0.9, 64)
    assert (spec.parent is not None) == (name in ANCESTORS)


@pytest.mark.parametrize("name", ANCESTORS)
def test_ancestors_have_the_recipe_and_their_portion_of_the_passes(name: str) -> None:
    spec = full(name)
    found, ancestor = [], spec.parent
    while ancestor is not None:
        found.append((ancestor.criterion, ancestor.k, ancestor.sampler, ancestor.recipe.passes / spec.passes))
        assert {**asdict(ancestor.recipe), "passes": 0} == {**asdict(spec.recipe), "passes": 0}
        assert (ancestor.network, ancestor.start, ancestor.share) == (spec.network, "inherit", "part")
        ancestor = ancestor.parent
    wanted = ANCESTORS[name]
    assert [each[:3] for each in found[::-1]] == [each[:3] for each in wanted]
    assert [each[3] for each in found[::-1]] == pytest.approx([each[3] for each in wanted], abs=1e-4)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_audited_ones(name: str) -> None:
    spec = full(name)
    assert spec.parameters(spec.k) == PARAMETERS[name]


@pytest.mark.parametrize(("k", "parameters"), [(2, 843_332), (3, 1_264_998), (4, 1_686_664)])
def test_parameters_of_efs_nas_by_the_number_of_parts(k: int, parameters: int) -> None:
    assert full("efs-nas", k=k).parameters(k) == parameters


def test_passes_that_leave_a_generation_without_any_are_refused_in_the_user_s_number() -> None:
    with pytest.raises(UsageError, match=r"=12 cannot be divided between 4 .* of 20, 40, 80, 400; set it to 27 or"):
        resolve({"preset": "gm-nas-8", "recipe": {"passes": 12}})
    spec = resolve({"preset": "gm-nas-8", "recipe": {"passes": 27}})
    assert spec.passes == 27


def test_what_a_preset_set_can_be_taken_back() -> None:
    with pytest.raises(UsageError, match=r"say --set network\.copies=0, or choose --share mixture"):
        resolve({"preset": "k-shot", "share": "all"})
    assert resolve({"preset": "k-shot", "share": "all", "network": {"copies": 0}}).share == "all"


@pytest.mark.parametrize("name", METHODS)
def test_a_preset_fits_every_budget(name: str) -> None:
    for bench in ("digits201", "nasbench201"):
        for budget in ("smoke", "cpu"):
            spec = resolve({"preset": name, "benchmark": bench, "budget": budget})
            assert spec.network.channels // spec.network.gamma >= 2
            assert spec.passes == {"digits201": {"smoke": 6_000, "cpu": 36_000}, "nasbench201": {"smoke": 600, "cpu": 60_000}}[
                bench][budget]
