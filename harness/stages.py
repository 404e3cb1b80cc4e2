"""The four stages of a run: partition, weights, estimates, metrics. A stage whose file is there is not done again."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from benchmarks.cost import supernet_params
from criteria.base import Partition, Scores
from criteria.guard import partition as split
from harness.checkpoint import read_tensors
from harness.comparison import compare, control_labels
from harness.device import devices
from harness.estimate import Estimates, Question, answer, gather, questions
from harness.laboratory import Laboratory
from harness.parallel import Send, spread
from harness.progress import Reporter
from harness.provenance import peak_memory
from harness.run import Run
from harness.sampling import Pool
from harness.store import read_frame, write_frame, write_json
from harness.task import Task
from harness.train import train


@dataclass(frozen=True)
class Machine:
    """What must not change a result: the device, and how many processes work at once (0 = as many as suit)."""

    device: str = "auto"
    jobs: int = 0


# ---- partition


def partition_of(run: Run, machine: Machine, reporter: Reporter) -> Partition:
    """The partition, from its file or from the criterion."""
    if not os.path.exists(run.partition_file):
        spec = run.spec
        laboratory = Laboratory(spec.benchmark, spec.dataset, spec.seed, machine.device, machine.jobs, reporter)
        return split(run.criterion, replace(run.context, laboratory=laboratory), spec.k)
    columns, words = read_frame(run.partition_file, run.about_partition)
    scores = Scores(columns["score"], words["meaning"], words["unit"]) if "score" in columns else None
    return Partition(columns["part"], tuple(json.loads(words["names"])), None, scores)


def partition_stage(run: Run, partition: Partition) -> None:
    """Write the partition where its file is not there."""
    if run.partition_file.exists():
        return
    columns: dict[str, Any] = {"index": np.arange(len(partition.label)), "part": partition.label}
    words = {**run.about_partition, "names": json.dumps(partition.names)}
    if partition.scores is not None:
        columns["score"] = partition.scores.values
        words |= {"meaning": partition.scores.meaning, "unit": partition.scores.unit}
    write_frame(run.partition_file, columns, words)


# ---- weights


def tasks_of(run: Run, partition: Partition, machine: Machine) -> list[Task]:
    """The training of each supernet; supernet i is on device i mod n."""
    pool, found = Pool.of(partition, run.bench.space), devices(machine.device)
    return [Task(run.spec, i, pool, run.folder, run.keys.weights, found[i % len(found)])
            for i in range(run.spec.supernets(partition.k))]


def weights_stage(run: Run, tasks: Sequence[Task], machine: Machine, reporter: Reporter) -> None:
    """Train all supernets at once, one process each unless `jobs` says fewer."""
    missing = [task for task in tasks if not task.done]
    for task in tasks:
        if task not in missing:  # a kill between the weights and here leaves a checkpoint
            task.checkpoint.unlink(missing_ok=True)
    if not missing:
        return
    costs = spread(_train, missing, machine.jobs or len(missing), _show(reporter, len(tasks)))
    for task, (seconds, memory) in zip(missing, costs, strict=True):
        run.record(task.weights.stem, {"process_seconds": seconds, "peak_memory_mib": memory, "device": task.device})


def _train(task: Task, send: Send) -> tuple[float, float]:
    return train(task, send), peak_memory()


def _show(reporter: Reporter, supernets: int) -> Send:
    def show(supernet: int, step: int, steps: int, loss: float) -> None:
        reporter.step(f"train supernet {supernet + 1} of {supernets}", step, steps, f"loss {loss:.3f}")

    return show


# ---- estimates


def wanted_by(run: Run) -> NDArray[np.int64]:
    """int64 [m], ascending: the architectures to estimate."""
    if not run.spec.estimation.architectures:
        return np.arange(len(run.bench.space))
    return np.unique(np.concatenate([population.members for population in run.populations]))


def partial_folder(run: Run) -> Path:
    """Where unfinished estimates lie."""
    return run.folder / f"estimates-{run.keys.estimates}.partial"


def questions_of(run: Run, tasks: Sequence[Task], partition: Partition) -> list[Question]:
    """What each supernet is asked."""
    return questions(tasks, partition.label, wanted_by(run), partial_folder(run), run.keys.estimates)


def estimates_stage(run: Run, tasks: Sequence[Task], partition: Partition, machine: Machine, reporter: Reporter) -> Estimates:
    """The estimates, from their file or from the trained supernets."""
    about = {"schema": "estimates/1", "key": run.keys.estimates}
    if not run.estimates_file.exists():
        wanted, asked, start = wanted_by(run), questions_of(run, tasks, partition), time.monotonic()
        _answer_all(asked, machine, reporter)
        estimates = gather(asked, partition.label, wanted)
        write_frame(run.estimates_file, {"index": wanted, "architecture": [run.bench.space.strings[i] for i in wanted],
                                         "part": partition.label[wanted], "accuracy": estimates.accuracy[wanted],
                                         "loss": estimates.loss[wanted]}, about)
        run.record(f"estimates-{run.keys.estimates}",
               {"seconds": time.monotonic() - start, "architectures": len(wanted),
                "functions": sum(len(question.members) for question in asked),
                "images": run.spec.estimation.images or len(run.images.select(run.spec.estimation.split)) * run.images.copies})
    shutil.rmtree(partial_folder(run), ignore_errors=True)
    columns, _ = read_frame(run.estimates_file, about)
    accuracy, loss = np.full((2, len(run.bench.space)), np.nan)
    accuracy[columns["index"]], loss[columns["index"]] = columns["accuracy"], columns["loss"]
    return Estimates(accuracy, loss)


def _answer_all(asked: Sequence[Question], machine: Machine, reporter: Reporter) -> None:
    total, done = sum(len(question.members) for question in asked), 0

    def show(count: int) -> None:
        nonlocal done
        done += count
        reporter.step("estimate architectures", done, total)

    # Several processes on one GPU would only share its time, each with a context of its own.
    own = {question.task.device for question in asked}
    workers = machine.jobs or (cpu_count() if own == {"cpu"} else len(own))
    shares = [(question, chunks) for question in asked for worker in range(workers)
              if (chunks := list(range(len(question.chunks)))[worker::workers])]
    spread(_answer, shares, workers, show)


def _answer(share: tuple[Question, list[int]], send: Send) -> None:
    answer(*share, send)


# ---- metrics


def metrics_stage(run: Run, partition: Partition, estimates: Estimates) -> dict[str, Any]:
    """The comparison with the truth, written and given back."""
    controls = control_labels(partition, run.context, run.truth)
    compared = compare(estimates.by(run.spec.estimator), run.truth, run.bench.space, partition, run.populations, controls)
    content = {"schema": "metrics/1", "key": run.keys.metrics, "run": run.folder.name, "spec": run.spec.as_dict(),
               "truth": run.truth.label,
               "truth_key": str(run.truth.key), "images": run.spec.estimation.split,
               "estimator": run.spec.estimator, "seed": run.spec.seed,
               "parts": list(partition.sizes), "part_names": list(partition.names), "budget": budget_of(run, partition),
               **compared.to_json()}
    write_json(run.metrics_file, content)
    return content


def budget_of(run: Run, partition: Partition) -> dict[str, Any]:
    """What the training cost, as counted, not as timed: subnet passes, images, FLOPs (one multiply-add is one), parameters."""
    supernets = run.spec.supernets(partition.k)
    passes, flops = 0, 0.0
    for i in range(supernets):
        curve, _ = read_tensors(run.folder / f"training-{i}.safetensors", {"key": run.keys.weights})
        passes += int(curve["curve.passes"].sum())
        flops += float(curve["curve.flops"])
    parameters = supernets * supernet_params(run.bench.space, run.spec.skeleton)
    return {"supernets": supernets, "parameters": parameters, "passes": passes,
            "images": passes * run.spec.recipe.batch, "flops": flops}
