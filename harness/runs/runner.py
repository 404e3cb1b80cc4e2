"""Running a run: what can be wrong is found first, then its stages are done one after another under a lock."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joblib import cpu_count

from benchmarks.errors import RunError
from harness.estimation.estimate import Question
from harness.progress import Reporter
from harness.runs.forecast import forecast
from harness.runs.generation import Generation
from harness.runs.run import Run
from harness.runs.stages import (
    estimates_stage,
    generation_of,
    metrics_stage,
    partition_of,
    partition_stage,
    questions_of,
    weights_stage,
)
from harness.scoring.world import Machine
from harness.store import Held, read_json, sole_writer, wait_for, write_json

# Room for weights, checkpoints and partial estimates, with a margin.
FREE_BYTES = 64 << 20


def execute(run: Run, machine: Machine, reporter: Reporter) -> dict[str, Any]:
    """Do what is not yet done of a run and give its metrics; RunError when another process holds the run or space is short."""
    if run.finished:
        return read_json(run.metrics_file, "metrics/1")
    # What can be wrong with the question or the place is found before the folder is made.
    generation = prepared(run, machine, reporter)
    check_space(run.folder)
    if run.parent is not None and generation.parent is not None:
        train(run.parent, generation.parent, machine, reporter)
    with _opened(run, generation):
        tasks, partition = generation.tasks, generation.partition
        asked = [] if run.estimates_file.exists() else questions_of(run, tasks, partition)
        _train(run, generation, asked, machine, reporter)
        estimates = estimates_stage(run, tasks, partition, machine, reporter)
        return metrics_stage(run, generation, estimates, machine, reporter)


def prepared(run: Run, machine: Machine, reporter: Reporter) -> Generation:
    """The partition of a run and what its supernets begin from; its parent is trained only where its networks must be asked."""
    parent = None
    if run.parent is not None:
        parent = prepared(run.parent, machine, reporter)
        if "network" in run.criterion.needs and not os.path.exists(run.partition_file):
            train(run.parent, parent, machine, reporter)
    return generation_of(run, partition_of(run, parent, machine, reporter), parent, machine)


def train(run: Run, generation: Generation, machine: Machine, reporter: Reporter) -> None:
    """Train the supernets of a run, and before them those of its ancestors, each in its own folder; what is done stays.

    A parent that another process trains is waited for, as it has many children.
    """
    if generation.trained:
        return
    check_space(run.folder)
    if run.parent is not None and generation.parent is not None:
        train(run.parent, generation.parent, machine, reporter)
    try:
        with _opened(run, generation):
            _train(run, generation, [], machine, reporter)
    except Held:
        reporter.say(f"{run.folder.name}: waiting for another process that trains it")
        wait_for(run.folder)
        train(run, generation, machine, reporter)


@contextmanager
def _opened(run: Run, generation: Generation) -> Iterator[None]:
    """The folder of a run, held, cleared of what killed processes left, with its spec and its partition."""
    with sole_writer(run.folder):
        for left_behind in run.folder.rglob(".*.tmp"):  # by a process killed while it wrote
            left_behind.unlink(missing_ok=True)
        if not (run.folder / "spec.json").exists():
            write_json(run.folder / "spec.json", {"schema": "spec/1", "spec": run.spec.as_dict(), "key": run.keys.weights})
        partition_stage(run, generation.partition)
        yield


def _train(run: Run, generation: Generation, asked: list[Question], machine: Machine, reporter: Reporter) -> None:
    """The weights stage, after a forecast of it and of the questions that come next."""
    tasks = generation.tasks
    reporter.say(f"{run.folder.name}: {' / '.join(f'{size:,}' for size in generation.partition.sizes)} architectures, "
                 f"{forecast(tasks, asked, machine.jobs or len(tasks), machine.jobs or cpu_count())}")
    weights_stage(run, tasks, machine, reporter)


def check_space(folder: Path) -> None:
    """RunError when the disk on which a folder is, or is to be made, is almost full."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    if (free := shutil.disk_usage(there).free) < FREE_BYTES:
        raise RunError(f"Only {free >> 20} MiB are free at {there} and a run needs {FREE_BYTES >> 20}; free some space or choose "
                       "another folder with HARNESS_RESULTS.")
