"""Files: what is written is read back, equal content gives equal bytes, damage is noticed, one process writes at a time."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.errors import DataError, RunError, UsageError
from harness.runs.spec import Keys, RunSpec
from harness.store import find_run, read_frame, read_json, run_name, sole_writer, write_frame, write_json
from harness.training.checkpoint import read_tensors, write_tensors

ABOUT = {"schema": "test/1", "key": "abc", "supernet": "0"}
TENSORS = {"weight": torch.arange(24.0).view(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
           "count": torch.tensor([1, 2, 3]), "scalar": torch.tensor(2.5, dtype=torch.float64), "none": torch.zeros(0, 4)}
COLUMNS: dict[str, Any] = {"index": np.arange(50), "part": np.tile([-1, 0, 1, 2, 0], 10).astype(np.int16),
                           "accuracy": np.where(np.arange(50) % 7, np.linspace(10, 90, 50), np.nan),
                           "architecture": [f"|none~{i}|" for i in range(50)]}


def read_all_tensors(path: Path) -> dict[str, bytes]:
    tensors, words = read_tensors(path, ABOUT)
    found = {name: repr((tensor.dtype, tensor.tolist())).encode() for name, tensor in tensors.items()}
    return found | {"words": repr(sorted(words.items())).encode()}


def read_all_columns(path: Path) -> dict[str, bytes]:
    columns, words = read_frame(path, ABOUT)
    found = {name: repr((values.dtype, values.tolist())).encode() for name, values in columns.items()}
    return found | {"words": repr(sorted(words.items())).encode()}


Read = Callable[[Path], dict[str, bytes]]
KINDS: dict[str, tuple[Callable[[Path], None], Read]] = {
    "tensors": (lambda path: write_tensors(path, TENSORS, ABOUT), read_all_tensors),
    "frame": (lambda path: write_frame(path, COLUMNS, ABOUT), read_all_columns),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[Callable[[Path], None], Read]:
    return KINDS[request.param]


def test_tensors_come_back(tmp_path: Path) -> None:
    write_tensors(tmp_path / "x", TENSORS, {**ABOUT, "step": "7"})
    tensors, words = read_tensors(tmp_path / "x", ABOUT)
    assert words == {**ABOUT, "step": "7"}
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_columns_come_back(tmp_path: Path) -> None:
    write_frame(tmp_path / "x", COLUMNS, {**ABOUT, "names": '["a", "b"]'})
    columns, words = read_frame(tmp_path / "x", ABOUT)
    assert words == {**ABOUT, "names": '["a", "b"]'}
    assert list(columns) == list(COLUMNS)
    for name, values in COLUMNS.items():
        np.testing.assert_array_equal(columns[name], np.asarray(values, dtype=columns[name].dtype))
    assert columns["part"].dtype == np.int16


def test_json_comes_back_and_nan_as_null(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"schema": "x/1", "b": [1.5, float("nan")], "a": {"c": (1, "d")}})
    assert read_json(tmp_path / "x", "x/1") == {"schema": "x/1", "a": {"c": [1, "d"]}, "b": [1.5, None]}
    for content in (b"", b"{", b"[1]", b"\xff\xfe", b'{"schema": "x/2"}'):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError, match="delete it and run"):
            read_json(tmp_path / "x", "x/1")


def test_equal_content_gives_equal_bytes(kind: tuple[Callable[[Path], None], Read], tmp_path: Path) -> None:
    for i in range(12):
        kind[0](tmp_path / str(i))
    assert len({path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}) == 1


def test_nothing_else_is_left_behind(kind: tuple[Callable[[Path], None], Read], tmp_path: Path) -> None:
    kind[0](tmp_path / "new" / "x")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x"]


def test_what_belongs_to_another_run_is_refused(tmp_path: Path) -> None:
    for write, read in KINDS.values():
        write(tmp_path / "x")
        other = {**ABOUT, "key": "other"}
        with pytest.raises(DataError, match="delete it and run"):
            (read_tensors if read is read_all_tensors else read_frame)(tmp_path / "x", other)


def test_a_flipped_byte_never_changes_what_is_read(kind: tuple[Callable[[Path], None], Read], tmp_path: Path) -> None:
    write, read = kind
    path = tmp_path / "x"
    write(path)
    good, expected = path.read_bytes(), read(path)
    noticed = 0
    offsets = sorted({*range(0, len(good), max(1, len(good) // 300)), *range(16), *range(len(good) - 16, len(good))})
    for offset in offsets:
        for bit in (0x01, 0x80):
            bad = bytearray(good)
            bad[offset] ^= bit
            path.write_bytes(bad)
            try:
                found = read(path)
            except DataError:
                noticed += 1
            else:  # some bytes of a parquet file say only who wrote it, or the same thing twice
                assert found == expected, f"byte {offset}"
    assert noticed > 2 * len(offsets) * (0.99 if read is read_all_tensors else 0.6)


def test_a_truncated_file_is_noticed(kind: tuple[Callable[[Path], None], Read], tmp_path: Path) -> None:
    write, read = kind
    path = tmp_path / "x"
    write(path)
    good = path.read_bytes()
    for length in {0, 1, 7, 8, 9, len(good) // 2, len(good) - 9, len(good) - 1}:
        path.write_bytes(good[:length])
        with pytest.raises(DataError, match="delete it"):
            read(path)
    path.unlink()
    with pytest.raises(DataError, match="delete it"):
        read(path)


HOLD = """
import sys
from pathlib import Path
from benchmarks.errors import HarnessError
from harness.store import sole_writer
try:
    with sole_writer(Path(sys.argv[1])):
        print("holding", flush=True)
        sys.stdin.readline()
except HarnessError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with sole_writer(tmp_path / "run"):
        second = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert second.returncode == 1
    assert second.stdout == ("Another process is working on run; wait for it, or stop it and run the same command again to go on "
                             "where it stopped.\n")
    # A process that is killed holds nothing.
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "holding\n"
    with pytest.raises(RunError, match="Another process"), sole_writer(tmp_path / "run"):
        pass
    first.kill()
    first.communicate()
    with sole_writer(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="choose a writable folder with HARNESS_RESULTS"), sole_writer(tmp_path / "file" / "run"):
        pass


@pytest.fixture
def full_disk(small_disk: Path) -> Path:
    """A file system with one JSON file and nothing free."""
    write_json(small_disk / "before.json", {"schema": "x/1", "kept": True})
    with open(small_disk / "filling", "wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return small_disk


def test_a_full_disk_leaves_everything_as_it_was(full_disk: Path) -> None:
    for write, _ in KINDS.values():
        with pytest.raises(RunError, match="the disk is full; free some space"):
            write(full_disk / "x")
    with pytest.raises(RunError, match="the disk is full"):
        write_json(full_disk / "before.json", {"schema": "x/1", "kept": False})
    assert sorted(path.name for path in full_disk.iterdir()) == ["before.json", "filling"]
    assert read_json(full_disk / "before.json", "x/1")["kept"] is True


def test_a_run_is_found_by_the_beginning_of_its_name_or_hash(results_home: Path) -> None:
    spec = RunSpec()
    keys = Keys("p", "0123456789ab", "e", "m")
    assert run_name(spec, keys) == "nonlinear-k3-digits201-digits-s0-0123456789ab"
    assert run_name(RunSpec(criterion="random[like=flops,seed=1]"), keys) == (
        "random-like-flops-seed-1-k3-digits201-digits-s0-0123456789ab")
    for name in ("nonlinear-k3-a", "nonlinear-k3-b"):
        write_json(results_home / name / "spec.json", {})
    assert find_run("nonlinear-k3-b") == find_run("b") == results_home / "nonlinear-k3-b"
    with pytest.raises(UsageError, match="could be 2 runs"):
        find_run("nonlinear")
    with pytest.raises(UsageError, match="There is no run 'x'"):
        find_run("x")
