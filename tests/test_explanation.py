"""`harness data explain`: the words are right, and the numbers are those of the tables at hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.column import N_ARCH, NewColumn
from benchmarks.convert import import_table
from benchmarks.convert.explanation import SOURCES, USERS, explain
from benchmarks.convert.naming import is_there, numbers_of
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import table_path, write_table
from benchmarks.truth import TruthKey
from tests.command import harness

V10 = "v1_0/cifar10/test/200/full"
NATS = "nats/cifar10/test/200/full"


def write(name: str, columns: dict[tuple[str, str, str], NDArray[np.float64]], quantity: str = "accuracy") -> None:
    made = [NewColumn(n, TruthKey.parse(k), s, values, quantity) for (n, k, s), values in columns.items()]
    write_table(name, table_path(name), made, [])


def spread(seed: int) -> NDArray[np.float64]:
    """Accuracies that are equal where the networks are."""
    of_class: NDArray[np.float64] = np.random.default_rng(seed).uniform(80, 90, N_ARCH)
    return of_class[nasbench201().training_id]


@pytest.mark.parametrize(("asked", "says"), [
    (V10, "10,000 test images of CIFAR-10, of networks trained for 200 epochs on all training images (50,000)"),
    ("v1_1/cifar10/valid/200/half", "25,000 validation images of CIFAR-10, of networks trained for 200 epochs on the training"),
    ("nats/cifar10/valid/12/half", "which the official files call cifar10-valid"),
    ("nats/ImageNet16-120/valtest/200/full", "6,000 validation and test images of ImageNet16-120"),
    ("nats/cifar100/train/200/full", "images of CIFAR-100 that were trained on"),
    ("c10_test_loss_200_s777", "cross-entropy in nats on the 10,000 test images"),
    ("c100_train_seconds_12_v11", "seconds of the whole training, of a network trained for 12 epochs"),
    ("in16_valid_seconds_200", "seconds of one evaluation on the 3,000 validation images"),
    ("c10_train_flops_200_s777", "millions of multiply-adds where the file disagrees with the closed form"),
    ("digits201/digits/test/60/full", "test images of the digits"),
    ("mine/mnist/test/5/full", "test images of mnist"),
])
def test_what_a_number_is(asked: str, says: str) -> None:
    assert says in explain(asked).what


def test_in_words_alone() -> None:
    found = explain("c10_test_200_v10")
    assert (found.key, found.column, found.table, found.architectures) == (V10, "c10_test_200_v10", None, 0)
    assert found.trials == ((1, 6_219), (2, 1_621), (3, 7_785))
    assert any("EFS-NAS" in user for user in found.used_by)
    assert [c.key for c in found.confusions] == [
        NATS, "v1_1/cifar10/test/200/full", "nats/cifar10/test/12/full", "v1_0/cifar10/test/200/half",
        "v1_0/cifar10/valid/200/half"]
    assert {c.tau for c in found.confusions} == {None}
    assert (found.best, found.noise_sd, found.ceiling) == (None, None, None)
    assert any("FS-NAS" in user for user in explain("v1_1/cifar10/test/200/full").used_by)
    assert any("NATS-Bench" in user for user in explain("nats/cifar100/valtest/200/full").used_by)
    assert "no ground truth" in explain("naslib/cifar10/valid/200/half").source


@pytest.mark.parametrize(("asked", "meant"), [
    ("v1_0/cifar10/valid/200/full", ["v1_0/cifar10/test/200/full", "v1_0/cifar10/valid/200/half"]),
    ("v1_0/cifar100/test/12/full", ["v1_0/cifar100/test/200/full"]),
    ("nats/cifar100/test/90/full", ["nats/cifar100/test/12/full", "nats/cifar100/test/200/full"]),
    ("nats/CIFAR-10/test/200/full", ["nats/cifar10/test/200/full"]),
    ("nats/cifar10/valtest/200/full", ["nats/cifar10/test/200/full"]),
    ("nats/cifar100/test/200/half", ["nats/cifar100/test/200/full"]),
    ("naslib/cifar10/test/200/full", ["naslib/cifar10/valid/200/half"]),
    ("v1_1/mnist/test/200/full", []),
])
def test_numbers_that_the_official_files_do_not_have(asked: str, meant: list[str]) -> None:
    with pytest.raises(UsageError, match=f"'{asked}' is no number of ") as error:
        explain(asked)
    said = f"; did you mean {' or '.join(meant)}?" if meant else "; its data sets are cifar10, cifar100, ImageNet16-120."
    assert str(error.value).endswith(said)
    for key in meant:
        assert explain(key).what
    # A table may hold it all the same.
    write("mine", {("x", asked, "mean"): spread(0)})
    assert "that has no such number; " in explain(asked).source


def test_what_is_confused_with_a_number_is_there() -> None:
    keys = [key for source in ("nats", "v1_0", "v1_1") for key in numbers_of(source)]
    # Data sets with splits: 2 + 3 + 4 + 4; v1_0 has of 12 epochs those of half of CIFAR-10 alone.
    assert [len(numbers_of(source)) for source in ("nats", "v1_0", "v1_1", "nats-onetrial", "naslib")] == [26, 16, 26, 3, 3]
    for key in keys:
        for confusion in explain(str(key)).confusions:
            assert is_there(TruthKey.parse(confusion.key)), (str(key), confusion.key)
    assert is_there(TruthKey.parse("mine/mnist/test/5/full"))
    # Of 12 epochs NATS-Bench has the trials of v1_1.
    for key, others in (("nats/cifar100/test/12/full", "v1_1"), ("v1_1/cifar10/valid/12/half", "nats")):
        said = {c.key.split("/")[0]: c.why for c in explain(key).confusions if c.key.split("/")[1:] == key.split("/")[1:]}
        assert "which has the same trials" in said[others]
        assert "v1_0" not in said or "not the same trials" in said["v1_0"]


def test_documented_trials_are_all_architectures_and_patterns_are_keys() -> None:
    for name, (_, trials) in SOURCES.items():
        assert sum(trials.values()) in (0, N_ARCH), name
    assert SOURCES["nats"][1][2] * 2 + SOURCES["nats"][1][3] * 3 == 39_419
    for pattern, _ in USERS:
        parts = pattern.split("/")
        assert parts[0] in SOURCES
        TruthKey.parse("/".join(p if p != "*" else d for p, d in zip(parts, V10.split("/"), strict=True)))


def test_a_table_at_hand_gives_counts_best_noise_and_tau() -> None:
    mean, noise = spread(0), np.random.default_rng(1)
    seeds = {(f"a_s{seed}", NATS, seed): mean + noise.normal(0, 0.3, N_ARCH) for seed in ("777", "888")}
    seeds["a_s888", NATS, "888"][:100] = np.nan
    seeds["a_s777", NATS, "777"][7] = seeds["a_s888", NATS, "888"][7] = np.nan
    write("mine", seeds)
    write("other", {("v", V10, "mean"): -mean + 180})
    found = explain(NATS)
    assert (found.table, found.seeds, found.architectures) == ("mine", ("777", "888"), N_ARCH - 1)
    assert found.trials == ((1, 99), (2, N_ARCH - 100))
    assert found.best is not None
    means = np.ma.masked_invalid(np.stack(list(seeds.values()))).mean(axis=0)
    assert found.best.accuracy == pytest.approx(means.max(), abs=1e-6)
    assert found.best.architectures == (int(means.argmax()),)
    assert found.noise_sd == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert found.ceiling is not None
    assert 0.9 < found.ceiling < 1
    against = {c.key: c for c in found.confusions}
    assert against[V10].tau == pytest.approx(-found.ceiling, abs=0.05)
    assert against[V10].n == N_ARCH - 1
    assert against["v1_1/cifar10/test/200/full"].tau is None
    # A name that no table has means the key.
    assert explain("c10_test_200").table == "mine"
    assert explain("v", "other").key == V10


def test_columns_that_are_no_truth_are_explained_without_a_best() -> None:
    write("mine", {("c10_test_loss_200_s777", NATS, "777"): spread(0)}, "loss")
    found = explain("c10_test_loss_200_s777")
    assert (found.quantity, found.table, found.architectures, found.best) == ("loss", "mine", N_ARCH, None)
    assert found.confusions == ()


def test_what_cannot_be_explained() -> None:
    write("mine", {("c10_test_200", NATS, "mean"): spread(0)})
    with pytest.raises(UsageError, match="did you mean 'c10_test_200'"):
        explain("c10_tset_200")
    with pytest.raises(UsageError, match="the form is"):
        explain("a/b")
    with pytest.raises(DataError, match="There is no table 'nope'"):
        explain(V10, "nope")


def test_the_command() -> None:
    write("nasbench201", {("c10_test_200_v10", V10, "mean"): spread(0), ("c10_test_200", NATS, "mean"): spread(0)})
    said = harness("data explain c10_test_200_v10")
    assert said.code == 0, said.err
    for text in ("c10_test_200_v10 = v1_0/cifar10/test/200/full", "EFS-NAS", "6,219", "as documented", "tau 1.0000", "12 epochs"):
        assert text in " ".join(said.out.split())
    assert harness("data explain c10_test_200_v10 --json").json["key"] == V10
    assert "no table here has it" in harness("data explain v1_1/cifar100/test/200/full").out
    assert harness("data explain nothing").code == 2
    assert harness(f"data explain {V10} --table nope").code == 3
    assert harness(f"data explain {V10} --table {'c' * 300}").code == 2
    # A damaged table is nobody's obstacle, but it is reported.
    table_path("damaged").write_bytes(b"junk")
    assert harness(f"data explain {V10}").code == 0
    listed = harness("data list --json")
    assert (listed.code, "Table 'damaged'" in listed.err) == (3, True)
    assert V10 in [entry["key"] for entry in json.loads(listed.out)["truths"]]
    assert harness("data verify").code == 3


@pytest.mark.real_data
def test_the_keys_of_the_papers(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    found = explain("c10_test_200_v10")
    assert found.best is not None
    assert (round(found.best.accuracy, 4), found.best.architectures) == (94.3733, (6111, 13714))
    tau = {c.key: c.tau for c in found.confusions}
    assert tau[NATS] == pytest.approx(0.9747, abs=5e-5)
    nats = explain("nats/cifar10/test/200/full")
    against = {c.key: c.tau for c in nats.confusions}
    assert against["v1_1/cifar10/test/200/full"] == pytest.approx(0.9901, abs=5e-5)
    assert against["nats/cifar10/valid/200/half"] == pytest.approx(0.8937, abs=5e-4)
    assert against["nats/cifar10/test/12/full"] == pytest.approx(0.7000, abs=5e-4)
    assert explain("nats/cifar10/valid/200/half").trials == tuple(SOURCES["nats"][1].items())
    assert explain("v1_1/cifar10/test/200/full").trials == tuple(SOURCES["v1_1"][1].items())
