"""Genuine sources of every layout that an import reads, small, with the facts they hold and the ways to change them."""

import bz2
import csv
import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.benchmark import benchmark
from benchmarks.column import ACCURACY, N_ARCH, NewColumn
from benchmarks.convert.confinement import TRIAL
from benchmarks.space import nasbench201
from benchmarks.table import write_table
from benchmarks.truth import TruthKey
from tests import official
from tests.damage import altered, altered_table, bit_of, damaged, replaced
from tests.extracts import WHAT

SPACE = nasbench201()
NAN = float("nan")
# (quantity, key, seed) -> [n_arch].
Facts = dict[tuple[str, str, str], NDArray[np.float64]]
OWN_FILE = "data/tables/mine.parquet"
# What torch.save writes before the object: its magic number, its protocol and the machine.
TORCH_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03." + pickle.dumps({"little_endian": True}, 2)
CLOSED = {"params": cost.params, "flops": cost.flops}
CHOSEN = (0, 11, 42, 284, 6111, 9930, 13_714, 123, 777, 15_624, 5000, 2, 3, 4)
OPS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
TRIALS = ("777", "888", "999")


@dataclass(frozen=True, eq=False)
class Layout:
    """A genuine source and the ways in which it can be changed: its bytes, and what `remade` makes.

    content: its bytes; facts: what they say. focus: where in them the numbers begin. file: its name; beside: the other files of
    its folder. key: options that say what its numbers are. sealed: the ways that a checksum shows. pickled: an official file,
    which says more than once what `verdict.visible` lists. once: architectures are named only once, so that one can become
    another. named: the ways that can give a column another name in silence.
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


def skeleton(key: str) -> cost.Skeleton:
    return benchmark("nasbench201").skeleton_for(key.split("/")[1])


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


LAYOUTS: dict[str, Callable[[], Layout]] = {
    "NATS folder": nats_folder, "NATS file": nats_file, "legacy .pth": lambda: torch_file(False),
    "zip .pth": lambda: torch_file(True), "NASLib JSON": naslib_json, "JSON": json_map,
    "CSV": cache(lambda: table_layout(as_csv, ["bytes", "table"])), "parquet": cache(lambda: table_layout(as_parquet, ["table"])),
    "own table": own_table}
