"""How far a split separates: every measure against a plain one, and the null."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import entropy, kendalltau, rankdata

from harness.splits.separation import Null, best, eta2, null, separation, separations

EVERYTHING = np.arange(15_625)


def plainly(label: NDArray[np.int16], true: NDArray[np.float64]) -> list[float]:
    """The measures of `Separation`, one architecture and one part at a time."""
    inside, top = label >= 0, sorted(range(len(true)), key=lambda i: (-true[i], i))[:max(1, round(0.01 * len(true)))]
    found = [sum(label[i] == part for i in top) for part in range(label.max() + 1)]
    largest = int(np.argmax(found))
    enrichment = found[largest] / len(top) / (label == largest).mean()
    return [kendalltau(label[inside], true[inside]).statistic, eta2(label[inside], true[inside]),
            eta2(label[inside], rankdata(true[inside])), found[largest] / len(top), enrichment, entropy(found, base=2)]


@pytest.mark.parametrize("k", [2, 3, 7])
@pytest.mark.parametrize("decimals", [0, 9])
def test_every_measure_as_plainly(k: int, decimals: int) -> None:
    rng = np.random.default_rng(k)
    true = np.round(rng.normal(80, 5, 400), decimals)
    labels = rng.integers(0, k, (5, 400)).astype(np.int16)
    some = np.where(rng.random((5, 400)) < 0.3, np.int16(-1), labels)
    some[:, best(true)] = labels[:, best(true)]
    for each in (labels, some, np.concatenate((labels, some))):
        assert separations(each, true) == pytest.approx(np.array([plainly(label, true) for label in each]), abs=1e-12)


def test_eta2_is_the_share_between_parts() -> None:
    rng = np.random.default_rng(0)
    label, values = rng.integers(0, 4, 50).astype(np.int16), rng.normal(size=50)
    groups = [values[label == part] for part in range(4)]
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups)
    assert eta2(label, values) == pytest.approx(between / (between + within))
    assert eta2(label, label.astype(float)) == pytest.approx(1)
    assert eta2(np.zeros(50, np.int16), values) == pytest.approx(0)
    assert np.isnan(eta2(label, np.ones(50)))
    assert np.isnan(eta2(label[:0], values[:0]))


def test_what_is_in_no_part_is_left_out_but_for_the_best() -> None:
    label, true = np.array([0, -1, 1, 1], np.int16), np.array([1.0, 99.0, 3.0, 3.0])
    found = separation(label, true)
    assert [found.tau, found.eta2, found.rank_eta2] == pytest.approx([1, 1, 1])
    assert np.isnan([found.top_share, found.top_enrichment, found.top_entropy]).all()  # the best one is in no part


def test_what_is_not_defined_is_nan() -> None:
    ones = np.zeros(4, np.int16)
    same = separation(np.array([0, 0, 1, 1], np.int16), np.ones(4))
    assert np.isnan([same.tau, same.eta2, same.rank_eta2]).all()
    alone = separation(ones, np.arange(4.0))
    assert np.isnan(alone.tau)
    assert [alone.eta2, alone.top_share, alone.top_enrichment, alone.top_entropy] == pytest.approx([0, 1, 1, 0])
    for nothing in (separation(-ones - 1, np.arange(4.0)), separation(ones[:0], np.empty(0))):
        assert np.isnan(list(vars(nothing).values())).all()


def test_concentration_counts_the_best_percent() -> None:
    true = np.arange(400.0)
    label = np.zeros(400, np.int16)
    label[[396, 397, 398, 0, 1]] = 1  # 3 of the best 4, and 5 of 400
    found = separation(label, true)
    assert found.top_share == 0.75
    assert found.top_enrichment == 0.75 / (5 / 400)
    assert found.top_entropy == pytest.approx(-0.75 * np.log2(0.75) - 0.25 * np.log2(0.25))
    spread = separation((np.arange(400) % 4).astype(np.int16), true)
    assert (spread.top_share, spread.top_enrichment, spread.top_entropy) == (0.25, 1, 2)


def test_best_breaks_ties_by_index() -> None:
    assert best(np.full(300, 5.0)).tolist() == [0, 1, 2]
    assert best(np.arange(10.0)).tolist() == [9]


def test_null_keeps_the_sizes_and_follows_its_seed() -> None:
    label = np.repeat(np.arange(3, dtype=np.int16), (60, 30, 10))
    true, members = np.arange(100.0), np.arange(0, 100, 2)
    assert null(label, true, members, 1).mean == null(label, true, members, 1).mean != null(label, true, members, 2).mean
    one = null(np.zeros(100, np.int16), true, members, 1)
    assert np.isnan(one.mean.tau)
    assert one.mean.eta2 == pytest.approx(0)
    assert np.isnan(one.percentile.eta2)  # no draw differs


def drawn(n: int = 4000, k: int = 3) -> tuple[NDArray[np.int16], NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return (np.arange(n) % k).astype(np.int16), rng.normal(90, 2, n), np.arange(n)


def test_null_has_the_moments_of_chance() -> None:
    label, true, members = drawn()
    found = null(label, true, members, 0, draws=1000)
    assert found.mean.eta2 == pytest.approx(2 / 3999, rel=0.1)  # (k - 1) / (n - 1)
    assert found.mean.rank_eta2 == pytest.approx(2 / 3999, rel=0.1)
    assert found.mean.tau == pytest.approx(0, abs=0.001)
    assert found.low.tau < found.mean.tau < found.high.tau
    assert 1.5 < found.mean.top_entropy < np.log2(3)


def test_percentiles_of_chance_are_uniform_and_of_the_truth_extreme() -> None:
    label, true, members = drawn(500)
    rng = np.random.default_rng(1)
    places = [null(rng.permutation(label), true, members, seed, draws=40).percentile.eta2 for seed in range(40)]
    assert 35 < np.mean(places) < 65
    assert min(places) < 20
    assert max(places) > 80
    label, true, members = drawn()
    extreme = null((rankdata(true) * 3 // 4001).astype(np.int16), true, members, 0).percentile
    assert (extreme.tau, extreme.eta2, extreme.rank_eta2, extreme.top_share, extreme.top_entropy) == (100, 100, 100, 100, 0)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    label, true, members = drawn(300)
    whole = null(label, true, members, 0)
    monkeypatch.setattr("harness.splits.separation.CHUNK", 1000)
    assert vars(null(label, true, members, 0).percentile) == pytest.approx(vars(whole.percentile), nan_ok=True)


def test_200_random_splits_take_a_second_or_two() -> None:
    label, true, members = (np.arange(15_625) % 3).astype(np.int16), np.random.default_rng(0).normal(90, 2, 15_625), EVERYTHING
    start = time.process_time()
    assert isinstance(null(label, true, members, 0), Null)
    assert time.process_time() - start < 2
