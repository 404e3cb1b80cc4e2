"""Running a run: what can be wrong is found first, then its stages are done one after another under a lock."""

import os
import shutil
from pathlib import Path
from typing import Any

from joblib import cpu_count

from benchmarks.errors import RunError
from harness.forecast import forecast
from harness.progress import Reporter
from harness.run import Run
from harness.stages import (
    Machine,
    estimates_stage,
    metrics_stage,
    partition_of,
    partition_stage,
    questions_of,
    tasks_of,
    weights_stage,
)
from harness.store import read_json, sole_writer, write_json

# Room for weights, checkpoints and partial estimates, with a margin.
FREE_BYTES = 64 << 20


def execute(run: Run, machine: Machine, reporter: Reporter) -> dict[str, Any]:
    """Do what is not yet done of a run and give its metrics; RunError when another process holds the run or space is short."""
    if run.finished:
        return read_json(run.metrics_file, "metrics/1")
    # What can be wrong with the question or the place is found before the folder is made.
    partition = partition_of(run, machine, reporter)
    tasks = tasks_of(run, partition, machine)
    check_space(run.folder)
    with sole_writer(run.folder):
        for left_behind in run.folder.rglob(".*.tmp"):  # by a process killed while it wrote
            left_behind.unlink(missing_ok=True)
        if not (run.folder / "spec.json").exists():
            write_json(run.folder / "spec.json", {"schema": "spec/1", "spec": run.spec.as_dict(), "key": run.keys.weights})
        partition_stage(run, partition)
        asked = [] if run.estimates_file.exists() else questions_of(run, tasks, partition)
        reporter.say(f"{run.folder.name}: {' / '.join(f'{size:,}' for size in partition.sizes)} architectures, "
                     f"{forecast(tasks, asked, machine.jobs or len(tasks), machine.jobs or cpu_count())}")
        weights_stage(run, tasks, machine, reporter)
        estimates = estimates_stage(run, tasks, partition, machine, reporter)
        return metrics_stage(run, partition, estimates)


def check_space(folder: Path) -> None:
    """RunError when the disk on which a folder is, or is to be made, is almost full."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    if (free := shutil.disk_usage(there).free) < FREE_BYTES:
        raise RunError(f"Only {free >> 20} MiB are free at {there} and a run needs {FREE_BYTES >> 20}; free some space or choose "
                       "another folder with HARNESS_RESULTS.")
