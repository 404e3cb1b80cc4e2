"""Sweeps: many ordinary runs, each resumable by itself, and one table of what they found.

A sweep is a folder $HARNESS_RESULTS/sweeps/<factors>-<benchmark>-<dataset>-<12 hex>/: `sweep.json` with the spec and the keys of
every cell, `table.parquet` and `table.csv` with a row for each cell that is finished. It holds no results of its own, so cells
that are in several sweeps, or were run alone, are trained once.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import DataError, HarnessError, UsageError
from benchmarks.folder import write_atomically
from benchmarks.images import ImageData
from harness.presets import Fields, resolve
from harness.runs.collection import read_record
from harness.runs.content import text
from harness.runs.spec import RunSpec
from harness.store import read_json, results_home, slug, write_frame, write_json

SCHEMA = "sweep/1"
FOLDER = "sweeps"
KEY_DIGITS = 12
LONGEST_NAME = 60

Value = bool | int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """One run of a sweep. varied: the value of each factor; run: the name of its folder, in home; key: of its metrics."""

    varied: Mapping[str, Value]
    spec: RunSpec
    run: str
    key: str
    home: Path = field(default_factory=results_home, compare=False)

    @property
    def metrics_file(self) -> Path:
        return self.home / self.run / f"metrics-{self.key}.json"

    @property
    def finished(self) -> bool:
        return self.metrics_file.exists()

    @property
    def name(self) -> str:
        return named(self.varied)


@dataclass(frozen=True)
class Failure:
    """A cell without a result, and the sentence that says why."""

    varied: Mapping[str, Value]
    reason: str


def named(varied: Mapping[str, Value]) -> str:
    """The cell in words: `share=all seed=0`."""
    return " ".join(f"{name}={shown(value)}" for name, value in varied.items())


def shown(value: Value) -> str:
    """A value in words, a list as it is given."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def unseeded(spec: RunSpec) -> RunSpec:
    """The spec but for its seed, which is that of its ancestors, too: what repetitions have in common."""
    return replace(spec, seed=0, parent=spec.parent and unseeded(spec.parent))


@dataclass(frozen=True)
class Sweep:
    """refused: cells whose runs cannot be, such as a gamma that does not divide the channels."""

    factors: tuple[str, ...]
    cells: tuple[Cell, ...]
    refused: tuple[Failure, ...]

    @classmethod
    def of(cls, factors: Sequence[str], asked: Iterable[tuple[Mapping[str, Value], Sequence[Fields]]]) -> "Sweep":
        """The sweep of cells, each given as its varied values and layers of fields, later ones beating earlier ones.

        Cells with the same varied values and keys stand once. Raises what is wrong with the first one when none can be.
        """
        from harness.runs.run import Run  # takes torch, which reading a sweep does not

        cells: list[Cell] = []
        images: dict[str, ImageData] = {}  # those of CIFAR-10 take a second to load
        refused: list[Failure] = []
        first: HarnessError | None = None
        for varied, layers in asked:
            try:
                spec = resolve(*layers)
                prepared = Run.prepare(spec, images.get(spec.dataset))
            except HarnessError as error:
                first = first or error
                refused.append(Failure(varied, str(error)))
                continue
            images[spec.dataset] = prepared.images
            cell = Cell(varied, prepared.spec, prepared.folder.name, prepared.keys.metrics)
            if cell not in cells:
                cells.append(cell)
        if not cells:
            assert first is not None  # somebody asked for a cell
            raise first
        return cls(tuple(factors), tuple(cells), tuple(refused))

    @property
    def name(self) -> str:
        facts = json.dumps([[sorted(cell.varied.items()), cell.key] for cell in self.cells])
        spec = self.cells[0].spec
        words = slug(f"{'-'.join(self.factors)}-{spec.benchmark}-{spec.dataset}")[:LONGEST_NAME]
        return f"{words}-{sha256(facts.encode()).hexdigest()[:KEY_DIGITS]}"

    @property
    def folder(self) -> Path:
        return self.cells[0].home / FOLDER / self.name

    def write(self) -> None:
        """Write the sweep file."""
        write_json(self.folder / "sweep.json", {
            "schema": SCHEMA, "factors": list(self.factors),
            "cells": [{"varied": dict(cell.varied), "run": cell.run, "key": cell.key, "spec": cell.spec.as_dict()}
                      for cell in self.cells],
            "refused": [{"varied": dict(each.varied), "reason": each.reason} for each in self.refused]})

    @classmethod
    def read(cls, folder: Path) -> "Sweep":
        """The inverse of `write`, its runs in the folder above `sweeps`; DataError when the file is damaged."""
        content, home = read_json(folder / "sweep.json", SCHEMA), folder.absolute().parents[1]
        try:
            factors = tuple(content["factors"])
            cells = tuple(Cell(_varied(each, factors), RunSpec.from_dict(each["spec"]), text(each["run"]), text(each["key"]),
                               home) for each in content["cells"])
            refused = tuple(Failure(_varied(each, factors), text(each["reason"])) for each in content["refused"])
        except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
            said = f"{type(error).__name__}: {error}"
            raise DataError(f"{folder / 'sweep.json'} is not what a sweep of this version writes ({said}); delete it and run the "
                            "same sweep again, which trains nothing anew.") from error
        return cls(factors, cells, refused)

    def results(self) -> tuple[list[dict[str, Any]], list[Failure]]:
        """A row for each finished cell, in order: its factors, tau on each population, its budget, where it is; and the finished
        cells whose files cannot be read."""
        rows, damaged = [], []
        for cell in self.cells:
            if cell.finished:
                try:
                    read_record(cell.metrics_file)
                    rows.append(row(cell, read_json(cell.metrics_file, "metrics/1")))
                except DataError as error:
                    damaged.append(Failure(cell.varied, str(error)))
        return rows, damaged

    def write_table(self) -> None:
        """Write the finished cells as parquet and CSV; nothing where none is finished."""
        rows, _ = self.results()
        names = list(dict.fromkeys(name for row in rows for name in row))
        if not rows:
            return
        write_frame(self.folder / "table.parquet", {name: _column([row.get(name) for row in rows]) for name in names},
                    {"schema": "sweep-table/1", "sweep": self.name})
        sink = StringIO()
        writer = csv.DictWriter(sink, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.folder / "table.csv", sink.getvalue().encode())


def row(cell: Cell, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """A finished cell as a row of the table."""
    tau, populations = metrics["tau"], metrics["populations"]
    others = {f"tau, {name}": found["tau"]["value"] for name, found in populations.items() if name != tau["population"]}
    levels = {name: shown(value) if isinstance(value, tuple) else value for name, value in cell.varied.items()}
    found = {**levels, "seed": metrics["seed"], "tau": tau["value"], "low": tau["low"], "high": tau["high"], "n": tau["n"],
             "ceiling": tau["ceiling"], "population": tau["population"], **others, "estimator": metrics["estimator"],
             **metrics["budget"], "run": cell.run, "key": cell.key}
    return {name: value for name, value in found.items() if not isinstance(value, Mapping | list)}


def find_sweep(text: str) -> Path | None:
    """The folder of the sweep meant by a path, a name or the unambiguous beginning of a name or of its hash; None if none is."""
    if (Path(text) / "sweep.json").is_file():
        return Path(text)
    folders = sorted(path.parent for path in (results_home() / FOLDER).glob("*/sweep.json"))
    found = [each for each in folders if each.name.startswith(text) or each.name.rpartition("-")[2].startswith(text)]
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise UsageError(f"'{text}' could be {len(found)} sweeps: {names}; write more of the name.")
    return found[0] if found else None


def _varied(each: Mapping[str, Any], factors: Sequence[str]) -> dict[str, Value]:
    """What is varied, in the order of the factors, as JSON holds it."""
    found = ((name, each["varied"][name]) for name in factors)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found}


def _column(values: list[Any]) -> Any:
    """A column of the table: numbers with NaN for what is missing, or text."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.int64)
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return ["" if value is None else str(value) for value in values]
