"""Rank measures against brute force, against published numbers, and under the transformations that must not matter."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import harness.measures.tau
from benchmarks.errors import DataError, RunError
from benchmarks.rows import read_estimates
from benchmarks.space import nasbench201
from harness.measures.measure import Regret, measure, precision_at, regret, spearman, tau_top
from harness.measures.tau import decompose, tau

NAN = float("nan")
levels = st.integers(0, 5).map(float)
pairs = st.lists(st.tuples(levels, levels), min_size=2, max_size=12).map(lambda rows: np.array(rows).T)
labelled = st.lists(st.tuples(levels, levels, st.integers(-1, 2)), min_size=2, max_size=12).map(
    lambda rows: np.array(rows).T)


def brute_force(x: NDArray[np.float64], y: NDArray[np.float64], keep: NDArray[np.bool_] | None = None) -> float:
    """tau-b from its definition, over all pairs or those that `keep` [n, n] names."""
    upper = np.triu(np.ones((len(x), len(x)), bool), 1) & (True if keep is None else keep)
    dx, dy = np.sign(x[:, None] - x)[upper], np.sign(y[:, None] - y)[upper]
    untied = np.count_nonzero(dx) * np.count_nonzero(dy)
    return float((dx * dy).sum() / untied ** 0.5) if untied else NAN


def value(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    with patch.object(harness.measures.tau, "RESAMPLES", 1):  # the interval is tested by itself
        return tau(x, y, population="all").value


def test_the_ceiling_of_all_is_not_that_of_those_with_an_estimate() -> None:
    truth = np.arange(40.0)
    found = measure(np.where(truth < 5, np.nan, truth), truth, ceiling=0.9)
    assert (found.tau.ceiling, found.tau_finite.ceiling, found.n_undefined) == (0.9, None, 5)
    assert measure(truth, truth, ceiling=0.9).tau_finite.ceiling == 0.9


@settings(max_examples=60)
@given(pairs, st.integers(0, 2 ** 32))
def test_tau_is_its_definition_and_only_that(rows: NDArray[np.float64], seed: int) -> None:
    x, y = rows
    expected = brute_force(x, y)
    order = np.random.default_rng(seed).permutation(len(x))
    assert value(x, y) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert value(-x, y) == pytest.approx(-expected, abs=1e-12, nan_ok=True)
    assert value(y, x) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert value(np.exp(x) - 40, 3 * y ** 3) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert value(x[order], y[order]) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=100)
@given(labelled)
def test_decomposition_is_exact(rows: NDArray[np.float64]) -> None:
    x, y, labels = rows
    parts = decompose(x, y, labels.astype(np.int16))
    inside = labels >= 0
    x, y, labels = x[inside], y[inside], labels[inside]
    same = labels[:, None] == labels
    assert parts.within == pytest.approx(brute_force(x, y, same), abs=1e-12, nan_ok=True)
    assert parts.across == pytest.approx(brute_force(x, y, ~same), abs=1e-12, nan_ok=True)
    for part, (own, size) in enumerate(zip(parts.parts, parts.sizes, strict=True)):
        assert size == np.count_nonzero(labels == part)
        assert own == pytest.approx(brute_force(x[labels == part], y[labels == part]), abs=1e-12, nan_ok=True)
    terms = ((parts.weight_within, parts.within), (parts.weight_across, parts.across))
    total = sum(weight * part for weight, part in terms if weight)
    expected = brute_force(x, y)
    assert np.isnan(expected) or total == pytest.approx(expected, abs=1e-12)
    if len(x) > 1:
        share = (np.count_nonzero(same) - len(x)) / (len(x) * (len(x) - 1))
        assert parts.pair_share_within == pytest.approx(share)


def test_hand_computed_ties() -> None:
    # Pairs: (1,2) tied in x; (1,3), (1,4), (2,3), (2,4) concordant; (3,4) tied in y. C - D = 4, u = v = 5.
    one = tau(np.array([1., 1, 2, 3]), np.array([1., 2, 3, 3]), population="all")
    assert one.value == pytest.approx(4 / 5)
    assert (one.ties_estimates, one.ties_truth, one.n, one.variant) == (1 / 6, 1 / 6, 4, "b")


def test_undefined_estimates_are_last_or_left_out_and_undefined_truth_always_left_out() -> None:
    estimates, truth = np.array([NAN, NAN, 1, 2, 3]), np.array([9., 8, 1, 2, NAN])
    last = tau(estimates, truth, population="all")
    assert last.n == 4
    assert last.value == pytest.approx(brute_force(np.array([-9., -9, 1, 2]), truth[:4]))
    drop = tau(estimates, truth, population="all", undefined="drop")
    assert (drop.n, drop.value) == (2, 1.0)
    both = measure(estimates, truth)
    assert (both.tau.n, both.tau_finite.n, both.n_undefined) == (4, 2, 2)


@pytest.mark.parametrize(("estimates", "truth"), [([], []), ([1.], [2.]), ([1., 1], [1., 2]), ([NAN, NAN], [1., 2])])
def test_degenerate_input_has_no_tau_and_json_says_null(estimates: list[float], truth: list[float]) -> None:
    none = measure(np.array(estimates), np.array(truth), np.zeros(len(truth), np.int16))
    assert np.isnan(none.tau.value)
    assert none.tau.to_json()["value"] is None
    json.dumps(none.to_json(), allow_nan=False)


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="infinite value at position 1"):
        tau(np.array([1, np.inf]), np.array([1., 2]), population="all")
    with pytest.raises(DataError, match="truth hold an infinite"):
        tau(np.array([1., 2]), np.array([1, -np.inf]), population="all")
    with pytest.raises(DataError, match="one value per architecture"):
        tau(np.array([1., 2]), np.array([1., 2, 3]), population="all")
    with pytest.raises(DataError, match="3 labels for 2 estimates"):
        decompose(np.array([1., 2]), np.array([1., 2]), np.array([0, 1, 1]))


def test_the_self_check_catches_a_tau_that_depends_on_the_order_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def ordinal(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
        """The mistake it is there for: ties broken by position."""
        return brute_force(np.argsort(np.argsort(x, kind="stable")).astype(float), y.astype(float))

    monkeypatch.setattr(harness.measures.tau, "tau_b", ordinal)
    with pytest.raises(RunError, match="depends on the order of the rows"):
        tau(np.repeat([0., 1], 20), np.arange(40.), population="all")


def test_intervals_are_seeded_cover_the_value_and_narrow_with_n() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = x + rng.normal(size=2000)
    small, large = tau(x[:100], y[:100], population="all"), tau(x, y, population="all")
    assert small.low < small.value < small.high
    assert large.low < large.value < large.high
    # Published for scores on random cells (sd about .04 at n = 100); the interval is about 4 sd wide.
    assert 0.08 < small.high - small.low < 0.25
    assert large.high - large.low < 0.4 * (small.high - small.low)
    assert tau(x, y, population="all") == large
    assert tau(x, y, population="all", seed=1).low != large.low


def test_precision_and_regret_average_over_ties() -> None:
    truth = np.arange(10.)
    assert precision_at(truth, truth, 0.3) == 1.0
    assert precision_at(-truth, truth, 0.3) == 0.0
    assert regret(-truth, truth, 1) == Regret(9.0, 9.0)
    assert regret(-truth, truth, 99) == Regret(0.0, 0.0)
    tied = np.zeros(1000)
    truth = np.arange(1000.)
    assert 0.06 < precision_at(tied, truth, 0.1) < 0.14
    lost = regret(tied, truth, 1)
    assert 300 < lost.mean < 700 < lost.worst
    undefined = np.where(truth == 999, NAN, 0.0)
    assert regret(undefined, truth, 1).worst >= 1


def test_the_top_of_the_truth_is_stable_by_index() -> None:
    truth = np.array([1., 3, 3, 3, 2, 0])
    estimates = np.array([0., 1, 2, 9, 0, 0])
    top = tau_top(estimates, truth, 0.34, population="all")  # ceil(2.04) = 3: the three 3s
    assert top.n == 3
    assert np.isnan(top.value)
    assert tau_top(estimates, truth, 1 / 3, population="all").ties_estimates == 0  # rows 1 and 2, not 3
    assert tau_top(estimates, truth, 0.5, population="connected").population == "connected, top 50% by truth"
    assert tau_top(np.arange(100.), np.arange(100.), 0.07, population="all").n == 7


def test_spearman_is_pearson_on_average_ranks() -> None:
    assert spearman(np.array([1., 2, 2, 4]), np.array([1., 2, 3, 4])) == pytest.approx(
        np.corrcoef([1, 2.5, 2.5, 4], [1, 2, 3, 4])[0, 1])


@pytest.mark.real_data
def test_published_estimates_and_counts_against_the_real_truth(shared_data: Path) -> None:
    space = nasbench201()
    truth = read_estimates(shared_data / "nasbench201.parquet", "c10_test_200_v10", space)
    published = {name: read_estimates(shared_data / "fsnas_estimates.parquet", name, space)
                 for name in ("few_shot", "one_shot")}
    assert tau(published["few_shot"], truth, population="all").value == pytest.approx(0.5503, abs=5e-5)
    assert tau(published["one_shot"], truth, population="all").value == pytest.approx(0.4855, abs=5e-5)
    convs = np.isin(space.codes, (space.op("nor_conv_1x1"), space.op("nor_conv_3x3")))
    none = space.codes == space.op("none")
    nonlinear = np.max([np.where(none[:, path].any(axis=1), 0, convs[:, path].sum(axis=1))
                        for path in map(list, space.paths)], axis=0)
    labels = np.array([0, 0, 1, 2])[nonlinear]
    assert tau(nonlinear.astype(float), truth, population="all").value == pytest.approx(0.565, abs=5e-4)
    assert tau(labels.astype(float), truth, population="all").value == pytest.approx(0.478, abs=5e-4)
    parts = decompose(published["few_shot"], truth, labels)
    assert parts.sizes == (9105, 5520, 1000)
    assert parts.pair_share_within == pytest.approx(0.468, abs=5e-4)


@pytest.mark.real_data
def test_published_measures_of_params(shared_data: Path) -> None:
    """All cells, CIFAR-10 test, NATS-Bench means: tau .578, rho .753, precision .08/.37/.48, regret .61/.29/.00."""
    space = nasbench201()
    truth = read_estimates(shared_data / "nasbench201.parquet", "c10_test_200", space)
    params = (28_000.0 * (space.codes == space.op("nor_conv_1x1")).sum(axis=1)
              + 243_040.0 * (space.codes == space.op("nor_conv_3x3")).sum(axis=1))
    measures = measure(params, truth)
    assert measures.tau.value == pytest.approx(0.578, abs=5e-4)
    assert measures.tau.ties_estimates == pytest.approx(0.085, abs=5e-4)
    assert measures.spearman == pytest.approx(0.753, abs=5e-4)
    assert measures.tau_top[0.1].value == pytest.approx(0.08, abs=5e-3)
    assert measures.tau_top[0.01].value == pytest.approx(0.33, abs=5e-3)
    assert [measures.precision[share] for share in (0.01, 0.05, 0.1)] == pytest.approx([0.08, 0.37, 0.48], abs=0.02)
    assert measures.regret[1].mean == pytest.approx(0.61, abs=0.01)
    assert measures.regret[10].mean == pytest.approx(0.31, abs=0.05)
    assert measures.regret[100].mean == pytest.approx(0.0, abs=0.01)
