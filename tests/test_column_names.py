"""Names of columns: each says which truth and which seed its numbers are, or the user is asked to say it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.convert import import_table
from benchmarks.convert.naming import column_name, is_description, meaning
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import load_truth
from tests.extracts import WHAT, frame, save

SPACE = nasbench201()


@pytest.mark.parametrize(("name", "key", "seed"), [
    ("c10_test_200", "nats/cifar10/test/200/full", "mean"),
    ("c10_test_200_v10", "v1_0/cifar10/test/200/full", "mean"),
    ("c10valid_test_200_v11", "v1_1/cifar10/test/200/half", "mean"),
    ("c10valid_valid_200_s777", "nats/cifar10/valid/200/half", "777"),
    ("c100_valtest_200_s999", "nats/cifar100/valtest/200/full", "999"),
    ("in16_test_200_onetrial", "nats-onetrial/ImageNet16-120/test/200/full", "onetrial"),
    ("in16_valid_12", "nats/ImageNet16-120/valid/12/full", "mean"),
    ("c10_test_200_v11_s888", "v1_1/cifar10/test/200/full", "888"),
])
def test_what_names_say(name: str, key: str, seed: str) -> None:
    meant = meaning(name)
    assert meant is not None
    assert (str(meant.key), meant.seed) == (key, seed)


def test_what_names_do_not_say() -> None:
    for name in ("c10_valid_200", "c10_valtest_200", "c10_test_100", "c10_test_200_t0", "accuracy", "c10_test_200_v12",
                 "c10_test_12_v10", "c10_test_200_naslib", "c10_test_12_onetrial"):
        assert meaning(name) is None
    for name in ("params_c10", "flops_naslib_in16", "c10valid_cost_12", "n_trials_v11", "op_e32", "iso_str", "UniqueString"):
        assert is_description(name)


@pytest.mark.parametrize(("name", "key", "seed", "quantity"), [
    ("c10_test_loss_200_s777", "nats/cifar10/test/200/full", "777", "loss"),
    ("c10valid_train_200_v11_s888", "v1_1/cifar10/train/200/half", "888", "accuracy"),
    ("c100_train_seconds_12", "nats/cifar100/train/12/full", "mean", "seconds"),
    ("in16_train_flops_200_v10_s777", "v1_0/ImageNet16-120/train/200/full", "777", "flops"),
    ("c10valid_valid_200_naslib", "naslib/cifar10/valid/200/half", "mean", "accuracy"),
])
def test_names_of_every_quantity(name: str, key: str, seed: str, quantity: str) -> None:
    meant = meaning(name)
    assert meant is not None
    assert (str(meant.key), meant.seed, meant.quantity) == (key, seed, quantity)
    assert column_name(meant.key, seed, quantity) == name


@pytest.mark.parametrize(("theirs", "ours"), [
    ("CIFAR10TestAccuracy200Epochs", "c10_test_200"), ("ImageNetTestAccuracy200Epochs", "in16_test_200"),
    # The first edition of nats_bench.csv drew one trial of 200 epochs at random.
    ("Cifar100TestAccuracy200Epochs", "c100_test_200_onetrial"), ("ImageNet16TestAccuracy12Epochs", "in16_test_12"),
    ("c10valid_train_time_200", "c10valid_train_seconds_200"),
])
def test_names_of_public_extracts(theirs: str, ours: str) -> None:
    assert meaning(theirs) == meaning(ours) is not None
    assert meaning("MNISTTestAccuracy200Epochs") is None


def test_a_table_like_nats_bench_csv(tmp_path: Path) -> None:
    data = pd.DataFrame({"CIFAR10TestAccuracy200Epochs": [85.86333333333334, 91.58333333333333],
                         "ArchitectureString": [SPACE.strings[0], SPACE.strings[11]], "UniqueString": ["(0)@x+#", "#"]})
    summary = import_table(save(data, tmp_path / "nats_bench.csv"), "mine")
    assert (summary.format, summary.columns, summary.skipped) == ("csv", ("CIFAR10TestAccuracy200Epochs",), ("UniqueString",))
    # Our own name for the same number finds it.
    assert load_truth("c10_test_200", "mine").mean()[[0, 11]].tolist() == [85.863333, 91.583333]
    assert load_truth("c10_test_200", "mine").column == "c10_test_200"


def test_trials_become_seeds(tmp_path: Path) -> None:
    nan = np.nan
    trials = {"c10_test_200_v11_t0": [1.0, 2, 3, nan], "c10_test_200_v11_t1": [nan, 4, 5, nan],
              "c10_test_200_v11_t2": [nan, nan, 6, nan]}
    import_table(save(frame(4, **trials, n_trials_v11=[1, 2, 3, 0]), tmp_path / "s.csv"), "mine")
    truth = load_truth("v1_1/cifar10/test/200/full", "mine")
    assert truth.seeds == ("777", "888", "999")
    expected = [[nan, 1, nan], [2, 4, nan], [3, 5, 6], [nan, nan, nan]]
    np.testing.assert_array_equal(truth.accuracy[[0, 3, 6, 9]], expected)
    for wrong in ({"n_trials_v11": [1, 3, 3, 0]}, {"c10_test_200_v11_t0": [1.0, nan, 3, nan]}):
        with pytest.raises(DataError, match="in row 2: the trials present"):
            import_table(save(frame(4, **{**trials, **wrong}), tmp_path / "s.csv"), "other")


def test_a_trial_alone_has_no_seed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="import all three"):
        import_table(save(frame(c10_test_200_v11_t0=1.0), tmp_path / "s.csv"), "mine")


def test_columns_of_unknown_meaning(tmp_path: Path) -> None:
    source = save(frame(a_s0=10.0, a_s1=20.0), tmp_path / "s.csv")
    with pytest.raises(UsageError, match=r"column 'a_s0' .* say it with --dataset, --split, --epochs, --train-on"):
        import_table(source, "mine")
    with pytest.raises(UsageError, match="add --epochs, --train-on"):
        import_table(source, "mine", dataset="cifar10", split="test")
    import_table(source, "mine", **WHAT)  # type: ignore[arg-type]
    assert load_truth("mine/cifar10/test/200/full", "mine").seeds == ("0", "1")
    two = save(frame(a=10.0, b=20.0, c10_test_12=30.0), tmp_path / "two.csv")
    with pytest.raises(UsageError, match=r"'a' and 'b' .* take one with --column"):
        import_table(two, "two", **WHAT)  # type: ignore[arg-type]
    assert import_table(two, "two", column="c10_test_12").columns == ("c10_test_12",)
    with pytest.raises(UsageError, match="no column of accuracies"):
        import_table(save(frame(params_c10=1.0), tmp_path / "p.csv"), "three")
