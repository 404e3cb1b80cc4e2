"""A sampler that looks at the network: its looks are counted, and a training that is interrupted ends with the same bytes."""

from pathlib import Path

import pytest
import torch

from benchmarks.cost import flops
from benchmarks.space import nasbench201
from harness.runs.spec import Network, Recipe, RunSpec
from harness.training import train as module
from harness.training.checkpoint import read_tensors
from harness.training.curve import Curve
from harness.training.draws import Draws
from harness.training.sampling import Pool, samplers
from harness.training.task import Task
from harness.training.train import train

SPACE = nasbench201()
SPEC = RunSpec(k=1, sampler="greedy[candidates=6,greed=1,trained=3,warm_up=0]", network=Network(2, 1, 1),
               recipe=Recipe(passes=40, batch=16))


class Stop(Exception):
    """What interrupts a training here."""


def stop_at(wanted: int):  # type: ignore[no-untyped-def]
    def report(supernet: int, step: int, steps: int, loss: float) -> None:
        if step == wanted:
            raise Stop

    return report


def task(folder: Path, spec: RunSpec = SPEC) -> Task:
    return Task(spec, 0, Pool((SPACE.population("connected")[::300],)), folder, "k", "cpu")


def test_what_it_remembers_survives_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(module, "REPORT_SECONDS", -1.0)
    whole, broken = task(tmp_path / "whole"), task(tmp_path / "broken")
    assert whole.steps == 8
    train(whole, stop_at(-1))
    for step in (3, 6):
        with pytest.raises(Stop):
            train(broken, stop_at(step))
        assert len(read_tensors(broken.checkpoint, broken.about)[0]["memory.losses"]) >= 3
    train(broken, stop_at(-1))
    for one, other in ((whole.weights, broken.weights), (whole.curve, broken.curve)):
        assert one.read_bytes() == other.read_bytes()
    assert int(read_tensors(whole.curve, whole.about)[0]["curve.passes"].sum()) == 8 * 3


def test_looks_are_forward_passes_on_a_batch_of_validation_images(tmp_path: Path) -> None:
    one = task(tmp_path)
    curve = Curve(one)
    draws = Draws(one, one.network(), curve)
    rows = draws(0)
    assert len(rows) == 3
    live, looked = flops(SPACE, SPEC.skeleton, live_only=True), []
    samplers.get(SPEC.sampler).choose(one.pool, SPEC.seed, 0, one.steps, {}, lambda drawn: looked.extend(drawn) or [0.0] * 6)
    assert float(curve.tensors()["curve.flops"]) == 16 * live[looked].sum()
    assert draws.tensors()["memory.architectures"].tolist() == [row.architecture for (row,) in rows]
    other = Draws(one, one.network(), curve)
    other.restore(draws.tensors())
    assert other(1) == draws(1)
    assert not Draws(task(tmp_path, RunSpec(k=1, sampler="uniform")), one.network(), curve).tensors()
