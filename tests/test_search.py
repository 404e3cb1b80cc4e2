"""Searches: the optimum is found, the constraint is never left, and the random-search curve is its closed form."""

import json
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.cost import flops
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import TruthKey, load_truth
from harness.report.search import search_json, search_text
from harness.report.summary import MISSING, as_text
from harness.runs.collection import collect
from harness.search.cost import Cost, search_cost, training_cost, training_images, uncounted_terms
from harness.search.found import Curve, Found, curve_of, run_to_search, search, standing, world_of
from harness.search.random_curve import expected_best, position
from harness.search.strategies import METHODS, World, evolution, exhaustive, random_search, regularised, strategy
from harness.store import read_frame, write_frame

SPACE = nasbench201()
SMOKE = Path(__file__).parents[1] / "results/published/efs-nas-table1-smoke"


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


# ---- where a search stands on the curve


def whole_space(folder: Path) -> Path:
    """A copy of a published run whose estimates are made up for the whole space: the truth with noise."""
    copy = folder / "none-k1-digits201-digits-s0-a5e49c677149"
    shutil.copytree(SMOKE / copy.name, copy)
    [metrics], [estimates] = copy.glob("metrics-*"), copy.glob("estimates-*")
    content = json.loads(metrics.read_text())
    content["spec"]["estimation"]["architectures"] = 0
    metrics.write_text(json.dumps(content))
    made_up = np.nan_to_num(load_truth("digits201/digits/test/60/full", "digits201").mean(), nan=70.0)
    made_up = made_up + np.random.default_rng(0).normal(0, 4, len(SPACE))
    _, about = read_frame(estimates, {})
    write_frame(estimates, {"index": np.arange(len(SPACE)), "architecture": SPACE.strings, "accuracy": made_up}, about)
    return copy


def test_the_curve_of_a_table_with_gaps_is_that_of_its_uniform_sample() -> None:
    bench, truth = benchmark("digits201"), load_truth("digits201/digits/test/60/full", "digits201")
    curve = curve_of(bench, truth, SPACE.connected)
    assert (curve.population, len(curve.true)) == ("connected, drawn uniformly", 638)
    assert [round(curve.expected(k), 1) for k in (1, 10, 100)] == [71.9, 76.1, 77.7]
    known = truth.mean()[SPACE.connected]
    assert [round(expected_best(known, k), 1) for k in (1, 10, 100)] == [71.0, 75.4, 76.7]  # large classes, which are worse
    light = SPACE.connected & (flops(SPACE, bench.skeleton) <= 0.05e6)
    assert 0 < len(curve_of(bench, truth, light).true) < 638


@pytest.mark.parametrize(("key", "images"), [
    ("digits201/digits/test/60/full", 60 * 960), ("nats/cifar10/test/200/full", 200 * 50_000),
    ("v1_0/cifar10/test/200/half", 200 * 25_000), ("nats/cifar10/test/12/full", 12 * 50_000),
    ("v1_1/ImageNet16-120/test/200/full", 200 * 151_700), ("mine/cifar10/test/200/full", None)])
def test_what_a_stand_alone_training_saw(key: str, images: int | None) -> None:
    parsed = TruthKey.parse(key)
    bench = benchmark("digits201" if "digits" in key else "nasbench201")
    assert training_images(bench, parsed) == images
    network, cell = bench.skeleton_for(parsed.dataset), np.array([15_624])
    # Three for forward and backward passes, over live edges.
    expected = 3 * images * flops(SPACE, network, live_only=True)[15_624] if images else np.nan
    assert training_cost(bench, parsed, cell) == pytest.approx(expected, nan_ok=True)


def test_a_search_costs_its_training_with_that_of_its_parents_and_its_looks() -> None:
    record = next(each for each in collect([SMOKE]).records if each.inherited)
    assert 0 < record.inherited["flops"] < record.budget.flops
    bench, cell = benchmark("digits201"), np.array([15_624])
    cost = search_cost(record, bench, cell)
    assert cost.training == record.budget.flops
    assert cost.estimate == 418 * flops(SPACE, record.spec.skeleton, live_only=True)[15_624]
    assert cost.of(3) == cost.training + 3 * cost.estimate
    everything = replace(record, spec=replace(record.spec, estimation=replace(record.spec.estimation, images=0)))
    assert search_cost(everything, bench, cell) == cost  # provenance says how many all are
    assert np.isnan(search_cost(replace(everything, provenance={}), bench, cell).estimate)
    angle = replace(record, spec=replace(record.spec, estimator="angle"))
    assert search_cost(angle, bench, cell).estimate == 0
    for estimator, asked in (("rank_sum[angle+naswot]", False), ("naswot", False), ("angle+loss", True),
                             ("naswot+accuracy", True)):
        summed = replace(record, spec=replace(record.spec, estimator=estimator))
        assert search_cost(summed, bench, cell).estimate == (cost.estimate if asked else 0)
    assert uncounted_terms("accuracy+naswot+params") == ["naswot", "params"]
    assert uncounted_terms("rank_sum[angle+./mine.py:Mine]") == ["./mine.py:Mine"]


def test_equal_cost_is_not_equal_looks() -> None:
    curve, found = Curve("all", np.arange(100.0), True, 10.0), [Found(0, 0, 1.0, 50, {"d": 60.0})]
    stands = standing(found, "d", 99.0, curve, Cost(20.0, 0.1))
    assert (stands.looks, stands.trainings, stands.position, stands.regret) == (50, 2.5, 2, 39.0)
    assert stands.random_at_looks == expected_best(curve.true, 50)
    assert stands.random_at_cost == expected_best(curve.true, 2)
    assert standing(found, "d", 99.0, curve, Cost(1.0, 0.0)).random_at_cost == expected_best(curve.true, 1)  # not less than one
    assert standing(found, "d", 99.0, curve, Cost(1e9, 0.0)).random_at_cost == 99.0
    sampled = standing(found, "d", 99.0, replace(curve, whole=False), Cost(1e9, 0.0))
    assert np.isnan(sampled.random_at_cost)  # a sample says nothing about more than it has
    assert sampled.random_at_looks == stands.random_at_looks
    unknown = standing(found, "d", 99.0, replace(curve, training=np.nan), Cost(20.0, 0.1))
    assert np.isnan([unknown.trainings, unknown.random_at_cost]).all()
    assert unknown.random_at_looks == stands.random_at_looks
    better = [Found(0, 0, 1.0, 50, {"d": 99.5})]  # outside the sample
    assert standing(better, "d", 99.5, curve, Cost(20.0, 0.1)).position is None
    nothing = standing(found, "d", 99.0, Curve("none", np.array([]), True, np.nan), Cost(20.0, 0.1))
    assert (nothing.n, nothing.position) == (0, None)


def test_a_search_says_what_it_is_compared_with(tmp_path: Path) -> None:
    record = run_to_search(str(whole_space(tmp_path)), None)
    found = search(record, "exhaustive", [0])
    made = search_json(found)
    stands, cost = made["standing"]["digits"], made["cost"]
    assert (stands["n"], stands["population"], stands["looks"]) == (638, "connected, drawn uniformly", made["allowed"])
    assert cost["training"] == record.budget.flops
    assert stands["trainings"] == pytest.approx((cost["training"] + stands["looks"] * cost["estimate"]) / stands["training"])
    assert stands["random_at_looks"] is None  # of more than the 638
    said = " ".join(as_text(search_text(found)).split())
    assert "among connected, drawn uniformly (n = 638)" in said
    assert f"{MISSING} {stands['trainings']:.1f} {stands['random_at_cost']:.2f}" in said
    unknown = replace(found, standings={"digits": replace(found.standings["digits"], training=np.nan, trainings=np.nan,
                                                          random_at_cost=np.nan)})
    assert search_json(unknown)["standing"]["digits"]["trainings"] is None
    assert "is not known, so equal cost is not either" in " ".join(as_text(search_text(unknown)).split())


@pytest.mark.parametrize("limit", [np.nan, np.inf])
def test_a_limit_that_is_no_number_is_refused(limit: float) -> None:
    with pytest.raises(UsageError, match=f"--flops-limit {limit} is no limit"):
        world_of(collect([SMOKE]).records[0], limit)


def test_an_unknown_key_is_answered_with_those_that_are_there() -> None:
    with pytest.raises(UsageError, match="has no metrics zzz; choose one of 0e34f33eb0b7"):
        run_to_search(str(SMOKE / "none-k1-digits201-digits-s0-a5e49c677149"), "zzz")
