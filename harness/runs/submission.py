"""A finished run packed for a pull request: its spec, estimates, metrics, provenance and training curves, and nothing else."""

import os
import shutil
from pathlib import Path

import numpy as np

from benchmarks.benchmark import benchmark
from benchmarks.errors import HarnessError, RunError, UsageError
from benchmarks.truth import load_truth
from harness.report.verification import differences
from harness.runs.collection import read_record, spec_of
from harness.runs.verification import DIFFERENT, Verification, verify
from harness.store import read_frame

# Weights, partitions and figures stay behind; all of this together is some 50 KB.
NEEDED = ("spec.json", "provenance.json", "metrics-*.json", "estimates-*.parquet")
MORE = ("ranked-*.parquet", "training-*.safetensors")
MOST_BYTES = 1 << 20
# Estimates that are equal to a truth this often are the truth.
MOST_EQUAL = 0.5


def submit(folder: Path, out: Path) -> tuple[Path, Verification]:
    """Pack a run into a folder of its name in `out`, and what verifying it there found.

    Raises UsageError when it is not finished, holds too much or is there already, RunError when it does not verify.
    """
    spec_of(folder)
    paths = sorted(path for pattern in NEEDED + MORE for path in folder.glob(pattern))
    missing = [pattern for pattern in NEEDED if not any(path.match(pattern) for path in paths)]
    if missing:
        raise UsageError(f"{folder.name} is not finished, as it has no {missing[0].replace('-*', '')}; run it to its end first.")
    for path in paths:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size >> 10:,} KiB, and files of a published run have at most "
                             f"{MOST_BYTES >> 10:,}; estimate fewer architectures with estimation.architectures.")
    _refuse_truth(folder)
    target = out / folder.name
    if target.exists():
        raise UsageError(f"{target} is there already; remove it, or choose another folder with --out.")
    packed = out / f".{folder.name}.{os.getpid()}.tmp"
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
        shutil.rmtree(packed, ignore_errors=True)
    return target, Verification(target, found.checks)


def _refuse_truth(folder: Path) -> None:
    """UsageError when a column of numbers is a truth at hand that does not come with the harness."""
    for record in map(read_record, sorted(folder.glob("metrics-*.json"))):
        bench = benchmark(record.spec.benchmark)
        try:
            truth = load_truth(record.spec.truth, bench.table)
        except HarnessError:
            continue
        if truth.key.source == bench.name:
            continue
        true = np.column_stack([truth.mean(), truth.accuracy])
        for path in (*folder.glob("estimates-*.parquet"), *folder.glob("ranked-*.parquet")):
            columns, _ = read_frame(path, {})
            for name, values in columns.items():
                equal = np.isclose(values[:, None], true[columns["index"]]) if values.dtype.kind == "f" else np.zeros((1, 1))
                if equal.mean(axis=0).max() > MOST_EQUAL:
                    raise UsageError(f"The column {name} of {path.name} is the truth {record.spec.truth}, which is not ours to "
                                     "publish; submit estimates.")
