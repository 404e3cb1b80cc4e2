"""Copies of the later cells: the released code's routes and sizes, and a network that is the plain one along each route."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.cost import Skeleton, layered_params
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from criteria import Context, criteria, partition
from harness.networks.layered import Layered
from harness.networks.routes import default_thresholds, routes, unmet_params
from harness.networks.supernet import Supernet
from harness.runs.spec import Network, Recipe, RunSpec
from harness.training.sampling import Pool
from harness.training.task import Task

SPACE = nasbench201()
COUNT = criteria.get("nonlinear").score(Context(SPACE, Skeleton())).values  # type: ignore[attr-defined]
# One architecture of each count.
CODES = SPACE.codes[[np.flatnonzero((count == COUNT) & SPACE.connected)[5] for count in range(4)]]
DEEP = Skeleton(4, 2, 10, 8, 1)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def later(count: int, thresholds: tuple[int, ...], cells: int = 5) -> list[list[int]]:
    """The copies in the second and the third stage of the architectures of a count, which all have the same."""
    found = np.unique(routes(SPACE, Skeleton(cells=cells), thresholds)[count == COUNT], axis=0)
    assert len(found) == 1
    first, *rest = found.reshape(3, cells).tolist()
    assert not any(first)
    return list(rest)


def test_the_routes_of_the_released_code() -> None:
    for thresholds in ((15, 20), (15, 30), (15,)):
        assert later(0, thresholds) == later(1, thresholds) == [[0] * 5] * 2
    assert later(2, (15, 30)) == [[0, 0, 1, 1, 1], [1] * 5]
    assert later(3, (15, 30)) == [[1] * 5, [2] * 5]
    assert later(2, (15, 20)) == [[0, 0, 1, 1, 1], [2] * 5]
    assert later(3, (15, 20)) == [[1, 2, 2, 2, 2], [2] * 5]
    assert later(2, (15,)) == [[0, 0, 1, 1, 1], [1] * 5]
    assert later(3, (15,)) == [[1] * 5] * 2


def test_a_route_is_a_matter_of_the_function() -> None:
    """So one estimate stands for all cells of a function, as in a plain supernet."""
    for cells, thresholds in ((5, (15, 20)), (2, (3, 5, 9)), (1, (0, 3, 4))):
        found = routes(SPACE, Skeleton(cells=cells), thresholds)
        assert found.dtype == np.int8
        assert found.shape == (len(SPACE), 3 * cells)
        first = np.unique(SPACE.function_id, return_index=True)[1]
        assert np.array_equal(found, found[first[SPACE.function_id]])


def test_thresholds_left_out_are_the_released_ones_in_proportion_to_the_cells() -> None:
    assert [default_thresholds(copies, 5) for copies in (1, 2, 3, 4)] == [(), (15,), (15, 20), (10, 20, 30)]
    assert [default_thresholds(3, cells) for cells in (1, 2, 10)] == [(3, 4), (6, 8), (30, 40)]
    for cells in (1, 2, 5):
        for copies in (1, 2, 3, 4):  # each copy is used
            assert routes(SPACE, Skeleton(cells=cells), default_thresholds(copies, cells)).max() == copies - 1


@pytest.mark.parametrize(("network", "k", "says"), [
    (Network(4, 1, 1), 5, "No thresholds are published for 5 copies"),
    (Network(4, 1, 1, thresholds=(9,)), 3, "leave copy 1 of 2 without any architecture; choose counts below 9"),
    (Network(4, 1, 1, thresholds=(4, 5)), 3, "leave copy 1 of 3")])
def test_copies_that_cannot_be_are_refused_before_anything_is_written(
        network: Network, k: int, says: str, tmp_path: Path) -> None:
    spec = RunSpec(criterion="params", k=k, share="layers", network=network)
    pool = Pool.of(partition("params", Context(SPACE, Skeleton()), k), SPACE)
    with pytest.raises(UsageError, match=says):
        Task(spec, 0, pool, tmp_path, "k", "cpu")


@pytest.mark.parametrize(("channels", "thresholds", "size"), [
    (8, (15,), 805_666), (5, (15, 20), 464_845), (8, (15, 20), 1_189_666), (16, (), 1_685_562)])
def test_the_sizes_of_the_released_networks(channels: int, thresholds: tuple[int, ...], size: int) -> None:
    skeleton = Skeleton(channels, 5)
    assert layered_params(SPACE, skeleton, len(thresholds) + 1) == size
    assert sum(weight.numel() for weight in Layered(SPACE, skeleton, 0, thresholds).parameters()) == size
    spec = RunSpec("nasbench201", "cifar10", share="layers", network=Network(channels, 1, 5, thresholds=thresholds))
    assert spec.parameters(1) == size
    assert spec.supernets(3) == 1


# ---- the network


def images(skeleton: Skeleton, dtype: torch.dtype = torch.float64) -> Tensor:
    shape = (6, skeleton.image_channels, skeleton.image_size, skeleton.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_an_architecture_s_network_is_the_plain_one_with_the_copies_of_its_route() -> None:
    layered, pixels = Layered(SPACE, DEEP, 0, (6, 9)).double(), images(DEEP)
    stored, used = dict(layered.named_parameters()), []
    for code in CODES:
        route, plain = routes(SPACE, DEEP, (6, 9))[SPACE.index(code[None])[0]], Supernet(SPACE, DEEP, 1).double()
        names = {name: f"copy{route[int(name[4])]}_{name}" if name.startswith("cell") and int(name[4]) >= 2 else name
                 for name in plain.state_dict()}
        plain.load_state_dict({name: stored[own] for name, own in names.items()})
        logits, expected = layered(pixels, [code])[0], plain(pixels, [code])[0]
        assert torch.equal(logits, expected)
        mine = torch.autograd.grad(logits.square().sum(), list(stored.values()), allow_unused=True)
        theirs = torch.autograd.grad(expected.square().sum(), list(plain.parameters()), allow_unused=True)
        found = {own: gradient for own, gradient in zip(stored, mine, strict=True) if gradient is not None}
        wanted = {own: gradient for own, gradient in zip(names.values(), theirs, strict=True) if gradient is not None}
        assert found.keys() == wanted.keys()
        assert all(torch.equal(gradient, wanted[own]) for own, gradient in found.items())
        used.append({own.split("_")[0] for own in found if own.startswith("copy")})
    assert used == [set(), {"copy0"}, {"copy0", "copy1", "copy2"}, {"copy1", "copy2"}]


def test_architectures_of_many_routes_at_once_are_the_same_as_one_by_one() -> None:
    layered, pixels = Layered(SPACE, DEEP, 0, (6, 9)), images(DEEP, torch.float32)
    codes = np.concatenate([CODES[::-1], SPACE.codes[np.random.default_rng(0).choice(len(SPACE), 8, replace=False)]])
    together = layered(pixels, codes)
    assert torch.equal(together, torch.cat([layered(pixels, [code]) for code in codes]))
    assert torch.equal(together.flip(0), layered(pixels, codes[::-1]))


def test_one_copy_is_the_plain_supernet_and_copies_begin_differently() -> None:
    plain, pixels = Supernet(SPACE, DEEP, 3), images(DEEP, torch.float32)
    assert torch.equal(Layered(SPACE, DEEP, 3, ())(pixels, CODES), plain(pixels, CODES))
    begun = Layered(SPACE, DEEP, 3, (6, 9)).state_dict()
    copies = [begun[f"copy{copy}_cell2_edge0_nor_conv_3x3"] for copy in range(3)]
    assert torch.equal(copies[0], plain.state_dict()["cell2_edge0_nor_conv_3x3"])
    assert not any(torch.equal(copies[i], copies[j]) for i in range(3) for j in range(i))


def test_a_task_makes_the_network_of_its_thresholds_or_of_its_parts(tmp_path: Path) -> None:
    pool = Pool.of(partition("nonlinear", Context(SPACE, Skeleton()), 3), SPACE)
    spec = RunSpec(share="layers", network=Network(4, 2, 1), recipe=Recipe(passes=3))
    for network, copies in ((spec.network, 3), (replace(spec.network, thresholds=(4,)), 2)):
        made = Task(replace(spec, network=network), 0, pool, tmp_path, "k", "cpu").network()
        assert sum("cell2_edge0_nor_conv_1x1" in name for name in made.state_dict()) == copies


def test_copies_that_nobody_uses_are_known() -> None:
    """Cell 5's third copy, cell 6's second, and the second of cells 10 to 14: 2 of width 16 and 5 of width 32, 60 w^2 each."""
    assert unmet_params(SPACE, Skeleton(channels=8, cells=5), (15, 20)) == 60 * (2 * 16**2 + 5 * 32**2)
