"""What seeds can carry: known values, Holm by hand and against its definition, and how often chance is called the best."""

from itertools import combinations
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel

from harness.measures.statistics import LEVEL, difference, holm, spread, standing

Row = dict[int, float]


def row(*values: float) -> Row:
    return dict(enumerate(values))


def test_spread_is_the_sample_standard_deviation() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.sd, found.n) == (3.0, 7 ** 0.5, 3)  # (4 + 1 + 9) / 2
    assert isnan(spread([0.5]).sd)
    assert isnan(spread([0.5, nan]).mean)
    assert isnan(spread([]).mean)


def test_difference_is_scipys_paired_test() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 3, 5, 20):
        one, other = rng.normal(0.5, 0.02, (2, n))
        found, theirs = difference(row(*one), row(*other)), ttest_rel(one, other)
        interval = ttest_1samp(one - other, 0).confidence_interval(0.95)
        assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
        assert found.n == n


def test_difference_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, sd 1, standard error 1 / sqrt 3, t = 3.4641 with 2 degrees of freedom, whose p has a closed
    form: 1 - t / sqrt(2 + t^2)."""
    found = difference(row(2.0, 4.0, 6.0), row(1.0, 2.0, 3.0))
    assert found.mean == 2.0
    assert found.p == pytest.approx(1 - 12 ** 0.5 / 14 ** 0.5)
    assert found.high - found.mean == pytest.approx(4.302653 / 3 ** 0.5, rel=1e-6)


def test_only_common_seeds_count_and_undefined_values_do_not() -> None:
    assert difference({0: 1.0, 1: 2.0, 7: 9.0}, {1: 1.5, 0: 0.0, 8: 3.0}) == difference(row(1.0, 2.0), row(0.0, 1.5))
    assert difference({0: 1.0, 1: nan, 2: 3.0}, row(0.0, 1.0, 1.0)).n == 2
    assert difference({0: 1.0}, {1: 1.0}).n == 0


@pytest.mark.parametrize("other", [row(0.1, 0.2, 0.3), row(0.1 + 0.4, 0.2 + 0.4, 0.3 + 0.4)])
def test_copies_of_one_number_are_no_repetitions(other: Row) -> None:
    """Rounding makes differences of such rows vary in the last digit, on which a t test would be very sure."""
    assert isnan(difference(row(0.1, 0.2, 0.3), other).p)
    assert not standing([row(0.1, 0.2, 0.3), other]).significant


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()
    first, second = holm([0.01, nan])
    assert first == 0.02  # what cannot be tested still counts as a comparison
    assert isnan(second)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """A hypothesis is rejected when Bonferroni rejects every intersection that it is part of."""
    sets = [chosen for size in range(1, len(p) + 1) for chosen in combinations(range(len(p)), size)]
    for i, adjusted in enumerate(holm(p)):
        worst = max(min(1.0, len(chosen) * min(p[j] for j in chosen)) for chosen in sets if i in chosen)
        assert adjusted == pytest.approx(worst)


# ---- the best row


def test_a_row_is_best_only_against_every_other_one() -> None:
    best, near, far = row(0.60, 0.61, 0.62), row(0.59, 0.62, 0.60), row(0.300, 0.311, 0.319)
    clear = standing([far, best])
    assert (clear.best, clear.second, clear.significant) == (1, 0, True)
    found = standing([near, best, far])
    assert (found.best, found.second, found.significant, found.closest) == (1, 0, False, 0)
    assert found.adjusted[2] < LEVEL < found.adjusted[0]
    assert found.differences[2] == difference(best, far)


def test_the_correction_is_holms_over_the_other_rows() -> None:
    rows = [row(0.60, 0.61, 0.62), row(0.500, 0.512, 0.523), row(0.58, 0.60, 0.59)]
    found = standing(rows)
    raw = [ttest_rel(list(rows[0].values()), list(other.values())).pvalue for other in rows[1:]]
    assert found.adjusted == pytest.approx(dict(zip((1, 2), holm(raw), strict=True)))


def test_one_seed_tells_nothing() -> None:
    found = standing([{0: 0.9}, {0: 0.1}])
    assert (found.best, found.second, found.significant, found.closest) == (0, 1, False, None)
    assert not standing([row(0.9, 0.91), {5: 0.1}]).significant  # no common seed


def test_a_row_that_is_best_on_its_own_seeds_only_is_not() -> None:
    """Its mean is the highest thanks to a seed that the other row does not have; on the common ones it is clearly behind."""
    found = standing([{0: 0.100, 1: 0.111, 2: 0.119, 3: 9.0}, row(0.50, 0.51, 0.52)])
    assert found.best == 0
    assert found.adjusted[1] < LEVEL
    assert not found.significant


def test_undefined_rows_and_no_rows() -> None:
    found = standing([row(nan, 0.9), row(0.2, 0.3)])
    assert (found.best, found.second, found.significant) == (1, None, False)
    assert standing([row(nan, nan)]).best is None
    assert standing([]).best is None
    assert standing([row(0.1, 0.2)]).second is None


# ---- tables without a true difference


def chance(rng: np.random.Generator, kind: str) -> list[Row]:
    """A table whose rows have one mean: 2 to 8 of them, 2 to 8 seeds which all rows feel, noise of some kind."""
    rows, seeds = rng.integers(2, 9, 2)
    noise = {"normal": rng.standard_normal, "heavy": lambda size: rng.standard_t(3, size),
             "unequal": lambda size: np.exp(rng.normal(0, 1.5, (size[0], 1))) * rng.standard_normal(size),
             "two rows": lambda size: rng.standard_normal((2, size[1]))}[kind]((rows, seeds))
    values = 0.5 + 0.02 * (rng.standard_normal(seeds) + noise)
    found = [row(*each) for each in values]
    if kind == "unequal":  # and some seeds are missing
        found = [{seed: value for seed, value in each.items() if seed == 0 or rng.random() < 0.8} for each in found]
    return found


@pytest.mark.parametrize("kind", ["normal", "two rows", pytest.param("heavy", marks=pytest.mark.slow),
                                  pytest.param("unequal", marks=pytest.mark.slow)])
def test_chance_is_seldom_called_the_best(kind: str) -> None:
    rng = np.random.default_rng(20)
    assert np.mean([standing(chance(rng, kind)).significant for _ in range(2500)]) <= 0.06


def test_tests_that_forget_that_the_best_was_chosen_call_chance_the_best() -> None:
    """One-sided against the only other row: it doubles the rate. And against the worst of ten, without a correction."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((400, 2, 3))
    means = values.mean(axis=2)
    pairs = [difference(row(*each[best]), row(*each[1 - best])) for each, best in zip(values, means.argmax(axis=1), strict=True)]
    assert np.mean([pair.p / 2 <= LEVEL for pair in pairs]) > 0.08
    many = rng.standard_normal((400, 10, 3))
    ends = [(each.mean(axis=1).argmax(), each.mean(axis=1).argmin()) for each in many]
    spans = [difference(row(*each[best]), row(*each[worst])) for each, (best, worst) in zip(many, ends, strict=True)]
    assert np.mean([span.p <= LEVEL for span in spans]) > 0.2


def test_a_row_that_leads_on_the_common_seeds_is_ahead_of_the_best_mean() -> None:
    best = {0: 0.50, 1: 0.51, 2: 0.49, 3: 0.9, 4: 0.9}
    other = {0: 0.60, 1: 0.612, 2: 0.591}
    found = standing([best, other])
    assert (found.best, found.ahead, found.significant) == (0, 1, False)
    assert standing([{0: 0.5, 1: 0.6}, {0: 0.51, 1: 0.4}]).ahead is None
