"""Tables on disk: what is written is what is read, and damage is found wherever it lies."""

import errno
import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import lock
from benchmarks import table as tables_module
from benchmarks.column import N_ARCH, QUANTITIES, SINGLE, NewColumn, logical_hash, value_hash
from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.folder import data_home, write_atomically
from benchmarks.table import HEADER, SEAL, Table, open_table, table_names, table_path, tables, verify, write_table
from benchmarks.truth import TruthKey

KEY = TruthKey.parse("x/y/test/1/full")


def few(values: dict[int, float]) -> NDArray[np.float64]:
    column = np.full(N_ARCH, np.nan)
    column[list(values)] = list(values.values())
    return column


def write(name: str = "t", columns: list[NewColumn] | None = None) -> Table:
    made = columns or [NewColumn("a_s0", KEY, "0", few({0: 10.5, 7: 0.0})),
                       NewColumn("a_s1", KEY, "1", few({0: 1 / 3, 15_624: 100.0}))]
    return write_table(name, table_path(name), made, [{"file": "f.csv", "sha256": "0" * 64}])


def test_values_come_back_to_the_last_bit() -> None:
    written = write()
    read = open_table("t")
    assert (read.columns, read.sha256, read.origins) == (written.columns, written.sha256, written.origins)
    values = read.read(read.columns)
    np.testing.assert_array_equal(values, np.stack([few({0: 10.5, 7: 0.0}), few({0: 1 / 3, 15_624: 100.0})], axis=1))
    assert verify("t").sha256 == written.sha256
    assert [t.name for t in tables() if t.path.is_relative_to(data_home())] == ["t"]
    assert "t" in table_names()
    assert read.keys == (KEY,)


def test_the_logical_hash_is_of_facts_and_not_of_names_order_or_file() -> None:
    first = write("t")
    other = write("u", [NewColumn("x", KEY, "1", few({0: 1 / 3, 15_624: 100.0})),
                        NewColumn("y", KEY, "0", few({0: 10.5, 7: -0.0}))])
    assert first.sha256 == other.sha256
    assert first.sha256 != write("u", [NewColumn("x", KEY, "1", few({0: 1 / 3}))]).sha256
    odd = np.frombuffer(np.uint64(0xFFF8_0000_0000_0001).tobytes(), np.float64)
    assert value_hash(odd) == value_hash(np.array([np.nan]))
    assert logical_hash([]) == logical_hash([])


@pytest.mark.parametrize(("value", "says"), [(np.inf, "inf"), (-0.5, "-0.5"), (100.5, "100.5")])
def test_what_is_no_accuracy_is_not_written(value: float, says: str) -> None:
    with pytest.raises(DataError, match=f"Column a has {says} for architecture 3"):
        write("t", [NewColumn("a", KEY, "0", few({3: value}))])
    assert not table_path("t").exists()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_byte_never_changes_a_value(data: st.DataObject) -> None:
    good = write()
    content = bytearray(good.path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    good.path.write_bytes(content)
    try:
        read = open_table("t")
        assert read.columns == good.columns
        np.testing.assert_array_equal(read.read(read.columns)[:, 0], few({0: 10.5, 7: 0.0}))
    except DataError as error:
        assert "is damaged" in str(error)  # noqa: PT017


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_table(share: float) -> None:
    path = write().path
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=r"is damaged .*; delete the file and import it again"):
        verify("t")


def test_a_value_changed_under_its_header_is_found() -> None:
    """A whole parquet file of other values with the old header, as an editor would write it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = write()
    old = pq.read_metadata(good.path).metadata
    changed = pa.table({c.name: few({0: 10.25}) for c in good.columns}).replace_schema_metadata(old)
    pq.write_table(changed, good.path)
    with pytest.raises(DataError, match="the values of a_s0 are not those that were written"):
        verify("t")


def test_every_quantity_comes_back_as_it_is_stored() -> None:
    rng = np.random.default_rng(0)
    made = [NewColumn(f"c_{q}", KEY, "777", rng.uniform(0, 100, N_ARCH), q) for q in QUANTITIES]
    table = write("t", made)
    assert [(c.quantity, c.name) for c in open_table("t").columns] == [(q, f"c_{q}") for q in QUANTITIES]
    for column, values in zip(made, table.read(table.columns).T, strict=True):
        np.testing.assert_array_equal(values, column.values)
        exact = column.values.astype(np.float32).astype(np.float64)
        assert np.array_equal(values, exact) == (column.quantity in SINGLE)
    # A truth is an accuracy: no key leads to a loss or a time of the same key.
    assert [c.quantity for c in table.select(str(KEY))] == ["accuracy"]
    assert [c.quantity for c in table.select("c_loss")] == ["loss"]


def test_the_hash_of_accuracies_is_what_it_was_before_there_were_other_quantities() -> None:
    """Run keys of published runs hold it, so it is written out here."""
    values = few({0: 10.5, 7: 0.0})
    one = NewColumn("a", KEY, "0", values)
    said = sha256(json.dumps([[str(KEY), "0", sha256(values.astype("<f8").tobytes()).hexdigest()]]).encode()).hexdigest()
    assert write("t", [one]).sha256 == said
    loss = NewColumn("b", KEY, "0", values, "loss")
    assert write("u", [loss]).sha256 != said
    assert write("u", [loss, one]).sha256 == write("v", [one, loss]).sha256 != said
    assert open_table("digits201").sha256 == "70c4fefcf312ac25ce92ba6224b0fea1b2c6d6553b1318c67d4ffe978ce3eb58"


@pytest.mark.parametrize(("quantity", "value"), [("loss", -0.1), ("seconds", np.inf), ("latency", 1e39), ("flops", -1.0)])
def test_what_no_quantity_can_be_is_not_written(quantity: str, value: float) -> None:
    with pytest.raises(DataError, match=f"Column a has .* for architecture 3, which is no number of {QUANTITIES[quantity]}"):
        write("t", [NewColumn("a", KEY, "0", few({3: value}), quantity)])
    assert write("t", [NewColumn("a", KEY, "0", few({3: 1e9}), "seconds")]).columns


def rewritten(schema: int) -> Table:
    """The table of `write` as another version of this package wrote it."""
    import pyarrow.parquet as pq

    table = write("t")
    content = pq.read_table(table.path)
    body = json.loads(pq.read_metadata(table.path).metadata[HEADER])
    body["schema"] = schema
    for column in body["columns"]:
        del column["quantity"]
    header = json.dumps(body, sort_keys=True).encode()
    pq.write_table(content.replace_schema_metadata({HEADER: header, SEAL: sha256(header).hexdigest().encode()}), table.path)
    return table


def test_tables_of_schema_1_are_read_and_newer_ones_are_not() -> None:
    old = rewritten(1)
    assert open_table("t").columns == old.columns
    assert verify("t").sha256 == old.sha256
    rewritten(3)
    with pytest.raises(DataError, match=r"schema 3 and this version reads up to 2; update split-harness"):
        open_table("t")


def test_a_table_that_could_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    before = write("t").path.read_bytes()
    with monkeypatch.context() as careless:
        careless.setattr(TruthKey, "__post_init__", lambda self: None)
        wrong = [NewColumn("a", TruthKey("x", "y", "test", 10**7, "full"), "0", few({0: 10.5}))]
    with pytest.raises(DataError, match="could not be read again as it would be written"):
        write("t", wrong)
    assert table_path("t").read_bytes() == before
    with monkeypatch.context() as careless:
        careless.setattr(tables_module, "_of_metadata", lambda *_: Table("t", table_path("t"), (wrong[0].header,), (), ""))
        write("t", wrong)
    # A table of such a header is damaged; the question is not wrong.
    with pytest.raises(DataError, match=r"is damaged \(its header says A truth key cannot have 10000000 epochs"):
        open_table("t")


def test_only_one_process_writes_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    path = table_path("t")
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    with lock.sole_writer(path), pytest.raises(RunError, match=r"Another process has been writing .*t\.parquet for 0\.2 seconds"):
        lock.sole_writer(path).__enter__()
    assert not path.parent.exists()
    # One that was killed leaves its lock behind, and keeps nobody out.
    path.parent.mkdir()
    path.with_name(".t.parquet.lock").write_bytes(b"")
    with lock.sole_writer(path):
        write("t")
    assert [file.name for file in path.parent.iterdir()] == ["t.parquet"]


def test_an_absent_table_and_a_bad_name() -> None:
    with pytest.raises(DataError, match=r"There is no table 'nasbench201' .*harness data import FILE --as nasbench201"):
        open_table("nasbench201")
    for name in ("", "../t", "A", ".t", "a b", "a" * 101, "c" * 5000):
        with pytest.raises(UsageError, match="is no name of a table"):
            table_path(name)


def test_embedded_tables_are_found_after_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_module, "EMBEDDED_FOLDER", tmp_path / "embedded")
    with pytest.raises(DataError, match="harness data build digits201"):
        open_table("digits201")
    write_table("digits201", tmp_path / "embedded" / "digits201.parquet", [NewColumn("a", KEY, "0", few({0: 1.0}))], [])
    assert table_names() == ["digits201"]
    assert open_table("digits201").path.parent == tmp_path / "embedded"
    table_path("digits201").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="reinstall split-harness"):
        open_table("digits201")
    own = tables_module.data_home() / "tables" / "digits201.parquet"
    write_table("digits201", own, [NewColumn("a", KEY, "0", few({0: 2.0}))], [])
    assert open_table("digits201").path.parent.parent == tables_module.data_home()


def test_a_full_disk_and_an_unwritable_folder_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder" / "file"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    with pytest.raises(RunError, match="Cannot write"):
        write_atomically(path / "under a file", b"new")


def test_where_the_data_folder_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", "/a")
    monkeypatch.setenv("XDG_DATA_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert data_home() == Path("/a")
    monkeypatch.delenv("HARNESS_DATA")
    assert data_home() == Path("/b/split-harness")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert data_home() == Path("/c/.local/share/split-harness")
