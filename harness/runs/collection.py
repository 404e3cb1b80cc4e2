"""Runs as records, from their files alone: no torch, no images and no truth is needed to read what runs found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from benchmarks.errors import DataError, UsageError
from harness.runs.spec import RunSpec
from harness.store import SPEC_SCHEMA, find_run, read_json, results_home


@dataclass(frozen=True)
class Budget:
    """What training cost, as counted: supernets, their parameters in all, subnet passes, images, FLOPs (multiply-adds)."""

    supernets: int
    parameters: int
    passes: int
    images: int
    flops: float


@dataclass(frozen=True, eq=False)
class Record:
    """One run judged by one truth.

    key: of these metrics. truth: as captions name it. population: the one that the run is judged on; populations: by name, as
    `Measures.to_json()` gives them. labels: tau-b of part numbers alone. estimates_file: None where it is not there. provenance:
    content of provenance.json, {} without one.
    """

    folder: Path
    key: str
    spec: RunSpec
    truth: str
    truth_key: str
    population: str
    populations: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, Mapping[str, Any]]
    parts: tuple[int, ...]
    part_names: tuple[str, ...]
    budget: Budget
    estimates_file: Path | None
    provenance: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    @property
    def sources(self) -> Mapping[str, str]:
        """Hashes of images, truth and plug-ins that it was made with; {} where nothing says so."""
        found: Mapping[str, str] = self.provenance.get("data_sha256", {})
        return found

    def value(self, *path: str, population: str | None = None) -> float:
        """A number of the measures, such as value("regret", "10", "mean"); NaN where it is not defined or not there."""
        found: Any = self.populations.get(self.population if population is None else population)
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return nan if found is None else float(found)


@dataclass(frozen=True)
class Collection:
    """What was found: records in the order of their names, and the folders of runs that are not compared with a truth yet."""

    records: tuple[Record, ...]
    unfinished: tuple[Path, ...]


def collect(texts: Sequence[str | Path] = ()) -> Collection:
    """The records of runs (see `folders_of`); one that lies in several places counts once.

    Raises UsageError where there is no run, DataError for damaged files and for copies that disagree.
    """
    records: dict[str, Record] = {}
    unfinished = []
    for folder in folders_of(texts):
        paths = sorted(folder.glob("metrics-*.json"))
        if not paths:
            unfinished.append(folder)
        for path in paths:
            record = read_record(path)
            known = records.setdefault(record.key, record)
            if known.populations != record.populations:
                raise DataError(f"{known.folder} and {record.folder} are copies of one run and disagree; `harness verify` says "
                                "which one was changed, leave it out.")
    return Collection(tuple(records.values()), tuple(unfinished))


def read_record(path: Path) -> Record:
    """The record of a metrics file, with what lies beside it; DataError when it is none."""
    metrics, took = read_json(path, "metrics/1"), path.parent / "provenance.json"
    try:
        spec, budget = RunSpec.from_dict(metrics["spec"]), metrics["budget"]
        populations = dict(metrics["populations"])
        for found in (metrics["population"], *populations):
            int(populations[found]["tau"]["n"])
        return Record(
            folder=path.parent, key=str(metrics["key"]), spec=spec,
            truth=str(metrics["truth"]), truth_key=str(metrics["truth_key"]),
            population=metrics["population"], populations=populations, labels=dict(metrics["labels"]),
            parts=tuple(map(int, metrics["parts"])), part_names=tuple(map(str, metrics["part_names"])),
            budget=Budget(int(budget["supernets"]), int(budget["parameters"]), int(budget["passes"]), int(budget["images"]),
                          float(budget["flops"])),
            estimates_file=_estimates_file(path.parent, metrics.get("estimates")),
            provenance=read_json(took, "provenance/1") if took.exists() else {})
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        raise _foreign(path, error) from error


def _estimates_file(folder: Path, key: str | None) -> Path | None:
    """The file of that key; metrics of the first runs do not name it, so there it is the only one."""
    found = [path for path in folder.glob("estimates-*.parquet") if key in (None, path.stem.removeprefix("estimates-"))]
    return found[0] if len(found) == 1 else None


def folders_of(texts: Sequence[str | Path] = ()) -> list[Path]:
    """The folders of runs, by name: each text is that of a run, the name of one, or a folder that holds some at any depth.

    No text stands for $HARNESS_RESULTS. UsageError where there is no run.
    """
    found = {folder for text in texts or (results_home(),) for folder in _folders(Path(text))}
    return sorted(found, key=lambda folder: (folder.name, folder))


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir() and folder != results_home():
        return [find_run(str(folder))]
    if (folder / "spec.json").is_file():
        return [folder]
    found = [path.parent for path in folder.rglob("spec.json")]
    if not found:
        raise UsageError(f"There is no run in {folder}, as no folder there has a spec.json; name folders of runs, such as "
                         "results/published, or make one with `harness run`.")
    return found


def spec_of(folder: Path) -> RunSpec:
    """The spec that a run's folder was made for; DataError when it cannot be read."""
    content = read_json(folder / "spec.json", SPEC_SCHEMA)
    try:
        return RunSpec.from_dict(content["spec"])
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        raise _foreign(folder / "spec.json", error) from error


def _foreign(path: Path, error: Exception) -> DataError:
    said = f"it has no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
    return DataError(f"{path} is not what a run of this version writes ({said}); leave it out, or run it again.")
