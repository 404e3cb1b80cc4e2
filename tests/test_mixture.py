"""K-shot NAS: merged weights are the explicit weighted sum, one copy is the plain supernet, weights and code learn by turns."""

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.cost import Skeleton, mixture_params, supernet_params
from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import nasbench201
from criteria import Context, partition
from harness.estimation.estimate import answer, gather, questions
from harness.networks import mixture as module
from harness.networks.mixture import PATHS, Mixture
from harness.networks.supernet import Supernet
from harness.runs.spec import Estimation, Network, Recipe, RunSpec
from harness.training.batches import Batches
from harness.training.checkpoint import read_tensors
from harness.training.sampling import Pool, samplers
from harness.training.task import Task
from harness.training.train import learning_rate, train

SPACE = nasbench201()
TINY, DEEP = Skeleton(2, 1, 10, 8, 1), Skeleton(4, 2, 10, 8, 1)
CODES = SPACE.codes[np.random.default_rng(0).choice(SPACE.population("connected"), 6, replace=False)]
SPEC = RunSpec(criterion="none", k=1, sampler="uniform", share="mixture", network=Network(2, 1, 1, copies=3),
               recipe=Recipe(passes=14, batch=16), estimation=Estimation(images=32, batch=16))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.of(partition("none", Context(SPACE, Skeleton()), 1), SPACE)


def quiet(*_: object) -> None:
    """A report that nobody reads."""


def images(skeleton: Skeleton, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = (6, skeleton.image_channels, skeleton.image_size, skeleton.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


# ---- the network


def test_the_merged_network_is_the_one_of_the_explicit_weighted_sum() -> None:
    mixture, pixels = Mixture(SPACE, DEEP, 0, 4).double(), images(DEEP)
    together = mixture(pixels, CODES)
    for code, logits in zip(CODES, together, strict=True):
        share = mixture.code(code[None])[0].detach()
        assert float(share.min()) > 0.05
        assert float(share.sum()) == pytest.approx(1)
        plain = Supernet(SPACE, DEEP, 1).double()
        plain.load_state_dict({name: sum(part * copy for part, copy in zip(share, copies, strict=True))
                               for name, copies in mixture.copies.items()})
        torch.testing.assert_close(logits, plain(pixels, [code])[0])
        merged, whole = mixture.merged(code), {"head_bias": plain.head_bias, **plain.weights_of(code)}
        assert merged.keys() == whole.keys()
        assert all(torch.allclose(weight, whole[name]) for name, weight in merged.items())


def test_one_copy_is_the_plain_supernet() -> None:
    pixels = images(DEEP, torch.float32)
    assert torch.equal(Mixture(SPACE, DEEP, 3, 1)(pixels, CODES), Supernet(SPACE, DEEP, 3)(pixels, CODES))


def test_copies_begin_differently_and_the_first_as_the_plain_supernet() -> None:
    copies, plain = Mixture(SPACE, DEEP, 3, 3).copies, Supernet(SPACE, DEEP, 3)
    for name, weight in plain.named_parameters():
        assert torch.equal(copies[name][0], weight)
        assert not any(torch.equal(copies[name][i], copies[name][j]) for i in range(3) for j in range(i))


def test_a_code_is_that_of_the_live_cell() -> None:
    codes = Mixture(SPACE, TINY, 0, 4).code(SPACE.codes)
    assert codes.shape == (len(SPACE), 4)
    first = np.unique(SPACE.live_id, return_index=True)[1]
    torch.testing.assert_close(codes, codes[first[SPACE.live_id]])
    assert len(np.unique(codes.detach()[first].numpy().round(6), axis=0)) > 0.99 * len(first)


def test_equal_codes_are_those_of_the_mean() -> None:
    mixture, pixels, plain = Mixture(SPACE, TINY, 0, 4).double(), images(TINY), Supernet(SPACE, TINY, 1).double()
    assert mixture.turn(0, 100).group == 0
    plain.load_state_dict({name: copies.mean(0) for name, copies in mixture.copies.items()})
    torch.testing.assert_close(mixture(pixels, CODES), plain(pixels, CODES))


@pytest.mark.parametrize("channels", [8, 16])
def test_the_size_is_that_of_eight_supernets_and_of_the_simplex_net(channels: int) -> None:
    skeleton, simplex = Skeleton(channels, 5), 30 * 100 + 100 + 100 * 8 + 8
    size = 8 * supernet_params(SPACE, skeleton) + simplex
    assert mixture_params(SPACE, skeleton, 8) == size
    assert sum(weight.numel() for weight in Mixture(SPACE, skeleton, 0, 8).parameters()) == size
    spec = replace(SPEC, benchmark="nasbench201", dataset="cifar10", network=Network(channels, 1, 5, copies=8))
    assert spec.parameters(1) == size
    assert size == {8: 3_377_236, 16: 13_488_404}[channels]


def test_the_spread_tells_both_ways_to_collapse() -> None:
    mixture = Mixture(SPACE, TINY, 0, 4)
    mean, of_mean = mixture.spread().tolist()
    assert 0.9 * log(4) < mean < of_mean < log(4)  # as it begins: nearly equal
    with torch.no_grad():
        mixture.simplex[2].zero_()
        mixture.simplex[3].zero_()
        assert mixture.spread().tolist() == pytest.approx([log(4), log(4)])
        mixture.simplex[3][1] = 100.0
        assert mixture.spread().tolist() == pytest.approx([0, 0])


# ---- training


def test_turns_after_the_warm_up() -> None:
    mixture = Mixture(SPACE, TINY, 0, 3)
    turns = [mixture.turn(step, 40) for step in range(10)]
    assert [turn.group for turn in turns] == [0, 0, 0, 0, 0, 1, 0, 1, 0, 1]
    assert [turn.paths for turn in turns] == [PATHS if turn.group else 1 for turn in turns]
    for step, learns in ((2, "copies"), (8, "copies"), (9, "simplex")):
        mixture.turn(step, 40)
        mixture.zero_grad()
        mixture(images(TINY, torch.float32), CODES[:1]).sum().backward()
        assert {name.split(".")[0] for name, weight in mixture.named_parameters() if weight.grad is not None} == {learns}


def written_out(task: Task, pool: Pool) -> dict[str, Tensor]:
    """The weights after the same training, with the sum of the copies, the simplex-net, momentum and decay written out."""
    spec, recipe, network = task.spec, task.spec.recipe, task.network()
    assert isinstance(network, Mixture)
    batches, weights, momentum = Batches(task.images, recipe.batch, spec.seed, "cpu"), dict(network.named_parameters()), {}
    plain, sampler = Supernet(SPACE, spec.skeleton, 0), samplers.get(spec.sampler)
    for step in range(task.steps):
        warm, of_code = step < module.WARM_UP * task.steps, step >= module.WARM_UP * task.steps and step % 2 == 1
        seeds = [spec.seed] + [derive(spec.seed, "path", i) for i in range(1, PATHS)] * of_code
        pixels, labels = batches(step)
        logits = []
        for seed, some in zip(seeds, pixels.tensor_split(len(seeds)), strict=True):
            live = SPACE.live_codes[sampler.draw(pool, seed, step)[0].architecture]
            hidden = sum((network.simplex[0][:, 5 * edge + int(op)] for edge, op in enumerate(live)), network.simplex[1])
            share = (network.simplex[2] @ F.relu(hidden) + network.simplex[3]).softmax(0)
            share = torch.full((3,), 1 / 3) if warm else share
            merged = {name: sum(part * copy for part, copy in zip(share, copies, strict=True))
                      for name, copies in network.copies.items()}
            logits.append(functional_call(plain, merged, (some, live[None]))[0])
        trained = [name for name in weights if name.startswith("simplex" if of_code else "copies")]
        loss = F.cross_entropy(torch.cat(logits), labels)
        found = torch.autograd.grad(loss, [weights[name] for name in trained], allow_unused=True)
        with torch.no_grad():
            for name, gradient in zip(trained, found, strict=True):
                if gradient is not None:
                    gradient = gradient + recipe.weight_decay * weights[name]
                    momentum[name] = recipe.momentum * momentum[name] + gradient if name in momentum else gradient
                    weights[name] -= learning_rate(spec, step, task.steps) * (gradient + recipe.momentum * momentum[name])
    return {name: weight.detach() for name, weight in weights.items()}


def test_the_weights_are_those_of_the_written_out_training(pool: Pool, tmp_path: Path) -> None:
    task = Task(SPEC, 0, pool, tmp_path, "k", "cpu")
    train(task, quiet)
    trained, expected = read_tensors(task.weights, task.about)[0], written_out(task, pool)
    assert trained.keys() == expected.keys()
    for name, weight in trained.items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")
    begin = task.network().state_dict()
    assert all(not torch.equal(trained[name], begin[name]) for name in trained if name.startswith("simplex"))


def test_a_step_of_the_code_is_a_pass_and_the_codes_are_in_the_curve(pool: Pool, tmp_path: Path) -> None:
    spec = replace(SPEC, recipe=replace(SPEC.recipe, passes=21, batch=96))  # two epochs of ten steps, and one step
    task = Task(spec, 0, pool, tmp_path, "k", "cpu")
    train(task, quiet)
    curve = read_tensors(task.curve, task.about)[0]
    assert curve["curve.passes"].flatten().tolist() == [10, 10, 1]
    codes = curve["curve.codes"]
    assert codes.shape == (3, 2)
    assert bool((codes > 0).all() and (codes <= log(3) + 1e-9).all() and (codes[:, 0] <= codes[:, 1] + 1e-9).all())
    network = task.network()
    network.load_state_dict(read_tensors(task.weights, task.about)[0])
    assert isinstance(network, Mixture)
    assert torch.equal(codes[-1], network.spread())


def test_training_one_copy_is_training_the_plain_supernet(pool: Pool, tmp_path: Path) -> None:
    made = []
    for name, spec in (("one", replace(SPEC, network=Network(2, 1, 1, copies=1))),
                       ("plain", replace(SPEC, share="all", network=Network(2, 1, 1)))):
        task = Task(spec, 0, pool, tmp_path / name, "k", "cpu")
        train(task, quiet)
        made.append(read_tensors(task.weights, task.about)[0])
    one, plain = made
    assert all(torch.equal(one[f"copies.{name}"][0], weight) for name, weight in plain.items())


def test_a_batch_too_small_for_the_paths_is_refused(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe.batch=6 is too small for share=mixture"):
        Task(replace(SPEC, recipe=Recipe(batch=6)), 0, pool, tmp_path, "k", "cpu")


def test_copies_are_as_many_as_parts_unless_said(tmp_path: Path) -> None:
    parts = Pool.of(partition("nonlinear", Context(SPACE, Skeleton()), 3), SPACE)
    for copies, made in ((0, 3), (5, 5)):
        network = Task(replace(SPEC, k=3, network=Network(2, 1, 1, copies=copies)), 0, parts, tmp_path, "k", "cpu").network()
        assert isinstance(network, Mixture)
        assert len(network.copies["stem"]) == made


# ---- estimates


def test_cells_with_one_live_cell_share_an_estimate_and_those_of_one_function_do_not(pool: Pool, tmp_path: Path) -> None:
    task = Task(SPEC, 0, pool, tmp_path, "k", "cpu")
    train(task, quiet)
    cells = [len(np.unique(SPACE.live_id[SPACE.function_id == function])) for function in range(100)]
    wanted = np.flatnonzero(SPACE.function_id == int(np.argmax(cells)))
    label = np.zeros(len(SPACE), np.int16)
    asked = questions([task], label, wanted, tmp_path / "partial", "e")
    assert len(asked[0].members) == len(np.unique(SPACE.live_id[wanted])) > 1
    answer(asked[0], range(len(asked[0].chunks)), quiet)
    loss = gather(asked, label, wanted).loss[wanted]
    by_cell = [np.unique(loss[SPACE.live_id[wanted] == cell]) for cell in np.unique(SPACE.live_id[wanted])]
    assert all(len(values) == 1 for values in by_cell)
    assert len(np.unique(np.concatenate(by_cell))) == len(by_cell)


def test_networks_of_other_kinds_train_all_their_weights_at_every_step() -> None:
    plain = nn.Linear(1, 1)
    assert module.groups(plain) == (plain,)
    assert module.turn_of(plain, 7, 10) == module.Turn(0, 1)
