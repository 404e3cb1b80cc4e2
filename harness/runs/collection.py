"""Runs as records, from their files alone: no torch, no images and no truth is needed to read what runs found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import Any

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, UsageError
from harness.runs.content import amount, count, measures, stages, summarised, tau, text, texts
from harness.runs.spec import RunSpec
from harness.store import SPEC_SCHEMA, find_run, read_json, results_home

# A folder with one of these is that of a run, whatever else was taken out of it.
FILES = ("spec.json", "provenance.json", "metrics-*.json", "estimates-*.parquet")
# Of copies of one run these may differ: where they lie, and what is left of what they were made from.
OWN = ("folder", "estimates_file", "provenance", "sources", "needs")
# Generations of a run; more are nobody's.
MOST_GENERATIONS = 20


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
    content of provenance.json, {} without one. sources: hashes of the images, the truth and the plug-ins that these metrics were
    made with; without those that nothing names. inherited: what of the budget the parents spent ("passes", "images", "flops"); {}
    where there are none. needs: what "criterion", "parent" and "estimator" need (see criteria.base.NEEDS);
    None in older files.
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
    sources: Mapping[str, str]
    inherited: Mapping[str, float]
    needs: Mapping[str, tuple[str, ...]] | None

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    def uses_truth(self, *what: str) -> bool:
        """Whether "criterion", "parent" or "estimator" was made with the truth, as far as its files say; no plug-in is opened."""
        spec, ancestors = self.spec, []
        parent = spec.parent
        while parent is not None:
            ancestors.append(parent.criterion)
            parent = parent.parent
        selectors = {"criterion": spec.criterion, "parent": " ".join(ancestors), "estimator": spec.estimator}
        return any("truth" in (self.needs or {}).get(name, ()) or "oracle" in re.findall(r"[\w./:~-]+", selectors[name])
                   for name in what)

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
            if any(getattr(known, each.name) != getattr(record, each.name) for each in fields(Record) if each.name not in OWN):
                raise DataError(f"{known.folder} and {record.folder} are copies of one run and disagree; `harness verify` says "
                                "which one was changed, leave it out.")
    return Collection(tuple(records.values()), tuple(unfinished))


def read_record(path: Path) -> Record:
    """The record of a metrics file, with what lies beside it; DataError when it is none."""
    metrics, took = read_json(path, "metrics/1"), path.parent / "provenance.json"
    provenance = read_json(took, "provenance/1") if took.exists() else {}
    try:
        spec, budget = _spec(metrics["spec"]), metrics["budget"]
        populations = {name: measures(found) for name, found in metrics["populations"].items()}
        if (judged := text(metrics["population"])) not in populations:
            raise KeyError(judged)
        summarised(metrics)
        return Record(
            folder=path.parent, key=text(metrics["key"]), spec=spec,
            truth=text(metrics["truth"]), truth_key=text(metrics["truth_key"]),
            population=judged, populations=populations, labels={name: tau(each) for name, each in metrics["labels"].items()},
            parts=tuple(map(count, metrics["parts"])), part_names=tuple(map(text, metrics["part_names"])),
            budget=Budget(count(budget["supernets"]), count(budget["parameters"]), count(budget["passes"]),
                          count(budget["images"]), amount(budget["flops"])),
            estimates_file=_estimates_file(path.parent, metrics.get("estimates")), provenance=provenance,
            sources={**_sources(path.parent, spec, provenance), **texts(metrics.get("data_sha256", {}))},
            inherited={name: amount(spent) for name, spent in budget.get("inherited", {}).items()},
            needs={name: tuple(map(text, each)) for name, each in metrics["needs"].items()} if "needs" in metrics else None)
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        raise _foreign(path, error) from error


def _sources(folder: Path, spec: RunSpec, provenance: Mapping[str, Any]) -> dict[str, str]:
    """What older metrics were made with, from the provenance, which names truth and estimator of the folder's own spec only."""
    try:
        found = texts(stages(provenance).get("data_sha256", {}))
    except (TypeError, ValueError, AttributeError) as error:
        raise _foreign(folder / "provenance.json", error) from error
    first = spec_of(folder) if (folder / "spec.json").exists() else spec
    for name in ("truth", "estimator"):
        if getattr(first, name) != getattr(spec, name):
            found.pop(name, None)
    return found


def _spec(content: Any) -> RunSpec:
    """The spec in a file, of a benchmark and a dataset that there are."""
    generations, ancestor = 0, content
    while isinstance(ancestor, dict):
        generations, ancestor = generations + 1, ancestor.get("parent")
    if generations > MOST_GENERATIONS:
        raise ValueError(f"it has {generations} generations")
    spec = RunSpec.from_dict(content)
    benchmark(spec.benchmark).check_dataset(spec.dataset)
    return spec


def _estimates_file(folder: Path, key: str | None) -> Path | None:
    """The file of that key; metrics of the first runs do not name it, so there it is the only one."""
    found = [path for path in folder.glob("estimates-*.parquet") if key in (None, path.stem.removeprefix("estimates-"))]
    return found[0] if len(found) == 1 else None


def folders_of(texts: Sequence[str | Path] = ()) -> list[Path]:
    """The folders of runs, by name: each text is that of a run, the name of one, or a folder that holds some at any depth.

    No text stands for $HARNESS_RESULTS. Folders whose names begin with a dot are left out: they are still being packed.
    UsageError where there is no run.
    """
    found = {folder for text in texts or (results_home(),) for folder in _folders(Path(text))}
    return sorted(found, key=lambda folder: (folder.name, folder))


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir() and folder != results_home():
        return [find_run(str(folder))]
    if any(path.is_file() for pattern in FILES for path in folder.glob(pattern)):
        return [folder]
    found = [path.parent for pattern in FILES for path in folder.rglob(pattern)
             if path.is_file() and not any(name.startswith(".") for name in path.relative_to(folder).parts)]
    if not found:
        raise UsageError(f"There is no run in {folder}, as no folder there has files of one; name folders of runs, such as "
                         "results/published, or make one with `harness run`.")
    return found


def spec_of(folder: Path) -> RunSpec:
    """The spec that a run's folder was made for; DataError when it cannot be read."""
    content = read_json(folder / "spec.json", SPEC_SCHEMA)
    try:
        return _spec(content["spec"])
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        raise _foreign(folder / "spec.json", error) from error


def _foreign(path: Path, error: Exception) -> DataError:
    said = f"it has no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
    return DataError(f"{path} is not what a run of this version writes ({said}); leave it out, or run it again.")
