"""The noise ceiling against simulations in which the exact accuracies and the noise are known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.ceiling import ceiling
from benchmarks.convert import import_table
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey, load_truth

SPACE = nasbench201()
KEY = TruthKey.parse("x/y/test/1/full")
ALL = SPACE.population("all")


def exact_accuracies(rng: np.random.Generator) -> NDArray[np.float64]:
    """float64 [n_arch], per cent: crowded at the top, a long tail, one value per network, chance where disconnected."""
    of_class = np.clip(94 - rng.gamma(1.5, 3.0, SPACE.training_id.max() + 1), 12, None)
    return np.where(SPACE.connected, of_class[SPACE.training_id], 10.0)


def observe(rng: np.random.Generator, exact: NDArray[np.float64], seeds: int, sd: float, shared: bool) -> GroundTruth:
    """A truth with normal noise that grows towards the bottom; shared: networks are trained once, not once per cell."""
    noise = rng.standard_normal((len(SPACE), seeds))
    if shared:
        noise = noise[SPACE.training_id]
    scale = np.where(SPACE.connected, sd * (1 + (94 - exact) / 10), 0.0)
    accuracy = np.clip(exact[:, None] + scale[:, None] * noise, 0, 100)
    return GroundTruth(KEY, accuracy, ("mean",) if seeds == 1 else tuple(str(s) for s in range(seeds)), "", "simulated")


def tau(exact: NDArray[np.float64], truth: GroundTruth, population: NDArray[np.int64]) -> float:
    return float(kendalltau(exact[population], truth.mean()[population]).statistic)


@pytest.mark.parametrize(("seeds", "sd", "method"), [
    (1, 0.05, "twins"), (1, 0.2, "twins"), (1, 0.8, "twins"), (3, 0.2, "seeds"), (3, 1.0, "seeds"),
])
def test_the_ceiling_is_the_tau_that_exact_knowledge_reaches(seeds: int, sd: float, method: str) -> None:
    rng = np.random.default_rng(0)
    exact = exact_accuracies(rng)
    real, estimated = [], []
    for _ in range(3):
        truth = observe(rng, exact, seeds, sd, shared=False)
        real.append(tau(exact, truth, ALL))
        found = ceiling(truth, SPACE, ALL, draws=5)
        estimated.append(found.value)
        assert found.method == method
    assert np.mean(estimated) == pytest.approx(np.mean(real), abs=0.01)
    connected = exact[SPACE.connected]
    scale = sd * np.sqrt(np.mean((1 + (94 - connected) / 10) ** 2) / seeds)
    assert found.noise_sd == pytest.approx(scale, rel=0.1)


def test_a_population_that_the_truth_chose() -> None:
    rng = np.random.default_rng(1)
    real, estimated = [], []
    for _ in range(8):
        exact = exact_accuracies(rng)
        truth = observe(rng, exact, 3, 0.2, shared=False)
        top = np.argsort(-truth.mean(), kind="stable")[:300]
        real.append(tau(exact, truth, top))
        estimated.append(ceiling(truth, SPACE, top, draws=5).value)
    assert np.mean(estimated) == pytest.approx(np.mean(real), abs=0.05)


def test_a_table_whose_equal_networks_share_a_row() -> None:
    rng = np.random.default_rng(2)
    real, estimated = [], []
    for _ in range(20):
        exact = exact_accuracies(rng)
        truth = observe(rng, exact, 3, 0.6, shared=True)
        # 500 networks known, as in a table that is not finished
        known = rng.permutation(SPACE.training_id.max() + 1)[:500]
        truth.accuracy[~np.isin(SPACE.training_id, known)] = np.nan
        found = ceiling(truth, SPACE, ALL, draws=5)
        assert found.method == "seeds"
        scored = np.flatnonzero(truth.n_trials)
        real.append(tau(exact, truth, scored))
        estimated.append(found.value)
    assert np.mean(estimated) == pytest.approx(np.mean(real), abs=0.02)


def test_no_repeats_no_ceiling() -> None:
    rng = np.random.default_rng(3)
    shared = observe(rng, exact_accuracies(rng), 1, 0.5, shared=True)
    found = ceiling(shared, SPACE, ALL)
    assert (found.method, np.isnan(found.value), np.isnan(found.noise_sd)) == ("none", True, True)
    assert np.isnan(ceiling(observe(rng, exact_accuracies(rng), 2, 0.5, shared=True), SPACE, ALL[:1]).value)


def test_no_noise_is_a_ceiling_of_one_and_draws_repeat() -> None:
    rng = np.random.default_rng(4)
    exact = exact_accuracies(rng)
    assert ceiling(observe(rng, exact, 2, 0.0, shared=False), SPACE, ALL, draws=2).value == pytest.approx(1.0)
    truth = observe(rng, exact, 2, 0.5, shared=False)
    assert ceiling(truth, SPACE, ALL, draws=2, seed=5) == ceiling(truth, SPACE, ALL, draws=2, seed=5)


@pytest.mark.real_data
def test_seeds_and_twins_agree_on_the_real_truth(shared_data: Path) -> None:
    """Two independent ways to the noise of one number: the seeds of the trials, and cells that are the same network."""
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    names = {"nats/cifar10/valid/200/half": "c10valid_valid_200", "v1_1/cifar10/test/200/full": "c10_test_200_v11"}
    for key, means in names.items():
        seeds = ceiling(load_truth(key, "nasbench201"), SPACE, ALL)
        twins = ceiling(load_truth(means, "nasbench201"), SPACE, ALL)
        assert (seeds.method, twins.method) == ("seeds", "twins")
        assert seeds.value == pytest.approx(twins.value, abs=0.005)
        assert seeds.noise_sd == pytest.approx(twins.noise_sd, rel=0.2)
