"""Whether what a run's folder says follows from its own files: its keys, parts, budget and every metric, made again from them.

Nothing is trained or estimated anew, and no code is run that a folder only names: the file of a plug-in is not opened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError
from benchmarks.truth import GroundTruth, load_truth
from criteria.base import Context, Criterion, Partition
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.estimation.estimators import kept_values
from harness.runs.collection import Record, read_record, spec_of
from harness.runs.comparison import compare, control_labels
from harness.runs.generation import read_partition
from harness.runs.mismatch import Mismatch, mismatches
from harness.runs.run import populations_of
from harness.runs.spec import Keys, RunSpec
from harness.store import SPEC_SCHEMA, read_frame, read_json
from harness.training.checkpoint import read_tensors
from harness.training.sampling import samplers

SAME, DIFFERENT, UNCHECKED = "same", "different", "not checked"

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Check:
    """Something that was looked at: SAME, DIFFERENT or UNCHECKED; in what it differs; why it differs or was not checked, or what
    of it was not."""

    what: str
    state: str
    mismatches: tuple[Mismatch, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Verification:
    """All checks of a run's folder."""

    folder: Path
    checks: tuple[Check, ...]

    @property
    def state(self) -> str:
        """DIFFERENT where some check is, SAME where all metrics were made again, else UNCHECKED."""
        if any(check.state == DIFFERENT for check in self.checks):
            return DIFFERENT
        return SAME if all(check.state == SAME for check in self.checks if check.what == "metrics") else UNCHECKED

    def to_json(self) -> dict[str, Any]:
        """The run, its state, and each check with its differences."""
        return {"run": str(self.folder), "state": self.state, "checks": [
            {"what": check.what, "state": check.state, "why": check.why,
             "differences": [{"metric": one.metric, "stored": one.stored, "computed": one.computed} for one in check.mismatches]}
            for check in self.checks]}


def verify(folder: Path) -> Verification:
    """Everything in the folder of a run that can be checked with the truths at hand."""
    checks: list[Check] = []
    try:
        spec, key = spec_of(folder), str(read_json(folder / "spec.json", SPEC_SCHEMA).get("key"))
        for path in sorted(folder.glob("metrics-*.json")):
            for check in _checks(path, read_record(path), spec, key):
                checks.append(check)  # so that those before an error are kept
    except HarnessError as error:
        checks.append(Check("files", DIFFERENT, why=str(error)))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:  # what strangers write is what this is about
        checks.append(Check("files", DIFFERENT, why=f"a file is not what a run writes ({type(error).__name__}: {error})"))
    return Verification(folder, tuple(checks) or (Check("metrics", UNCHECKED, why="the run is not finished"),))


def _checks(path: Path, record: Record, spec: RunSpec, key: str) -> Iterator[Check]:
    """What the file of metrics at `path` says, beside the spec and the key of the weights of its folder."""
    stored, criterion, truth, why = read_json(path, "metrics/1"), _criterion(record), None, ""
    try:
        truth = _truth(record, spec)
    except HarnessError as error:
        why = str(error)
    asked = replace(spec, **{name: getattr(record.spec, name) for name in ("truth", "population", "estimator", "estimation")})
    yield _same("spec", {"spec": record.spec.as_dict(), "file": path.name},
                {"spec": asked.as_dict(), "file": f"metrics-{record.key}.json"})
    yield _keys(record, spec, key, truth, criterion)
    columns = _estimates(record)
    yield _architectures(record, columns)
    yield _budget(record, stored["budget"], key)
    partition, whole = _partition(record, truth, criterion, columns)
    parts = (columns["part"], partition.label[columns["index"]])
    yield _same("parts", *({f"part of architecture {i}": int(part) for i, part in zip(columns["index"], each, strict=True)}
                           for each in parts))
    yield Check("metrics", UNCHECKED, why=why) if truth is None else _metrics(record, stored, truth, columns, partition, whole)


# ---- what a run was made from


def _criterion(record: Record) -> Criterion | None:
    """The criterion, None where it is in a file of somebody's, is not installed, or is not the code that the run used."""
    if ".py:" in record.spec.criterion:
        return None
    try:
        found = criteria.get(record.spec.criterion)
    except HarnessError:
        return None
    return found if criteria.source_sha256(found) == record.sources.get("criterion", "") else None


def _truth(record: Record, spec: RunSpec) -> GroundTruth:
    """The truth that the run was compared with; DataError or UsageError when it is not at hand."""
    bench = benchmark(record.spec.benchmark)
    truth = load_truth(record.spec.truth, bench.table)
    first = record.sources.get("truth", truth.sha256) if spec.truth == record.spec.truth else truth.sha256
    if first != truth.sha256 and truth.key.source != bench.name:  # the embedded one is the same everywhere
        raise DataError(f"The truth {record.spec.truth} at hand has other values or seeds than that of the run; take in the one "
                        "that it was compared with (`harness data explain` says what it holds).")
    return truth


def _estimates(record: Record) -> Columns:
    """Its columns of estimates; DataError where they are damaged or not there."""
    path = record.estimates_file
    if path is None:
        raise DataError(f"The estimates behind metrics-{record.key}.json are not in {record.folder}; put them back, or run it "
                        "again.")
    return read_frame(path, {"schema": "estimates/1", "key": path.stem.removeprefix("estimates-")})[0]


def _partition(record: Record, truth: GroundTruth | None, criterion: Criterion | None,
               columns: Columns) -> tuple[Partition, bool]:
    """The partition and whether all of it is known: from the criterion where that needs no networks, from its file, or from the
    estimates, which know the parts of those that were estimated."""
    spec, bench, file = record.spec, benchmark(record.spec.benchmark), record.folder / "partition.parquet"
    alone = criterion is not None and spec.parent is None and "network" not in criterion.needs
    if criterion is not None and alone and ("truth" not in criterion.needs or truth is not None):
        context = Context(bench.space, bench.skeleton_for(spec.dataset), spec.seed, truth)
        return split(criterion, context, spec.k), True
    if file.exists():
        return read_partition(file, {"schema": "partition/1"}), True
    label = np.arange(len(bench.space)) % len(record.part_names)  # of those that nobody asked for
    label[columns["index"]] = columns["part"]
    return Partition(label.astype(np.int16), record.part_names, None), len(columns["index"]) == len(label)


# ---- checks


def _keys(record: Record, spec: RunSpec, key: str, truth: GroundTruth | None, criterion: Criterion | None) -> Check:
    """Whether spec, data and code make the keys that the files have, by the hashes that the provenance names."""
    sources = _with_parent(record.spec, {**record.sources, **({} if truth is None else {"truth": truth.sha256})})
    needed = {"images", "truth", "criterion", "sampler", *(["parent"] if record.spec.parent else [])}
    if criterion is None or not needed <= set(sources):
        return Check("keys", UNCHECKED, why="the criterion is not installed, or the provenance does not name all hashes")
    keys = Keys.of(record.spec, sources, criterion.needs)
    stored, made = {"weights": key}, {"weights": keys.weights}
    # The provenance names the truth and the code of the estimator that the folder was made for.
    if (truth is not None or record.spec.truth == spec.truth) and record.spec.estimator in (spec.estimator, "accuracy", "loss"):
        stored |= {"estimates": _estimates_key(record), "metrics": record.key}
        made |= {"estimates": keys.estimates, "metrics": keys.metrics}
    return _same("keys", stored, made)


def _with_parent(spec: RunSpec, sources: dict[str, str]) -> dict[str, str]:
    """The hashes, with the key of the parent's weights made from its spec unless the file of a plug-in had to be opened."""
    parent = spec.parent
    if parent is None or ".py:" in str(parent.as_dict()):
        return sources
    criterion, sampler = criteria.get(parent.criterion), samplers.get(parent.sampler)
    own = {"criterion": criteria.source_sha256(criterion), "sampler": samplers.source_sha256(sampler)}
    return {**sources, "parent": Keys.of(parent, _with_parent(parent, {**sources, **own}), criterion.needs).weights}


def _estimates_key(record: Record) -> str:
    return record.estimates_file.stem.removeprefix("estimates-") if record.estimates_file else ""


def _architectures(record: Record, columns: Columns) -> Check:
    """Whether the estimates are those of the architectures that they name."""
    index, strings = columns["index"], benchmark(record.spec.benchmark).space.strings
    if len(index) == 0 or index[0] < 0 or index[-1] >= len(strings) or (np.diff(index) <= 0).any():
        return Check("estimates", DIFFERENT, why="their indices do not ascend within the space")
    return _same("estimates", {str(i): name for i, name in zip(index, columns["architecture"], strict=True)},
                 {str(i): strings[i] for i in index})


def _budget(record: Record, stored: Mapping[str, Any], key: str) -> Check:
    """What can be counted again of the budget: passes and FLOPs where the curves of the training are there."""
    spec, k = record.spec, len(record.part_names)
    inherited = stored.get("inherited", {"passes": 0, "images": 0, "flops": 0})
    own = {name: stored[name] - inherited[name] for name in inherited}
    made = {"supernets": spec.supernets(k), "parameters": spec.parameters(k), "images": own["passes"] * spec.recipe.batch}
    curves = [read_tensors(path, {"key": key})[0] for path in sorted(record.folder.glob("training-*.safetensors"))]
    if curves:
        made["passes"] = sum(int(curve["curve.passes"].sum()) for curve in curves)
        made["flops"] = sum(float(curve["curve.flops"]) for curve in curves)
    found = _same("budget", {name: {**stored, **own}[name] for name in made}, made)
    return found if curves else replace(found, why="passes and FLOPs, as the curves of the training are not in the folder")


def _metrics(record: Record, stored: dict[str, Any], truth: GroundTruth, columns: Columns, partition: Partition,
             whole: bool) -> Check:
    """Every metric, from the stored estimates and the truth."""
    spec, bench = record.spec, benchmark(record.spec.benchmark)
    populations = populations_of(spec, truth)
    values = [kept_values(record.folder, record.key, spec.estimator, columns, population) for population in populations]
    context = Context(bench.space, bench.skeleton_for(spec.dataset), spec.seed)
    made = {"truth": truth.label, "truth_key": str(truth.key), "images": spec.estimation.split, "estimator": spec.estimator,
            "seed": spec.seed, "parts": list(partition.sizes), "part_names": list(partition.names),
            **compare(values, truth, bench.space, partition, populations, control_labels(partition, context, truth)).to_json()}
    if not whole:  # chance shuffles the parts of all architectures
        del made["parts"], made["labels"]["random"]
        stored = {**stored, "labels": {name: value for name, value in stored["labels"].items() if name != "random"}}
    found = _same("metrics", {name: stored.get(name) for name in made}, made)
    why = "the sizes of the parts and the labels at random, as the folder does not hold the whole partition"
    return found if whole else replace(found, why=why)


def _same(what: str, stored: Mapping[str, Any], made: Mapping[str, Any]) -> Check:
    found = tuple(mismatches(stored, made))
    return Check(what, DIFFERENT if found else SAME, found)
