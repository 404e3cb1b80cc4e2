"""Training: whatever interrupts it, however many processes share it, the same bytes; and exactly the steps that were planned."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.cost import Skeleton, flops
from benchmarks.errors import DataError, RunError
from benchmarks.images import load_images
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, criteria, partition
from harness.progress import silent
from harness.runs.run import Run
from harness.runs.runner import execute
from harness.runs.spec import UNSAMPLED, Estimation, Keys, Network, Recipe, RunSpec
from harness.scoring.world import Machine
from harness.training import train as module
from harness.training.batches import Batches
from harness.training.sampling import Pool, samplers
from harness.training.task import Task
from harness.training.train import learning_rate, train

SPACE = nasbench201()
TINY = RunSpec(network=Network(2, 1, 1), recipe=Recipe(passes=15, batch=16))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, and a report at every step."""
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "REPORT_SECONDS", -1.0)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.of(partition("nonlinear", Context(SPACE, Skeleton()), 3), SPACE)


def task(pool: Pool, folder: Path, spec: RunSpec = TINY, supernet: int = 0, key: str = "k") -> Task:
    return Task(spec, supernet, pool, folder, key, "cpu")


def quiet(supernet: int, step: int, steps: int, loss: float) -> None:
    """A report that nobody reads."""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the record of who ran it and the lock."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("provenance.json", ".lock")}


class Stop(Exception):
    """What interrupts a training here."""


class Interruption:
    """Raises Stop at the event number `at`; a training's events are its reports and both sides of every file it writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left, self.events = at, 0
        write: Callable[..., None] = module.write_tensors

        def interrupted(*args: Any) -> None:
            self.event()
            write(*args)
            self.event()

        monkeypatch.setattr(module, "write_tensors", interrupted)

    def event(self, *_: Any) -> None:
        self.events += 1
        if self.events == self.left:
            raise Stop


@pytest.mark.parametrize(("change", "share"), [
    ({}, 0.05), ({}, 0.4), ({"share": "all"}, 0.4), ({"sampler": "uniform"}, 0.4),
    ({"sampler": "uniform", "recipe": replace(TINY.recipe, unsampled="moving")}, 0.4),
    ({"sampler": "uniform", "recipe": replace(TINY.recipe, unsampled="moving", momentum=0.0, weight_decay=0.01)}, 0.4),
    ({"share": "layers", "sampler": "uniform"}, 0.4),
    ({"share": "mixture", "sampler": "uniform", "recipe": replace(TINY.recipe, unsampled="moving")}, 0.4)],
    ids=["saved at every step", "saved at every other step", "share all", "steps of others", "moved by steps of others",
         "moved without momentum",
         "layers", "mixture"])
def test_a_training_goes_on_from_every_interruption_with_the_same_bytes(
        change: dict[str, Any], share: float, pool: Pool, tmp_path: Path) -> None:
    spec = replace(TINY, **change)
    if spec.sampler != "sbs":
        spec = replace(spec, recipe=replace(spec.recipe, passes=5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHECKPOINT_SHARE", share)
        count = Interruption(patch, 0)
        train(task(pool, tmp_path / "whole", spec), count.event)
    expected = contents(tmp_path / "whole")
    assert list(expected) == ["supernet-0.safetensors", "training-0.safetensors"]
    assert count.events > 10
    for at in range(1, count.events + 1):
        folder = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "CHECKPOINT_SHARE", share)
            stop = Interruption(patch, at)
            with pytest.raises(Stop):
                train(task(pool, folder, spec), stop.event)
        train(task(pool, folder, spec), quiet)
        (folder / "supernet-0.checkpoint").unlink(missing_ok=True)  # the runner's, see below
        assert contents(folder) == expected, f"event {at}"


def test_a_finished_training_is_left_alone(pool: Pool, tmp_path: Path) -> None:
    one = task(pool, tmp_path)
    assert train(one, quiet) > 0
    before = contents(tmp_path)
    assert train(one, quiet) == 0
    assert contents(tmp_path) == before


# ---- the plan


def test_the_learning_rate_falls_from_its_beginning_to_its_end() -> None:
    spec = replace(TINY, recipe=Recipe(lr=0.4, lr_end=0.1))
    rates = [learning_rate(spec, step, 100) for step in range(101)]
    assert (rates[0], rates[50], rates[100]) == pytest.approx((0.4, 0.25, 0.1))
    assert all(one > other for one, other in pairwise(rates))
    assert rates[99] == pytest.approx(0.1 + 0.3 * (1 - math.cos(math.pi / 100)) / 2)


@pytest.mark.parametrize("share", ["part", "all"])
@pytest.mark.parametrize("sampler", ["uniform", "balanced", "sbs"])
def test_the_passes_are_the_recipe_s_and_the_plan_s(sampler: str, share: str, pool: Pool, tmp_path: Path) -> None:
    spec = replace(TINY, sampler=sampler, share=share, recipe=Recipe(passes=12, batch=8))
    planned = [row for step in range(12) for row in samplers.get(sampler).draw(pool, spec.seed, step)][:12]
    passes, cost = torch.zeros(3, dtype=torch.int64), 0.0
    for supernet in range(spec.supernets(3)):
        one = task(pool, tmp_path, spec, supernet)
        train(one, quiet)
        curve = module.read_tensors(one.curve, one.about)[0]
        passes += curve["curve.passes"].sum(0)
        cost += float(curve["curve.flops"])
    assert passes.tolist() == [sum(row.part == part for row in planned) for part in range(3)]
    assert int(passes.sum()) == 12
    live = flops(SPACE, spec.skeleton, live_only=True)
    assert cost == pytest.approx(3 * 8 * sum(live[row.architecture] for row in planned))


def test_passes_that_do_not_divide_are_rounded_to_whole_steps(pool: Pool, tmp_path: Path) -> None:
    for passes, steps in ((1, 1), (4, 1), (5, 2), (60_000, 20_000)):
        assert task(pool, tmp_path, replace(TINY, recipe=Recipe(passes=passes))).steps == steps


def plain_training(one: Task, pool: Pool) -> dict[str, torch.Tensor]:
    """The weights after the same training, written out: momentum and decay by hand.

    Only for what a step sampled, or, where unsampled weights move, for all that was ever sampled.
    """
    spec, network, batches = one.spec, one.network(), Batches(one.images, one.spec.recipe.batch, one.spec.seed, "cpu")
    recipe, weights, sampler = spec.recipe, dict(network.named_parameters()), samplers.get(spec.sampler)
    momentum: dict[str, torch.Tensor] = {}
    for step in range(one.steps):
        images, labels = batches(step)
        rows = [row for row in sampler.draw(pool, spec.seed, step) if one.supernet_of(row.part) == one.supernet]
        losses = [F.cross_entropy(network(images, SPACE.codes[[row.architecture]])[0], labels) for row in rows]
        found = (torch.autograd.grad(sum(losses[1:], losses[0]), list(weights.values()), allow_unused=True)
                 if losses else [None] * len(weights))
        with torch.no_grad():
            for (name, weight), gradient in zip(weights.items(), found, strict=True):
                if gradient is None and recipe.unsampled == "moving" and name in momentum:
                    gradient = torch.zeros_like(weight)
                if gradient is not None:
                    gradient = gradient + recipe.weight_decay * weight
                    momentum[name] = recipe.momentum * momentum[name] + gradient if name in momentum else gradient
                    weight -= learning_rate(spec, step, one.steps) * (gradient + recipe.momentum * momentum[name])
    return {name: weight.detach() for name, weight in weights.items()}


@pytest.mark.parametrize("unsampled", UNSAMPLED)
@pytest.mark.parametrize(("sampler", "share", "supernet"), [
    ("sbs", "part", 2), ("sbs", "all", 0), ("uniform", "part", 1), ("balanced", "all", 0)])
def test_the_weights_are_those_of_the_written_out_training(sampler: str, share: str, supernet: int, unsampled: str, pool: Pool,
                                                           tmp_path: Path) -> None:
    spec = replace(TINY, sampler=sampler, share=share, recipe=Recipe(passes=18, batch=16, unsampled=unsampled))
    one = task(pool, tmp_path, spec, supernet)
    train(one, quiet)
    trained, expected = module.read_tensors(one.weights, one.about)[0], plain_training(one, pool)
    assert trained.keys() == expected.keys()
    for name, weight in trained.items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_what_is_never_sampled_stays_at_its_beginning(pool: Pool, tmp_path: Path) -> None:
    spec = replace(TINY, recipe=Recipe(passes=6, batch=16, weight_decay=0.1))
    one = task(pool, tmp_path, spec, 1)
    train(one, quiet)
    trained, begin = module.read_tensors(one.weights, one.about)[0], one.network().state_dict()
    codes = [SPACE.codes[samplers.get("sbs").draw(pool, 0, step)[1].architecture] for step in range(2)]
    sampled = {f"edge{edge}_{SPACE.op_names[op]}" for code in codes for edge, op in enumerate(code)
               if SPACE.live_edges(code[None])[0, edge]}
    moved = {name for name in trained if not torch.equal(trained[name], begin[name])}
    assert moved == {name for name in trained if not name.startswith("cell") or name.split("_", 1)[1] in sampled}
    assert len(moved) < len(trained)


def test_supernets_begin_differently_and_seeds_too(pool: Pool, tmp_path: Path) -> None:
    begins = [task(pool, tmp_path, replace(TINY, seed=seed), supernet).network().state_dict()["stem"]
              for seed in (0, 1) for supernet in (0, 1)]
    assert all(not torch.equal(begins[i], begins[j]) for i in range(4) for j in range(i))


def test_batches_show_every_image_once_an_epoch() -> None:
    data = load_images("digits")
    clear = replace(data, augmentation=replace(data.augmentation, pad=0, occlude=0, noise=0.0))
    batches = Batches(clear, 64, 0, "cpu")
    labels = torch.cat([batches(step)[1] for step in range(30)])  # two epochs of 960
    for epoch in (labels[:960], labels[960:]):
        assert torch.bincount(epoch).tolist() == [96] * 10
    assert not torch.equal(labels[:960], labels[960:])
    again = Batches(clear, 64, 0, "cpu")
    for step in (29, 3, 14, 15):
        for one, other in zip(batches(step), again(step), strict=True):
            assert torch.equal(one, other)
    assert not torch.equal(Batches(clear, 64, 1, "cpu")(0)[1], labels[:64])


# ---- damage


@pytest.fixture
def half_trained(pool: Pool, tmp_path: Path) -> Task:
    one = task(pool, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        stop = Interruption(patch, 8)
        with pytest.raises(Stop):
            train(one, stop.event)
    assert one.checkpoint.exists()
    return one


@pytest.mark.parametrize("damage", [
    lambda content: content[:len(content) // 2], lambda content: b"",
    lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]], ids=["truncated", "empty", "flipped"])
def test_a_damaged_checkpoint_is_refused(damage: Callable[[bytes], bytes], half_trained: Task) -> None:
    half_trained.checkpoint.write_bytes(damage(half_trained.checkpoint.read_bytes()))
    with pytest.raises(DataError, match="delete it"):
        train(half_trained, quiet)
    assert not half_trained.weights.exists()


def test_a_checkpoint_of_another_run_is_refused(half_trained: Task, pool: Pool) -> None:
    with pytest.raises(DataError, match="belongs to another run"):
        train(task(pool, half_trained.folder, key="other"), quiet)


# ---- whole runs


def prepared(spec: RunSpec, folder: Path) -> Run:
    """A run on digits with a made-up truth."""
    images = load_images("digits")
    accuracy = np.random.default_rng(0).uniform(10, 90, (len(SPACE), 1))
    truth = GroundTruth(TruthKey("made_up", "digits", "test", 1, "full"), accuracy, ("mean",), "made up", "made_up")
    sources = {"images": images.sha256, "criterion": "", "sampler": "", "truth": truth.sha256}
    keys = Keys.of(spec, sources, frozenset())
    return Run(spec, criteria.get(spec.criterion), truth, images, sources, keys, folder)


ASKED = replace(TINY, k=2, estimation=Estimation(images=32, batch=16, architectures=30))


@pytest.fixture(scope="module")
def reference_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an uninterrupted run in one process."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("reference") / "run"
    metrics = execute(prepared(ASKED, folder), Machine("cpu", 1), silent())
    assert metrics["budget"]["passes"] in (14, 16)
    return contents(folder)


def test_two_processes_write_the_bytes_of_one(reference_run: dict[str, bytes], tmp_path: Path) -> None:
    execute(prepared(ASKED, tmp_path / "run"), Machine("cpu", 2), silent())
    assert contents(tmp_path / "run") == reference_run


def test_what_killed_processes_leave_behind_is_cleared(reference_run: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name, content in reference_run.items():
        if name.startswith(("supernet", "training", "partition", "estimates")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    estimates = next(folder.glob("estimates-*.parquet"))
    (folder / "supernet-0.checkpoint").write_bytes(b"killed between the weights and this")
    (folder / ".supernet-1.safetensors.1-2.tmp").write_bytes(b"killed while writing")
    estimates.with_suffix(".partial").mkdir()
    (estimates.with_suffix(".partial") / "0-0.safetensors").write_bytes(b"killed after the last of them was read")
    execute(prepared(ASKED, folder), Machine("cpu", 1), silent())
    assert contents(folder) == reference_run


def test_a_diverged_training_says_so(tmp_path: Path) -> None:
    spec = replace(ASKED, recipe=replace(ASKED.recipe, lr=1e30))
    with pytest.raises(RunError, match=r"Training diverged: .* lower recipe\.lr"):
        execute(prepared(spec, tmp_path / "run"), Machine("cpu", 1), silent())


