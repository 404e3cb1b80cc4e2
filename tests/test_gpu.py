"""A GPU computes what a CPU does: losses of training steps and of estimates within 1e-4."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.cost import Skeleton
from benchmarks.images import load_images
from benchmarks.space import nasbench201
from criteria import Context, partition
from harness.device import settle
from harness.estimation.estimate import answer, estimate, gather, questions
from harness.networks.supernet import Supernet
from harness.runs.spec import Estimation, Network, Recipe, RunSpec
from harness.training.batches import Batches
from harness.training.checkpoint import read_tensors
from harness.training.sampling import Pool, samplers
from harness.training.task import Task
from harness.training.train import train

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

SPACE = nasbench201()
SKELETON = Skeleton(8, 2, 10, 32, 3)
DEVICES = ("cpu", "cuda:0")
SPEC = RunSpec(network=Network(4, 1, 1), recipe=Recipe(passes=12, batch=32, lr=0.01),
               estimation=Estimation(images=200, batch=64))


@pytest.fixture(autouse=True, scope="module")
def _settled() -> None:
    for device in DEVICES:
        settle(device)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.of(partition("nonlinear", Context(SPACE, Skeleton()), 3), SPACE)


def test_losses_and_gradients_of_training_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(32, 3, 32, 32, generator=generator), torch.randint(10, (32,), generator=generator)
    networks = [Supernet(SPACE, SKELETON, 0).to(device) for device in DEVICES]
    for code in SPACE.codes[np.random.default_rng(0).choice(SPACE.population("connected"), 12, replace=False)]:
        losses = []
        for network, device in zip(networks, DEVICES, strict=True):
            network.zero_grad(set_to_none=True)
            loss = F.cross_entropy(network(images.to(device), code[None])[0], labels.to(device))
            torch.autograd.backward(loss)
            losses.append(float(loss))
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)
        for (name, one), other in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
            assert (one.grad is None) == (other.grad is None), name
            if one.grad is not None and other.grad is not None:
                distance = float((one.grad - other.grad.cpu()).norm() / one.grad.norm().clamp_min(1e-6))
                assert distance < 1e-2, name


def test_losses_of_estimates_which_a_gpu_makes_together() -> None:
    generator = torch.Generator().manual_seed(1)
    images, labels = torch.randn(100, 3, 32, 32, generator=generator), torch.randint(10, (100,), generator=generator)
    codes = SPACE.codes[np.random.default_rng(1).choice(len(SPACE), 40, replace=False)]
    network = Supernet(SPACE, SKELETON, 0)
    cpu = estimate(network, images, labels, codes, 64)
    gpu = estimate(network.cuda(), images.cuda(), labels.cuda(), codes, 64)
    torch.testing.assert_close(gpu[1], cpu[1], rtol=0, atol=1e-4)
    assert float((gpu[0] - cpu[0]).abs().max()) <= 2  # two images of a hundred, on the border of two classes


def test_batches_are_the_same() -> None:
    data = load_images("digits")
    for step in (0, 14, 15):
        (cpu, labels), (gpu, others) = (Batches(data, 64, 0, device)(step) for device in DEVICES)
        torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-6, atol=1e-6)
        assert torch.equal(labels, others.cpu())


@pytest.mark.parametrize("share", ["part", "all", "layers", "mixture"])
def test_a_whole_training_and_its_estimates(share: str, pool: Pool, tmp_path: Path) -> None:
    spec = replace(SPEC, share=share)
    wanted = np.sort(np.random.default_rng(2).choice(SPACE.population("connected"), 60, replace=False))
    label = partition("nonlinear", Context(SPACE, Skeleton()), 3).label
    curves, losses = [], []
    for device in DEVICES:
        folder = tmp_path / device.replace(":", "")
        tasks = [Task(spec, supernet, pool, folder, "k", device) for supernet in range(spec.supernets(3))]
        for task in tasks:
            train(task, lambda *_: None)
        curves.append(torch.cat([read_tensors(task.curve, task.about)[0]["curve.sums"][:, 0] for task in tasks]))
        asked = questions(tasks, label, wanted, folder / "partial", "e")
        for question in asked:
            answer(question, range(len(question.chunks)), lambda *_: None)
        losses.append(gather(asked, label, wanted).loss[wanted])
    steps = 12 // samplers.get(spec.sampler).passes_per_step(3)
    torch.testing.assert_close(curves[1] / steps, curves[0] / steps, rtol=0, atol=1e-4)
    np.testing.assert_allclose(losses[1], losses[0], rtol=0, atol=1e-4)


def test_a_gpu_repeats_itself(pool: Pool, tmp_path: Path) -> None:
    made = []
    for i in range(2):
        task = Task(SPEC, 1, pool, tmp_path / str(i), "k", "cuda:0")
        train(task, lambda *_: None)
        made.append(task.weights.read_bytes())
    assert made[0] == made[1]
