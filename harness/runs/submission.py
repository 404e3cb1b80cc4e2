"""A finished run packed for a pull request: its spec, estimates, metrics, provenance and training curves, and nothing else."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError, RunError, UsageError
from benchmarks.table import RESERVED, tables
from harness.estimation.estimators import WHICH, ranked_file
from harness.measures.tau import Floats, ranks, tau_b
from harness.report.verification import differences
from harness.runs.check import DIFFERENT, UNCHECKED, Check
from harness.runs.collection import Record, read_record, spec_of
from harness.runs.evidence import embedded, needs_of, truth_of
from harness.runs.verification import Verification, verify
from harness.store import read_frame

# Weights, partitions and figures stay behind; all of this together is some 50 KB.
MOST_BYTES = 1 << 20
# The quantities of a table that are results of trainings; costs follow from an architecture.
RESULTS = ("accuracy", "loss")
# Estimates in the order of a truth, to this tau-b, are the truth: those without any noise reach 0.65, and the ceilings 0.96.
MOST_TAU = 0.95
# Fewer architectures can be in any order by chance.
FEWEST = 10


def submit(folder: Path, out: Path) -> tuple[Path, Verification]:
    """Pack a run into a folder of its name in `out`, and what verifying it there found, with what could not be compared.

    Raises UsageError when it is not finished, holds too much or would publish a truth that is not ours, or is there already,
    RunError when it does not verify.
    """
    spec_of(folder)
    folder = folder.resolve()
    records = [read_record(path) for path in sorted(folder.glob("metrics-*.json"))]
    paths = _packed(folder, records)
    for path in paths:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size >> 10:,} KiB, and files of a published run have at most "
                             f"{MOST_BYTES >> 10:,}; estimate fewer architectures with estimation.architectures.")
    unseen = _refuse_truth(records, [path for path in paths if path.suffix == ".parquet"])
    target = out / folder.name
    if target.exists():
        raise UsageError(f"{target} is there already; remove it, or choose another folder with --out.")
    for left_behind in out.glob(".*.tmp"):
        if _is_dead(left_behind.stem.rpartition(".")[2]):  # killed while it packed
            shutil.rmtree(left_behind, ignore_errors=True)
    holder = out / f".{folder.name}.{os.getpid()}.tmp"
    packed = holder / folder.name
    try:
        packed.mkdir(parents=True)
        for path in paths:
            shutil.copyfile(path, packed / path.name)
        found = verify(packed)
        if found.state == DIFFERENT:
            raise RunError(f"{folder.name} does not verify, so it is not packed: {differences(found)[0].partition(': ')[2]}")
        packed.rename(target)
    except OSError as error:
        raise RunError(f"Cannot write to {out} ({error.strerror}); choose another folder with --out.") from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)
    return target, Verification(target, (*found.checks, *unseen))


def _is_dead(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (ValueError, OverflowError, PermissionError):  # not ours
        return False
    return False


def _packed(folder: Path, records: Sequence[Record]) -> list[Path]:
    """The files of a finished run that are published: those that its metrics name; UsageError where one is missing."""
    needed = {"metrics": [folder / f"metrics-{record.key}.json" for record in records],
              "estimates": [record.estimates_file or folder / "none" for record in records],
              "provenance": [folder / "provenance.json"], "spec": [folder / "spec.json"]}
    for name, paths in needed.items():
        if not paths or not all(path.is_file() for path in paths):
            raise UsageError(f"{folder.name} is not finished, as it has no {name}; run it to its end first.")
    more = [ranked_file(folder, record.key) for record in records]
    more += [folder / f"training-{i}.safetensors" for record in records for i in range(record.spec.supernets(record.spec.k))]
    return sorted({path for paths in (*needed.values(), more) for path in paths if path.is_file()})


# ---- truths that are not ours


def _refuse_truth(records: Sequence[Record], paths: Sequence[Path]) -> list[Check]:
    """UsageError when a run was made by a truth that does not come with the harness, or a column of numbers is in its order; what
    could not be compared."""
    unseen: dict[str, Check] = {}
    for record in records:
        if embedded(record):
            continue
        _refuse_made_by_truth(record)
        try:
            truth_of(record)
        except HarnessError:
            why = (f"whether a column of numbers is the truth {record.spec.truth}, which is not at hand; take it in with "
                   "`harness data import` and submit again")
            unseen[why] = Check("truth", UNCHECKED, why=why)
    for name in sorted({record.spec.benchmark for record in records}):
        for key, true in _truths(name):
            for path in paths:
                _refuse_order(path, key, true)
    return list(unseen.values())


def _refuse_made_by_truth(record: Record) -> None:
    known = {**(record.needs or {}), **needs_of(record.spec)}
    for what in ("criterion", "parent", "estimator"):
        if what not in known:
            raise UsageError(f"Nothing says whether the {what} of {record.folder.name} needs the truth {record.spec.truth}, "
                             f"which is not ours to publish; delete metrics-{record.key}.json and run it again, then it does.")
        if "truth" in known[what]:
            raise UsageError(f"The {what} of {record.folder.name} needs the truth {record.spec.truth}, which is not ours to "
                             "publish, and parts and their names would tell it; submit runs that were made without it.")


def _truths(name: str) -> Iterator[tuple[str, Floats]]:
    """Every column of results at hand about the data of a benchmark, but for those that everybody has: key, float64 [n_arch]."""
    datasets = benchmark(name).datasets
    for table in tables():
        columns = [column for column in table.columns if column.quantity in RESULTS and column.key.dataset in datasets
                   and column.key.source not in RESERVED]
        try:
            values = table.read(columns) if columns else np.empty((0, 0))
        except DataError:  # which `harness data verify` tells of
            continue
        yield from ((str(column.key), values[:, i]) for i, column in enumerate(columns))


def _refuse_order(path: Path, key: str, true: Floats) -> None:
    """UsageError when a column of numbers is in the order of a truth, or in the opposite one."""
    columns, _ = read_frame(path, {})
    for name, values in columns.items():
        if values.dtype.kind not in "fiu" or name in WHICH:
            continue
        x, y = ranks(values.astype(np.float64), true[columns["index"]], "drop")
        if len(x) >= FEWEST and abs(tau_b(x, y)) >= MOST_TAU:
            raise UsageError(f"The column {name} of {path.name} is in the order of the truth {key}, which is not ours to "
                             "publish; submit estimates.")
