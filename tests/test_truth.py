"""Truth keys, ground truths, and reading them from tables."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.benchmark import NAMES, benchmark
from benchmarks.convert import import_table
from benchmarks.errors import DataError, UsageError
from benchmarks.table import N_ARCH, NewColumn, table_path, write_table
from benchmarks.truth import SPLITS, TRAIN_ON, GroundTruth, TruthKey, load_truth

KEY = TruthKey.parse("v1_1/cifar10/test/200/full")
NAME = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True)


@given(st.builds(TruthKey, NAME, NAME, st.sampled_from(SPLITS), st.integers(1, 9999), st.sampled_from(TRAIN_ON)))
def test_parse_is_the_inverse_of_str(key: TruthKey) -> None:
    assert TruthKey.parse(str(key)) == key


@pytest.mark.parametrize(("text", "says"), [
    ("c10_test_200", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/test/200", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/test/many/full", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/tests/200/full", "choose one of valid, test, valtest"),
    ("v1_0/cifar10/test/0/full", "epochs"),
    ("v1_0/cifar10/test/200/most", "choose full"),
    ("v1 0/cifar10/test/200/full", "is no source"),
])
def test_what_is_no_key(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TruthKey.parse(text)


def test_the_mean_is_over_the_trials_that_exist() -> None:
    nan = np.nan
    accuracy = np.array([[1.0, 2.0, 4.5], [nan, 3.0, nan], [nan, nan, nan]])
    truth = GroundTruth(KEY, accuracy, ("777", "888", "999"), "", "t")
    assert truth.n_trials.tolist() == [3, 1, 0]
    np.testing.assert_array_equal(truth.mean(), [2.5, 3.0, nan])
    assert "mean of 1 to 3 seeds; 2 architectures" in truth.label


@given(st.permutations([91.07, 91.13, 90.94]))
def test_equal_trials_are_a_tie_in_any_order(trials: list[float]) -> None:
    truth = GroundTruth(KEY, np.array([trials, [91.07, 91.13, 90.94]]), ("a", "b", "c"), "", "t")
    assert truth.mean()[0] == truth.mean()[1]


def write(name: str, columns: list[tuple[str, str, str, float]]) -> None:
    made: list[NewColumn] = [(n, TruthKey.parse(k), s, np.full(N_ARCH, v)) for n, k, s, v in columns]
    write_table(name, table_path(name), made, [{"file": "made by a test"}])


def test_a_key_collects_its_seeds_and_a_name_is_one_column() -> None:
    key, means = "v1_1/cifar10/test/200/full", "nats/cifar10/test/200/full"
    write("t", [("m", key, "mean", 1.0), ("b", key, "888", 2.0), ("a", key, "777", 3.0), ("n", means, "mean", 4.0)])
    assert load_truth(key, "t").seeds == ("777", "888")
    assert load_truth(TruthKey.parse(key), "t").accuracy[0].tolist() == [3.0, 2.0]
    assert load_truth("m", "t").seeds == ("mean",)
    assert load_truth("b", "t").seeds == ("888",)
    assert load_truth(means, "t").seeds == ("mean",)
    assert (load_truth("m", "t").column, load_truth(key, "t").column) == ("m", None)
    assert load_truth(key, "t").sha256 != load_truth("m", "t").sha256


def test_another_table_answers_when_the_benchmarks_own_does_not() -> None:
    write("other", [("m", "v1_1/cifar10/test/200/full", "mean", 1.0)])
    assert load_truth("m", "nasbench201").table == "other"
    write("nasbench201", [("n", "v1_0/cifar10/test/200/full", "mean", 1.0)])
    assert load_truth("m", "nasbench201").table == "other"
    write("third", [("m", "v1_1/cifar10/test/200/full", "mean", 2.0)])
    with pytest.raises(UsageError, match="stands in the tables other, third with different values"):
        load_truth("m", "nasbench201")


def test_an_unknown_key_suggests_and_a_missing_table_says_how_to_get_it() -> None:
    with pytest.raises(DataError, match="harness data import FILE --as nasbench201"):
        load_truth("c10_test_200", "nasbench201")
    write("nasbench201", [("c10_test_200_v10", "v1_0/cifar10/test/200/full", "mean", 1.0)])
    with pytest.raises(UsageError, match=r"did you mean 'c10_test_200_v10'.*harness data list"):
        load_truth("c10_tset_200_v10", "nasbench201")
    with pytest.raises(UsageError, match="did you mean 'v1_0/cifar10/test/200/full'"):
        load_truth("v1_0/cifar10/test/12/full", "nasbench201")


def test_benchmarks_name_a_default_truth_for_every_dataset() -> None:
    for name in NAMES:
        for dataset in benchmark(name).datasets:
            assert TruthKey.parse(benchmark(name).truth_for(dataset)).dataset == dataset
    with pytest.raises(UsageError, match="did you mean 'nasbench201'"):
        benchmark("nasbench-201")
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        benchmark("nasbench201").skeleton_for("cifar-10")
    digits = benchmark("digits201").skeleton_for("digits")
    assert (digits.channels, digits.cells, digits.classes, digits.image_size, digits.image_channels) == (4, 1, 10, 8, 1)


def test_reading_a_truth_imports_neither_torch_nor_pandas() -> None:
    values = np.full(N_ARCH, np.nan)
    values[:9] = 7.0
    write_table("t", table_path("t"), [("m", KEY, "mean", values)], [])
    code = ("import sys; from benchmarks.truth import load_truth; load_truth('m', 't').mean(); "
            "print([m for m in ('torch', 'pandas', 'scipy', 'sklearn') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.real_data
def test_the_real_truths(shared_data: Path) -> None:
    from scipy.stats import kendalltau

    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    v10 = load_truth("c10_test_200_v10", "nasbench201")
    assert v10.seeds == ("mean",)
    assert str(v10.key) == "v1_0/cifar10/test/200/full"
    # The optimum of CIFAR-10 is an exact tie.
    mean = v10.mean()
    assert np.flatnonzero(mean == mean.max()).tolist() == [6111, 13714]
    assert mean.max() == pytest.approx(94.373333)
    optima = (("cifar10", 6111, 94.373333), ("cifar100", 9930, 73.513333), ("ImageNet16-120", 857, 47.311111))
    for dataset, best, value in optima:
        default = load_truth(benchmark("nasbench201").truth_for(dataset), "nasbench201").mean()
        assert (int(default.argmax()), default.max()) == (best, pytest.approx(value, abs=1e-6))
    nats = load_truth("nats/cifar10/test/200/full", "nasbench201").mean()
    v11 = load_truth("v1_1/cifar10/test/200/full", "nasbench201")
    assert v11.seeds == ("777", "888", "999")
    assert np.bincount(v11.n_trials).tolist() == [0, 2_225, 5_439, 7_961]
    np.testing.assert_allclose(v11.mean(), load_truth("c10_test_200_v11", "nasbench201").mean(), atol=2e-6)
    assert kendalltau(nats, v10.mean()).statistic == pytest.approx(0.9747, abs=5e-5)
    assert kendalltau(nats, v11.mean()).statistic == pytest.approx(0.9901, abs=5e-5)
    # Official specimens, seeds 777 / 888 / 999 and the mean of three.
    assert v11.accuracy[0].tolist() == [85.62, 86.18, 85.79]
    assert nats[[0, 11, 284]] == pytest.approx([85.863333, 91.583333, 88.79], abs=1e-6)
    valid = load_truth("nats/cifar10/valid/200/half", "nasbench201")
    assert np.bincount(valid.n_trials).tolist() == [0, 0, 7_456, 8_169]
    assert load_truth("nats/cifar10/test/12/full", "nasbench201").mean().max() == 89.16
