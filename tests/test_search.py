"""Searches: the optimum is found, the constraint is never left, and the random-search curve is its closed form."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.cost import flops
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from harness.search.random_curve import expected_best, position
from harness.search.strategies import METHODS, World, evolution, exhaustive, random_search, regularised, strategy

SPACE = nasbench201()


def separable(seed: int) -> NDArray[np.float64]:
    """A fitness that is a sum over edges of what each operation there is worth."""
    worth = np.random.default_rng(seed).normal(size=(len(SPACE.edges), len(SPACE.op_names)))
    return worth[np.arange(len(SPACE.edges)), SPACE.codes].sum(axis=1)


def test_evolution_finds_the_optimum_of_a_separable_truth() -> None:
    found = 0
    for seed in range(20):
        world = World(SPACE, separable(seed), SPACE.connected)
        found += world.fitness[evolution(world, seed).best()[0]] == world.fitness[world.members].max()
    assert found >= 19


@pytest.mark.parametrize("method", METHODS)
def test_no_method_leaves_its_constraint_or_looks_twice(method: str) -> None:
    limited = SPACE.connected & (flops(SPACE) < 60e6)
    few = np.zeros(len(SPACE), bool)
    few[SPACE.population("connected")[:30]] = True
    for allowed in (limited, few):
        # The fittest are outside.
        visited = METHODS[method](World(SPACE, flops(SPACE).astype(float), allowed), 3).order
        assert allowed[visited].all()
        assert len(np.unique(visited)) == len(visited) <= max(allowed.sum() if method == "exhaustive" else 1050, 30)
    assert len(visited) == 30 or method == "regularised"  # whose children are one operation away


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_is_a_search(method: str) -> None:
    world = World(SPACE, separable(0), SPACE.connected)
    one, again, other = (METHODS[method](world, seed).order for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()


def test_evolution_costs_what_the_paper_s_does() -> None:
    world = World(SPACE, separable(0), SPACE.connected)
    assert len(evolution(world, 0)) == 50 * 21 == len(random_search(world, 0)) == len(regularised(world, 0))
    first = evolution(world, 0).order[:50]
    assert evolution(world, 0, generations=0).order.tolist() == first.tolist()


def test_a_generation_is_that_of_the_paper() -> None:
    """25 mutants of the ten fittest, an edge of which changes with probability 0.1 x 4/5, and 25 crossovers of two of them."""
    world = World(SPACE, separable(0), np.ones(len(SPACE), bool))
    changes, inside, parents = [], [], []
    for seed in range(40):
        start = evolution(world, seed, generations=0)
        ten, fifty = SPACE.codes[start.best(10)], SPACE.codes[start.best(50)]
        born = SPACE.codes[evolution(world, seed, generations=1).order[50:]]
        assert len(born) == 50
        distance = (born[:25, None] != ten[None]).sum(axis=2)
        changes.append((distance.min(axis=1) == 1).mean())
        parents += distance.argmin(axis=1).tolist()
        inside.append(np.mean([(child == ten).any(axis=0).all() for child in born[25:]]))
        assert not any((parent == child).all() for parent in fifty for child in born)
    # A mutant that is new has one changed edge in most cases: of Binomial(6, 0.08), given that it is not 0, 0.80 are 1.
    assert np.mean(changes) == pytest.approx(0.80, abs=0.04)
    assert np.mean(inside) == 1.0
    assert np.bincount(parents, minlength=10).min() > 0.05 * len(parents)


def test_children_are_of_the_fittest() -> None:
    # No edge is drawn anew and every parent is one of two: mutants are old, and crossovers lie between the two.
    world = World(SPACE, separable(0), np.ones(len(SPACE), bool))
    start = evolution(world, 0, generations=0)
    one, other = SPACE.codes[start.best(2)]
    visits = evolution(world, 0, generations=1, parents=2, rate=0.0)
    between = np.array([all(op in pair for op, pair in zip(code, zip(one, other, strict=True), strict=True))
                        for code in SPACE.codes[visits.order[50:]]])
    crossed = int(between.sum())
    assert 1 <= crossed <= 25
    assert between[:crossed].all()
    assert len(visits) == 100


def test_undefined_fitness_is_worst_and_ties_go_to_the_first_visited() -> None:
    fitness = np.full(len(SPACE), np.nan)
    assert exhaustive(World(SPACE, fitness, SPACE.connected), 0).best().size == 1
    fitness[[5, 9]] = 1.0
    best = {int(exhaustive(World(SPACE, fitness, np.ones(len(SPACE), bool)), seed).best()[0]) for seed in range(12)}
    assert best == {5, 9}


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="Unknown search method 'evolutoin'; did you mean 'evolution'"):
        strategy("evolutoin")


def test_an_empty_constraint_is_refused() -> None:
    with pytest.raises(UsageError, match="No architecture is within the constraint"):
        World(SPACE, separable(0), np.zeros(len(SPACE), bool))


# ---- the random-search curve


@pytest.mark.parametrize("k", range(1, 7))
def test_the_expected_best_is_the_mean_over_all_draws(k: int) -> None:
    truth = np.array([3.0, 1.0, 1.0, 7.5, np.nan, -2.0, 4.0])
    known = truth[~np.isnan(truth)].tolist()
    expected = np.mean([max(drawn) for drawn in combinations(known, k)])
    assert expected_best(truth, k) == pytest.approx(expected)


def test_the_curve_rises_to_the_best_and_a_value_has_its_place_on_it() -> None:
    truth = np.random.default_rng(0).normal(size=2000)
    curve = [expected_best(truth, k) for k in (1, 10, 100, 1000, 2000)]
    assert curve == sorted(curve)
    assert curve[0] == pytest.approx(truth.mean())
    assert curve[-1] == pytest.approx(truth.max())
    for k in (1, 2, 37, 1500):
        assert position(truth, expected_best(truth, k)) == k
        assert position(truth, expected_best(truth, k) + 1e-6) == k + 1
    assert position(truth, truth.max() + 1) == 2000
    drawn = np.random.default_rng(1)
    simulated = [drawn.choice(truth, 50, replace=False).max() for _ in range(2000)]
    assert expected_best(truth, 50) == pytest.approx(np.mean(simulated), abs=4 * np.std(simulated) / 2000 ** 0.5)
