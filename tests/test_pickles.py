"""Official files are read without executing anything, to exactly the numbers that they hold, in little memory."""

import bz2
import json
import os
import pickle
import pickletools
import signal
import struct
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import benchmarks.convert.confined
from benchmarks.convert import confinement
from benchmarks.convert.confined import Official, read_official
from benchmarks.convert.confinement import TRIAL
from benchmarks.errors import DataError
from benchmarks.pickles.allowlist import FUNCTIONS
from benchmarks.pickles.machine import Call, Refused, inert, load
from benchmarks.pickles.official import GENUINE
from benchmarks.pickles.record import DATASETS, FIELDS, RECORD
from benchmarks.space import nasbench201

SPECIMENS = "nats_specimens/NATS-tss-v1_0-3ffb9-simple"
INDICES = (0, 11, 284)
# What sets, and bytes before protocol 3, are pickled with.
PLAIN = {**FUNCTIONS, **{(module, name): kind for module in ("builtins", "__builtin__")
                         for name, kind in (("set", set), ("frozenset", frozenset), ("bytes", bytes))}}
SOURCES = {"nats": official.facts("nats"), "v1_1": official.facts("v1_1"), "v1_0": official.facts("v1_0")}


def same(first: NDArray[np.void], second: NDArray[np.void]) -> bool:
    """Whether two arrays of trials hold the same bytes, NaN included."""
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


# ---- the machine

KEYS = st.one_of(st.text(max_size=8), st.integers(-2**15, 2**15), st.binary(max_size=5),
                 st.tuples(st.text(max_size=5), st.integers(-2**63, 2**63 - 1)))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-300, 70_000), st.floats(allow_nan=False),
                   st.text(max_size=300), st.binary(max_size=300), st.sets(KEYS, max_size=4), st.frozensets(KEYS, max_size=4))
PLAIN_OBJECTS = st.recursive(LEAVES, lambda inner: st.one_of(
    st.lists(inner, max_size=6), st.tuples(inner), st.tuples(inner, inner), st.tuples(inner, inner, inner, inner),
    st.dictionaries(KEYS, inner, max_size=6), st.dictionaries(st.integers(0, 255), st.floats(allow_nan=False), max_size=40),
    inner.map(lambda value: [value, value])), max_leaves=30)


def alike(first: Any, second: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(alike(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    return bool(first == second)


class Dribble(BytesIO):
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(size, self._most))


@settings(max_examples=300)
@given(value=PLAIN_OBJECTS, protocol=st.integers(0, 5), most=st.sampled_from((1, 7, 19, 50, 1 << 18)), known=st.booleans())
def test_the_machine_reads_what_the_standard_library_reads(value: Any, protocol: int, most: int, known: bool) -> None:
    content = pickle.dumps(value, protocol)
    assert alike(load(Dribble(content, most), PLAIN, size=len(content) if known else None), pickle.loads(content))


@settings(max_examples=200)
@given(value=PLAIN_OBJECTS, protocol=st.integers(2, 5), cut=st.floats(0, 1, exclude_max=True))
def test_a_pickle_that_is_cut_is_refused(value: Any, protocol: int, cut: float) -> None:
    content = pickle.dumps(value, protocol)
    short = content[:int(cut * len(content))]
    for size in (None, len(short)):
        with pytest.raises(Refused):
            load(BytesIO(short), PLAIN, size=size)


def test_long_containers_come_in_batches() -> None:
    value = {"list": list(range(5_000)), "dict": {i: float(i) for i in range(5_000)}, "text": "x" * 600_000}
    for protocol in range(6):
        content = pickle.dumps(value, protocol)
        if protocol:
            assert load(BytesIO(content), PLAIN, size=len(content)) == value
        else:
            # Protocol 0 has lines where the others have lengths, and none may be that long.
            with pytest.raises(Refused, match="line"):
                load(BytesIO(content), PLAIN, size=len(content))


def test_strings_of_python_2_stay_bytes() -> None:
    binary = b"\x80\x02}q\x01(U\x04dataq\x02T\x03\x00\x00\x00\x00\xff\x80q\x03U\x05labelq\x04]q\x05(K\x01K\x02eu."
    assert load(BytesIO(binary), {}, size=None) == {b"data": b"\x00\xff\x80", b"label": [1, 2]}
    text = b"(dp0\nS'it\\'s\\x00'\np1\nI00\nsS\"b\"\nL12345678901234567890L\ns."
    assert load(BytesIO(text), {}, size=None) == {b"it's\x00": False, b"b": 12345678901234567890}


def test_a_numpy_array_becomes_an_inert_call() -> None:
    functions = {("numpy._core.multiarray", "_reconstruct"): inert("array"), ("numpy", "ndarray"): inert("ndarray"),
                 ("numpy", "dtype"): inert("dtype"), **FUNCTIONS}
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    found = load(BytesIO(pickle.dumps(array, 2)), functions, size=None)
    assert isinstance(found, Call)
    assert found.name == "array"
    assert found.state[1] == (2, 3)
    assert found.state[4] == array.tobytes()


def test_condense_sees_each_dictionary_when_it_has_its_items() -> None:
    seen: list[dict[Any, Any]] = []

    def condense(state: dict[Any, Any]) -> None:
        seen.append(dict(state))
        if "inner" not in state:
            state.clear()

    value = {"inner": {"a": 1, "b": 2}, "other": {"c": 3}}
    assert load(BytesIO(pickle.dumps(value, 4)), {}, size=None, condense=condense) == {"inner": {}, "other": {}}
    assert seen == [{"a": 1, "b": 2}, {"c": 3}, {"inner": {}, "other": {}}]


def test_a_record_is_a_row_of_trials() -> None:
    assert TRIAL.itemsize == RECORD.size
    packed = RECORD.pack(15_624, 200, 3, 999, *range(15))
    assert np.frombuffer(packed, TRIAL)[0].item() == (15_624, 200, 3, 999, *map(float, range(15)))


# ---- genuine files


class Restricted(pickle.Unpickler):
    """The independent reading: the standard machine, with the three names that the specimens need."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {("collections", "OrderedDict"): OrderedDict, ("numpy", "dtype"): np.dtype,
                   ("numpy.core.multiarray", "scalar"): np.dtype("f8").type(0).__reduce__()[0]}
        return allowed[module, name]


def specimen(shared_data: Path, index: int) -> Any:
    return Restricted(BytesIO(bz2.decompress((shared_data / SPECIMENS / f"{index:06d}.pickle.pbz2").read_bytes()))).load()


def mean(found: Official, index: int, epochs: int, dataset: str, name: str) -> float:
    trials = found.trials
    chosen = (trials["index"] == index) & (trials["epochs"] == epochs) & (trials["dataset"] == DATASETS.index(dataset))
    return float(trials[name][chosen].mean())


@pytest.mark.real_data
def test_the_published_values_of_the_specimens(shared_data: Path) -> None:
    found = read_official(shared_data / SPECIMENS)
    assert (found.source, found.format, len(found.trials)) == ("nats", "nats-folder", 3 * 17)
    expected = {
        (200, "cifar10", "test_accuracy"): (85.863333, 91.583333, 88.79),
        (200, "cifar10-valid", "valid_accuracy"): (81.982667, 87.94, 86.046667),
        (200, "cifar100", "test_accuracy"): (52.913333, 67.606667, 62.14),
        (200, "cifar100", "valid_accuracy"): (52.7, 67.453333, 61.68),
        (200, "ImageNet16-120", "test_accuracy"): (26.633333, 30.166667, 32.466667),
        (200, "ImageNet16-120", "valid_accuracy"): (28.211111, 30.411111, 33.4),
        (12, "cifar10", "test_accuracy"): (69.55, 74.0, 79.46),
        (12, "cifar10-valid", "valid_accuracy"): (63.364, 63.278, 72.876),
        (200, "cifar10", "flops"): (15.64737, 113.95137, 11.71521),
        (200, "cifar100", "flops"): (15.65322, 113.95722, 11.72106),
        (200, "ImageNet16-120", "flops"): (3.91948, 28.49548, 2.93644),
        (200, "cifar100", "train_seconds"): (2888.4372, 4984.8227, 1950.3177),
    }
    for (epochs, dataset, name), values in expected.items():
        tolerance = 6e-5 if name == "train_seconds" else 6e-7
        assert [mean(found, index, epochs, dataset, name) for index in INDICES] == pytest.approx(values, abs=tolerance, rel=0)
    seeds = found.trials[(found.trials["epochs"] == 200) & (found.trials["dataset"] == DATASETS.index("cifar10"))]
    assert seeds["seed"].tolist() == [777, 888, 999] * 3
    assert seeds["test_accuracy"].tolist() == pytest.approx([85.62, 86.18, 85.79, 91.79, 91.76, 91.20, 88.73, 88.55, 89.09])


@pytest.mark.real_data
def test_every_number_of_the_specimens(shared_data: Path) -> None:
    rows = []
    for index in INDICES:
        for state in specimen(shared_data, index).values():
            for (dataset, seed), result in state["all_results"].items():
                last = result["epochs"] - 1
                ours = {"x-valid": "valid", "x-test": "test",
                        "ori-test": "test" if dataset.startswith("cifar10-") or dataset == "cifar10" else "valtest"}
                values = {"train_accuracy": result["train_acc1es"][last], "train_loss": result["train_losses"][last],
                          "train_seconds": fsum(result["train_times"].values()), "params": float(result["params"]),
                          "flops": result["flop"], "latency": float(np.mean(result["latency"]))}
                for name in result["eval_names"]:
                    for key, kind in (("eval_acc1es", "accuracy"), ("eval_losses", "loss"), ("eval_times", "seconds")):
                        values[f"{ours[name]}_{kind}"] = result[key][f"{name}@{last}"]
                rows.append((index, result["epochs"], DATASETS.index(dataset), seed,
                             *(values.get(name, float("nan")) for name in FIELDS)))
    assert same(read_official(shared_data / SPECIMENS).trials, np.array(sorted(rows, key=lambda row: row[:4]), TRIAL))


@pytest.mark.real_data
def test_one_file_of_the_specimens(shared_data: Path) -> None:
    found = read_official(shared_data / SPECIMENS / "000011.pickle.pbz2")
    assert (found.source, found.format, len(found.trials), found.size) == ("nats", "nats", 17, 85_220)
    assert set(found.trials["index"]) == {11}
    with pytest.raises(DataError, match=r"only the list of architectures; give its folder"):
        read_official(shared_data / SPECIMENS / "meta.pickle.pbz2")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["", "000011.pickle.pbz2", "meta.pickle.pbz2"])
def test_the_size_search_space_is_refused_by_name(shared_data: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"size search space .NATS-sss.*NATS-tss-v1_0-3ffb9-simple"):
        read_official(shared_data / "nats_specimens" / "NATS-sss-v1_0-50262-simple" / name)


# ---- every layout

LAYOUTS: dict[str, tuple[str, str, Callable[[Path, Any], Path]]] = {
    "simple folder": ("nats", "nats-folder", official.write_nats_folder),
    "folder with weights": ("nats", "nats-folder", lambda path, facts: official.write_nats_folder(path, facts, full=True)),
    "folder without its list": ("nats", "nats-folder", lambda path, facts: official.write_nats_folder(path, facts, meta=False)),
    "bz2 file": ("nats", "nats", official.write_nats_file),
    "v1_1": ("v1_1", "nasbench201", official.write_nasbench201),
    "v1_1 zip": ("v1_1", "nasbench201", lambda path, facts: official.write_nasbench201(path, facts, zipped=True)),
    "v1_0": ("v1_0", "nasbench201", official.write_nasbench201),
    "v1_0 zip": ("v1_0", "nasbench201", lambda path, facts: official.write_nasbench201(path, facts, zipped=True)),
    "archive": ("v1_1", "nasbench201-folder", official.write_archive),
    "archive zip": ("v1_1", "nasbench201-folder", lambda path, facts: official.write_archive(path, facts, zipped=True)),
    "archive with weights": ("v1_1", "nasbench201-folder", lambda path, facts: official.write_archive(path, facts, full=True)),
    "archive zip with weights": ("v1_1", "nasbench201-folder",
                                 lambda path, facts: official.write_archive(path, facts, full=True, zipped=True)),
    "archive of v1_0": ("v1_0", "nasbench201-folder", official.write_archive),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_gives_the_facts_it_was_made_from(layout: str, tmp_path: Path) -> None:
    source, form, write = LAYOUTS[layout]
    found = read_official(write(tmp_path / "source", SOURCES[source]))
    assert (found.source, found.format) == (source, form)
    assert same(found.trials, official.trials(SOURCES[source]))


def test_facts_have_the_gaps_they_are_meant_to_have() -> None:
    v0, v1, nats = (official.trials(SOURCES[source]) for source in ("v1_0", "v1_1", "nats"))
    assert np.isnan(v0["train_seconds"]).any()
    assert not np.isnan(v1["train_seconds"]).any()
    assert set(v0["dataset"][v0["epochs"] == 12]) == {0}
    for trials, counts in ((v0, {1, 2, 3}), (v1, {1, 2, 3}), (nats, {2, 3})):
        chosen = trials[(trials["epochs"] == 200) & (trials["dataset"] == 1)]
        assert set(np.unique(chosen["index"], return_counts=True)[1]) == counts


def test_a_plain_pickle_with_the_names_of_old_numpy(tmp_path: Path) -> None:
    facts = SOURCES["v1_1"]
    content = pickle.dumps(official.nasbench201_object(facts), 2)
    assert b"cnumpy._core.multiarray\n" in content
    (tmp_path / "plain").write_bytes(content.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert same(read_official(tmp_path / "plain").trials, official.trials(facts))


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_processes_and_slices_change_nothing(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = official.facts("v1_1", range(40, 47))
    write = official.write_archive if form == "archive" else official.write_nats_folder
    path = write(tmp_path / form, facts)
    alone = read_official(path)
    monkeypatch.setattr(benchmarks.convert.confined, "SLICE", 2)
    for jobs in (1, 2, 3):
        heard: list[tuple[int, int]] = []
        found = read_official(path, jobs, lambda done, total, heard=heard: heard.append((done, total)))
        n = 7 if form == "archive" else 8
        assert heard == [(i + 1, n) for i in range(n)]
        assert same(found.trials, alone.trials)
        assert (found.sha256, found.size) == (alone.sha256, alone.size)


def test_the_first_failure_in_the_order_of_files_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = official.write_nats_folder(tmp_path / "nats", official.facts("nats", range(6)))
    monkeypatch.setattr(benchmarks.convert.confined, "SLICE", 1)
    for index in (1, 3, 5):
        (folder / f"{index:06d}.pickle.pbz2").write_bytes(b"BZh9")
    for jobs in (1, 3):
        with pytest.raises(DataError, match=r"000001\.pickle\.pbz2 ends in the middle"):
            read_official(folder, jobs)


def test_progress_of_a_file_is_in_bytes(tmp_path: Path) -> None:
    for zipped in (False, True):
        path = official.write_nasbench201(tmp_path / f"{zipped}.pth", SOURCES["v1_1"], zipped)
        heard: list[tuple[int, int]] = []
        found = read_official(path, report=lambda done, total, heard=heard: heard.append((done, total)))
        done = [part for part, _ in heard]
        assert done == sorted(done)
        assert len(set(done)) > 5
        assert found.size == path.stat().st_size == heard[-1][1]
        assert done[-1] == pytest.approx(found.size, rel=0.1)


def test_size_and_hash_are_those_of_the_files(tmp_path: Path) -> None:
    from hashlib import sha256

    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_0"], zipped=True)
    assert read_official(path).sha256 == sha256(path.read_bytes()).hexdigest()
    folder = official.write_archive(tmp_path / "folder", SOURCES["v1_0"])
    lines = "".join(f"{file.name} {sha256(file.read_bytes()).hexdigest()}\n" for file in sorted(folder.iterdir()))
    assert read_official(folder).sha256 == sha256(lines.encode()).hexdigest()


# ---- folders that contradict themselves


def test_a_full_file_beside_a_simple_one_is_not_read_twice(tmp_path: Path) -> None:
    facts = official.facts("v1_1", (3, 4))
    folder = official.write_archive(tmp_path / "both", facts)
    official.write_archive(folder, [fact for fact in facts if fact.index == 3], full=True)
    assert same(read_official(folder).trials, official.trials(facts))


def test_folders_that_are_wrong(tmp_path: Path) -> None:
    facts = official.facts("nats", (3, 4))
    folder = official.write_nats_folder(tmp_path / "nats", facts)
    (folder / "000003.pickle.pbz2").rename(folder / "000005.pickle.pbz2")
    with pytest.raises(DataError, match=r"000005\.pickle\.pbz2 does not hold architecture 5, as its name says"):
        read_official(folder)
    (folder / "000005.pickle.pbz2").rename(folder / "000003.pickle.pbz2")
    (folder / "3.pickle.pbz2").write_bytes((folder / "000003.pickle.pbz2").read_bytes())
    with pytest.raises(DataError, match="are both architecture 3; remove one of them"):
        read_official(folder)
    (folder / "3.pickle.pbz2").unlink()
    official.write_archive(folder, facts)
    with pytest.raises(DataError, match="holds both 000000"):
        read_official(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds neither 000000"):
        read_official(tmp_path / "empty")
    with pytest.raises(DataError, match="no such file"):
        read_official(tmp_path / "absent")
    mixed = official.write_archive(tmp_path / "mixed", official.facts("v1_1", (3,)))
    official.write_archive(mixed, official.facts("v1_0", (4,)))
    with pytest.raises(DataError, match="mixes files v1_0 and v1_1"):
        read_official(mixed)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        read_official(tmp_path / "pipe")


# ---- the processes

# The confined process with another way to read a file; `a` are the arguments, the fourth hears the progress.
WITH_READ = ("import sys; sys.path.append(sys.argv.pop(1)); import benchmarks.pickles.__main__ as m; "
             "m.read = lambda *a: {}; m.main()")


def test_what_the_confined_process_imports() -> None:
    code = ("import sys; sys.path.append(sys.argv[1]); import benchmarks.pickles.__main__, zipfile; "
            "print(sorted({'numpy', 'torch', 'pickle', 'pandas', 'pyarrow', 'socket', 'subprocess'} & set(sys.modules)))")
    root = Path(__file__).parents[1]
    found = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_pth_is_read_without_torch(tmp_path: Path) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    code = ("import sys; from pathlib import Path; from benchmarks.convert.confined import read_official; "
            "print(len(read_official(Path(sys.argv[1])).trials), 'torch' in sys.modules)")
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert found.stdout == f"{len(SOURCES['v1_1'])} False\n"


def test_a_process_that_computes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    monkeypatch.setattr(confinement, "SECONDS_START", 1)
    monkeypatch.setattr(confinement, "SECONDS_PER_BYTE", 0)
    with pytest.raises(DataError, match="takes more than 1 seconds of computing"):
        list(confinement.confined([path] * 1_000, [path.stat().st_size] * 1_000))


def test_a_process_that_is_killed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    monkeypatch.setattr(confinement, "START", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(DataError, match="the process that read it was ended by SIGKILL"):
        read_official(path)
    monkeypatch.setattr(confinement, "START", "raise SystemExit(7)")
    with pytest.raises(DataError, match="failed with exit code 7"):
        read_official(path)
    # Amid a line, and amid the records that it has announced.
    for said in ('{\"done\"', '{\"kind\": \"all\", \"bytes\": 1300}\\n' + 137 * "x"):
        monkeypatch.setattr(confinement, "START", f"import os; os.write(1, b'{said}'); os.kill(os.getpid(), 9)")
        with pytest.raises(DataError, match="the process that read it was ended by SIGKILL"):
            read_official(path)


def test_an_error_that_nobody_foresaw_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    lack = f"needs more than {(confinement.MEMORY_START + confinement.MEMORY_PER_BYTE * path.stat().st_size) >> 20} MiB of memory"
    # C code that finds no memory does not always say so.
    for error, told in (("KeyError", "brings its reader to an error"), ("RecursionError", "brings its reader to an error"),
                        ("MemoryError", f"{lack}, which"), ("SystemError", f"{lack}, which")):
        monkeypatch.setattr(confinement, "START", WITH_READ.format(f"(_ for _ in ()).throw({error}('x'))"))
        with pytest.raises(DataError) as refusal:
            read_official(path)
        assert str(refusal.value).startswith(f"{path} {told} ")
        assert str(refusal.value).endswith(f"no genuine file {'of its size ' * (told[0] == 'n')}does; {GENUINE}.")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_a_confined_process_that_only_computes_ends_with_its_parent(ending: signal.Signals, tmp_path: Path) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    code = ("import sys; from pathlib import Path; from benchmarks.convert import confinement\n"
            "confinement.START = sys.argv[2]\n"
            "for message in confinement.confined([Path(sys.argv[1])], [1]): print('x', flush=True)")
    endless = WITH_READ.format("[a[3](1), all(not x for x in iter(int, 1))]")
    parent = subprocess.Popen([sys.executable, "-c", code, str(path), endless], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"x\n"
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 1
    parent.send_signal(ending)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 10
    while alive(int(children[0])):
        assert time.monotonic() < end, "the confined process outlives its parent"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in /proc")
def test_the_confined_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = official.write_nasbench201(tmp_path / "a.pth", SOURCES["v1_1"])
    code = ("import sys; from pathlib import Path; from benchmarks.convert.confinement import confined\n"
            "for message in confined([Path(sys.argv[1])] * 10_000, [1_000_000] * 10_000): print('x', flush=True)")
    parent = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    parent.stdout.readline()
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    assert len(children) == 1
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 20
    while alive(int(children[0])):
        assert time.monotonic() < end, "the confined process outlives its parent"
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ---- memory and time


# The number in the memo of the first value of a pattern, behind a list of 256 strings.
FIRST = 257


def relocatable(fact: list[official.Training]) -> tuple[bytes, NDArray[np.int64], int]:
    """The instructions of one architecture (protocol 2) behind 256 strings, where its memo numbers are, how many it adds."""
    ahead = [f"{i}" for i in range(256)]
    pair = official.both(fact, ("less", "full"))
    content = pickle.dumps([*ahead, {"full": pair["full"], "less": pair["less"]}], 2)
    operations = list(pickletools.genops(content))
    start = next(position for operation, _, position in operations if operation.name == "EMPTY_DICT")
    numbers = [position + 1 - start for operation, _, position in operations
               if operation.name in ("LONG_BINPUT", "LONG_BINGET") and position > start]
    puts = sum(operation.name == "LONG_BINPUT" and position > start for operation, _, position in operations)
    return content[start:content.rindex(b"e.")], np.array(numbers), puts


def write_large(path: Path, n: int) -> None:
    """A .pth of v1_1 with n architectures in the genuine layout, from one pattern for each number of seeds, without holding it.

    Nothing is shared between architectures, so that the memo grows as much as it can.
    """
    patterns = {}
    for seeds, index in ((1, 300), (2, 301), (3, 302)):
        fact = official.facts("v1_1", (300, 301, 302))
        body, numbers, puts = relocatable([one for one in fact if one.index == index])
        arch = nasbench201().strings[index].encode()
        mark = b"M" + struct.pack("<H", index)
        assert (body.count(arch), body.count(mark)) == (1, 2)
        patterns[seeds] = body, numbers, puts, body.index(arch) - 4, len(arch) + 4, (body.index(mark) + 1, body.rindex(mark) + 1)
    with open(path, "wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
            file.write(pickle.dumps(value, 2))
        strings = list(nasbench201().strings)
        file.write(pickle.dumps({"meta_archs": strings, "total_archs": len(strings)}, 2)[:-2])
        # So far numbered: the dictionary, the list, both keys and the strings.
        memo = 4 + len(strings)
        file.write(b"X\x0a\x00\x00\x00arch2infosr" + struct.pack("<I", memo) + b"}r" + struct.pack("<I", memo + 1))
        memo += 2
        for i in range(n):
            body, numbers, puts, where, length, at = patterns[(1, 2, 2, 3, 3, 3, 3)[i % 7]]
            if i % 1_000 == 0:
                file.write(b"(")
            copy = np.frombuffer(body, np.uint8).copy()
            view = numbers[:, None] + np.arange(4)
            copy[view] = (copy[view].copy().view("<u4") + np.uint32(memo - FIRST)).view(np.uint8)
            for place in at:
                copy[place:place + 2] = list(struct.pack("<H", i))
            arch = nasbench201().strings[i].encode()
            moved = copy.tobytes()
            file.write(b"J" + struct.pack("<i", i) + moved[:where] + struct.pack("<I", len(arch)) + arch + moved[where + length:])
            memo += puts
            if i % 1_000 == 999 or i == n - 1:
                file.write(b"u")
        file.write(b"X\x11\x00\x00\x00evaluated_indexes]u." + pickle.dumps([], 2))


@pytest.mark.slow
def test_memory_and_time_of_the_large_file(tmp_path: Path) -> None:
    n = 2_000
    path = tmp_path / "large.pth"
    write_large(path, n)
    code = ("import resource, sys, json, time; from pathlib import Path; from benchmarks.convert.confined import read_official\n"
            "start = time.perf_counter(); found = read_official(Path(sys.argv[1])); seconds = time.perf_counter() - start\n"
            "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
            "computing = usage.ru_utime + usage.ru_stime\n"
            "print(json.dumps([len(found.trials), found.size, seconds, computing, usage.ru_maxrss * 1024]))")
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    trials, size, seconds, computing, peak = json.loads(found.stdout)
    start = 20e6
    whole = start + (peak - start) / n * 15_625
    print(f"{n} architectures, {trials} trainings, {size / 1e6:.0f} MB: {seconds:.1f} s ({computing:.1f} s of computing), "
          f"{peak / 1e6:.0f} MB at most; 15,625: {computing / n * 15_625:.0f} s, {size / n * 15_625 / 1e9:.1f} GB on disk, "
          f"{whole / 1e9:.2f} GB of memory")
    assert whole < 2.8e9
