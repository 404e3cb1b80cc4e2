"""Importing: every form a source has comes in exactly, and what is wrong with it is said."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.convert import import_table
from benchmarks.convert.naming import is_description, meaning
from benchmarks.errors import DataError, HarnessError, RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import open_table, table_path, verify
from benchmarks.truth import load_truth

SPACE = nasbench201()
WHAT = {"dataset": "cifar10", "split": "test", "epochs": 200, "train_on": "full"}


def frame(rows: int = 5, **columns: object) -> pd.DataFrame:
    index = np.arange(rows) * 3
    return pd.DataFrame({"index": index, "arch": [SPACE.strings[i] for i in index], **columns})


def save(data: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        data.to_csv(path, index=False)
    else:
        data.to_parquet(path)
    return path


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
    for name in ("c10_valid_200", "c10_valtest_200", "c10_test_100", "c10_test_200_t0", "accuracy", "c10_test_200_v12"):
        assert meaning(name) is None
    for name in ("params_c10", "flops_naslib_in16", "c10valid_train_time_200", "n_trials_v11", "op_e32", "iso_str"):
        assert is_description(name)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_named_columns(tmp_path: Path, suffix: str) -> None:
    values = [90.07, 1 / 3, np.nan, 10.0, 94.37333333333333]
    source = save(frame(c10_test_200_v10=values, params_c10=1.0, iso_str="x"), tmp_path / f"s{suffix}")
    summary = import_table(source, "mine")
    assert (summary.columns, set(summary.skipped)) == (("c10_test_200_v10",), {"params_c10", "iso_str"})
    assert (summary.architectures, summary.missing, summary.changed) == (4, 15_621, True)
    truth = load_truth("c10_test_200_v10", "mine")
    np.testing.assert_array_equal(truth.accuracy[[0, 3, 6, 9, 12], 0], values)
    assert truth.n_trials.sum() == 4
    assert open_table("mine").origins == ({"file": source.name, "sha256": summary.sha256},)
    again = import_table(source, "mine")
    assert (again.changed, again.logical_sha256) == (False, summary.logical_sha256)


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


def test_the_same_facts_from_every_form_have_one_hash(tmp_path: Path) -> None:
    values = [90.07, 1 / 3, 12.0, 10.0, 94.37333333333333]
    data = frame(c=values)
    strings = dict(zip(data["arch"], values, strict=True))
    nested = {}
    for arch, value in strings.items():
        edges = [[entry.split("~") for entry in node.strip("|").split("|")] for node in arch.split("+")]
        nested[str([tuple((op, int(source)) for op, source in node) for node in edges])] = value
    shuffled = data[["c", "arch"]].sample(frac=1, random_state=0)
    forms = [save(data, tmp_path / "a.csv"), save(data, tmp_path / "a.parquet"),
             save(data[["c", "index"]], tmp_path / "b.csv"), save(shuffled, tmp_path / "c.parquet")]
    for name, content in (("d.json", strings), ("e.json", nested)):
        forms.append(tmp_path / name)
        forms[-1].write_text(json.dumps(content))
    hashes = {import_table(form, "mine", **WHAT).logical_sha256 for form in forms}  # type: ignore[arg-type]
    assert len(hashes) == 1
    assert load_truth("mine/cifar10/test/200/full", "mine").mean()[3] == 0.333333


def test_columns_of_unknown_meaning(tmp_path: Path) -> None:
    source = save(frame(a_s0=1.0, a_s1=2.0), tmp_path / "s.csv")
    with pytest.raises(UsageError, match=r"column 'a_s0' .* say it with --dataset, --split, --epochs, --train-on"):
        import_table(source, "mine")
    with pytest.raises(UsageError, match="add --epochs, --train-on"):
        import_table(source, "mine", dataset="cifar10", split="test")
    import_table(source, "mine", **WHAT)  # type: ignore[arg-type]
    assert load_truth("mine/cifar10/test/200/full", "mine").seeds == ("0", "1")
    two = save(frame(a=1.0, b=2.0, c10_test_12=3.0), tmp_path / "two.csv")
    with pytest.raises(UsageError, match=r"'a' and 'b' .* take one with --column"):
        import_table(two, "two", **WHAT)  # type: ignore[arg-type]
    assert import_table(two, "two", column="c10_test_12").columns == ("c10_test_12",)
    with pytest.raises(UsageError, match="no column of accuracies"):
        import_table(save(frame(params_c10=1.0), tmp_path / "p.csv"), "three")


def test_merging(tmp_path: Path) -> None:
    nan = np.nan
    import_table(save(frame(3, c10_test_200=[1.0, nan, nan]), tmp_path / "a.csv"), "mine")
    summary = import_table(save(frame(3, c10_test_200=[1.0, 2.0, nan], c10_test_12=5.0), tmp_path / "b.csv"), "mine")
    assert summary.changed
    assert load_truth("c10_test_200", "mine").accuracy[[0, 3, 6], 0].tolist()[:2] == [1.0, 2.0]
    assert [c.name for c in open_table("mine").columns] == ["c10_test_200", "c10_test_12"]
    assert len(verify("mine").origins) == 2
    before = table_path("mine").read_bytes()
    with pytest.raises(DataError, match=r"contradicts table 'mine': architecture 3 has 2\.5 and the table says 2\.0"):
        import_table(save(frame(3, c10_test_200=[1.0, 2.5, nan]), tmp_path / "c.csv"), "mine")
    assert table_path("mine").read_bytes() == before


def hostile(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    good = frame(c10_test_200=[1.0, 2.0, 3.0, 4.0, 5.0])
    csv = good.to_csv(index=False)
    parquet = save(good, tmp_path / "good.parquet").read_bytes()
    pwned = tmp_path / "pwned"
    code = f"__import__('os').system('touch {pwned}')"
    return {
        "unknown architecture": (csv.replace("avg_pool_3x3", "conv_5x5", 1).encode(), "row 1.*is not a nasbench201"),
        "duplicate": ((csv + csv.splitlines()[1] + "\n").encode(), "row 6.*stands twice"),
        "index against arch": (csv.replace("\n3,", "\n4,", 1).encode(), "row 2.*the index 4 is not that of"),
        "index outside": (csv.replace("\n3,", "\n15625,", 1).encode(), "15625"),
        "above 100": (csv.replace(",5.0", ",100.5").encode(), "100.5 for architecture 12"),
        "negative": (csv.replace(",5.0", ",-1").encode(), "-1.0 for architecture 12"),
        "infinite": (csv.replace(",5.0", ",inf").encode(), "inf"),
        "text": (csv.replace(",5.0", ",five").encode(), "is not numeric.*five"),
        "truncated parquet": (parquet[: len(parquet) // 2], "no whole parquet"),
        "flipped footer": (parquet[:-6] + bytes([parquet[-6] ^ 255]) + parquet[-5:], "no whole parquet"),
        "empty": (b"", "last row may be cut short"),
        "pickle": (b"\x80\x04cos\nsystem\nVtouch %s\n\x85R." % str(pwned).encode(), "no whole parquet"),
        "code for an architecture": (json.dumps({code: 1.0}).encode(), "is not a nasbench201"),
        "nested too deep": (b"[" * 100_000, "no whole parquet"),
        "no architectures": (b"a,b\n1,2\n", "neither a column"),
    }


def test_bad_sources_are_refused_and_leave_nothing(tmp_path: Path, data_home: Path) -> None:
    for case, (content, says) in hostile(tmp_path).items():
        source = tmp_path / "source"
        source.write_bytes(content)
        with pytest.raises(DataError) as caught:
            import_table(source, "mine", **WHAT)  # type: ignore[arg-type]
        assert re.search(says, str(caught.value)), case
        assert "\n" not in str(caught.value)
        assert list(data_home.rglob("*")) == []
        assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(("column", "value", "says"), [
    ("c10_test_200", 90.001, "counts no whole images"),
    ("c10valid_valid_200", 90.2, "the mean of its seeds is 90.0"),
    ("c100_valtest_200", 61.5, "the mean of valid and test is 60.5"),
])
def test_columns_that_contradict_each_other(tmp_path: Path, column: str, value: float, says: str) -> None:
    good: dict[str, object] = {
        "c10_test_200": 90.0, "c10valid_valid_200": 90.0, "c10valid_valid_200_s777": 89.0,
        "c10valid_valid_200_s888": 91.0, "c10valid_valid_200_s999": np.nan,
        "c100_valid_200": 60.0, "c100_test_200": 61.0, "c100_valtest_200": 60.5,
    }
    data = frame(20, **good)
    import_table(save(data, tmp_path / "good.csv"), "good")
    data.loc[4, column] = value
    with pytest.raises(DataError, match=f"Column {column} has {value} for architecture 12.* {says}"):
        import_table(save(data, tmp_path / "bad.csv"), "bad")
    # A source that rounds all its values is not damaged.
    rounded = frame(20, c10_test_200=np.round(np.linspace(80, 90, 20), 4))
    assert import_table(save(rounded, tmp_path / "rounded.csv"), "rounded").architectures == 20


def test_names_and_places(tmp_path: Path, data_home: Path) -> None:
    source = save(frame(c10_test_200=1.0), tmp_path / "s.csv")
    for name in ("digits201", "Mine", "../mine", ""):
        with pytest.raises(UsageError):
            import_table(source, name)
    with pytest.raises(DataError, match="cannot be read"):
        import_table(tmp_path / "absent.csv", "mine")
    (data_home / "tables").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="Cannot write"):
        import_table(source, "mine")


def test_a_damaged_table_is_not_merged_into(tmp_path: Path) -> None:
    source = save(frame(c10_test_200=1.0), tmp_path / "s.csv")
    import_table(source, "mine")
    path = table_path("mine")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(HarnessError, match="is damaged"):
        import_table(source, "mine")


@pytest.mark.real_data
def test_the_real_table_comes_in_whole(shared_data: Path) -> None:
    import pyarrow.parquet as pq

    source = shared_data / "nasbench201.parquet"
    summary = import_table(source, "nasbench201")
    assert (len(summary.columns), len(summary.skipped), summary.missing) == (37, 23, 0)
    assert summary.path.stat().st_size < 8_000_000
    published = pq.read_table(source)
    table = verify("nasbench201")
    for column, values in zip(table.columns, table.read(table.columns).T, strict=True):
        if column.name in published.column_names:
            np.testing.assert_array_equal(values, published[column.name].to_numpy().astype(np.float64))
    assert not import_table(source, "nasbench201").changed
