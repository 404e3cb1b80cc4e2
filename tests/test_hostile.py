"""Files that want to do harm, or that are wrong, are refused with one sentence, and nothing else happens."""

import bz2
import io
import json
import os
import pickle
import re
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
from command import harness
from hostile_sources import (
    FACTS,
    at,
    colliding,
    executing,
    exhausting,
    folders,
    genuine,
    misshapen,
    named,
    reaching,
    results,
    saved,
    text,
    wrong,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.convert import confinement
from benchmarks.convert.confined import read_official
from benchmarks.convert.confinement import TRIAL
from benchmarks.errors import DataError
from benchmarks.pickles.allowlist import FUNCTIONS
from benchmarks.pickles.container import read
from benchmarks.pickles.machine import Refused, load
from benchmarks.pickles.official import GENUINE, Found, Reduction
from benchmarks.pickles.record import FIELDS
from benchmarks.space import nasbench201

MOST_MEMORY = 200_000_000
# On two slow cores that do other work, too; a file alone takes two tenths of a second.
MOST_SECONDS = 10.0

# Runs in a process and a session of its own, so that the memory of this one is not counted and nothing that it starts is missed.
RUNNER = """
import json, os, resource, shlex, sys, time
from pathlib import Path
from tests.command import harness

answers = {}
for path in sys.argv[1:]:
    start = time.monotonic()
    said = harness(f"data import {shlex.quote(path)} --as x")
    left = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    answers[Path(path).name] = [said.code, said.out, said.err, time.monotonic() - start, left]
print(json.dumps([answers, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))
"""
# Half of the sources each.
RUNNERS = 2


def entries(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def of_sessions(sessions: Iterable[int]) -> list[str]:
    """The processes of these sessions that are there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) in sessions:
            found.append(process.name)
    return found


@dataclass(frozen=True)
class Answer:
    """What the command said of a source, and what should have been in it."""

    code: int
    out: str
    err: str
    seconds: float
    left: str
    expected: str

    @property
    def message(self) -> str:
        """The last line, which follows those of the progress."""
        return self.err.removesuffix("\n").rpartition("\n")[2]

    @property
    def fault(self) -> str:
        """What is wrong with it; empty when nothing is."""
        lines, said = self.err.splitlines(), self.message
        faults = {"not refused": self.code != 3, "too slow": self.seconds > MOST_SECONDS, "on standard output": self.out,
                  "another reason": not re.search(self.expected, said), "a process is left": self.left,
                  "no sentence": not said.startswith("Error: /") or not said.endswith(".") or ". " in said.replace("... ", ""),
                  "more than a sentence": any(not line.startswith("read: ") for line in lines[:-1]),
                  "not to be printed": not said.isprintable() or len(said) > 700}
        return ", ".join(name for name, there in faults.items() if there)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Answer]]:
    """What `harness data import` said of every hostile source; fails when anything else happened than that."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("looks for left-over processes in /proc")
    home = tmp_path_factory.mktemp("home")
    for name in ("sources", "data", "work"):
        (home / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        groups: dict[str, dict[str, tuple[Any, str]]] = {
            "executing": dict(executing(str(home / "canary"), server.getsockname()[1])), "exhausting": dict(exhausting()),
            "folders": dict(folders())}
        for group, sources in groups.items():
            for number, (content, _) in enumerate(sources.values()):
                path = home / "sources" / f"{group}-{number}"
                if isinstance(content, bytes):
                    path.write_bytes(reaching(content, number))
                else:
                    path.mkdir()
                    for name, one in content.items():
                        (path / name).write_bytes(one)
        before = entries(home)
        root = Path(__file__).parents[1]
        environment = {**os.environ, "HARNESS_DATA": str(home / "data"), "HOME": str(home / "work"), "TMPDIR": str(home / "work"),
                       "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
        paths = sorted(str(path) for path in (home / "sources").iterdir())
        runners = [subprocess.Popen([sys.executable, "-c", RUNNER, *paths[i::RUNNERS]], stdout=subprocess.PIPE, text=True,
                                    stderr=subprocess.PIPE, cwd=home / "work", env=environment, start_new_session=True)
                   for i in range(RUNNERS)]
        found = [runner.communicate() for runner in runners]
        assert [runner.returncode for runner in runners] == [0] * RUNNERS, found
        assert not of_sessions([runner.pid for runner in runners]), "a process is left"
        assert entries(home) == before, "a file was written"
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [err for _, err in found] == [""] * RUNNERS
    said = {}
    for out, _ in found:
        part, memory = json.loads(out)
        assert 10_000_000 < memory < MOST_MEMORY
        said.update(part)
    return {group: {name: Answer(*said[f"{group}-{number}"], expected)
                    for number, (name, (_, expected)) in enumerate(sources.items())} for group, sources in groups.items()}


@pytest.mark.parametrize("group", ["executing", "exhausting", "folders"])
def test_hostile_sources_are_refused_with_one_sentence(group: str, answers: dict[str, dict[str, Answer]]) -> None:
    faults = {name: (answer.fault, answer.message) for name, answer in answers[group].items() if answer.fault}
    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())


def test_the_confined_reader_refuses_them(answers: dict[str, dict[str, Answer]]) -> None:
    """And not something before it, which would look at their first bytes only."""
    files = {**answers["executing"], **answers["exhausting"]}
    assert len(files) >= 80
    others = {name: answer.message for name, answer in files.items() if GENUINE not in answer.message}
    assert not others


@pytest.mark.parametrize("name", ["two\nlines", "caf\udce9"])
def test_the_name_of_a_file_does_not_change_the_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(bz2.compress(b"\x80\x04" + named("os", "system") + b"."))
    said = harness(f"data import {shlex.quote(str(path))} --as x")
    assert said.code == 3
    assert said.err.endswith(f"{str(path)!a} asks for os.system, which no file of this kind needs; {GENUINE}.\n")
    path.write_bytes(b"BZh9")
    with pytest.raises(DataError, match=r"' ends in the middle of its bz2 data; nothing"):
        read_official(path)
    folder = tmp_path / f"folder {name}"
    folder.mkdir()
    (folder / "000001.pickle.pbz2").write_bytes(b"BZh9")
    (folder / "1.pickle.pbz2").write_bytes(b"BZh9")
    with pytest.raises(DataError) as refusal:
        read_official(folder)
    assert str(refusal.value).isprintable()


# ---- without memory

CROWDS = {
    "frozen sets": b"(K\x01\x91a" * 400_000, "sets": b"\x8f(K\x01\x90a" * 400_000, "tuples": b"NNN\x87a" * 600_000,
    "dictionaries": b"}K\x01Nsa" * 400_000,
}


@pytest.mark.parametrize("memory", [20, 26])
@pytest.mark.parametrize("crowd", CROWDS)
def test_a_lack_of_memory_is_told_wherever_it_shows(crowd: str, memory: int, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "crowd"
    path.write_bytes(b"\x80\x04]" + CROWDS[crowd] + b".")
    monkeypatch.setattr(confinement, "MEMORY_START", memory << 20)
    monkeypatch.setattr(confinement, "MEMORY_PER_BYTE", 0)
    with pytest.raises(DataError) as refusal:
        read_official(path)
    assert str(refusal.value) == (f"{path} needs more than {memory} MiB of memory, which no genuine file of its size does; "
                                  f"{GENUINE}.")


# ---- in process, where many more can be tried


def held(content: bytes, folder: Path) -> Found:
    """What a file holds, read as the confined process does."""
    path = folder / "file"
    path.write_bytes(content)
    reduction = Reduction(nasbench201().strings)
    return reduction.found(read(path, FUNCTIONS, reduction.condense, lambda used: None).value)


@pytest.mark.parametrize("files", [misshapen, wrong])
def test_wrong_files_are_refused_with_the_reason(files: Callable[[], dict[str, tuple[bytes, str]]], tmp_path: Path) -> None:
    faults = {}
    for name, (content, expected) in files().items():
        try:
            faults[name] = str(held(content, tmp_path))
        except Refused as refusal:
            if not re.search(expected, refusal.reason) or not refusal.reason.isprintable() or ". " in refusal.reason:
                faults[name] = refusal.reason
    assert not faults, "\n".join(f"{name}: {fault:.200}" for name, fault in faults.items())


class Numbered(pickle._Pickler):
    """Writes no frames and says under which numbers of its memo a value is found again."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, 4)
        self.framer.start_framing = lambda: None

    def fetch(self, value: object) -> bytes:
        """LONG_BINGET."""
        return b"j" + struct.pack("<I", self.memo[id(value)][0])


def number(value: float) -> bytes:
    """BINFLOAT."""
    return b"G" + struct.pack(">d", value)


# What a file may change after it was read, in the results of 12 epochs, which are complete by then.
LATER: dict[str, tuple[Callable[[Any], Any], bytes]] = {
    "FLOPs": (lambda v: at(v, epochs="12", seed=111), text("flop") + number(99.0) + b"s"),
    "accuracies": (lambda v: at(v, epochs="12", seed=111),
                   text("eval_acc1es") + b"}" + text("ori-test@11") + number(99.0) + b"ss"),
    "an accuracy": (lambda v: at(v, epochs="12", seed=111)["eval_acc1es"], text("ori-test@11") + number(99.0) + b"s"),
    "a training curve": (lambda v: at(v, epochs="12", seed=111)["train_losses"], b"(K\x0b" + number(99.0) + b"u"),
    "latencies": (lambda v: at(v, epochs="12", seed=111)["latency"], number(99.0) + b"a"),
    "names of evaluations": (lambda v: at(v, epochs="12", seed=111)["eval_names"], b"(" + text("x-valid") + b"e"),
    "results": (lambda v: results(v, "12"), text("cifar10") + b"M\x09\x03\x86" + b"}s"),
    "seeds": (lambda v: v["12"]["dataset_seed"], text("cifar10") + b"]s"),
    "an architecture": (lambda v: v["12"], text("arch_index") + b"K\x0cs"),
    "the configuration": (lambda v: at(v, epochs="12", seed=111)["arch_config"], text("arch_str") + text("other") + b"s"),
}


@pytest.mark.parametrize("what", LATER)
def test_what_was_read_cannot_be_changed_later(what: str, tmp_path: Path) -> None:
    """Or else the file says one thing to us and another to `pickle.load`."""
    value, stream = official.both(FACTS, ("12", "200")), io.BytesIO()
    pickler = Numbered(stream)
    pickler.dump(value)
    content = stream.getvalue()
    place, change = LATER[what]
    # The last value of all is the one of clear_net_done.
    last = content.rindex(b"\x88u")
    later = content[:last] + pickler.fetch(place(value)) + change + content[last + 1:]
    assert held(content, tmp_path).records
    before, after = place(pickle.loads(content)), place(pickle.loads(later))
    assert before != after
    with pytest.raises(Refused, match=r"changes a (dict|list) that it has used before"):
        held(later, tmp_path)


def test_results_that_were_complete_take_no_more() -> None:
    state = official.result_state(FACTS[0])
    content = pickle.dumps(state, 4)[:-1]
    content = content[:2] + content[11:] + text("flop") + number(99.0) + b"s."
    assert pickle.loads(content)["flop"] == 99.0 != state["flop"]
    with pytest.raises(Refused, match="adds to a dictionary of results that was complete"):
        load(io.BytesIO(content), FUNCTIONS, size=None, condense=Reduction(nasbench201().strings).condense)


def test_a_value_may_hold_itself_and_be_used_again() -> None:
    loop: list[Any] = []
    loop += [loop, *range(2_500), loop]
    found = load(io.BytesIO(pickle.dumps([loop, loop, {"a": loop}], 4)), {}, size=None)
    assert found[0] is found[1] is found[2]["a"] is found[0][0] is found[0][2_501]


@pytest.mark.parametrize("argument", [b"K\x01", b"]", b"N", b"C\x01x", b"\x88", b"}"])
def test_only_text_is_encoded(argument: bytes) -> None:
    content = b"\x80\x04" + named("_codecs", "encode") + argument + text("latin1") + b"\x86R."
    with pytest.raises(Refused, match=r"asks to encode a .* as if it were text"):
        load(io.BytesIO(content), FUNCTIONS, size=None)
    content = b"\x80\x04" + named("_codecs", "encode") + text("a") + argument + b"\x86R."
    with pytest.raises(Refused, match="asks for the encoding"):
        load(io.BytesIO(content), FUNCTIONS, size=None)


@pytest.mark.parametrize("arguments", [b"](" + text("12") + b"N\x86e\x85", b"}\x85", b"N\x85", b"](NNe\x85"])
@pytest.mark.parametrize("name", ["OrderedDict", "defaultdict"])
def test_a_dictionary_is_made_empty(name: str, arguments: bytes) -> None:
    content = b"\x80\x04" + named("collections", name) + arguments + b"R."
    if (name, arguments) == ("defaultdict", b"N\x85"):
        assert load(io.BytesIO(content), FUNCTIONS, size=None) == {}
        return
    with pytest.raises(Refused, match=f"makes an? {name} of something"):
        load(io.BytesIO(content), FUNCTIONS, size=None)


def scalar(order: bytes) -> bytes:
    """A numpy scalar of 1.5, with these instructions after its dtype."""
    return (b"\x80\x04" + named("numpy.core.multiarray", "scalar") + named("numpy", "dtype") + text("f8") + b"\x89\x88\x87R"
            + order + b"C\x08" + struct.pack("<d", 1.5) + b"\x86R.")


def test_a_scalar_says_the_order_of_its_bytes() -> None:
    def state(order: str) -> bytes:
        return b"(K\x03" + text(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"

    def value(content: bytes) -> object:
        return load(io.BytesIO(content), FUNCTIONS, size=None)

    assert value(scalar(state("<"))) == 1.5
    assert value(scalar(state(">"))) == struct.unpack(">d", struct.pack("<d", 1.5))[0]
    for order in (state("="), state("|"), state(""), b"", b"Nb", b"(K\x03K\x01tb"):
        with pytest.raises(Refused, match="does not say the order"):
            value(scalar(order))


def in_one_slot(n: int) -> bytes:
    """A dictionary of n keys that are allowed, in the order that makes most of them meet: by their last bits."""
    keys = sorted(range(-2**15, 2**15 + 1), key=lambda key: (abs(key) % 64, key))[:n]
    return b"\x80\x04}" + b"".join(b"J" + struct.pack("<i", key) + b"Ns" for key in keys) + b"."


def one_text(n: int) -> bytes:
    """A dictionary of n pairs with one text and numbers that differ in their upper bits only."""
    return b"\x80\x04}" + b"".join(text("cifar10") + b"\x8a\x08" + (i << 45).to_bytes(8, "little", signed=True) + b"\x86Ns"
                                   for i in range(n)) + b"."


@pytest.mark.parametrize("content", [colliding(60_000), in_one_slot(60_000), one_text(60_000)], ids=["pairs", "slots", "text"])
def test_keys_cannot_be_chosen_to_collide(content: bytes) -> None:
    start = time.process_time()
    with suppress(Refused):
        assert len(load(io.BytesIO(content), FUNCTIONS, size=len(content))) == 60_000
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_of_torch_that_is_cut_anywhere_is_refused(zipped: bool, tmp_path: Path) -> None:
    content = saved(zipped, weights=True)
    assert held(content, tmp_path).records
    for cut in [*range(0, 200, 3), *range(200, len(content), len(content) // 40), *range(len(content) - 30, len(content))]:
        with pytest.raises(Refused):
            held(content[:cut], tmp_path)


@settings(max_examples=150)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_a_number_to_another_that_can_be(where: float, flip: int,
                                                                             tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(genuine())
    content[int(where * len(content))] ^= flip
    try:
        found = held(bytes(content), folder)
    except Refused:
        return
    rows = np.frombuffer(found.records, TRIAL)
    ours = official.trials(FACTS)
    order = np.lexsort([rows[name] for name in ("seed", "dataset", "epochs", "index")])
    assert [rows[order][name].tolist() for name in ("index", "epochs", "dataset", "seed")] == [
        ours[name].tolist() for name in ("index", "epochs", "dataset", "seed")]
    for name in FIELDS:
        values = rows[name][~np.isnan(rows[name])]
        assert ((values >= 0) & np.isfinite(values)).all()
        if name.endswith("accuracy"):
            assert (values <= 100).all()


# Every name with what may be its arguments: a text, a number, a list, nothing.
NAMES = [b"\x80\x04](" + named(*name) + arguments for name in FUNCTIONS
         for arguments in (b"", text("a") + text("latin1") + b"\x86R", b"K\x01" + text("latin1") + b"\x86R", b"]\x85R", b")R")]


@settings(max_examples=800)
@given(st.binary(max_size=200), st.sampled_from((b"", b"\x80\x04", b"\x80\x02}q\x00(", *NAMES)))
def test_any_bytes_are_read_or_refused(content: bytes, head: bytes) -> None:
    try:
        load(io.BytesIO(head + content), FUNCTIONS, size=None)
    except Refused as refusal:
        reason = refusal.reason
    else:
        return
    assert reason.isprintable()
