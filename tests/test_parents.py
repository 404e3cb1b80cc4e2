"""Runs that begin from a trained parent: what they inherit, what they divide, what all of it cost, and what is done only once."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.benchmark import benchmark
from benchmarks.cost import Skeleton, supernet_params, unused_params
from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import nasbench201
from criteria import Context, criteria, partition
from criteria.mask import Mask
from criteria.matching import GradientMatching
from criteria.tree import masks_of
from harness.presets import resolve
from harness.progress import silent
from harness.report.summary import budget_line
from harness.runs import forecast as forecast_module
from harness.runs.generation import Generation
from harness.runs.run import Run
from harness.runs.runner import execute, prepared, train
from harness.runs.spec import Network, RunSpec
from harness.runs.stages import budget_of
from harness.scoring.laboratory import Laboratory
from harness.scoring.probe import Cell, batch
from harness.scoring.world import Machine
from harness.store import sole_writer
from harness.training import train as train_module
from harness.training.checkpoint import read_tensors
from harness.training.task import Task

SPACE = nasbench201()
HERE = Machine("cpu", 1)
TINY = {"network": {"channels": 4, "gamma": 1, "cells": 1}, "recipe": {"passes": 60, "batch": 16},
        "estimation": {"images": 32, "batch": 32, "architectures": 10}}
FS = resolve({"preset": "fs-nas", **TINY})
GM = resolve({"preset": "gm-nas", **TINY, "criterion": "gradient_matching[levels=2,batches=1,batch=16]",
              "parent": {"criterion": "gradient_matching[levels=1,batches=1,batch=16]"}})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_module, "TRIAL_SECONDS", 0.0)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results in which FS is finished and GM has its parts."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecast_module, "TRIAL_SECONDS", 0.0)
        patch.setenv("HARNESS_RESULTS", str(folder))
        torch.set_num_threads(1)
        execute(Run.prepare(FS), HERE, silent())
        prepared(Run.prepare(GM), HERE, silent())
    return folder


@pytest.fixture
def there(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same results, to be read only."""
    monkeypatch.setenv("HARNESS_RESULTS", str(home))
    return home


def contents(home: Path) -> dict[str, bytes]:
    """Every result file of all runs, by relative path."""
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*"))
            if path.is_file() and path.name not in ("provenance.json", ".lock")}


def generation_of(spec: RunSpec) -> Generation:
    return prepared(Run.prepare(spec), HERE, silent())


def trained(spec: RunSpec) -> Generation:
    run = Run.prepare(spec)
    generation = prepared(run, HERE, silent())
    train(run, generation, HERE, silent())
    return generation


def weights(task: Task) -> dict[str, torch.Tensor]:
    return read_tensors(task.weights, task.about)[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- presets


@pytest.mark.parametrize(("name", "expected"), [
    ("fs-nas", [("none", 1, "uniform", "inherit", 600), ("edge", 5, "sbs", "inherit", 1500)]),
    ("gm-nas", [("none", 1, "uniform", "inherit", 20), ("gradient_matching[levels=1]", 2, "sbs", "inherit", 40),
                ("gradient_matching", 4, "sbs", "restart", 200)]),
    ("gm-nas-8", [("none", 1, "uniform", "inherit", 20), ("gradient_matching[levels=1]", 2, "sbs", "inherit", 40),
                  ("gradient_matching", 4, "sbs", "inherit", 80), ("gradient_matching[levels=3]", 8, "sbs", "restart", 400)])])
@pytest.mark.parametrize("budget", ["smoke", "cpu", "full"])
def test_the_passes_of_a_budget_are_divided_by_the_epochs_of_the_paper(name: str, expected: list[Any], budget: str) -> None:
    spec: RunSpec | None = resolve({"preset": name, "budget": budget})
    assert spec is not None
    total = resolve({"preset": "spos", "budget": budget}).recipe.passes
    assert spec.passes == total
    whole = sum(epochs for *_, epochs in expected)
    for criterion, k, sampler, start, epochs in reversed(expected):
        assert spec is not None
        assert (spec.criterion, spec.k, spec.sampler, spec.start) == (criterion, k, sampler, start)
        assert spec.recipe.passes == pytest.approx(total * epochs / whole, abs=1)
        spec = spec.parent
    assert spec is None


def test_what_a_parent_does_not_say_is_as_in_its_child() -> None:
    spec = resolve({"preset": "fs-nas", "seed": 3, "criterion": "edge[edge=3]", "recipe": {"lr": 0.3}, "parent": {"k": 1}})
    assert spec.parent is not None
    assert (spec.criterion, spec.parent.criterion) == ("edge[edge=3]", "none")
    assert (spec.parent.seed, spec.parent.recipe.lr, spec.parent.network) == (3, 0.3, spec.network)
    with pytest.raises(UsageError, match=r"its passes are its `portion`"):
        resolve({"preset": "fs-nas", "parent": {"recipe": {"passes": 3}}})
    with pytest.raises(UsageError, match="'portion' takes a number above 0"):
        resolve({"preset": "fs-nas", "portion": 0})


def test_a_spec_with_ancestors_survives_json() -> None:
    assert RunSpec.from_dict(json.loads(json.dumps(GM.as_dict()))) == GM


@pytest.mark.parametrize(("fields", "says"), [
    ({"start": "restart"}, "a run without a parent"), ({"start": "warm"}, "Unknown start 'warm'"),
    ({"parent": RunSpec(network=Network(16, 4))}, "Weights cannot pass"),
    ({"parent": RunSpec(benchmark="nasbench201", dataset="cifar10")}, "cannot begin from one on cifar10"),
    ({"parent": RunSpec(share="mixture")}, "share=part or all|share=all or part")])
def test_what_cannot_be_inherited(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RunSpec(**fields)


@pytest.mark.parametrize("fields", [{"share": "mixture"}, {"share": "layers"}, {"parent": RunSpec(share="mixture")}])
def test_where_no_weights_pass_only_the_data_must_agree(fields: dict[str, Any]) -> None:
    spec = RunSpec(**{"parent": RunSpec(network=Network(16, 4)), "start": "restart", **fields})
    assert RunSpec.from_dict(spec.as_dict()) == spec
    with pytest.raises(UsageError, match="cannot begin from one on cifar10"):
        replace(spec, parent=RunSpec(benchmark="nasbench201", dataset="cifar10"))


# ---- weights


def test_every_supernet_begins_with_the_bits_of_its_parent_s_weights(there: Path) -> None:
    generation = generation_of(FS)
    assert generation.parent is not None
    (root,) = generation.parent.tasks
    assert len(generation.tasks) == 5
    for task in generation.tasks:
        assert same(dict(task.begun().state_dict()), weights(root))
        assert not same(weights(task), weights(root))
        # What is measured from the initialisation is measured from that of the root.
        assert same(dict(task.network().state_dict()), dict(root.network().state_dict()))


def test_each_part_begins_with_the_supernet_that_held_it_or_afresh(there: Path) -> None:
    """A parent of several supernets, from which the parts are divided further by its own networks."""
    generation = generation_of(replace(GM, start="inherit"))
    assert generation.parent is not None
    assert [task.parent and task.parent.supernet for task in generation.tasks] == [0, 0, 1, 1]
    for part, task in enumerate(generation.tasks):
        assert task.parent is not None
        assert set(generation.partition.members(part)) < set(generation.parent.partition.members(task.parent.supernet))
        assert same(dict(task.begun().state_dict()), weights(task.parent))
    fresh = generation_of(GM)
    np.testing.assert_array_equal(fresh.partition.label, generation.partition.label)
    assert fresh.tasks[0].parent is None
    assert fresh.parent is not None
    assert fresh.parent.parent is not None
    assert not same(dict(fresh.tasks[0].begun().state_dict()), dict(fresh.parent.parent.tasks[0].network().state_dict()))


def test_a_child_sees_images_and_draws_in_another_order_than_its_parent() -> None:
    assert GM.parent is not None
    assert GM.parent.parent is not None
    assert GM.parent.parent.stream == GM.seed
    assert len({GM.stream, GM.parent.stream, GM.seed, replace(GM, seed=1).stream}) == 4


def test_parts_that_no_supernet_of_the_parent_holds_are_refused_before_any_training(results_home: Path) -> None:
    spec = replace(FS, criterion="nonlinear", k=3, parent=replace(FS, parent=None))
    with pytest.raises(UsageError, match=r"Of the 5 supernets of edge-k5-.* none holds all"):
        execute(Run.prepare(spec), HERE, silent())
    with pytest.raises(UsageError, match=r"'edge' fixes its number of parts"):
        Run.prepare(replace(FS, k=3))
    assert not results_home.exists()


# ---- gradient matching


def test_a_part_is_divided_by_what_its_own_trained_supernet_says(there: Path, tmp_path: Path) -> None:
    assert GM.parent is not None
    parent = generation_of(GM.parent)
    laboratory = Laboratory("digits201", "digits", jobs=1, home=tmp_path, parent=parent)
    matching = criteria.get("gradient_matching[batches=1,batch=16]")
    assert isinstance(matching, GradientMatching)
    for part, mask in enumerate(masks_of(parent.partition, SPACE)):
        edge = next(edge for edge, ops in enumerate(mask.allowed) if len(ops) == 5)
        alike = laboratory.match(matching, mask, edge)
        network = parent.tasks[part].network()
        network.load_state_dict(weights(parent.tasks[part]))
        plain = OnlyPath(mask, edge)
        expected = matching.alike([Cell(network, code) if SPACE.live_edges(code[None]).any() else None for code in plain.codes],
                                  edge, *batch("digits", 16, 0, "cpu"))
        np.testing.assert_array_equal(alike, expected)
        named = replace(matching, supernet=str(parent.tasks[0].folder))
        other = Laboratory("digits201", "digits", jobs=1, home=tmp_path / "named")
        np.testing.assert_array_equal(other.match(named, mask, edge), alike)
    with pytest.raises(UsageError, match=r"Of the 2 supernets of gradient_matching-.* none holds all"):
        laboratory.match(matching, Mask.whole(SPACE), 0)
    context = Context(SPACE, Skeleton(), laboratory=laboratory, parent=partition("edge", Context(SPACE, Skeleton())))
    with pytest.raises(UsageError, match="the parent's 5 parts cannot be divided by two until they are 4"):
        partition(matching, context)
    with pytest.raises(UsageError, match=r"the parent's part '0\.\.1' is no product of operations"):
        partition(matching, replace(context, parent=partition("nonlinear", Context(SPACE, Skeleton()), 3)))


@pytest.mark.parametrize("given", ["channels=8", "cells=2", "init=normal", "supernet=some-run"])
def test_which_networks_to_ask_is_not_said_beside_a_parent(given: str, there: Path, tmp_path: Path) -> None:
    text = f"gradient_matching[batches=1,batch=16,{given}]"
    says = rf"gradient_matching\[{given}\] means nothing in a run with a parent.* leave {given.partition('=')[0]} out"
    assert GM.parent is not None
    laboratory = Laboratory("digits201", "digits", jobs=1, home=tmp_path, parent=generation_of(GM.parent))
    with pytest.raises(UsageError, match=says):
        laboratory.match(criteria.get(text), Mask.whole(SPACE), 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="asks another run" if "supernet" in given else says):
        Run.prepare(replace(GM, criterion=text))


def test_a_parent_whose_weights_are_mixed_is_not_asked_for_gradients() -> None:
    assert GM.parent is not None
    with pytest.raises(UsageError, match="cannot ask a parent trained with share=mixture; let the parent have share=all or part"):
        Run.prepare(replace(GM, parent=replace(GM.parent, share="mixture", parent=None)))


class OnlyPath:
    """The codes that the first batch compares: those of one drawn path, with each operation on the edge."""

    def __init__(self, mask: Mask, edge: int) -> None:
        paths = np.flatnonzero(mask.holds(SPACE.codes) & SPACE.connected)
        path = SPACE.codes[np.random.default_rng(derive(0, "probe", "path", 0)).choice(paths)]
        self.codes = np.array([[*path[:edge], op, *path[edge + 1:]] for op in mask.allowed[edge]], dtype=np.uint8)


# ---- what it costs


def test_the_budget_counts_every_generation_once(home: Path, results_home: Path) -> None:
    shutil.copytree(home, results_home)
    metrics = execute(Run.prepare(FS), HERE, silent())
    budget = metrics["budget"]
    assert FS.parent is not None
    steps = round(FS.recipe.passes / 5)
    assert budget["inherited"]["passes"] == FS.parent.recipe.passes == 17
    assert budget["passes"] == 17 + 5 * steps
    assert budget["images"] == 16 * budget["passes"]
    assert 0 < budget["inherited"]["flops"] < budget["flops"]
    assert f"{budget['passes']} subnet passes (of which 17 inherited)" in budget_line(budget)
    before = contents(results_home)
    # Another child has the same parent, and the parent itself only lacks its estimates.
    other = replace(FS, recipe=replace(FS.recipe, passes=5))
    assert budget_of(trained(other))["inherited"] == budget["inherited"]
    alone = execute(Run.prepare(FS.parent), HERE, silent())
    assert "inherited" not in alone["budget"]
    assert {name: alone["budget"][name] for name in budget["inherited"]} == budget["inherited"]
    after = contents(results_home)
    assert {name: after[name] for name in before} == before
    assert len(list(results_home.glob("edge-k5-*"))) == 2
    assert len(list(results_home.glob("none-k1-*"))) == 2  # that of FS and that of GM


def test_parameters_of_fs_nas_and_gm_nas_as_audited() -> None:
    """fewshot.md, 4.5 and section 7."""
    whole = supernet_params(SPACE, Skeleton())
    parts = partition("edge", Context(SPACE, Skeleton()))
    used = [whole - unused_params(SPACE, Skeleton(), SPACE.codes[parts.members(part)]) for part in range(5)]
    assert used == [1_416_762, 1_416_762, 1_443_642, 1_658_682, 1_416_762]
    assert (5 * whole, sum(used), 8 * whole) == (8_427_810, 7_352_610, 13_484_496)


def test_a_budget_gives_complete_supernets_and_what_their_parts_use(there: Path) -> None:
    skeleton = replace(benchmark("digits201").skeleton_for("digits"), channels=4, cells=1)
    budget = budget_of(generation_of(FS))
    assert budget["parameters"] == 5 * supernet_params(SPACE, skeleton)
    # Four of the five parts lack the 1x1 convolution on one edge, and four the 3x3.
    assert budget["parameters"] - budget["parameters_used"] == 4 * (1 + 9) * sum(c * c for c in skeleton.widths)


# ---- kills and company


class Stop(Exception):
    """What interrupts a training here."""


def test_a_chain_that_is_stopped_anywhere_ends_with_the_same_bytes(
        home: Path, results_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "CHECKPOINT_SHARE", 0.5)
    write: Callable[..., None] = train_module.write_tensors
    left = 0

    def interrupted(*args: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Stop
        write(*args)

    monkeypatch.setattr(train_module, "write_tensors", interrupted)
    assert GM.parent is not None
    stops, done = 0, False
    while not done:
        left = 3
        try:
            done = trained(GM.parent).trained
        except Stop:
            stops += 1
    assert stops >= 4
    found, expected = contents(results_home), contents(home)
    assert sum(Path(name).name.startswith("supernet-") for name in found) == 3
    assert found == {name: expected[name] for name in found}


def test_a_parent_that_another_process_trains_is_waited_for(results_home: Path) -> None:
    assert FS.parent is not None
    parent = Run.prepare(FS.parent)
    held, done = Event(), Event()

    def hold() -> None:
        with sole_writer(parent.folder):
            held.set()
            time.sleep(0.3)
            done.set()

    Thread(target=hold).start()
    held.wait()
    generation = prepared(parent, HERE, silent())
    train(parent, generation, HERE, silent())
    assert done.is_set()
    assert generation.trained
