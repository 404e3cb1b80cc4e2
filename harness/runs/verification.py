"""Whether what a run's folder says follows from its own files: its keys, parts, budget and every metric, made again from them.

Nothing is trained or estimated anew, and no code is run that a folder only names: the file of a plug-in is not opened.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError
from benchmarks.truth import GroundTruth
from criteria.base import Context, Partition, Scorer
from criteria.guard import score
from criteria.registry import criteria
from harness.estimation.estimators import RANKED, SIGN, WHICH, kept_values, ranked_file, term_names
from harness.runs.account import budget_check
from harness.runs.check import DIFFERENT, SAME, UNCHECKED, Check, compared
from harness.runs.collection import Record, read_record, spec_of
from harness.runs.comparison import compare, control_labels
from harness.runs.evidence import Columns, estimates_of, keys_of, needs_of, partition_of, truth_of
from harness.runs.run import populations_of
from harness.runs.spec import RunSpec
from harness.store import SPEC_SCHEMA, read_frame, read_json
from harness.training.checkpoint import read_tensors

# All that a file of metrics holds, so that nothing else is published with it.
METRICS = {"schema", "key", "run", "spec", "truth", "truth_key", "images", "estimator", "estimates", "seed", "parts",
           "part_names", "budget", "data_sha256", "needs", "population", "tau", "populations", "labels"}


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
        records = {path: read_record(path) for path in sorted(folder.glob("metrics-*.json"))}
        checks += (*_files(folder, key, list(records.values())), _weights(folder, key))
        for path, record in records.items():
            for check in _checks(path, record, spec, key):
                checks.append(check)  # so that those before an error are kept
        if not records:
            checks.append(Check("metrics", UNCHECKED, why="the run is not finished"))
    except HarnessError as error:
        checks.append(Check("files", DIFFERENT, why=str(error)))
    except Exception as error:  # what strangers write is what this is about, and the other folders are still to come
        checks.append(Check("files", DIFFERENT, why=f"a file is not what a run writes ({type(error).__name__}: {error})"))
    return Verification(folder, tuple(checks))


def _checks(path: Path, record: Record, spec: RunSpec, key: str) -> Iterator[Check]:
    """What the file of metrics at `path` says, beside the spec and the key of the weights of its folder."""
    stored, truth, why = read_json(path, "metrics/1"), None, ""
    try:
        truth = truth_of(record)
    except HarnessError as error:
        why = str(error)
    yield _spec(path, record, spec, key, stored)
    yield _keys(record, key, truth)
    columns = estimates_of(record)
    yield _architectures(record, columns)
    partition, kept, whole = partition_of(record, truth, columns)
    yield budget_check(record, stored["budget"], key, partition, whole)
    yield _parts(columns, partition, kept)
    if ranked_file(record.folder, record.key).exists() or record.spec.estimator not in columns:
        yield _ranked(record, truth, columns)
    yield Check("metrics", UNCHECKED, why=why) if truth is None else _metrics(record, stored, truth, columns, partition, whole)


# ---- the folder


def _files(folder: Path, key: str, records: list[Record]) -> Iterator[Check]:
    """Whether the files are all there, and of this run."""
    found = []
    if folder.name.rpartition("-")[2] != key:
        found.append(f"the folder of the run {key} has another name; give it its own back")
    named = {path for record in records for path in (record.estimates_file, ranked_file(folder, record.key)) if path is not None}
    judged = [*folder.glob("estimates-*.parquet"), *folder.glob("ranked-*.parquet")]
    found += [f"no metrics name {path.name}; run the same command again" for path in sorted({*judged} - named)]
    path = folder / "provenance.json"
    if path.exists():
        stages = read_json(path, "provenance/1")
        found += [f"provenance.json does not tell of {each.stem}, so it is that of another run" for each in sorted(judged)
                  if each.name.startswith("estimates") and each.stem not in stages]
        found += [f"{stage}.json, which provenance.json tells of, is not there" for stage in sorted(stages)
                  if stage.startswith("metrics-") and not (folder / f"{stage}.json").exists()]
    elif records or judged:
        found.append("provenance.json is not there")
    yield from (Check("files", DIFFERENT, why=each) for each in found)


def _weights(folder: Path, key: str) -> Check:
    paths = sorted(folder.glob("supernet-*.safetensors"))
    try:
        for path in paths:
            read_tensors(path, {"schema": "supernet/1", "key": key, "supernet": path.stem.removeprefix("supernet-")})
    except DataError as error:
        return Check("weights", DIFFERENT, why=str(error))
    if not paths:
        return Check("weights", UNCHECKED, why="they are not in the folder, and only a training makes them again")
    return Check("weights", SAME, why="that the training gives these; they are whole, and name this run")


# ---- a file of metrics


def _spec(path: Path, record: Record, spec: RunSpec, key: str, stored: dict[str, Any]) -> Check:
    """Whether the metrics are about the folder's run, in the file of their own key, and say what its criterion needs."""
    asked = replace(spec, **{name: getattr(record.spec, name) for name in ("truth", "population", "estimator", "estimation")})
    noted = record.provenance.get("data_sha256", {})
    own = {name: noted[name] for name in ("images", "criterion", "sampler", "parent") if name in noted}
    needs = {name: tuple(sorted(each)) for name, each in needs_of(record.spec).items() if record.needs is not None}
    return compared("spec", {
        "spec": record.spec.as_dict(), "file": path.name, "run": stored["run"].rpartition("-")[2],
        "data_sha256": {name: record.sources.get(name) for name in own},
        "needs": {name: (record.needs or {}).get(name) for name in needs}, "more": sorted(set(stored) - METRICS)},
        {"spec": asked.as_dict(), "file": f"metrics-{record.key}.json", "run": key, "data_sha256": own, "needs": needs,
         "more": []})


def _keys(record: Record, key: str, truth: GroundTruth | None) -> Check:
    """Whether spec, data and code make the keys that the files have, as far as their hashes are known."""
    made = keys_of(record, key, truth)
    stored = {"weights": key, "metrics": record.key, "estimates": getattr(record.estimates_file, "stem", "").partition("-")[2]}
    missing = [name for name in stored if name not in made]
    why = f"those of {' and '.join(missing)}, as no file names all hashes behind them" if missing else ""
    return compared("keys", {name: stored[name] for name in made}, made, why) if made else Check("keys", UNCHECKED, why=why)


def _architectures(record: Record, columns: Columns) -> Check:
    """Whether the estimates are those of the architectures that they name."""
    index, strings = columns["index"], benchmark(record.spec.benchmark).space.strings
    if len(index) == 0 or index[0] < 0 or index[-1] >= len(strings) or (np.diff(index) <= 0).any():
        return Check("estimates", DIFFERENT, why="their indices do not ascend within the space")
    return compared("estimates", {str(i): name for i, name in zip(index, columns["architecture"], strict=True)},
                    {str(i): strings[i] for i in index})


def _parts(columns: Columns, partition: Partition, kept: Partition | None) -> Check:
    """Whether the estimates and the file of the partition have its parts."""
    index = columns["index"]
    stored, made = ({f"part of architecture {i}": int(part) for i, part in zip(index, each, strict=True)}
                    for each in (columns["part"], partition.label[index]))
    if kept is not None:
        for name, each, into in (("partition.parquet", kept, stored), ("partition.parquet", partition, made)):
            scores = None if each.scores is None else each.scores.values.tolist()
            into[name] = {"parts": each.label.tolist(), "names": each.names, "scores": scores}  # type: ignore[assignment]
    return compared("parts", stored, made)


def _ranked(record: Record, truth: GroundTruth | None, columns: Columns) -> Check:
    """Whether the columns that a sum was ranked by are its terms: of the estimates, or of criteria that need no network."""
    path, names, unseen = ranked_file(record.folder, record.key), term_names(record.spec.estimator), []
    if record.spec.estimator in columns:
        return Check("ranked", DIFFERENT, why=f"{path.name} is there, and {record.spec.estimator} is a column of the estimates")
    about = {"schema": RANKED, "key": record.key}
    ranked, words = read_frame(path, about)
    if set(ranked) != {*WHICH, *names} or words != about:
        return Check("ranked", DIFFERENT, why=f"{path.name} holds {', '.join(ranked)} and not the terms {' and '.join(names)}")
    bench, stored, made = benchmark(record.spec.benchmark), dict[str, Any](), dict[str, Any]()
    for population in dict.fromkeys(ranked["population"].tolist()):
        mine = ranked["population"] == population
        members = ranked["index"][mine]
        stored[f"architectures of {population}"] = ranked["architecture"][mine].tolist()
        made[f"architectures of {population}"] = [bench.space.strings[i] for i in members]
        context = Context(bench.space, bench.skeleton_for(record.spec.dataset), record.spec.seed, truth, members=members)
        for name in names:
            if name in SIGN and name in columns:
                again = SIGN[name] * columns[name][np.searchsorted(columns["index"], members)]
            elif (term := _closed(name, truth)) is not None:
                again = score(term, context).values[members]
            else:
                unseen.append(name)
                continue
            stored[f"{name} of {population}"], made[f"{name} of {population}"] = ranked[name][mine].tolist(), again.tolist()
    why = f"the terms {' and '.join(dict.fromkeys(unseen))}, which ask networks, a truth that is not at hand or somebody's code"
    return compared("ranked", stored, made, why if unseen else "")


def _closed(name: str, truth: GroundTruth | None) -> Scorer | None:
    """The criterion that is a term, where it is ours and can be asked here."""
    try:
        found = None if ".py:" in name or name in SIGN else criteria.get(name)
    except HarnessError:
        return None
    if not isinstance(found, Scorer) or criteria.source_sha256(found) or found.needs - {"truth"}:
        return None
    return None if "truth" in found.needs and truth is None else found


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
    why = ""
    if not whole:  # chance shuffles the parts of all architectures
        del made["parts"], made["labels"]["random"]
        stored = {**stored, "labels": {name: value for name, value in stored["labels"].items() if name != "random"}}
        why = "the sizes of the parts and the labels at random, as the folder does not hold the whole partition"
    return compared("metrics", {name: stored.get(name) for name in made}, made, why)
