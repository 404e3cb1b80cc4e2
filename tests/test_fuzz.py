"""Damaged sources: whatever is changed in a file, it is refused in one sentence, or no number it gives is wrong in silence.

The oracle: an import that is accepted gives every number of the genuine file, or gives none where the change took it away. Where
a file says a number only once and no checksum covers it, a change to another number that can be is no damage that anybody could
see. `visible` lists what is said more than once: none of that may be wrong, unless the summary of the import states it as odd.
"""

import bz2
import csv
import io
import json
import pickle
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.benchmark import benchmark
from benchmarks.column import ACCURACY, N_ARCH, NewColumn
from benchmarks.convert import import_table
from benchmarks.convert.confinement import TRIAL, Numbers
from benchmarks.errors import DataError, HarnessError
from benchmarks.folder import data_home
from benchmarks.pickles.allowlist import FUNCTIONS
from benchmarks.pickles.container import read
from benchmarks.pickles.official import GENUINE, Reduction
from benchmarks.pickles.window import Refused
from benchmarks.space import nasbench201
from benchmarks.table import Table, open_table, verify, write_table
from benchmarks.truth import TRAIN, TruthKey
from tests import official
from tests.command import started
from tests.damage import altered, altered_table, bit_of, damaged, replaced

SPACE = nasbench201()
NAN = float("nan")
# (quantity, key, seed) -> [n_arch].
Facts = dict[tuple[str, str, str], NDArray[np.float64]]
# The sentence that a source is refused with, or its facts and what is said to be odd about them.
Said = str | tuple[Facts, Sequence[str]]
OWN_FILE = "data/tables/mine.parquet"
# What torch.save writes before the object: its magic number, its protocol and the machine.
TORCH_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + pickle.dumps({"little_endian": True}, 2)
CLOSED = {"params": cost.params, "flops": cost.flops}
WHAT: dict[str, Any] = {"dataset": "cifar10", "split": "test", "epochs": 200, "train_on": "full"}
IMAGES = {
    "cifar10/test/full": 10_000, "cifar10/valid/half": 25_000, "cifar10/test/half": 10_000, "cifar100/valid/full": 5_000,
    "cifar100/test/full": 5_000, "cifar100/valtest/full": 10_000, "ImageNet16-120/test/full": 3_000,
    "cifar10/train/half": 25_000, "cifar100/train/full": 50_000, "cifar10/train/full": 50_000,
    "ImageNet16-120/train/full": 151_700, "ImageNet16-120/valid/full": 3_000, "ImageNet16-120/valtest/full": 6_000}
OFFICIAL = ("nats", "v1_0", "v1_1")
TRIALS = ("777", "888", "999")


@dataclass(frozen=True, eq=False)
class Layout:
    """A genuine source and the ways in which it can be changed: its bytes, and what `remade` makes.

    content: its bytes; facts: what they say. focus: where in them the numbers begin. file: its name; beside: the other files of
    its folder. key: options that say what its numbers are. sealed: the ways that a checksum shows. pickled: an official file,
    which says more than once what `visible` lists. once: architectures are named only once, so that one can become another.
    named: the ways that can give a column another name in silence.
    """

    content: bytes
    facts: Facts
    remade: Mapping[str, Callable[[Random], tuple[bytes, str]]]
    focus: int = 0
    file: str = "source"
    beside: Mapping[str, bytes] = field(default_factory=dict)
    key: Mapping[str, Any] = field(default_factory=dict)
    sealed: Sequence[str] = ()
    pickled: bool = False
    once: bool = False
    named: Sequence[str] = ()

    def put(self, folder: Path, content: bytes) -> Path:
        """The source as files below a folder, with other content; what to import."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for name, other in self.beside.items():
            (folder / name).write_bytes(other)
        return path.parent if self.beside else path

    def changed(self, random_: Random) -> tuple[bytes, str, str]:
        """Its bytes after one change, what was changed, and in which way."""
        way = random_.choice(["bytes", *self.remade])
        content, change = damaged(self.content, random_, self.focus) if way == "bytes" else self.remade[way](random_)
        return content, change, way


# ---- genuine sources, small

def facts_of(source: str, trainings: Sequence[official.Training]) -> Facts:
    """What official files of these trainings say."""
    found: Facts = {}
    for training in trainings:
        name, train_on = ("cifar10", "half") if training.dataset == "cifar10-valid" else (training.dataset, "full")
        values = dict(zip(TRIAL.names or (), training.record, strict=True))
        for column, value in list(values.items())[4:]:
            split, _, quantity = column.rpartition("_")
            seed = "mean" if quantity in ("seconds", "latency") else str(training.seed)
            usual = CLOSED[quantity](SPACE, skeleton(f"/{name}"))[training.index] if quantity in CLOSED else NAN
            if not np.isnan(value) and not abs(value - usual / 1e6) < 1e-6:
                key = TruthKey(source, name, split or "train", training.epochs, train_on)
                found.setdefault((quantity, str(key), seed), np.full(N_ARCH, NAN))[training.index] = value
    return found


def few(source: str, architectures: Sequence[int], datasets: Sequence[str]) -> list[official.Training]:
    return [fact for fact in official.facts(source, architectures) if fact.dataset in datasets]


def numbers(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every number in an official object that an import takes."""
    found: list[tuple[Any, Any]] = []
    states = value["arch2infos"].values() if "arch2infos" in value else [value]
    for result in (result for state in states for half in state.values() for result in half["all_results"].values()):
        last = result["epochs"] - 1
        found += [(result, "params"), (result, "flop"), (result["latency"], 0)]
        found += [(result[curve], last) for curve in ("train_acc1es", "train_losses", "train_times")]
        found += [(result[scores], f"{name}@{last}") for scores in ("eval_acc1es", "eval_losses", "eval_times")
                  for name in result["eval_names"]]
    return found


def revalued(value: Any, random_: Random) -> tuple[Any, str]:
    """A copy of an official object in which one of the numbers that count is another, or two of a kind are exchanged."""
    copy = pickle.loads(pickle.dumps(value))
    places = numbers(copy)
    at, (container, key) = random_.choice(list(enumerate(places)))
    old = container[key]
    match random_.choice(("bit", "bit", "other", "swap")):
        case "bit":
            container[key] = bit_of(old, random_)
        case "other":
            container[key] = replaced(old, random_)[0]
        case "swap":
            other, again = random_.choice([place for place in places if place[1] == key])
            container[key], other[again] = other[again], container[key]
    return copy, f"number {at}, {key!r}: {old!r} -> {container[key]!r:.40}"


def bz2_layout(trainings: list[official.Training], value: Any, ways: Sequence[str], **options: Any) -> Layout:
    """A pickle in bz2, whose checksum covers all of it; changed inside, before it was packed, nothing does."""
    plain = pickle.dumps(value, 4)

    def inside(random_: Random) -> tuple[bytes, str]:
        content, change = damaged(plain, random_)
        return bz2.compress(content, 1), change

    def object_(random_: Random) -> tuple[bytes, str]:
        content, change = altered(value, random_)
        return bz2.compress(pickle.dumps(content, 4), 1), change

    def number(random_: Random) -> tuple[bytes, str]:
        content, change = revalued(value, random_)
        return bz2.compress(pickle.dumps(content, 4), 1), change

    remade = {"inside": inside, "object": object_, "number": number}
    return Layout(bz2.compress(plain, 1), facts_of("nats", trainings), {way: remade[way] for way in ways}, sealed=["bytes"],
                  pickled=True, **options)


@cache
def nats_folder() -> Layout:
    trainings = few("nats", (0, 11), ("cifar10-valid", "cifar100"))
    values = [official.both(of, ("12", "200")) for of in official.by_architecture(trainings).values()]
    return bz2_layout(trainings, values[1], ("inside", "object", "number"), file="folder/000011.pickle.pbz2",
                      beside={"folder/000000.pickle.pbz2": bz2.compress(pickle.dumps(values[0], 4), 1)})


@cache
def nats_file() -> Layout:
    trainings = few("nats", (0, 11), ("cifar10", "ImageNet16-120"))
    # Packing the list of all architectures takes longest; what is inside is that of the folder.
    return bz2_layout(trainings, official.nats_object(trainings), ("object",))


@cache
def torch_file(zipped: bool) -> Layout:
    trainings = few("v1_1", (0, 11), ("cifar10-valid", "ImageNet16-120"))
    value = official.nasbench201_object(trainings)
    with tempfile.TemporaryDirectory() as folder:
        content = official.write_nasbench201(Path(folder) / "x", trainings, zipped).read_bytes()
    if zipped:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member.filename: archive.read(member) for member in archive.infolist()}
        name = next(name for name in members if name.endswith("/data.pkl"))
        plain = members[name]
    else:
        plain = content

    def packed(plain: bytes) -> bytes:
        if not zipped:
            return plain
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for member, inner in members.items():
                archive.writestr(member, plain if member == name else inner)
        return stream.getvalue()

    def inside(random_: Random) -> tuple[bytes, str]:
        inner, change = damaged(plain, random_, plain.index(b"arch2infos"))
        return packed(inner), change

    def saved(made: Any) -> bytes:
        pickled = pickle.dumps(made, 2)
        return packed(pickled if zipped else TORCH_START + pickled + b"\x80\x02].")

    def object_(random_: Random) -> tuple[bytes, str]:
        made, change = altered(value, random_)
        return saved(made), change

    def number(random_: Random) -> tuple[bytes, str]:
        made, change = revalued(value, random_)
        return saved(made), change

    ways = {"object": object_, "number": number}
    facts = facts_of("v1_1", trainings)
    if zipped:
        return Layout(content, facts, {**ways, "inside": inside}, sealed=["bytes"], pickled=True)
    return Layout(content, facts, ways, focus=content.index(b"arch2infos"), pickled=True)


def json_layout(content: Any, facts: Facts, **options: Any) -> Layout:
    def object_(random_: Random) -> tuple[bytes, str]:
        value, change = altered(content, random_, twice=True)
        return json.dumps(value, default=str, skipkeys=True).encode(), change

    return Layout(json.dumps(content).encode(), facts, {"object": object_}, once=True, **options)


@cache
def naslib_json() -> Layout:
    """zc_nasbench201.json of a few architectures."""
    random_, facts, content = Random(0), Facts(), {}
    for name, train_on in (("cifar10", "half"), ("cifar100", "full"), ("ImageNet16-120", "full")):
        values, entries = np.full(N_ARCH, NAN), {}
        for index in CHOSEN:
            values[index] = random_.randrange(10_000, 90_000) / 1000
            codes = [OPS.index(SPACE.op_names[SPACE.codes[index][e]]) for e in (0, 1, 3, 2, 4, 5)]
            entries[str(tuple(codes))] = {"val_accuracy": values[index], "synflow": {"score": random_.random(), "time": 0.1}}
        content[name] = entries
        facts[ACCURACY, f"naslib/{name}/valid/200/{train_on}", "mean"] = values
    return json_layout(content, facts)


@cache
def json_map() -> Layout:
    """{architecture: accuracy}, as official strings and as the nested tuples of FS-NAS and EFS-NAS."""
    random_, values, content = Random(1), np.full(N_ARCH, NAN), {}
    for position, index in enumerate(CHOSEN):
        values[index] = random_.randrange(1000, 9000) / 100
        arch = SPACE.strings[index]
        nodes = [[tuple(edge.split("~")) for edge in node.strip("|").split("|")] for node in arch.split("+")]
        nested = str([tuple((op, int(source)) for op, source in node) for node in nodes])
        content[nested if position % 2 else arch] = values[index]
    return json_layout(content, {(ACCURACY, "mine/cifar10/test/200/full", "mean"): values}, key=WHAT)


@cache
def columns() -> dict[str, list[Any]]:
    """A table of named columns in which much is said twice."""
    random_ = Random(2)

    def accuracies(images: int) -> list[float]:
        return [100 * random_.randrange(images) / images for _ in CHOSEN]

    trials = [accuracies(10_000) for _ in TRIALS]
    trials[2][::3] = [NAN] * len(trials[2][::3])
    halves = [accuracies(5_000) for _ in range(2)]
    return {
        "index": list(CHOSEN), "arch": [SPACE.strings[i] for i in CHOSEN],
        "c10_test_200": [float(np.nanmean(values)) for values in zip(*trials, strict=True)],
        **{f"c10_test_200_s{seed}": values for seed, values in zip(TRIALS, trials, strict=True)},
        "c100_valid_200_s777": halves[0], "c100_test_200_s777": halves[1],
        "c100_valtest_200_s777": [(a + b) / 2 for a, b in zip(*halves, strict=True)],
        "c10_test_200_v10": accuracies(10_000), "in16_test_12": accuracies(3_000),
        "c10_test_loss_200_s777": [random_.uniform(0.1, 3) for _ in CHOSEN],
        "c10_train_seconds_200": [random_.uniform(100, 3000) for _ in CHOSEN], "iso_str": [f"({i})" for i in CHOSEN]}


def facts_of_columns(table: Mapping[str, list[Any]]) -> Facts:
    keys = {"c10_test_200": (ACCURACY, "nats/cifar10/test/200/full", "mean"),
            **{f"c10_test_200_s{seed}": (ACCURACY, "nats/cifar10/test/200/full", seed) for seed in TRIALS},
            **{f"c100_{split}_200_s777": (ACCURACY, f"nats/cifar100/{split}/200/full", "777")
               for split in ("valid", "test", "valtest")},
            "c10_test_200_v10": (ACCURACY, "v1_0/cifar10/test/200/full", "mean"),
            "in16_test_12": (ACCURACY, "nats/ImageNet16-120/test/12/full", "mean"),
            "c10_test_loss_200_s777": ("loss", "nats/cifar10/test/200/full", "777"),
            "c10_train_seconds_200": ("seconds", "nats/cifar10/train/200/full", "mean")}
    facts = Facts()
    for name, place in keys.items():
        facts[place] = np.full(N_ARCH, NAN)
        facts[place][list(CHOSEN)] = table[name]
    return facts


def as_csv(table: Mapping[str, list[Any]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table)
    rows = zip(*table.values(), strict=True)
    writer.writerows([["" if cell is None or cell != cell else cell for cell in row] for row in rows])
    return stream.getvalue().encode("utf-8", "surrogatepass")


def as_parquet(table: Mapping[str, list[Any]], **options: Any) -> bytes:
    arrays = {}
    for name, cells in table.items():
        try:
            arrays[name] = pa.array(cells)
        except (pa.ArrowException, OverflowError, TypeError, UnicodeError):
            arrays[name] = pa.array([ascii(cell) for cell in cells])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name.encode("utf-8", "replace").decode(): array for name, array in arrays.items()}), sink, **options)
    return bytes(sink.getvalue())


def table_layout(write: Callable[[Mapping[str, list[Any]]], bytes], named: Sequence[str]) -> Layout:
    def object_(random_: Random) -> tuple[bytes, str]:
        table, change = altered_table(columns(), random_)
        return write(table), change

    return Layout(write(columns()), facts_of_columns(columns()), {"table": object_}, named=named)


@cache
def own_table() -> Layout:
    """A table as `harness data import` writes it. Changed columns under its own header are no table of ours any more."""
    facts = facts_of_columns(columns())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write_table("mine", path, [NewColumn("_".join((q, *key.split("/"), seed)), TruthKey.parse(key), seed, values, q)
                                   for (q, key, seed), values in facts.items()], [])
        content, whole = path.read_bytes(), pq.read_table(path)

    def rewritten(random_: Random) -> tuple[bytes, str]:
        table, change = altered_table({name: whole[name].to_pylist() for name in whole.column_names}, random_)
        made = pq.read_table(pa.BufferReader(as_parquet(table)))
        sink = pa.BufferOutputStream()
        pq.write_table(made.replace_schema_metadata(whole.schema.metadata), sink, store_schema=False)
        return bytes(sink.getvalue()), change

    return Layout(content, facts, {"rewritten": rewritten}, file=OWN_FILE, sealed=["bytes", "rewritten"])


CHOSEN = (0, 11, 42, 284, 6111, 9930, 13_714, 123, 777, 15_624, 5000, 2, 3, 4)
OPS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
LAYOUTS: dict[str, Callable[[], Layout]] = {
    "NATS folder": nats_folder, "NATS file": nats_file, "legacy .pth": lambda: torch_file(False),
    "zip .pth": lambda: torch_file(True), "NASLib JSON": naslib_json, "JSON": json_map,
    "CSV": cache(lambda: table_layout(as_csv, ["bytes", "table"])), "parquet": cache(lambda: table_layout(as_parquet, ["table"])),
    "own table": own_table}


# ---- reading in this process

def confined_here(paths: Sequence[Path], sizes: Sequence[int]) -> Generator[Numbers | int, None, None]:
    """What the confined process says, from this process."""
    for path in paths:
        reduction = Reduction(SPACE.strings)
        try:
            content = read(path, FUNCTIONS, reduction.condense, lambda used: None)
            found = reduction.found(content.value)
        except Refused as refusal:
            raise DataError(f"{path} {refusal.reason}; {refusal.remedy or GENUINE}.") from None
        yield Numbers(path, found.kind, found.family, np.frombuffer(found.records, TRIAL), content.size, content.sha256)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Facts]:
    """Where an import in this process leaves its columns instead of writing them; official files are read here, too."""
    found: dict[str, Facts] = {}

    def keep(name: str, path: Path, new: Sequence[NewColumn], origins: object) -> Table:
        for column in new:
            column.check()
        found[name] = {(c.quantity, str(c.key), c.seed): c.values for c in new}
        return Table(name, path, (), (), "")

    monkeypatch.setattr("benchmarks.convert.importer.write_table", keep)
    monkeypatch.setattr("benchmarks.convert.confined.confined", confined_here)
    return found


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def facts_in(table: Table) -> Facts:
    values = table.read(table.columns).T
    return {(c.quantity, str(c.key), c.seed): column for c, column in zip(table.columns, values, strict=True)}


def said_here(layout: Layout, content: bytes, kept: dict[str, Facts]) -> Said:
    """What an import in this process makes of changed content."""
    home = emptied(data_home())
    source = layout.put(home.parent, content)
    kept.clear()
    try:
        if layout.file == OWN_FILE:
            return facts_in(verify("mine")), ()
        summary = import_table(source, "mine", **layout.key)
        return kept["mine"], summary.oddities
    except HarnessError as error:
        assert not kept
        assert layout.file == OWN_FILE or list(home.rglob("*")) == []
        return str(error)


# ---- the oracle

def sentence(message: str, layout: Layout) -> bool:
    """One line that ends as a sentence and names the file or its folder."""
    names = Path(layout.file).parts if layout.beside else (Path(layout.file).name,)
    return len(message.splitlines()) == 1 and message.endswith(".") and any(name in message for name in names)


def together(found: Facts, facts: Facts) -> Facts:
    """Times of an architecture whose trainings differ come under its seeds; here the one that differs most from the facts."""
    made = Facts()
    for (quantity, key, seed), values in found.items():
        mean = quantity, key, "mean"
        place = mean if quantity in ("seconds", "latency") and mean in facts else (quantity, key, seed)
        if place in made:
            nearer = np.abs(values - facts[mean]) < np.abs(made[place] - facts[mean])
            values = np.where(np.isnan(values) | nearer, made[place], values)
        made[place] = values
    return made


@dataclass(frozen=True)
class Difference:
    """One number that an import gives otherwise than the genuine file: old or new may be missing (NaN)."""

    place: tuple[str, str, str]
    index: int
    old: float
    new: float


def differences(found: Facts, facts: Facts) -> list[Difference]:
    """Where two sets of facts differ by more than a thousandth of an image or a float32."""
    differ, nothing = [], np.full(N_ARCH, NAN)
    found = together(found, facts)
    for place in {**facts, **found}:
        old, new = facts.get(place, nothing), found.get(place, nothing)
        tolerance = 6e-6 if place[0] == ACCURACY else 2e-7 * np.abs(old)
        same = (np.isnan(old) & np.isnan(new)) | (np.abs(old - new) <= tolerance)
        differ += [Difference(place, int(i), float(old[i]), float(new[i])) for i in np.flatnonzero(~same)]
    return differ


def visible(differ: Sequence[Difference], found: Facts, layout: Layout, way: str) -> Iterator[tuple[str, Difference]]:
    """The differences that the source itself contradicts, and how; a contradiction with "odd" need only be stated."""
    moved = {(d.place, d.old) for d in differ if np.isnan(d.new)} if layout.once else set()
    for d in differ:
        quantity, key, _ = d.place
        if way in layout.sealed:
            yield "in spite of a checksum", d
        elif np.isnan(d.new):
            # No byte takes a result away: the file lists its seeds once more.
            if layout.pickled and way in ("bytes", "inside") and quantity in (ACCURACY, "loss"):
                yield "lost", d
        elif quantity in CLOSED and layout.pickled:
            # What an official file says beside the closed form is kept as such, if some cell has it.
            if np.abs(CLOSED[quantity](SPACE, skeleton(key)) / 1e6 - d.new).min() > 1e-6:
                yield "odd", d
        elif np.isnan(d.old) and (layout.pickled or d.place not in layout.facts or d.index not in CHOSEN):
            renamed = way in layout.named and any(np.array_equal(found[d.place], values, equal_nan=True)
                                                  for values in layout.facts.values())
            if not renamed and (d.place, d.new) not in moved:
                yield "a number out of nothing", d
        elif layout.pickled and quantity in ("seconds", "latency"):
            yield "odd", d
        elif quantity == ACCURACY and key.split("/")[0] in OFFICIAL:
            yield from contradicted(d, found, layout.pickled)


def skeleton(key: str) -> cost.Skeleton:
    return benchmark("nasbench201").skeleton_for(key.split("/")[1])


def contradicted(d: Difference, found: Facts, pickled: bool) -> Iterator[tuple[str, Difference]]:
    """Whole images, the mean of the seeds, the mean of the halves."""
    _, key, seed = d.place
    source, dataset, split, epochs, train_on = key.split("/")
    values = found[d.place]
    parts = 1 if pickled else 6
    counts = values / 100 * IMAGES[f"{dataset}/{split}/{train_on}"] * parts
    broken = np.abs(counts - np.rint(counts)) > 1.5e-3
    if broken[d.index] and (pickled or broken.sum() <= 0.1 * np.isfinite(values).sum()):
        yield "odd" if split == "train" else "no whole images", d
    nothing = np.full(N_ARCH, NAN)
    of = {part: found.get((ACCURACY, f"{source}/{dataset}/{part}/{epochs}/{train_on}", seed), nothing)[d.index]
          for part in ("valid", "test", "valtest")}
    if abs(of["valtest"] - (of["valid"] + of["test"]) / 2) > 0.021:
        yield "not the mean of its halves", d
    trials, mean = [found.get((ACCURACY, key, trial)) for trial in TRIALS], found.get((ACCURACY, key, "mean"))
    there = [trial[d.index] for trial in trials if trial is not None]
    if epochs == "200" and mean is not None and len(there) == len(TRIALS) and abs(mean[d.index] - np.nanmean(there)) > 0.021:
        yield "not the mean of its seeds", d


def stated(d: Difference, oddities: Sequence[str]) -> bool:
    """Whether one of the oddities is about such a number."""
    training = f"/{TRAIN}/" in d.place[1]
    return any(f" {split} {d.place[0]} of " in odd for odd in oddities
               for split in ("train", "valid", "test", "valtest") if (split == TRAIN) == training)


def judged(said: Said, layout: Layout, way: str) -> tuple[str, list[str]]:
    """What became of a changed source, and for each number that nobody can see to be wrong its quantity; fails for any other."""
    if isinstance(said, str):
        assert sentence(said, layout), said
        return "refused", []
    found, oddities = said
    differ = differences(found, layout.facts)
    faults = list(visible(differ, found, layout, way))
    silent = [(how, d) for how, d in faults if how != "odd" or not stated(d, oddities)]
    assert not silent, silent[:5]
    odd = [d for _, d in faults]
    unseen = [d.place[0] for d in differ if not np.isnan(d.new) and d not in odd]
    return "changed" if unseen else "stated" if odd else "less" if differ else "equal", unseen


# ---- the runs

def fuzzed(cases: int, say: Callable[[Layout, bytes], Said]) -> Counter[tuple[str, str, str]]:
    """How often what became of (layout, way): for each of so many changed sources; fails for one that is wrong in silence."""
    tally: Counter[tuple[str, str, str]] = Counter()

    @settings(max_examples=cases, derandomize=True, database=None, report_multiple_bugs=False,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(LAYOUTS)), st.integers(0, 2**32))
    def run(name: str, seed: int) -> None:
        layout = LAYOUTS[name]()
        content, change, way = layout.changed(Random(seed))
        try:
            outcome, wrong = judged(say(layout, content), layout, way)
        except BaseException as error:
            error.add_note(f"{name}, seed {seed}, {way}: {change}")
            raise
        tally[name, way, outcome] += 1
        for quantity in sorted(set(wrong)):
            tally[name, way, f"  changed {quantity}"] += 1

    run()
    return tally


def table_of(tally: Counter[tuple[str, str, str]]) -> str:
    return "\n".join(f"{name:15} {way:10} {outcome:20} {count:5}" for (name, way, outcome), count in sorted(tally.items()))


def whole(tally: Counter[tuple[str, str, str]]) -> int:
    return sum(count for (_, _, outcome), count in tally.items() if not outcome.startswith(" "))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_genuine_source_gives_its_facts(name: str, kept: dict[str, Facts]) -> None:
    layout = LAYOUTS[name]()
    assert judged(said_here(layout, layout.content, kept), layout, "bytes") == ("equal", [])


def test_changed_sources_are_refused_or_right(kept: dict[str, Facts]) -> None:
    tally = fuzzed(200, lambda layout, content: said_here(layout, content, kept))
    assert whole(tally) >= 150
    assert {outcome for _, _, outcome in tally} >= {"refused", "equal", "less", "changed"}


@pytest.mark.slow
def test_thousands_of_changed_sources(kept: dict[str, Facts]) -> None:
    tally = fuzzed(2_500, lambda layout, content: said_here(layout, content, kept))
    print(f"\n{table_of(tally)}")
    assert whole(tally) >= 2_000


def said_by_the_command(layout: Layout, content: bytes) -> Said:
    """What `harness data import` makes of changed content in a process of its own."""
    home = emptied(data_home())
    source = layout.put(home.parent, content)
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in layout.key.items())
    line = "data verify mine" if layout.file == OWN_FILE else f"data import {source} --as mine {options}"
    process = started(f"{line} --json")
    out, err = process.communicate(timeout=120)
    lines = [line for line in err.splitlines() if not re.fullmatch(r"read: \d+/\d+", line)]
    if process.returncode == 0:
        assert lines == []
        return facts_in(open_table("mine")), json.loads(out).get("oddities", ())
    assert (process.returncode in (2, 3), out, len(lines)) == (True, "", 1)
    assert layout.file == OWN_FILE or list(home.rglob("*")) == []
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


def test_changed_sources_by_the_command() -> None:
    assert whole(fuzzed(3, said_by_the_command)) == 3


@pytest.mark.slow
def test_a_hundred_changed_sources_by_the_command() -> None:
    tally = fuzzed(120, said_by_the_command)
    print(f"\n{table_of(tally)}")
    assert whole(tally) >= 100


# ---- what the runs found

def test_a_name_that_changed_in_half_of_a_parquet_file(kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["parquet"]()
    places = [at for at in range(len(layout.content)) if layout.content.startswith(b"c10_test_200_v10", at)]
    assert len(places) == 2
    for at in places:
        said = said_here(layout, layout.content[:at] + b"c10_test_200_v11" + layout.content[at + 16:], kept)
        assert isinstance(said, str)
        assert "has two names for its column" in said


def test_numbers_outside_of_what_a_parquet_file_says(kept: dict[str, Facts]) -> None:
    table = {**columns(), "c10_test_loss_200_s777": [float(i) for i in range(1, 15)]}
    plain = as_parquet(table, compression="none", use_dictionary=False)
    wrong = plain.replace(np.arange(1.0, 15.0).tobytes(), np.arange(2.0, 16.0).tobytes())
    layout = LAYOUTS["parquet"]()
    assert isinstance(said_here(layout, plain, kept), tuple)
    said = said_here(layout, wrong, kept)
    assert isinstance(said, str)
    assert "'c10_test_loss_200_s777' goes from 1.0 to 14.0, which it does not" in said


@pytest.mark.parametrize("name", ["c10_test_200_s778", "c100_test_loss_12_s777", "in16_valid_200_v11_s111"])
def test_a_seed_that_no_official_file_has(name: str, kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["CSV"]()
    said = said_here(layout, as_csv({"index": [1, 2], name: [1.0, 2.0]}), kept)
    assert isinstance(said, str)
    assert f"Column {name} is of seed {name.rpartition('s')[2]}" in said


def test_what_a_file_says_is_safe_to_print(kept: dict[str, Facts]) -> None:
    layout = LAYOUTS["JSON"]()
    for text in ("\x1b[2J", "\x0b", "\x85", "\ud800", "\u2028", "\n"):
        said = said_here(layout, json.dumps({f"|none{text}~0|": 1.0}).encode(), kept)
        assert isinstance(said, str)
        assert said.isprintable()
        assert sentence(said, layout)
