"""Importing official files: their trials become columns, every layout of the same facts one table, and both packages agree."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.benchmark import benchmark
from benchmarks.column import N_ARCH
from benchmarks.convert import import_table
from benchmarks.convert.confined import Official
from benchmarks.convert.naming import meaning
from benchmarks.convert.trials import official_columns
from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.pickles.record import DATASETS, FIELDS
from benchmarks.space import nasbench201
from benchmarks.table import open_table, table_path
from benchmarks.truth import SPLITS, GroundTruth, load_truth
from tests import official
from tests.command import harness

SPACE = nasbench201()


# ---- official trials

def trials(*rows: dict[str, object]) -> Official:
    array = np.zeros(len(rows), dtype=[("index", "u2"), ("epochs", "u2"), ("dataset", "u2"), ("seed", "i4"),
                                       *((field, "f8") for field in FIELDS)])
    for field in FIELDS:
        array[field] = np.nan
    for row, content in enumerate(rows):
        for field, value in content.items():
            array[field][row] = value
    return Official("nats", "nats-folder", array, 10, "0" * 64)


def row(index: int, seed: int, dataset: str = "cifar10", epochs: int = 200, **values: float) -> dict[str, object]:
    return {"index": index, "seed": seed, "dataset": DATASETS.index(dataset), "epochs": epochs, **values}


def test_trials_become_columns() -> None:
    found = official_columns(trials(
        row(0, 777, test_accuracy=85.62, test_loss=0.1, train_seconds=2888.4371995925903, params=0.129306, flops=15.64737),
        row(0, 888, test_accuracy=86.18, test_loss=0.2, train_seconds=2888.4371995925903, params=0.129306, flops=15.64737),
        row(11, 777, test_accuracy=91.79, train_seconds=4984.822718302408, params=0.883456, flops=113.95137),
        row(0, 111, "cifar10-valid", 12, valid_accuracy=64.01599998291016)))
    columns = {c.name: c for c in found}
    assert set(columns) == {"c10_test_200_s777", "c10_test_200_s888", "c10_test_loss_200_s777", "c10_test_loss_200_s888",
                            "c10_train_seconds_200", "c10_train_params_200_s777", "c10valid_valid_12_s111"}
    assert columns["c10_test_200_s777"].values[[0, 11]].tolist() == [85.62, 91.79]
    assert np.isnan(columns["c10_test_200_s888"].values[11])
    # Of parameters only what is not the closed form: 0.802426 would be right.
    wrong = columns["c10_train_params_200_s777"].values
    assert (np.flatnonzero(~np.isnan(wrong)).tolist(), wrong[11]) == ([11], 0.883456)
    times = columns["c10_train_seconds_200"]
    assert (times.seed, times.values[11], times.key.split) == ("mean", np.float32(4984.822718302408), "train")
    assert str(columns["c10valid_valid_12_s111"].key) == "nats/cifar10/valid/12/half"
    for column in found:
        assert meaning(column.name) is not None


def test_times_that_differ_between_seeds_stay_apart() -> None:
    rows = (row(0, 777, train_seconds=1.0), row(0, 888, train_seconds=2.0), row(7, 777, train_seconds=3.0),
            row(7, 888, train_seconds=3.0 + 1e-12), row(7, 999))
    found = {c.name: c.values for c in official_columns(trials(*rows))}
    of = {"": (np.nan, 3.0), "_s777": (1.0, np.nan), "_s888": (2.0, np.nan)}
    assert set(found) == {f"c10_train_seconds_200{seed}" for seed in of}
    for seed, values in of.items():
        np.testing.assert_array_equal(found[f"c10_train_seconds_200{seed}"][[0, 7]], values)
    # Those of v1_0 were not calibrated: each has its own, equal or not.
    found = {c.name: c.values for c in official_columns(replace(trials(*rows), source="v1_0"))}
    assert set(found) == {"c10_train_seconds_200_v10_s777", "c10_train_seconds_200_v10_s888"}
    np.testing.assert_array_equal(found["c10_train_seconds_200_v10_s777"][[0, 7]], (1.0, 3.0))


@pytest.mark.parametrize("source", ["v1_0", "v1_1"])
def test_a_file_and_its_pieces_are_one_table(source: str, tmp_path: Path) -> None:
    """The times of some architectures differ between their seeds, and of those in the first piece do not."""
    facts = [replace(fact, seconds=fact.seconds * (1 + fact.seed / 1e4)) if fact.seconds and fact.index == 2 else fact
             for fact in official.facts(source, (0, 2, 3, 4))]
    whole = import_table(official.write_archive(tmp_path / "whole", facts), "whole")
    for index in (0, 2, 3, 4):
        piece = official.write_archive(tmp_path / f"{index}", [fact for fact in facts if fact.index == index])
        last = import_table(piece, "pieces")
    assert last.logical_sha256 == whole.logical_sha256
    assert not import_table(tmp_path / "whole", "pieces").changed


def set_number(field: str, value: float) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        if field in ("params", "flop"):
            state[field] = value
        elif field == "latency":
            state[field] = [value]
        else:
            last = next(key for key in reversed(state[field]) if str(key).rpartition("@")[2] == "199")
            state[field][last] = value
    return change


def with_one_odd_number(folder: Path, field: str, value: float) -> Path:
    """A NATS-Bench folder of three architectures, of which one training has another number."""
    facts = official.facts("nats", (0, 11, 284))
    official.write_nats_folder(folder, facts)
    content = official.both(official.by_architecture(facts)[11], ("12", "200"))
    set_number(field, value)(content["200"]["all_results"]["cifar10", 777])
    official.write_bz2(folder / "000011.pickle.pbz2", content)
    return folder


@pytest.mark.parametrize(("field", "value", "says"), [
    ("train_acc1es", 91.777123, r"91\.777123 per cent as train accuracy of .* counts no whole images"),
    ("train_times", 7.5, "train seconds of .* is not what its other trainings on that data set say"),
    ("eval_times", 7.5, r"7\.5 seconds as test seconds of .* is not what its other trainings"),
    ("latency", 7.5, r"7\.5 seconds per batch of 256 as train latency of .* is not what"),
    ("params", 0.5, r"0\.5 millions as train params of .* no cell has"), ("flop", 5.0, "as train flops of .* no cell has"),
])
def test_an_odd_number_comes_in_and_is_stated(field: str, value: float, says: str, tmp_path: Path) -> None:
    source = with_one_odd_number(tmp_path / "odd", field, value)
    summary = import_table(source, "mine")
    (oddity,) = summary.oddities
    assert re.search(f"^Architecture 11 has .*{says}", oddity)
    assert "cifar10 after 200 epochs with seed 777" in oddity
    assert open_table("mine").origins[0]["oddities"] == [oddity]
    said = harness(f"data import {source} --as again")
    assert f"odd, and kept as it stands: {oddity}" in " ".join(said.out.split())
    table = open_table("mine")
    values = table.read(table.columns)[11]
    assert any(value == v for v in values) or field == "train_times"
    assert import_table(official.write_nats_folder(tmp_path / "even", official.facts("nats")), "even").oddities == ()


@pytest.mark.parametrize(("field", "value", "says"), [
    ("eval_acc1es", 91.777123, r"Architecture 11 has 91\.777123 .* counts no whole images, so the file is damaged"),
    ("eval_times", 0.0, r"Architecture 11 has 0\.0 seconds as test seconds of .*, which nothing takes"),
    ("latency", 0.0, r"0\.0 seconds per batch of 256 .*, which nothing takes"), ("flop", 0.0, "which nothing takes"),
    ("latency", -1.0, "of -1, which cannot be"), ("params", -1.0, "of -1, which cannot be"),
    ("eval_times", float("inf"), "of inf, which cannot be")])
def test_a_number_that_cannot_be_keeps_the_file_out(field: str, value: float, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        import_table(with_one_odd_number(tmp_path / "bad", field, value), "mine")
    assert not table_path("mine").exists()


@pytest.mark.parametrize(("values", "says"), [
    ({"test_accuracy": 100.5}, "c10_test_200_s777 has 100.5 for architecture 7"), ({"test_loss": np.inf}, "no number of nats"),
    ({"latency": 1e300}, "no number of seconds"), ({"train_seconds": -1.0}, "no number of seconds")])
def test_trials_that_hold_no_measurement(values: dict[str, float], says: str, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.convert.confined.read_official", lambda *_: trials(row(7, 777, **values)))
    (tmp_path / "source").write_bytes(b"BZh")
    with pytest.raises(DataError, match=says):
        import_table(tmp_path / "source", "mine")
    assert not table_path("mine").exists()


def test_a_trial_that_stands_twice() -> None:
    with pytest.raises(DataError, match="Architecture 7 has seed 888 of cifar100 after 12 epochs twice"):
        official_columns(trials(row(7, 888, "cifar100", 12), row(6, 888, "cifar100", 12), row(7, 888, "cifar100", 12)))
    with pytest.raises(DataError, match="that there are not"):
        official_columns(trials(row(N_ARCH, 888)))


# ---- the official packages as the oracle

SPECIMENS = "nats_specimens/NATS-tss-v1_0-3ffb9-simple"
ARCHITECTURES = (0, 11, 284)


def opened(case: str, folder: Path, tmp_path: Path) -> tuple[Any, Path, str]:
    """An opened API object of an official package, the same facts on disk, and the source they are of."""
    if case.startswith("nats"):
        nats = pytest.importorskip("nats_bench", reason="needs the extra [official]")
        return nats.create(str(folder), "tss", fast_mode=True, verbose=False), folder, "nats"
    nb201 = pytest.importorskip("nas_201_api", reason="needs the extra [official]")
    if case == "specimens as .pth":
        load = pytest.importorskip("nats_bench.api_utils").pickle_load
        loaded = {i: load(folder / f"{i:06}.pickle.pbz2") for i in ARCHITECTURES}
        content = {"meta_archs": list(SPACE.strings), "total_archs": len(SPACE), "evaluated_indexes": list(ARCHITECTURES),
                   "arch2infos": {i: {"full": found["200"], "less": found["12"]} for i, found in loaded.items()}}
        return nb201.NASBench201API(content, verbose=False), official.write_torch(tmp_path / "archive.pth", content), "v1_1"
    facts = official.facts(case)
    # Its own loader no longer works with today's torch, so it is handed what has been loaded.
    api = nb201.NASBench201API(official.nasbench201_object(facts), verbose=False)
    return api, official.write_nasbench201(tmp_path / "archive.pth", facts), case


def answers_as_the_table(api: Any, path: Path, source: str, architectures: Sequence[int]) -> None:
    assert import_table(path, "mine").missing == N_ARCH - len(architectures)
    table = open_table("mine")
    held = {(c.quantity, str(c.key), c.seed): table.read([c])[:, 0] for c in table.columns}
    asked = 0

    def table_says(quantity: str, key: str, seed: str, index: int) -> float:
        found: NDArray[np.float64] = held.get((quantity, key, seed), held.get((quantity, key, "mean"), np.full(N_ARCH, np.nan)))
        return float(found[index])

    for index, epochs, dataset in itertools.product(architectures, (12, 200), DATASETS):
        name, train_on = ("cifar10", "half") if dataset == "cifar10-valid" else (dataset, "full")
        trials = api.query_meta_info_by_index(index, str(epochs))
        if dataset not in trials.get_dataset_names():
            continue
        costs: dict[str, dict[int, float]] = {"params": {}, "flops": {}}
        for seed in trials.get_dataset_seeds(dataset):
            said = api.get_more_info(index, dataset, hp=str(epochs), is_random=seed)
            for split in SPLITS:
                key = f"{source}/{name}/{split}/{epochs}/{train_on}"
                assert np.isnan(table_says("accuracy", key, str(seed), index)) == (f"{split}-accuracy" not in said)
                if f"{split}-accuracy" in said:
                    assert table_says("accuracy", key, str(seed), index) == said[f"{split}-accuracy"]
                    assert table_says("loss", key, str(seed), index) == np.float32(said[f"{split}-loss"])
                    seconds = said["train-all-time" if split == "train" else f"{split}-per-time"]
                    expected = np.nan if seconds is None else seconds
                    assert table_says("seconds", key, str(seed), index) == pytest.approx(expected, rel=1e-7, nan_ok=True)
                    asked += 1
            for quantity, closed in (("params", cost.params), ("flops", cost.flops)):
                wrong = table_says(quantity, f"{source}/{name}/train/{epochs}/{train_on}", str(seed), index)
                right = closed(SPACE, benchmark("nasbench201").skeleton_for(name))[index] / 1e6
                costs[quantity][seed] = right if np.isnan(wrong) else wrong
        official_costs = api.get_cost_info(index, dataset, hp=str(epochs))
        for quantity, of_seed in costs.items():
            # nats_bench answers with seed 888 where the seeds disagree, nas_201_api with their mean.
            both = np.mean(list(of_seed.values()))
            expected = of_seed.get(888, both) if source == "nats" else both
            assert official_costs[quantity] == pytest.approx(expected, abs=1e-9)
        latency = table_says("latency", f"{source}/{name}/train/{epochs}/{train_on}", str(seed), index)
        assert latency == pytest.approx(official_costs["latency"] or np.nan, rel=1e-7, nan_ok=True)
    for key in table.keys:
        truth, imported = GroundTruth.from_api(api, key), load_truth(key, "mine")
        assert (truth.key, truth.seeds, truth.sha256) == (imported.key, imported.seeds, imported.sha256)
        np.testing.assert_array_equal(truth.accuracy, imported.accuracy)
    assert asked == sum(c.quantity == "accuracy" and not np.isnan(table.read([c])[i, 0])
                        for c in table.columns for i in architectures)


@pytest.mark.parametrize("case", ["v1_0", "v1_1", "nats"])
def test_official_packages_answer_every_query_as_the_table_does(case: str, tmp_path: Path) -> None:
    folder = official.write_nats_folder(tmp_path / "folder", official.facts("nats")) if case == "nats" else tmp_path
    answers_as_the_table(*opened(case, folder, tmp_path), (0, 11, 284, 9930))


@pytest.mark.real_data
@pytest.mark.parametrize("case", ["nats specimens", "specimens as .pth"])
def test_official_packages_answer_for_the_specimens_as_the_table_does(case: str, tmp_path: Path, shared_data: Path) -> None:
    answers_as_the_table(*opened(case, shared_data / SPECIMENS, tmp_path), ARCHITECTURES)


@pytest.mark.parametrize("source", ["nats", "v1_0", "v1_1"])
def test_every_layout_of_the_same_facts_is_one_table(source: str, tmp_path: Path) -> None:
    facts = official.facts(source)
    if source == "nats":
        made = [official.write_nats_folder(tmp_path / "simple", facts),
                official.write_nats_folder(tmp_path / "full", facts, full=True),
                official.write_nats_file(tmp_path / "NATS-tss.pickle.pbz2", facts)]
    else:
        made = [official.write_nasbench201(tmp_path / "legacy.pth", facts), official.write_archive(tmp_path / "archive", facts),
                official.write_nasbench201(tmp_path / "zip.pth", facts, zipped=True)]
    summaries = [import_table(path, f"t{i}", jobs=2) for i, path in enumerate(made)]
    assert len({summary.logical_sha256 for summary in summaries}) == 1
    assert len({summary.sha256 for summary in summaries}) == len(made)
    assert not import_table(made[1], "t0").changed
    folder_name = "nats-folder" if source == "nats" else "nasbench201-folder"
    assert {summary.format for summary in summaries} == {folder_name, folder_name.removesuffix("-folder")}
    # Each fact stands where it belongs, and nothing else stands anywhere.
    table = open_table("t0")
    held = {(c.quantity, str(c.key), c.seed): table.read([c])[:, 0] for c in table.columns}
    for fact in facts:
        name, train_on = ("cifar10", "half") if fact.dataset == "cifar10-valid" else (fact.dataset, "full")
        for split, accuracy in (("train", fact.accuracy[-1]), *((s, fact.sets[n][0][-1])
                                                                 for n, s in official.EVALUATED[fact.dataset][3].items())):
            key = f"{source}/{name}/{split}/{fact.epochs}/{train_on}"
            assert held["accuracy", key, str(fact.seed)][fact.index] == accuracy
    trials = official.trials(facts)
    for quantity in ("accuracy", "loss"):
        values = sum(int((~np.isnan(v)).sum()) for (q, _, _), v in held.items() if q == quantity)
        assert values == sum(int((~np.isnan(trials[f])).sum()) for f in FIELDS if f.endswith(quantity))
    # The same facts from a parquet file of named columns.
    named = pd.DataFrame({c.name: table.read([c])[:, 0] for c in table.columns})
    named.rename_axis("index").reset_index().to_parquet(tmp_path / "named")
    assert import_table(tmp_path / "named", "named").logical_sha256 == table.sha256
    with pytest.raises(UsageError, match="is an official file and says itself what it holds"):
        import_table(made[0], "other", column="x")
    # A format that is forced must be the true one.
    assert not import_table(made[2], "t0", form=folder_name.removesuffix("-folder")).changed
    other = "nasbench201" if source == "nats" else "nats"
    with pytest.raises(DataError, match=f"is not of the format {other} but of {folder_name.removesuffix('-folder')}"):
        import_table(made[2], "other", form=other)
    with pytest.raises(DataError, match=f"is not of the format {other}-folder but of {folder_name}"):
        import_table(made[1], "other", form=f"{other}-folder")


def test_an_official_file_that_contradicts_the_table(tmp_path: Path) -> None:
    import_table(official.write_nats_folder(tmp_path / "a", official.facts("nats")), "mine")
    before = table_path("mine").read_bytes()
    with pytest.raises(DataError, match=r"b: Column 'c10valid_.*' contradicts table 'mine': architecture 0 has"):
        import_table(official.write_nats_folder(tmp_path / "b", official.facts("nats", seed=1)), "mine")
    assert table_path("mine").read_bytes() == before
    # Other architectures of the same benchmark are added.
    more = import_table(official.write_nats_folder(tmp_path / "c", official.facts("nats", (5, 6))), "mine")
    assert (more.architectures, more.missing, more.changed) == (2, N_ARCH - 2, True)
    assert load_truth("nats/cifar10/test/200/full", "mine").n_trials.sum() == 2 + 3 + 2 + 3 + 2 + 3


def test_the_size_space_is_refused_by_name(tmp_path: Path, data_home: Path) -> None:
    with pytest.raises(DataError, match="size search space"):
        import_table(official.write_size_space(tmp_path / "sss"), "mine")
    assert list(data_home.rglob("*")) == []


def test_a_full_disk_leaves_nothing_of_an_official_import(tmp_path: Path, small_disk: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    source = official.write_nats_folder(tmp_path / "a", official.facts("nats"))
    monkeypatch.setenv("HARNESS_DATA", str(small_disk))
    (small_disk / "ballast").write_bytes(b"0" * (240 << 10))
    with pytest.raises(RunError, match="the disk is full"):
        import_table(source, "mine")
    assert sorted(path.name for path in small_disk.rglob("*") if path.is_file()) == ["ballast"]


def test_an_interrupted_official_import_leaves_nothing(tmp_path: Path, data_home: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_table(official.write_nats_folder(tmp_path / "a", official.facts("nats")), "mine", report=interrupt)
    assert list(data_home.rglob("*")) == []


@pytest.mark.real_data
def test_the_same_facts_from_a_folder_and_from_its_files_are_one_table(shared_data: Path) -> None:
    folder = shared_data / SPECIMENS
    whole = import_table(folder, "whole")
    for index in ARCHITECTURES:
        found = import_table(folder / f"{index:06}.pickle.pbz2", "single")
        assert (found.architectures, found.format) == (1, "nats")
    assert found.logical_sha256 == whole.logical_sha256
    assert not import_table(folder, "single", jobs=2).changed
    truth = load_truth("nats/cifar10/test/200/full", "whole")
    assert truth.accuracy[0].tolist() == [85.62, 86.18, 85.79]
    assert truth.mean()[[0, 11, 284]].tolist() == [85.863333, 91.583333, 88.79]


@pytest.mark.real_data
def test_specimens_agree_with_the_extract_of_all_architectures(shared_data: Path) -> None:
    """Seeds of three architectures beside the means of all: checked against each other, and no architecture is lost."""
    import_table(shared_data / "nasbench201.parquet", "mine")
    before = load_truth("nats/cifar10/test/200/full", "mine").mean()
    import_table(shared_data / SPECIMENS, "mine")
    truth = load_truth("nats/cifar10/test/200/full", "mine")
    assert truth.seeds == ("777", "888", "999", "mean")
    np.testing.assert_allclose(truth.mean(), before, atol=1e-6)
