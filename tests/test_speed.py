"""How much faster the engine is than the plain network: one CPU thread, C=8, N=5, 32x32, batches of 64.

CPU seconds of this process, so that what else runs on the machine counts less; medians of seven alternations. Not whole
spaces but a few architectures stand for them, one from the middle of each equal share of the cells ordered by cost.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from reference import Reference

from benchmarks.cost import Skeleton, flops
from benchmarks.space import first_members, nasbench201
from harness.device import settle
from harness.supernet import Supernet

SPACE = nasbench201()
SKELETON = Skeleton(channels=8, cells=5)
ALTERNATIONS = 7
Step = Callable[[tuple[int, ...]], None]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    settle("cpu")


def typical(members: NDArray[np.int64], size: int) -> list[tuple[int, ...]]:
    """The codes in the middles of `size` equal shares of the members, ordered by live FLOPs and, within ties, drawn."""
    cost = flops(SPACE, SKELETON, live_only=True)[members]
    ordered = members[np.lexsort((np.random.default_rng(0).permutation(len(members)), cost))]
    middles = (len(members) * (np.arange(size) + 0.5) / size).astype(int)
    return [tuple(code) for code in SPACE.codes[ordered[middles]].tolist()]


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
    codes = typical(SPACE.population("connected"), 4)
    for step in steps:
        step(codes[-1])
    times = np.array([[[seconds(lambda: step(code)) for step in steps] for code in codes]  # noqa: B023
                      for _ in range(ALTERNATIONS)])
    plain_time, engine_time = np.median(times, axis=0).sum(0)
    print(f"training step: {plain_time / engine_time:.2f} times as fast")
    assert plain_time / engine_time >= 2.3


@torch.no_grad()
def test_estimating_all_architectures_is_at_least_4_5_times_as_fast(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    images, _ = batch
    engine = Supernet(SPACE, SKELETON, 0)
    plain = Reference(engine)
    functions = first_members(SPACE.function_id)
    assert len(functions) == 7810
    codes, distinct = typical(SPACE.population("all"), 4), typical(functions, 4)
    engine(images, codes[-1:])
    plain(images, codes[-1])
    times = np.array([[seconds(lambda: [plain(images, code) for code in codes]),
                       seconds(lambda: engine(images, codes)), seconds(lambda: engine(images, distinct))]
                      for _ in range(ALTERNATIONS)])
    plain_time, same, one_of_each = np.median(times, axis=0)
    saved = len(SPACE) / len(functions)
    print(f"estimates: {plain_time / same:.2f} times as fast on the same architectures, {saved * plain_time / same:.2f} with one "
          f"estimate per function; {saved * plain_time / one_of_each:.2f} as what is left has more convolutions")
    assert saved * plain_time / same >= 4.5
