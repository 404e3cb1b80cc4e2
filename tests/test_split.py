"""The split rules: golden sizes, ties, unseen scores, and cuts that cannot be made."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.cost import flops
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from criteria.base import Partition, Scores
from criteria.split import RULES, Cuts, Whole, by_value, equal, jenks, kmeans, part_names, quantile, sized, thresholds

FLOPS = flops(nasbench201()).astype(np.float64)


def sizes(rule: Cuts, values: NDArray[np.float64]) -> list[int]:
    label = rule.label(values)
    return np.bincount(label[label >= 0], minlength=len(rule.cuts) + 1).tolist()


def test_terciles_of_flops_are_the_published_ones() -> None:
    assert sizes(quantile(FLOPS, 3), FLOPS) == [5554, 5901, 4170]
    assert sizes(equal(FLOPS, 3), FLOPS) == [5554, 4686, 5385]


def test_by_value_gives_the_28_flops_groups() -> None:
    assert sizes(by_value(FLOPS, 28), FLOPS)[:4] == [729, 1458, 1215, 540]
    with pytest.raises(UsageError, match="28 distinct scores; say --k 28"):
        by_value(FLOPS, 3)


@pytest.mark.parametrize("rule", [quantile, equal, jenks, kmeans])
def test_more_parts_than_distinct_scores_is_refused(rule) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="only 28 distinct scores"):
        rule(FLOPS, 40)


def test_quantiles_that_fall_together_are_refused_with_a_k_that_works() -> None:
    with pytest.raises(UsageError, match=r"quantiles fall together.*rule=equal.*--k 9") as refusal:
        quantile(FLOPS, 20)
    assert refusal.value.exit_code == 2
    assert len(sizes(quantile(FLOPS, 9), FLOPS)) == 9
    assert min(sizes(equal(FLOPS, 20), FLOPS)) > 0


def test_parts_have_given_sizes_or_their_shares() -> None:
    # The sizes of nonlinear's parts: the closest that FLOPs, which have 28 values, can come to them.
    assert sizes(sized(FLOPS, (9105, 5520, 1000)), FLOPS) == [9604, 5016, 1005]
    scores = np.r_[np.arange(15.0), np.full(5, np.nan)]
    assert sizes(sized(scores, (12, 4, 4)), scores) == [9, 3, 3]


def test_a_score_equal_to_a_threshold_goes_below_it() -> None:
    values = np.array([0.0, 1.0, 1.5, 2.0, 3.0])
    assert thresholds(values, 3, (1.0, 2.0)).label(values).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(("k", "cuts", "sentence"), [
    (3, (1.0,), "1 thresholds make 2 parts"),
    (3, (2.0, 1.0), "must ascend"),
    (3, (1.0, 1.0), "must ascend"),
    (3, (1.0, 9.0), "leave part 2 empty, as the scores run from 0 to 3"),
])
def test_bad_thresholds(k: int, cuts: tuple[float, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        thresholds(np.array([0.0, 1.0, 2.0, 3.0]), k, cuts)


SCORES = st.lists(st.integers(0, 12) | st.none(), min_size=1, max_size=40).map(
    lambda scores: np.array([np.nan if score is None else score for score in scores], dtype=np.float64))


@given(SCORES, st.integers(1, 6), st.sampled_from(sorted(RULES)))
def test_rules_keep_order_and_ties_and_fill_every_part(values: NDArray[np.float64], k: int, name: str) -> None:
    distinct = np.unique(values[~np.isnan(values)])
    try:
        rule = RULES[name](values, k)
    except UsageError:
        assert len(distinct) < k or name in ("quantile", "value")
        return
    label = rule.label(values)
    assert ((label == -1) == np.isnan(values)).all()
    assert set(label[label >= 0].tolist()) == set(range(k))
    order = np.argsort(values[label >= 0], kind="stable")
    assert (np.diff(label[label >= 0][order]) >= 0).all()
    assert all(len(set(label[values == value].tolist())) == 1 for value in distinct)
    assert rule.label(values[::-1]).tolist() == label[::-1].tolist()
    assert RULES[name](values[::-1], k) == rule


@given(SCORES, st.integers(2, 4))
def test_equal_is_the_best_of_all_cuts(values: NDArray[np.float64], k: int) -> None:
    finite = values[~np.isnan(values)]
    distinct = np.unique(finite)
    if len(distinct) < k:
        return

    def distance(cuts: tuple[float, ...]) -> int:
        return sum(abs(k * int((finite <= cut).sum()) - i * len(finite)) for i, cut in enumerate(cuts, start=1))

    others = combinations(distinct[:-1].tolist(), k - 1)
    assert distance(equal(values, k).cuts) == min(distance(cuts) for cuts in others)


@given(SCORES, st.integers(2, 5))
def test_a_quantile_cut_is_the_smallest_score_that_enough_do_not_exceed(values: NDArray[np.float64], k: int) -> None:
    try:
        cuts = quantile(values, k).cuts
    except UsageError:
        return
    finite = values[~np.isnan(values)]
    for i, cut in enumerate(cuts, start=1):
        assert k * (finite <= cut).sum() >= i * len(finite) > k * (finite < cut).sum()


def spread(values: NDArray[np.float64], cuts: tuple[float, ...]) -> float:
    """The sum of squared distances of scores from the mean of their part."""
    label = np.searchsorted(cuts, values, side="left")
    return sum(float(((values[label == part] - values[label == part].mean()) ** 2).sum()) for part in range(len(cuts) + 1))


@given(SCORES, st.integers(1, 5), st.sampled_from([1.0, 1e-9, 1e9]), st.sampled_from([0.0, 1e6]))
def test_jenks_is_the_best_of_all_cuts(values: NDArray[np.float64], k: int, unit: float, offset: float) -> None:
    finite = values[~np.isnan(values)]
    distinct = np.unique(finite)
    if len(distinct) < k:
        return
    found = spread(finite, tuple((np.array(jenks((values + offset) * unit, k).cuts) / unit - offset).round()))
    best = min(spread(finite, cuts) for cuts in combinations(distinct[:-1].tolist(), k - 1))
    assert found == pytest.approx(best, rel=1e-6, abs=1e-6)


def test_jenks_by_hand() -> None:
    values = np.array([4.0, 5, 9, 10, np.nan])
    assert jenks(values, 2) == Cuts((5.0,), "jenks")
    assert jenks(np.append(values, 10.5), 3).cuts == (5.0, 9.0)
    assert jenks(values, 4).cuts == (4.0, 5.0, 9.0)
    assert jenks(values, 1).cuts == ()


def test_kmeans_looks_for_what_jenks_finds_and_stops_above_it() -> None:
    values = np.random.default_rng(3).standard_t(2, 2000)
    shortfall = {k: spread(values, kmeans(values, k).cuts) / spread(values, jenks(values, k).cuts) - 1 for k in (2, 3, 4, 8)}
    assert min(shortfall.values()) >= -1e-9
    assert 1e-9 < max(shortfall.values()) < 0.2
    assert jenks(FLOPS, 3).cuts == kmeans(FLOPS, 3).cuts
    assert kmeans(np.repeat(values, 3), 3) == kmeans(np.repeat(values[::-1], 3), 3)


def test_rules_label_what_they_have_not_seen() -> None:
    assert quantile(FLOPS, 3).label(np.array([1.0, 5e7, 1e12, np.nan])).tolist() == [0, 1, 2, -1]
    assert Whole().label(nasbench201().codes[:3]).tolist() == [0, 0, 0]


def test_names_say_which_scores_a_part_holds() -> None:
    values = np.array([0.0, 1.0, 2.0, 0.123456789])
    assert part_names(values, np.array([0, 0, 1, 2], np.int16), 3) == ("0..1", "2", "0.123457")


def test_a_partition_counts_those_in_no_part() -> None:
    parts = Partition(np.array([0, 1, -1, 1]), ("a", "b"), None)
    assert (parts.k, parts.sizes, parts.n_unassigned) == (2, (1, 2), 1)
    assert parts.summary == "1 / 2 (1 in no part)"
    assert parts.members(1).tolist() == [1, 3]
    assert parts.label.dtype == np.int16
    with pytest.raises(ValueError, match="read-only"):
        parts.label[0] = 1


@pytest.mark.parametrize(("label", "names", "sentence"), [
    ([0, 2], ("a", "b"), r"must lie in -1\.\.1"),
    ([0, -2], ("a",), "must lie in"),
    ([0, 0], ("a", "b"), "part 'b' is empty"),
    ([[0, 1]], ("a", "b"), "must be integers"),
    ([0.0, 1.0], ("a", "b"), "must be integers"),
    ([], (), "must"),
])
def test_bad_partitions(label: list[int], names: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(RunError, match=sentence):
        Partition(np.array(label), names, None)


def test_a_tree_is_a_partition_with_parents() -> None:
    Partition(np.array([0, 1, 2]), ("a", "b", "c"), None, parents=(3, 3, 4, 4, -1))
    with pytest.raises(RunError, match="inner node"):
        Partition(np.array([0, 1]), ("a", "b"), None, parents=(1, -1))


def test_scores_refuse_infinity_and_keep_nan() -> None:
    assert Scores(np.array([1, 2]), "count").values.dtype == np.float64
    assert Scores(np.array([1.0, np.nan]), "count").n_undefined == 1
    with pytest.raises(RunError, match="architecture 1"):
        Scores(np.array([1.0, np.inf]), "count")
    with pytest.raises(RunError, match="must be numbers"):
        Scores(np.array(["a"]), "count")  # type: ignore[arg-type]
