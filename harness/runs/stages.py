"""The four stages of a run: partition, weights, estimates, metrics. A stage whose file is there is not done again."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from benchmarks.benchmark import Population, benchmark
from benchmarks.cost import unused_params
from criteria.base import Context, Partition
from criteria.guard import partition as split
from harness.device import devices
from harness.estimation.angle import angles_of
from harness.estimation.estimate import Estimates, Question, answer, gather, questions, read_estimates
from harness.estimation.estimators import ESTIMATED, SIGN, judgement, ranked_file, term_values, terms, write_ranked
from harness.networks.routes import unmet_params
from harness.parallel import Send, spread
from harness.progress import Reporter
from harness.provenance import peak_memory
from harness.runs.comparison import compare, control_labels
from harness.runs.generation import Generation, read_partition
from harness.runs.run import Run
from harness.runs.spec import INHERITABLE
from harness.scoring.deadline import deadline
from harness.scoring.laboratory import Laboratory
from harness.scoring.world import Machine
from harness.store import write_frame, write_json
from harness.training.checkpoint import read_tensors
from harness.training.sampling import Pool, samplers
from harness.training.task import Task
from harness.training.train import train

# ---- partition


def partition_of(run: Run, parent: Generation | None, machine: Machine, reporter: Reporter) -> Partition:
    """The partition, from its file or from the criterion, which may divide the parts of the parent by its trained supernets."""
    if os.path.exists(run.partition_file):
        return read_partition(run.partition_file, run.about_partition)
    spec = run.spec
    laboratory = Laboratory(spec.benchmark, spec.dataset, spec.seed, machine.device, machine.jobs, reporter, parent=parent)
    context = replace(run.context, laboratory=laboratory, parent=None if parent is None else parent.partition)
    with deadline(spec.criterion, machine.time_limit):
        return split(run.criterion, context, spec.k)


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


def generation_of(run: Run, partition: Partition, parent: Generation | None, machine: Machine) -> Generation:
    """The training of each supernet, with what it begins from; supernet i is on device i mod n."""
    pool, found = Pool.of(partition, run.bench.space), devices(machine.device)
    samplers.get(run.spec.sampler).check(pool, run.spec.supernets(partition.k))
    tasks = [Task(run.spec, i, pool, run.folder, run.keys.weights, found[i % len(found)])
             for i in range(run.spec.supernets(partition.k))]
    if parent is not None and run.spec.start == "inherit":
        tasks = [replace(task, parent=parent.holder(task.members)) for task in tasks]
    return Generation(partition, tuple(tasks), parent)


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
        angle = {"angle": angles_of(tasks, partition.label)[wanted]} if run.spec.share in INHERITABLE else {}
        write_frame(run.estimates_file, {"index": wanted, "architecture": [run.bench.space.strings[i] for i in wanted],
                                         "part": partition.label[wanted], "accuracy": estimates.accuracy[wanted],
                                         "loss": estimates.loss[wanted], **angle}, about)
        run.record(f"estimates-{run.keys.estimates}",
               {"seconds": time.monotonic() - start, "architectures": len(wanted),
                "functions": sum(len(question.members) for question in asked),
                "images": run.spec.estimation.images or len(run.images.select(run.spec.estimation.split)) * run.images.copies})
    shutil.rmtree(partial_folder(run), ignore_errors=True)
    return read_estimates(run.estimates_file, about, len(run.bench.space))


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


def lists_of(run: Run) -> list[Population]:
    """What an estimator sees and ranks at a time: each population by itself, so that none changes the values of another; and the
    whole space where all of it was estimated, for searches."""
    whole = [] if run.spec.estimation.architectures else [Population(ESTIMATED, wanted_by(run))]
    return [*run.populations, *whole]


def judged(run: Run, generation: Generation, estimates: Estimates, machine: Machine,
           reporter: Reporter) -> list[NDArray[np.float64]]:
    """float64 [m] of each population of the run, higher = better: what the run's estimator makes of the estimates.

    What the file of estimates does not hold is written down.
    """
    spec, bench, lists = run.spec, run.bench, lists_of(run)
    if spec.estimator in SIGN and (column := getattr(estimates, spec.estimator)) is not None:
        return [SIGN[spec.estimator] * column[population.members] for population in run.populations]
    if estimates.angle is None and spec.share in INHERITABLE:  # the file is older than angles
        estimates = replace(estimates, angle=angles_of(generation.tasks, generation.partition.label))
    laboratory = Laboratory(spec.benchmark, spec.dataset, spec.seed, machine.device, machine.jobs, reporter)
    context = Context(bench.space, bench.skeleton_for(spec.dataset), spec.seed, run.truth, laboratory)
    chosen, tables = terms(spec.estimator), []
    with deadline(spec.estimator, machine.time_limit):
        for each in lists:
            found = term_values(chosen, estimates, replace(context, members=each.members))
            tables.append({name: values[each.members] for name, values in found.items()})
    write_ranked(ranked_file(run.folder, run.keys.metrics), run.keys.metrics, lists, tables, bench.space.strings)
    return [judgement(spec.estimator, columns) for columns in tables[:len(run.populations)]]


def metrics_stage(run: Run, generation: Generation, estimates: Estimates, machine: Machine, reporter: Reporter) -> dict[str, Any]:
    """The comparison with the truth, written and given back."""
    partition, values = generation.partition, judged(run, generation, estimates, machine, reporter)
    controls = control_labels(partition, run.context, run.truth)
    compared = compare(values, run.truth, run.bench.space, partition, run.populations, controls)
    content = {"schema": "metrics/1", "key": run.keys.metrics, "run": run.folder.name, "spec": run.spec.as_dict(),
               "truth": run.truth.label,
               "truth_key": str(run.truth.key), "images": run.spec.estimation.split,
               "estimator": run.spec.estimator, "estimates": run.keys.estimates, "seed": run.spec.seed,
               "parts": list(partition.sizes), "part_names": list(partition.names), "budget": budget_of(generation),
               "data_sha256": run.sources, "needs": run.needs, **compared.to_json()}
    write_json(run.metrics_file, content)
    run.record(run.metrics_file.stem, {})
    return content


def budget_of(generation: Generation) -> dict[str, Any]:
    """What the training cost, as counted, not as timed: subnet passes, images, FLOPs (one multiply-add is one), parameters.

    All generations are in it; `inherited` is the share of those before the last, where there are any. parameters: of complete
    supernets; parameters_used: without the operations that no architecture of a supernet has, and
    without the copies of cells that none comes by.
    """
    tasks, spent = generation.tasks, _spent(generation)
    before, ancestor = dict.fromkeys(spent, 0), generation.parent
    while ancestor is not None:
        before = {name: before[name] + value for name, value in _spent(ancestor).items()}
        ancestor = ancestor.parent
    return {"supernets": len(tasks), "parameters": tasks[0].spec.parameters(generation.partition.k),
            "parameters_used": parameters_used(tasks, generation.partition.k),
            **{name: spent[name] + before[name] for name in spent}, **({"inherited": before} if generation.parent else {})}


def parameters_used(tasks: Sequence[Task], k: int) -> int:
    """Parameters of all supernets of k parts, without those of operations and copies that none of their architectures has."""
    spec = tasks[0].spec
    space = benchmark(spec.benchmark).space
    unused = sum(unused_params(space, spec.skeleton, space.codes[task.members]) for task in tasks)
    if spec.share == "layers":
        unused += unmet_params(space, spec.skeleton, tasks[0].thresholds)
    return spec.parameters(k) - unused


def _spent(generation: Generation) -> dict[str, Any]:
    """What training the supernets of one generation cost."""
    passes, flops = 0, 0.0
    for task in generation.tasks:
        curve, _ = read_tensors(task.curve, {"key": task.key})
        passes += int(curve["curve.passes"].sum())
        flops += float(curve["curve.flops"])
    return {"passes": passes, "images": passes * generation.tasks[0].spec.recipe.batch, "flops": flops}
