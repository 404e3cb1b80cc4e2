"""Importing: every form a source has comes in exactly, and what is wrong with it is said."""

import hashlib
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import columns
from benchmarks.column import N_ARCH
from benchmarks.convert import import_table
from benchmarks.errors import DataError, HarnessError, RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import open_table, table_path, verify
from benchmarks.truth import load_truth
from tests import official
from tests.command import harness
from tests.extracts import WHAT, frame, save

SPACE = nasbench201()


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
    assert open_table("mine").origins == ({"file": source.name, "format": suffix[1:], "sha256": summary.sha256},)
    again = import_table(source, "mine")
    assert (again.changed, again.logical_sha256) == (False, summary.logical_sha256)


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


@pytest.mark.parametrize("name", ["nats", "v1_0", "v1_1", "nats-onetrial", "naslib"])
def test_ones_own_numbers_are_no_official_truth(name: str, tmp_path: Path, data_home: Path) -> None:
    source = save(frame(a=50.0), tmp_path / "s.csv")
    with pytest.raises(UsageError, match=f"'{name}' is an official source"):
        import_table(source, name, **WHAT)  # type: ignore[arg-type]
    assert list(data_home.iterdir()) == []
    # Columns that say themselves what they hold can lie in a table of any name.
    assert import_table(save(frame(c10_test_200=50.0), tmp_path / "t.csv"), name).table == name


def test_options_that_say_no_truth(tmp_path: Path) -> None:
    source = save(frame(a=50.0), tmp_path / "s.csv")
    for split in ("train", "tests"):
        with pytest.raises(UsageError, match=r"choose .*valid, test"):
            import_table(source, "mine", **{**WHAT, "split": split})  # type: ignore[arg-type]
    said = harness(f"data import {source} --as mine --dataset cifar10 --split test --epochs 10000000 --train-on full")
    assert (said.code, table_path("mine").exists()) == (2, False)
    for name in ("a" * 101, "a" * 300):
        assert harness(f"data import {source} --as {name}").code == 2
    assert harness(f"data import {source} --as {'a' * 100} --column index").code == 2
    assert harness(f"data import {source} --as mine --dataset {'d' * 101} --split test --epochs 1 --train-on full").code == 2
    for path in ("b" * 5000, "b/" * 3000):
        said = harness(f"data import {path} --as mine")
        assert (said.code, len(said.err) < 500, "File name too long" in said.err) == (3, True, True)


@pytest.mark.parametrize("name", ["a", "c10_test_200_v10", "c10_test_200_s777"])
def test_fractions_are_no_per_cent(name: str, tmp_path: Path) -> None:
    options = WHAT if name == "a" else {}
    data = frame(**{name: [0.1, 0.94, 0.5, np.nan, 1.0]})
    (tmp_path / "s.json").write_text(json.dumps({arch: {name: 0.5} for arch in data["arch"]}))
    for source in (save(data, tmp_path / "s.csv"), save(data, tmp_path / "s.parquet"), tmp_path / "s.json"):
        with pytest.raises(DataError, match=f"Column {name} looks like fractions of 1.*; multiply by 100"):
            import_table(source, "mine", **options)  # type: ignore[arg-type]
    assert not table_path("mine").exists()
    # One value can be a per cent, and with 1.2 the others are.
    for values in ([0.5, np.nan, np.nan, np.nan, np.nan], [0.5, 1.2, 1.0, 1.0, np.nan]):
        assert import_table(save(frame(**{name: values}), tmp_path / "s.csv"), f"t{len(values)}-{values[1] > 1}".lower(),
                            **options).changed  # type: ignore[arg-type]
    # A loss may be as small as it likes.
    assert import_table(save(frame(c10_test_loss_200=0.1), tmp_path / "s.csv"), "losses").changed


def test_fractions_in_official_files(tmp_path: Path) -> None:
    facts = [replace(fact, accuracy=tuple(a / 100 for a in fact.accuracy), sets={
        name: (tuple(a / 100 for a in accuracy), loss) for name, (accuracy, loss) in fact.sets.items()})
        for fact in official.facts("nats", (11,))]
    with pytest.raises(DataError, match="looks like fractions of 1"):
        import_table(official.write_nats_folder(tmp_path / "fractions", facts), "mine")
    # Networks without a path have 1 % on CIFAR-100 and 0.83 % on ImageNet16-120.
    facts = [replace(fact, sets={name: (tuple(1.0 for _ in accuracy), loss) for name, (accuracy, loss) in fact.sets.items()})
             if fact.dataset == "cifar100" else fact for fact in official.facts("nats", (0, 11))]
    assert import_table(official.write_nats_folder(tmp_path / "dead", facts), "mine").architectures == 2


def test_more_rows_columns_and_values_than_the_space_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source = tmp_path / "s"
    arch = SPACE.strings[0]
    pq.write_table(pa.table({"arch": pa.array([arch] * 400_000), "c10_test_200": pa.array([50.0] * 400_000)}), source)
    with monkeypatch.context() as unread:
        unread.setattr(pq.ParquetFile, "iter_batches", None)
        with pytest.raises(DataError, match=r"has 400,000 rows .* so one stands twice"):
            import_table(source, "mine")
    pq.write_table(pa.table({"arch": [arch], **{f"a{i}": [1.0] for i in range(1_000)}}), source)
    with pytest.raises(DataError, match="has more than 1,000 columns"):
        import_table(source, "mine")
    # A few kilobytes that are a text of 20 kB in each of 15,625 rows.
    pq.write_table(pa.table({"arch": ["x" * 20_000] * N_ARCH}), source)
    assert source.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpacks to more than 200,000,000 bytes"):
        import_table(source, "mine")
    source.write_text("arch,c10_test_200\n" + f"{arch},50\n" * (N_ARCH + 1))
    with pytest.raises(DataError, match="has 15,626 rows"):
        import_table(source, "mine")
    source.write_text("arch," + ",".join(f"a{i}" for i in range(1_000)) + f"\n{arch}{',1' * 1_000}\n")
    with pytest.raises(DataError, match="has more than 1,000 columns"):
        import_table(source, "mine")
    source.write_bytes(b"0" * 2_000)
    monkeypatch.setattr(columns, "MOST_BYTES", 1_000)
    with pytest.raises(DataError, match="has more than 1,000 bytes"):
        import_table(source, "mine")


@pytest.mark.parametrize("form", ["json", "naslib-json"])
def test_json_is_read_in_time_that_grows_with_its_length(form: str, tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    contents = {
        "has more than 1,000 columns": "[" + ",".join(f'{{"a{i}":1}}' for i in range(15_000)) + "]",
        "has 60,000 rows": "[" + ",".join(['{"a":1}'] * 60_000) + "]",
        "'k99999' stands twice": "{" + ",".join(f'"k{i}":1' for i in range(100_000)) + ',"k99999":1}',
        "holds more than 10,000,000 values": "[" + "[]," * 6_000_000 + "1]",
    }
    for says, content in contents.items():
        source.write_text(content)
        start = time.process_time()
        with pytest.raises(DataError, match=says):
            import_table(source, "mine", form=form, **WHAT)  # type: ignore[arg-type]
        assert time.process_time() - start < 3


def test_a_source_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is of the bytes that the numbers are from, even where the file is replaced in between."""
    source = save(frame(c10_test_200=[10.0, 20, 30, 40, 50]), tmp_path / "s.csv")
    before = source.read_bytes()
    genuine = columns.read_columns

    def replaced(path: Path, content: bytes) -> Any:
        path.write_bytes(before.replace(b"50.0", b"60.0"))
        return genuine(path, content)

    monkeypatch.setattr("benchmarks.rows.read_columns", replaced)
    summary = import_table(source, "mine")
    assert (summary.sha256, summary.size) == (hashlib.sha256(before).hexdigest(), len(before))
    assert load_truth("c10_test_200", "mine").mean()[12] == 50.0


WRITER = """
import sys, time
from pathlib import Path
from benchmarks.convert import importer
genuine = importer.check_agreement
importer.check_agreement = lambda columns: (time.sleep(0.7), genuine(columns))
print("ready", flush=True)
sys.stdin.readline()
importer.import_table(Path(sys.argv[1]), "mine")
"""


def test_imports_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each takes long between reading the table and writing it, so that they would overlap."""
    names = ["c10_test_200_s777", "c10_test_200_s888", "c100_test_200"]
    sources = [save(frame(**{name: 50.0}), tmp_path / f"{name}.csv") for name in names]
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(source)], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for source in sources]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sorted(column.name for column in verify("mine").columns) == sorted(names)
    assert [path.name for path in table_path("mine").parent.iterdir()] == ["mine.parquet"]


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
        "pickle": (b"\x80\x04cos\nsystem\nVtouch %s\n\x85R." % str(pwned).encode(), "is a Python pickle .* is not opened"),
        "code for an architecture": (json.dumps({code: 1.0}).encode(), "is not a nasbench201"),
        "nested too deep": (b"[" * 100_000, "no whole JSON"),
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
    source = save(frame(c10_test_200=10.0), tmp_path / "s.csv")
    for name in ("digits201", "Mine", "../mine", ""):
        with pytest.raises(UsageError):
            import_table(source, name)
    with pytest.raises(DataError, match="cannot be read"):
        import_table(tmp_path / "absent.csv", "mine")
    (data_home / "tables").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="Cannot write"):
        import_table(source, "mine")


def test_a_damaged_table_is_not_merged_into(tmp_path: Path) -> None:
    source = save(frame(c10_test_200=10.0), tmp_path / "s.csv")
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
    assert (len(summary.columns), len(summary.skipped), summary.missing) == (40, 20, 0)
    assert summary.path.stat().st_size < 8_000_000
    published = pq.read_table(source)
    table = verify("nasbench201")
    for column, values in zip(table.columns, table.read(table.columns).T, strict=True):
        if column.name in published.column_names:
            exact = published[column.name].to_numpy().astype(np.float64)
            np.testing.assert_array_equal(values, exact.astype(np.float32) if column.quantity == "seconds" else exact)
    assert not import_table(source, "nasbench201").changed


def test_an_interrupted_import_says_that_it_starts_again(tmp_path: Path, data_home: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.convert.importer.read_source", interrupt)
    said = harness(f"data import {save(frame(c10_test_200=50.0), tmp_path / 's.csv')} --as mine")
    assert said.code == 130
    assert said.err.splitlines()[-1] == ("Error: Interrupted; the table has all of the import or nothing of it; run the same "
                                         "command again to import from the start.")
    assert list(data_home.iterdir()) == []


def test_the_command_says_what_came_in(tmp_path: Path) -> None:
    source = save(frame(c10_test_200=[1.0, 2.0, 3.0, 4.0, np.nan]), tmp_path / "s.csv")
    said = harness(f"data import {source} --as mine --format csv")
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    size, digest = f"{source.stat().st_size:,} bytes", hashlib.sha256(source.read_bytes()).hexdigest()
    for part in ("1 column of 4 architectures", "15,621 architectures are missing and stay NaN", size, digest):
        assert part in text
    content = harness(f"data import {source} --as mine --json").json
    assert (content["changed"], content["format"], content["size"]) == (False, "csv", source.stat().st_size)
    assert harness(f"data import {source} --as mine --format xml").code == 2
    assert harness(f"data import {tmp_path / 'absent'} --as mine").code == 3
    shown = harness("data list --json").json["truths"]
    assert [entry["key"] for entry in shown if entry["table"] == "mine"] == ["nats/cifar10/test/200/full"]


# ---- tables that grow

def test_float_noise_is_no_contradiction(tmp_path: Path) -> None:
    """Extracts give 100 minus the error, which differs from the accuracy in the last bit."""
    exact = 27.68333332824707
    import_table(save(frame(1, in16_valtest_200=exact), tmp_path / "a.csv"), "mine")
    again = import_table(save(frame(1, in16_valtest_200=100 - (100 - exact)), tmp_path / "b.csv"), "mine")
    assert 100 - (100 - exact) != exact
    assert not again.changed
    assert load_truth("in16_valtest_200", "mine").accuracy[0, 0] == exact
    with pytest.raises(DataError, match="contradicts"):
        import_table(save(frame(1, in16_valtest_200=exact + 1e-4), tmp_path / "c.csv"), "mine")


def test_what_two_sources_say_is_checked_together(tmp_path: Path) -> None:
    import_table(save(frame(3, c100_valid_200=60.0, c100_test_200=61.0), tmp_path / "a.csv"), "mine")
    before = table_path("mine").read_bytes()
    with pytest.raises(DataError, match=r"b.csv: Column c100_valtest_200 has 61.5 for architecture 0 and the mean of valid and"):
        import_table(save(frame(3, c100_valtest_200=61.5), tmp_path / "b.csv"), "mine")
    assert table_path("mine").read_bytes() == before
