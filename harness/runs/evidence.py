"""What a run was made from, as far as it is at hand: its truth, criterion and estimator, its partition, and the hashes of all.

No code is run that a folder only names: the file of a plug-in is not opened.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError
from benchmarks.images import load_images
from benchmarks.table import RESERVED
from benchmarks.truth import GroundTruth, TruthKey, load_truth
from criteria.base import Context, Criterion, Partition
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.estimation.estimators import estimator_needs, estimator_sha256
from harness.runs.collection import Record
from harness.runs.generation import read_partition
from harness.runs.run import images_sha256
from harness.runs.spec import Keys, RunSpec
from harness.store import read_frame
from harness.training.sampling import samplers

Columns = Mapping[str, NDArray[Any]]
# What a file of estimates may hold; the first runs had no angles.
ESTIMATES = {"index", "architecture", "part", "accuracy", "loss", "angle"}
# Datasets that come with the harness.
EMBEDDED = ("digits",)


def criterion_of(record: Record) -> Criterion | None:
    """The criterion, None where it is in a file of somebody's, is not installed, or is not the code that the run used."""
    try:
        found = None if ".py:" in record.spec.criterion else criteria.get(record.spec.criterion)
    except HarnessError:
        return None
    if found is None or criteria.source_sha256(found) not in ("", record.sources.get("criterion", "")):
        return None
    return found


def needs_of(spec: RunSpec) -> dict[str, frozenset[str]]:
    """What "criterion", "parent" (all of them) and "estimator" need, without those that only somebody's plug-in can tell."""
    found, needs = {}, frozenset[str]()
    try:
        if ".py:" not in spec.criterion:
            found["criterion"] = criteria.get(spec.criterion).needs
        if ".py:" not in spec.estimator:
            found["estimator"] = estimator_needs(spec.estimator)
        parent = spec.parent
        while parent is not None and ".py:" not in parent.criterion:
            needs, parent = needs | criteria.get(parent.criterion).needs, parent.parent
        if parent is None:
            found["parent"] = needs
    except HarnessError:  # not installed
        pass
    return found


def embedded(record: Record) -> bool:
    """Whether its truth comes with the harness, so that everybody has it."""
    return record.spec.benchmark in RESERVED and TruthKey.parse(record.truth_key).source == record.spec.benchmark


def truth_of(record: Record) -> GroundTruth:
    """The truth that the run was compared with; DataError or UsageError when it is not at hand."""
    bench = benchmark(record.spec.benchmark)
    truth = load_truth(record.spec.truth, bench.table)
    # The embedded one is the same everywhere.
    if record.sources.get("truth", truth.sha256) != truth.sha256 and truth.key.source != bench.name:
        raise DataError(f"The truth {record.spec.truth} at hand has other values or seeds than that of the run; take in the one "
                        "that it was compared with (`harness data explain` says what it holds).")
    return truth


def estimates_of(record: Record) -> Columns:
    """Its columns of estimates; DataError where they are damaged, not there, or not alone."""
    path = record.estimates_file
    if path is None:
        raise DataError(f"The estimates behind metrics-{record.key}.json are not in {record.folder}; put them back, or run it "
                        "again.")
    about = {"schema": "estimates/1", "key": path.stem.removeprefix("estimates-")}
    columns, words = read_frame(path, about)
    if words != about or ESTIMATES - {"angle"} - set(columns) or set(columns) - ESTIMATES:
        raise DataError(f"{path} holds {', '.join(columns)} and says {words}, which no run writes; delete it and run the same "
                        "command again.")
    return columns


def partition_of(record: Record, truth: GroundTruth | None, columns: Columns) -> tuple[Partition, Partition | None, bool]:
    """The partition, the one of its file, and whether all of it is known.

    It is made by the criterion where that needs no networks, else it is that of the file, else the estimates know the parts of
    those that were estimated.
    """
    spec, bench, criterion = record.spec, benchmark(record.spec.benchmark), criterion_of(record)
    path = record.folder / "partition.parquet"
    kept = read_partition(path, {"schema": "partition/1"}) if path.exists() else None
    if criterion is not None and spec.parent is None and not criterion.needs - {"truth"} and (
            "truth" not in criterion.needs or truth is not None):
        context = Context(bench.space, bench.skeleton_for(spec.dataset), spec.seed, truth)
        return split(criterion, context, spec.k), kept, True
    if kept is not None:
        return kept, kept, True
    label = np.arange(len(bench.space)) % len(record.part_names)  # of those that nobody asked for
    label[columns["index"]] = columns["part"]
    return Partition(label.astype(np.int16), record.part_names, None), None, len(columns["index"]) == len(label)


def keys_of(record: Record, key: str, truth: GroundTruth | None) -> dict[str, str]:
    """The keys that its spec, data and code make, of those stages whose sources are known: weights, estimates, metrics.

    Estimates and metrics follow from `key`, that of the weights in the folder.
    """
    spec, sources = record.spec, _sources(record, truth)
    needs = needs_of(spec).get("criterion", (record.needs or {}).get("criterion"))
    known = set(sources)
    sources = {**dict.fromkeys(("images", "truth", "criterion", "sampler", "parent"), ""), **sources}
    read = {"images", "criterion", "sampler", *(["parent"] if spec.parent else [])}
    found, after = {}, Keys.of(spec, sources, frozenset(), weights=key)
    if needs is not None and read | ({"truth"} & set(needs)) <= known:
        found["weights"] = Keys.of(spec, sources, frozenset(needs)).weights
    if "truth" in known or not spec.estimation.architectures:
        found["estimates"] = after.estimates
    if {"truth", "estimator"} <= known:
        found["metrics"] = after.metrics
    return found


def _sources(record: Record, truth: GroundTruth | None) -> dict[str, str]:
    """The hashes that a record names, with those that can be made again; "estimator" is empty for ours."""
    spec, found = record.spec, dict(record.sources)
    if truth is not None:
        found["truth"] = truth.sha256
    if "images" not in found and spec.dataset in EMBEDDED:
        found["images"] = images_sha256(load_images(spec.dataset))
    makers: dict[str, Callable[[], str]] = {
        "criterion": lambda: criteria.source_sha256(criteria.get(spec.criterion)),
        "sampler": lambda: samplers.source_sha256(samplers.get(spec.sampler)),
        "estimator": lambda: estimator_sha256(spec.estimator)}
    for name, make in makers.items():
        if name not in found and ".py:" not in getattr(spec, name):
            try:
                found[name] = make()
            except HarnessError:  # not installed
                continue
    if (parent := _parent_key(spec, found)) is not None:
        found["parent"] = parent
    return found


def _parent_key(spec: RunSpec, sources: dict[str, str]) -> str | None:
    """The key of the parent's weights from its spec; None where a plug-in's file, other data or another truth had to be known."""
    parent = spec.parent
    if parent is None or ".py:" in str(parent.as_dict()) or "images" not in sources:
        return None
    try:
        criterion, sampler = criteria.get(parent.criterion), samplers.get(parent.sampler)
    except HarnessError:
        return None
    if "truth" in criterion.needs and (parent.truth != spec.truth or "truth" not in sources):
        return None
    own = {**sources, "criterion": criteria.source_sha256(criterion), "sampler": samplers.source_sha256(sampler)}
    before = _parent_key(parent, own)
    if before is None and parent.parent is not None:
        return None
    return Keys.of(parent, {"truth": "", **own, "parent": before or ""}, criterion.needs).weights
