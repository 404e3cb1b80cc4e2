"""Truth keys, ground truths, and reading them from tables."""

import itertools
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.benchmark import NAMES, benchmark
from benchmarks.column import N_ARCH, NewColumn
from benchmarks.convert import import_table
from benchmarks.convert.naming import meaning
from benchmarks.errors import DataError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import Table, open_table, table_path, tables, write_table
from benchmarks.truth import MOST_EPOCHS, SPLITS, TRAIN_ON, GroundTruth, TruthKey, load_truth
from tests import official

KEY = TruthKey.parse("v1_1/cifar10/test/200/full")
TEXT = st.one_of(st.from_regex(r"[A-Za-z0-9_.-]{1,101}", fullmatch=True), st.text(max_size=3))
EPOCHS = st.one_of(st.integers(), st.sampled_from((0, 1, MOST_EPOCHS, MOST_EPOCHS + 1, 10**6, 10**7)))


@given(TEXT, TEXT, st.sampled_from(SPLITS), EPOCHS, st.sampled_from(TRAIN_ON))
def test_parse_is_the_inverse_of_str_for_every_key_that_can_be(source: str, dataset: str, split: str, epochs: int,
                                                               train_on: str) -> None:
    try:
        key = TruthKey(source, dataset, split, epochs, train_on)
    except UsageError:
        with pytest.raises(UsageError):
            TruthKey.parse(f"{source}/{dataset}/{split}/{epochs}/{train_on}")
    else:
        assert TruthKey.parse(str(key)) == key


@pytest.mark.parametrize(("text", "says"), [
    ("c10_test_200", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/test/200", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/test/many/full", "the form is source/dataset/split/epochs/train_on"),
    ("v1_0/cifar10/tests/200/full", "choose one of valid, test, valtest, train"),
    ("v1_0/cifar10/test/0/full", "epochs"),
    ("v1_0/cifar10/test/1000000/full", "cannot have 1000000 epochs: .* from 1 to 999999"),
    (f"v1_0/cifar10/test/{'9' * 5000}/full", "the form is"),
    (f"{'a' * 101}/cifar10/test/200/full", "is no source .* at most 100"),
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
    made = [NewColumn(n, TruthKey.parse(k), s, np.full(N_ARCH, v)) for n, k, s, v in columns]
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


def test_architectures_without_a_trial_keep_their_mean() -> None:
    """A few architectures of an official folder, imported into a table of means, must not hide the others."""
    means, trial = np.full(N_ARCH, 5.0), np.full(N_ARCH, np.nan)
    trial[7], means[9] = 6.0, np.nan
    columns = [NewColumn("m", KEY, "mean", means), NewColumn("s", KEY, "777", trial)]
    write_table("t", table_path("t"), columns, [])
    truth = load_truth(KEY, "t")
    assert truth.seeds == ("777", "mean")
    assert truth.mean()[[0, 7, 9]].tolist()[:2] == [5.0, 6.0]
    assert (truth.n_trials.sum(), truth.n_trials.max()) == (N_ARCH - 1, 1)
    assert load_truth("s", "t").seeds == ("777",)
    assert load_truth("m", "t").mean()[7] == 5.0


def test_another_table_answers_when_the_benchmarks_own_does_not() -> None:
    write("other", [("m", "v1_1/cifar10/test/200/full", "mean", 1.0)])
    assert load_truth("m", "nasbench201").table == "other"
    write("nasbench201", [("n", "v1_0/cifar10/test/200/full", "mean", 1.0)])
    assert load_truth("m", "nasbench201").table == "other"
    write("third", [("m", "v1_1/cifar10/test/200/full", "mean", 2.0)])
    with pytest.raises(UsageError, match="stands in the tables other, third with different values"):
        load_truth("m", "nasbench201")


def test_stray_and_damaged_files_beside_the_tables_are_in_nobodys_way() -> None:
    write("nasbench201", [("n", "v1_0/cifar10/test/200/full", "mean", 1.0)])
    write("other", [("m", "v1_1/cifar10/test/200/full", "mean", 1.0)])
    folder = table_path("other").parent
    for stray in ("Bad Name.parquet", ".other.parquet.1-2.tmp.parquet"):
        (folder / stray).write_bytes(b"PAR1")
    assert not {"Bad Name", ".other.parquet.1-2.tmp"} & {table.name for table in tables()}
    (folder / "damaged.parquet").write_bytes(b"junk")
    (folder / "folder.parquet").mkdir()
    for asked in ("n", "m", "c10_test_200_v10"):
        assert load_truth(asked, "nasbench201").mean()[0] == 1.0
    # Nobody has it, and the damaged one may have had it.
    with pytest.raises(DataError, match=r"Table 'damaged' .* is damaged"):
        load_truth("nowhere", "nasbench201")
    problems: list[DataError] = []
    assert [table.name for table in tables(problems)] == ["digits201", "nasbench201", "other"]
    assert len(problems) == 2


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
    write_table("t", table_path("t"), [NewColumn("m", KEY, "mean", values)], [])
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


# ---- opened objects of the official packages

@pytest.mark.real_data
def test_an_opened_nats_bench_gives_the_truth_of_its_folder(shared_data: Path) -> None:
    nats = pytest.importorskip("nats_bench", reason="needs the extra [official]")
    folder = shared_data / "nats_specimens" / "NATS-tss-v1_0-3ffb9-simple"
    import_table(folder, "mine")
    api = nats.create(str(folder), "tss", fast_mode=True, verbose=False)
    api.query_by_index(11, "cifar10", hp="200")
    for key in open_table("mine").keys:
        truth, imported = GroundTruth.from_api(api, key), load_truth(key, "mine")
        assert (truth.key, truth.seeds, truth.sha256) == (imported.key, imported.seeds, imported.sha256)
        np.testing.assert_array_equal(truth.accuracy, imported.accuracy)
    # What was in memory stays, and nothing else does.
    assert list(api.arch2infos_dict) == [11]
    assert api.evaluated_indexes == {11}
    assert "object" in GroundTruth.from_api(api, "nats/cifar10/test/200/full").table
    for key, says in (("v1_0/cifar10/test/200/full", "is of v1_0 and this nats_bench object is of NATS-Bench"),
                      ("nats/cifar10/test/90/full", "has no architecture with"),
                      ("nats/cifar10/valid/200/full", "has no 'nats/cifar10/valid/200/full', for it knows"),
                      ("nats/cifar10/train/200/full", "is no truth"), ("c10_test_200", "the form is")):
        with pytest.raises(UsageError, match=says):
            GroundTruth.from_api(api, key)
    size = nats.create(str(folder.with_name("NATS-sss-v1_0-50262-simple")), "sss", fast_mode=True, verbose=False)
    with pytest.raises(UsageError, match="is of NATS-Bench's size space"):
        GroundTruth.from_api(size, "nats/cifar10/test/200/full")


@pytest.mark.real_data
def test_an_opened_nas_bench_201_gives_the_truth_of_its_dictionary(shared_data: Path) -> None:
    nats = pytest.importorskip("nats_bench.api_utils", reason="needs the extra [official]")
    nb201 = pytest.importorskip("nas_201_api", reason="needs the extra [official]")
    folder = shared_data / "nats_specimens" / "NATS-tss-v1_0-3ffb9-simple"
    import_table(folder, "mine")
    loaded = {i: nats.pickle_load(folder / f"{i:06}.pickle.pbz2") for i in (0, 11, 284)}
    content = {"meta_archs": list(nasbench201().strings), "total_archs": N_ARCH, "evaluated_indexes": [0, 11, 284],
               "arch2infos": {i: {"full": found["200"], "less": found["12"]} for i, found in loaded.items()}}
    api = nb201.NASBench201API(content, verbose=False)
    for key in open_table("mine").keys:
        truth, imported = GroundTruth.from_api(api, replace(key, source="v1_1")), load_truth(key, "mine")
        np.testing.assert_array_equal(truth.accuracy, imported.accuracy)
        assert truth.seeds == imported.seeds
    with pytest.raises(UsageError, match="is of nats and a nas_201_api object is of v1_0 or v1_1"):
        GroundTruth.from_api(api, "nats/cifar10/test/200/full")
    # Its content says which file it is of, whatever the name of the file.
    api.filename = "NAS-Bench-201-v1_0-e61699.pth"
    with pytest.raises(UsageError, match="is of v1_0 and this nas_201_api object is of v1_1"):
        GroundTruth.from_api(api, "v1_0/cifar10/test/200/full")
    assert GroundTruth.from_api(api, "v1_1/cifar10/test/200/full").n_trials.sum() == 9
    api.meta_archs = api.meta_archs[::-1]
    with pytest.raises(DataError, match="are not in the official order"):
        GroundTruth.from_api(api, "v1_1/cifar10/test/200/full")


@pytest.mark.parametrize(("source", "other"), [("v1_0", "v1_1"), ("v1_1", "v1_0")])
def test_an_opened_nas_bench_201_is_of_the_file_that_its_content_says(source: str, other: str) -> None:
    nb201 = pytest.importorskip("nas_201_api", reason="needs the extra [official]")
    facts = official.facts(source)
    api = nb201.NASBench201API(official.nasbench201_object(facts), verbose=False)
    for filename in (None, f"NAS-Bench-201-{other}.pth"):
        api.filename = filename
        assert GroundTruth.from_api(api, f"{source}/cifar10/test/200/full").n_trials.sum() == 7
        with pytest.raises(UsageError, match=f"is of {other} and this nas_201_api object is of {source}, .* write {source}/"):
            GroundTruth.from_api(api, f"{other}/cifar10/test/200/full")
    mixed = [fact for fact in facts if fact.index] + [f for f in official.facts(other) if not f.index]
    api = nb201.NASBench201API(official.nasbench201_object(mixed), verbose=False)
    with pytest.raises(DataError, match="mixes files v1_0 and v1_1"):
        GroundTruth.from_api(api, f"{source}/cifar10/test/200/full")


@pytest.mark.parametrize("api", [None, {}, "NAS-Bench-201-v1_1-096897.pth", type("NATStopology", (), {})()])
def test_what_is_no_opened_benchmark(api: object) -> None:
    with pytest.raises(UsageError, match="is no opened benchmark; give an object of"):
        GroundTruth.from_api(api, "nats/cifar10/test/200/full")


# ---- what is no truth, names that mean a key, and speed

@pytest.mark.parametrize(("asked", "says"), [
    ("nats/cifar10/train/200/full", "is about the images that were trained on"),
    ("c10_test_loss_200", "it holds loss and a truth is an accuracy"),
    ("c10_train_seconds_200", "it holds seconds"),
    ("c10_train_200", "is about the images that were trained on"),
])
def test_what_is_no_truth(asked: str, says: str) -> None:
    values = np.full(N_ARCH, 5.0)
    test, train = TruthKey.parse("nats/cifar10/test/200/full"), TruthKey.parse("nats/cifar10/train/200/full")
    columns = [NewColumn("c10_test_loss_200", test, "mean", values, "loss"), NewColumn("c10_train_200", train, "mean", values),
               NewColumn("c10_train_seconds_200", train, "mean", values, "seconds")]
    write_table("t", table_path("t"), columns, [])
    with pytest.raises(UsageError, match=says):
        load_truth(asked, "t")


def test_a_name_that_no_table_has_means_the_seeds_of_its_key() -> None:
    key = "v1_0/cifar10/test/200/full"
    write("nasbench201", [("a", key, "777", 3.0), ("b", key, "888", 2.0)])
    truth = load_truth("c10_test_200_v10", "nasbench201")
    assert (truth.seeds, truth.column, truth.mean()[0]) == (("777", "888"), "c10_test_200_v10", 2.5)
    assert truth.sha256 == load_truth(key, "nasbench201").sha256
    write("other", [("c10_test_200_v10", key, "mean", 9.0)])
    assert load_truth("c10_test_200_v10", "nasbench201").table == "other"
    with pytest.raises(UsageError, match="No table has 'c10_test_200_v11'"):
        load_truth("c10_test_200_v11", "nasbench201")


# Our names of the official datasets -> split -> images.
SETS = {"c10valid": {"train": 25_000, "valid": 25_000, "test": 10_000}, "c10": {"train": 50_000, "test": 10_000},
        "c100": {"train": 50_000, "valid": 5_000, "test": 5_000, "valtest": 10_000},
        "in16": {"train": 151_700, "valid": 3_000, "test": 3_000, "valtest": 6_000}}


def counted(rng: np.random.Generator, images: int) -> NDArray[np.float64]:
    """float64 [n_arch], per cent: correct images as the official code averages them, over batches of 256 in float32."""
    share = np.clip(rng.beta(8, 2, N_ARCH), 0.01, 0.99)
    last = images % 256 or 256
    right_last = rng.binomial(last, share)
    right = rng.binomial(images - last, share)
    averaged: NDArray[np.float64] = (right * 100.0 + (right_last * np.float32(100 / last)).astype(np.float64) * last) / images
    return averaged


def whole_table() -> Table:
    """All that the NATS-Bench file holds of all architectures, as random as the real one or more so."""
    rng = np.random.default_rng(0)
    columns = []
    absent = rng.permutation(N_ARCH)[:7_456]

    def add(name: str, values: NDArray[np.float64]) -> None:
        meant = meaning(name)
        assert meant is not None
        columns.append(NewColumn(name, meant.key, meant.seed, values, meant.quantity))

    for prefix, epochs in itertools.product(SETS, (12, 200)):
        seeds = ("777", "888", "999") if epochs == 200 else ("111", "777") if prefix == "c10valid" else ("111",)
        for split, images in SETS[prefix].items():
            for seed in seeds:
                accuracy, loss = counted(rng, images), rng.gamma(2, 0.3, N_ARCH)
                if seed == "999":
                    accuracy[absent] = loss[absent] = np.nan
                add(f"{prefix}_{split}_{epochs}_s{seed}", accuracy)
                add(f"{prefix}_{split}_loss_{epochs}_s{seed}", loss)
            add(f"{prefix}_{split}_seconds_{epochs}", rng.gamma(4, 2.0, N_ARCH))
        add(f"{prefix}_train_latency_{epochs}", rng.gamma(4, 0.004, N_ARCH))
    return write_table("whole", table_path("whole"), columns, [])


TRUTH = "from benchmarks.truth import load_truth; load_truth('nats/cifar10/test/200/full', 'whole').mean()"


def test_a_truth_of_all_architectures_opens_fast_and_small() -> None:
    table = whole_table()
    assert Counter(c.quantity for c in table.columns) == {"accuracy": 55, "loss": 55, "seconds": 26, "latency": 8}
    assert table.path.stat().st_size <= 8_000_000
    seconds = []
    for _ in range(11):
        start = time.perf_counter()
        load_truth("nats/cifar10/test/200/full", "whole").mean()
        seconds.append(time.perf_counter() - start)
    assert statistics.median(seconds[1:]) < 0.05
    code = ("import resource, sys, time; peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024; a = peak(); "
            f"{TRUTH}; print(time.process_time(), peak() - a, [m for m in ('torch', 'pandas') if m in sys.modules])")
    command = [sys.executable, "-c", code]
    fresh = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(10)]
    # Seconds of computing, from the start of the interpreter: what a clock shows where nothing else runs.
    assert statistics.median(float(seconds) for seconds, _, _ in fresh) < 0.7
    assert max(float(mebibytes) for _, mebibytes, _ in fresh) < 100
    assert {modules for _, _, modules in fresh} == {"[]"}
