"""How much faster the engine is than the plain network: one CPU thread, 32x32, and C=8, N=5, batches of 64 unless said otherwise.

CPU seconds of this process, the least of seven alternations: what else runs on the machine only ever adds to them. A few
architectures stand for all.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from reference import Reference

from benchmarks.cost import Skeleton
from benchmarks.space import first_members, nasbench201
from criteria import criteria
from criteria.network import NetworkScorer
from harness.device import settle
from harness.networks.supernet import Supernet
from harness.scoring.probe import Cell, Entrance

SPACE = nasbench201()
SKELETON = Skeleton(channels=8, cells=5)
ALTERNATIONS = 7
Step = Callable[[tuple[int, ...]], None]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    settle("cpu")


def typical(members: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """The codes of five of the members that stand for all.

    Together they have every operation once on every edge, which makes the plain network's mean time that of the whole space;
    of 10,000 drawn fives, the one whose live operations are nearest to the members' mean.
    """
    rng = np.random.default_rng(0)
    fives = rng.permuted(np.tile(np.arange(5, dtype=np.uint8), (10_000, 6, 1)), axis=2).swapaxes(1, 2)
    index = SPACE.index(fives.reshape(-1, 6)).reshape(-1, 5)
    index = index[np.isin(index, members).all(axis=1)]
    live = np.stack([(SPACE.live_codes == op).sum(axis=1) for op in range(5)], axis=1)
    distance = np.linalg.norm(live[index].mean(axis=1) - live[members].mean(axis=0), axis=1)
    return [tuple(code) for code in SPACE.codes[index[distance.argmin()]].tolist()]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def stepping(network: torch.nn.Module, forward: Callable[[tuple[int, ...]], torch.Tensor], labels: torch.Tensor) -> Step:
    optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=5e-4, nesterov=True)

    def step(code: tuple[int, ...]) -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(F.cross_entropy(forward(code), labels))
        optimizer.step()

    return step


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(64, 3, 32, 32, generator=generator), torch.randint(10, (64,), generator=generator)


def test_a_training_step_is_at_least_2_3_times_as_fast(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, labels = batch
    engine = Supernet(SPACE, SKELETON, 0)
    plain = Reference(engine)
    steps = (stepping(plain, lambda code: plain(images, code), labels),
             stepping(engine, lambda code: engine(images, [code])[0], labels))
    codes = typical(SPACE.population("connected"))
    for step in steps:
        step(codes[-1])
    times = np.array([[[seconds(lambda: step(code)) for step in steps] for code in codes]  # noqa: B023
                      for _ in range(ALTERNATIONS)])
    plain_time, engine_time = times.min(axis=0).sum(0)
    print(f"training step: {plain_time / engine_time:.2f} times as fast")
    assert plain_time / engine_time >= 2.3


@torch.no_grad()
def test_estimating_all_architectures_is_at_least_4_5_times_as_fast(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """The plain network estimates all 15,625, the engine one of each function; those have more convolutions than the rest."""
    images, _ = batch
    engine = Supernet(SPACE, SKELETON, 0)
    plain = Reference(engine)
    functions = first_members(SPACE.function_id)
    assert len(functions) == 7810
    all_codes, some_codes = typical(SPACE.population("all")), typical(functions)
    engine(images, some_codes[-1:])
    plain(images, all_codes[-1])
    times = np.array([[seconds(lambda: [plain(images, code) for code in all_codes]), seconds(lambda: engine(images, some_codes))]
                      for _ in range(ALTERNATIONS)])
    plain_time, engine_time = times.min(axis=0)
    ratio = len(SPACE) / len(functions) * plain_time / engine_time
    print(f"estimating everything: {ratio:.2f} times as fast")
    assert ratio >= 4.5


# ---- proxies, on the stand-alone network (C=16, N=5)


def plain_naswot(images: torch.Tensor, code: tuple[int, ...]) -> float:
    """As published: a network is built, a backward pass marks its living ReLUs, a second forward pass sums their kernels."""
    network, kernel, living = Reference(ALONE, code), np.zeros((len(images), len(images))), set()

    def mark(module: torch.nn.Module, *_: object) -> None:
        living.add(module)

    def add(module: torch.nn.Module, given: tuple[torch.Tensor, ...], _: object) -> None:
        nonlocal kernel
        if module in living:
            on = (given[0] > 0).flatten(1).float()
            kernel = kernel + (on @ on.T + (1 - on) @ (1 - on).T).numpy()

    for module in network.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_full_backward_hook(mark)
            module.register_forward_hook(add)
    logits = network(images, code)
    torch.autograd.backward(logits, torch.ones_like(logits))
    network(images, code)
    return float(np.linalg.slogdet(kernel)[1])


def plain_isotropy(images: torch.Tensor, code: tuple[int, ...]) -> float:
    """A network is built and initialised, and the features of all blocks are kept by one forward pass.

    As published with its graph, of which a backward pass for trainability would make use; that pass is not counted.
    """
    network, kept, total = Reference(ALONE, code), [], 0.0
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    for module in (network.stem, *(cell for stage in network.stages for cell in stage), *network.reductions):
        module.register_forward_hook(lambda module, given, out: kept.append(out))
    network(images, code)
    for value in kept:
        rows = value.detach().permute(0, 2, 3, 1).flatten(0, 2)
        rows = rows - rows.mean(0)
        values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clip(min=0)
        share = values / values.sum()
        total -= float((share * (share + 1e-8).log()).sum())
    return total


ALONE = Supernet(SPACE, Skeleton(channels=16, cells=5), 0)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "plain", "floor"), [("naswot", plain_naswot, 10.0), ("isotropy", plain_isotropy, 6.0)])
def test_a_proxy_of_the_whole_space_is_so_many_times_as_fast(
        name: str, plain: Callable[[torch.Tensor, tuple[int, ...]], float], floor: float) -> None:
    """The plain way builds and measures all 15,625 networks, the laboratory one cell of each connected function."""
    scorer = criteria.get(name)
    assert isinstance(scorer, NetworkScorer)
    images = torch.randn(scorer.batch, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(scorer.batch, dtype=torch.int64)
    connected = SPACE.population("connected")
    functions = connected[np.unique(SPACE.function_id[connected], return_index=True)[1]]
    all_codes, some_codes = typical(SPACE.population("all")), typical(functions)

    entrance = Entrance(ALONE)

    def ours() -> None:
        for code in some_codes:
            scorer.measure(Cell(ALONE, np.array(code, dtype=np.uint8), entrance), images, labels)

    ours()
    times = np.array([[seconds(lambda: [plain(images, code) for code in all_codes]), seconds(ours)]
                      for _ in range(ALTERNATIONS)])
    plain_time, engine_time = times.min(axis=0)
    ratio = len(SPACE) / len(functions) * plain_time / engine_time
    print(f"{name} of the whole space: {ratio:.2f} times as fast")
    assert ratio >= floor
