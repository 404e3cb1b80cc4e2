"""Samplers draw what they say: chi-square tests against their definitions, and purity."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, chisquare

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from criteria import Context, Partition, partition
from harness.estimation.estimators import estimators
from harness.training.sampling import Memory, Pass, Pool, Sampler, samplers

SPACE = nasbench201()
# Parts of unequal size, whose members are no running numbers.
SMALL = Pool((np.arange(3, 63, 2), np.array([4, 8, 16, 32, 64]), np.arange(100, 115)))
NAMES = ("uniform", "balanced", "sbs")
# Seeds are fixed, so a test that passes keeps passing; a wrong distribution gives far smaller values.
LEAST_P = 1e-3


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool.of(partition("nonlinear", Context(SPACE, Skeleton()), 3), SPACE)


def draws(sampler: Sampler, pool: Pool, steps: int, seed: int = 0) -> NDArray[np.int64]:
    """int64 [steps, passes, 2]: part and architecture of every pass."""
    return np.array([[(row.part, row.architecture) for row in sampler.draw(pool, seed, step)] for step in range(steps)])


def check_distribution(name: str, steps: int) -> None:
    rows = draws(samplers.get(name), SMALL, steps)
    sizes = np.array([len(part) for part in SMALL.parts])
    per_step = {"uniform": sizes / sizes.sum(), "balanced": np.full(3, 1 / 3), "sbs": np.ones(3)}[name]
    assert rows.shape[1] == round(per_step.sum())
    parts, architectures = rows.reshape(-1, 2).T
    observed, expected = [], []
    for part, members in enumerate(SMALL.parts):
        assert np.isin(architectures[parts == part], members).all()
        observed += [(architectures == member).sum() for member in members]
        expected += [steps * per_step[part] / len(members)] * len(members)
    # Every part's draws of "sbs" sum to the steps: that costs two degrees of freedom more.
    assert chisquare(observed, expected, ddof=2 if name == "sbs" else 0).pvalue > LEAST_P
    # One step tells nothing about the next.
    table = np.zeros((50, 50), int)
    np.add.at(table, (rows[:-1, 0, 1] % 50, rows[1:, 0, 1] % 50), 1)
    seen = table[table.sum(1) > 0][:, table.sum(0) > 0]
    assert chi2_contingency(seen).pvalue > LEAST_P
    if name == "sbs":  # nor one part about another
        pairs = np.zeros((3, 5, 15), int)
        first, second, third = (np.searchsorted(SMALL.parts[part], rows[:, part, 1]) for part in range(3))
        np.add.at(pairs, (first % 3, second, third), 1)
        assert chi2_contingency(pairs.sum(0)).pvalue > LEAST_P
        assert chi2_contingency(pairs.sum(2)).pvalue > LEAST_P


@pytest.mark.parametrize("name", NAMES)
def test_the_distribution_is_the_sampler_s(name: str) -> None:
    check_distribution(name, 20_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_distribution_is_the_sampler_s_on_many_draws(name: str) -> None:
    check_distribution(name, 200_000)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_s_draw_depends_on_nothing_but_seed_and_step(name: str, pool: Pool) -> None:
    sampler = samplers.get(name)
    forward = [sampler.draw(pool, 5, step) for step in range(200)]
    order = np.random.default_rng(0).permutation(200).tolist()
    assert {step: sampler.draw(pool, 5, step) for step in order} == dict(enumerate(forward))
    assert forward != [sampler.draw(pool, 6, step) for step in range(200)]
    # Whether a supernet is there does not change what the others train: all share one plan.
    assert len(set(forward)) > 190


def test_only_connected_architectures_of_the_space_are_drawn(pool: Pool) -> None:
    assert [len(part) for part in pool.parts] == [8764, 5520, 1000]
    assert len(pool.everything) == SPACE.connected.sum() == 15_284
    for name in NAMES:
        rows = draws(samplers.get(name), pool, 1000).reshape(-1, 2)
        assert SPACE.connected[rows[:, 1]].all()
        assert all(np.isin(architecture, pool.parts[part]) for part, architecture in rows)
        assert len(np.unique(rows[:, 1])) > 0.6 * len(rows)


def test_a_plug_in_must_derive_from_the_base_class() -> None:
    @dataclass(frozen=True)
    class Loose:
        """Draws, but has nothing else that a sampler has."""

        def draw(self, pool: Pool, seed: int, step: int) -> tuple[Pass, ...]:
            return ()

        def values(self, estimates: object) -> None:
            pass

    with pytest.raises(RunError, match=r"as a sampler: it must derive from Sampler \(of harness\.training\.sampling\)\."):
        samplers.register("loose")(Loose)
    with pytest.raises(RunError, match=r"as an estimator: it must derive from Estimator \(of harness\.estimation\.estim"):
        estimators.register("loose")(Loose)
    assert "loose" not in samplers.names() + estimators.names()


def test_sbs_draws_one_of_every_part_in_order(pool: Pool) -> None:
    rows = draws(samplers.get("sbs"), pool, 500)
    assert (rows[:, :, 0] == [0, 1, 2]).all()
    assert [samplers.get(name).passes_per_step(3) for name in NAMES] == [1, 1, 3]


def test_an_architecture_in_no_part_is_never_drawn() -> None:
    label = np.where(np.arange(len(SPACE)) % 2, -1, 0).astype(np.int16)
    pool = Pool.of(Partition(label, ("even",), None), SPACE)
    assert (draws(samplers.get("uniform"), pool, 300)[:, :, 1] % 2 == 0).all()


def test_a_part_that_could_never_be_trained_is_refused() -> None:
    label = SPACE.connected.astype(np.int16)
    with pytest.raises(UsageError, match="Part 'dead' holds no connected architecture"):
        Pool.of(Partition(label, ("dead", "alive"), None), SPACE)


def test_a_pass_is_a_part_and_an_architecture() -> None:
    assert samplers.get("uniform").draw(Pool((np.array([7]),)), 0, 0) == (Pass(0, 7),)
    assert samplers.get("sbs").draw(Pool((np.array([7]), np.array([9]))), 0, 3) == (Pass(0, 7), Pass(1, 9))


# ---- strict: every operation once

WHOLE = Pool((SPACE.population("connected"),))


def none_sets() -> NDArray[np.float64]:
    """float64 [64]: by definition, how likely each set of edges (as bits) is to be the one with 'none' in one of the five cells.

    Where the five permutations put 'none' is uniform among all choices that leave no cell disconnected.
    """
    cut = np.zeros(64, bool)
    dead = SPACE.codes[~SPACE.connected]
    cut[np.unique((dead == 0) @ (1 << np.arange(6)))] = True
    where = np.array(list(product(range(5), repeat=6)))
    sets = (where[:, None] == np.arange(5)[:, None]) @ (1 << np.arange(6))
    return np.bincount(sets[~cut[sets].any(axis=1), 0], minlength=64) / (~cut[sets].any(axis=1)).sum()


def test_strict_gives_every_operation_of_every_edge_exactly_once_and_is_distributed_as_defined() -> None:
    rows = draws(samplers.get("strict"), WHOLE, 20_000)  # 100,000 draws
    assert (rows[:, :, 0] == 0).all()
    assert SPACE.connected[rows[:, :, 1]].all()
    codes = SPACE.codes[rows[:, :, 1]]
    assert (np.sort(codes, axis=1) == np.arange(5)[:, None]).all()
    expected = 20_000 * none_sets()
    can = expected > 0
    assert expected[can].min() > 5
    for cell in range(5):
        observed = np.bincount((codes[:, cell] == 0) @ (1 << np.arange(6)), minlength=64)
        assert not observed[~can].any()
        assert chisquare(observed[can], expected[can]).pvalue > LEAST_P
    # On each edge all permutations are alike, as no cell is special; so they are from step to step.
    place = np.zeros(5**5, int)
    for i, order in enumerate(permutations(range(5))):
        place[np.array(order) @ 5 ** np.arange(5)] = i
    orders = place[np.einsum("sce,c->se", codes, 5 ** np.arange(5))]
    for edge in range(6):
        assert chisquare(np.bincount(orders[:, edge], minlength=120)).pvalue > LEAST_P
    table = np.zeros((120, 120), int)
    np.add.at(table, (orders[:-1, 0], orders[1:, 0]), 1)
    assert chi2_contingency(table.reshape(12, 10, 12, 10).sum((1, 3))).pvalue > LEAST_P


def test_strict_needs_one_supernet_of_the_whole_space(pool: Pool) -> None:
    strict = samplers.get("strict")
    strict.check(pool, 1)
    assert strict.passes_per_step(3) == 5
    for some, supernets in ((pool, 3), (Pool((SPACE.population("connected")[1:],)), 1)):
        with pytest.raises(UsageError, match="choose --share all or a k of 1"):
            strict.check(some, supernets)
    assert strict.draw(pool, 3, 7) == strict.draw(pool, 3, 7) != strict.draw(pool, 4, 7)
    assert all(row.part == pool.part_of(row.architecture) for row in strict.draw(pool, 0, 0))


# ---- greedy: a look before it chooses


def test_greedy_candidates_are_drawn_from_the_best_so_far_as_often_as_it_says() -> None:
    greedy, good = samplers.get("greedy[capacity=5]"), [3, 8, 16, 61, 114]
    members, memory, seen = SMALL.everything, dict.fromkeys(good, 0.0), []

    def losses(drawn: NDArray[np.int64]) -> list[float]:
        seen.append(drawn)
        return [0.0 if architecture in good else 1.0 for architecture in drawn.tolist()]

    for share, greed in ((0.05, 0.0), (0.55, 0.4), (1.0, 0.8)):
        seen.clear()
        for step in range(10_000):  # 100,000 draws
            greedy.choose(SMALL, step, round(share * 1000), 1000, memory, losses)
        observed = [(np.concatenate(seen) == member).sum() for member in members]
        expected = 100_000 * ((1 - greed) / len(members) + greed * np.isin(members, good) / len(good))
        assert chisquare(observed, expected).pvalue > LEAST_P
    assert sorted(memory) == good


def test_greedy_trains_those_of_the_lowest_loss_and_remembers_the_best() -> None:
    greedy, memory = samplers.get("greedy[capacity=7]"), Memory()
    candidates: list[int] = []

    def losses(drawn: NDArray[np.int64]) -> list[float]:
        candidates[:] = drawn.tolist()
        return [architecture / 100 for architecture in candidates]

    for step in range(30):
        before, rows = dict(memory), greedy.choose(SMALL, 0, step, 30, memory, losses)
        assert [row.architecture for row in rows] == sorted(candidates)[:5]
        assert all(row.part == SMALL.part_of(row.architecture) for row in rows)
        assert set(memory) == set(sorted({*before, *(row.architecture for row in rows)})[:7])
    assert len(memory) == 7
    with pytest.raises(UsageError, match="under one supernet, and here are 3"):
        greedy.check(SMALL, 3)
    with pytest.raises(UsageError, match="1 <= trained <= candidates"):
        samplers.get("greedy[trained=11]")
