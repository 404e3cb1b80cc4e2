"""What a sweep will cost before it starts: passes, FLOPs, parameters, memory, disk and time.

Time and memory are measured once for everything that costs alike, in a process of its own, and kept in
$HARNESS_RESULTS/calibration.json; the rest is counted.
"""

import heapq
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import cpu_count

from benchmarks.cost import flops
from benchmarks.errors import HarnessError
from benchmarks.images import ImageData
from criteria.base import Partition
from criteria.controls import Random
from criteria.guard import partition as split
from harness.device import devices
from harness.estimation.estimate import Question, questions
from harness.experiments.crew import crew
from harness.experiments.sweep import Cell, Sweep
from harness.parallel import Send
from harness.progress import Reporter
from harness.provenance import peak_memory
from harness.runs.forecast import forecast
from harness.runs.generation import read_partition
from harness.runs.run import Run
from harness.runs.spec import RunSpec
from harness.runs.stages import wanted_by
from harness.store import read_json, results_home, write_json
from harness.training.sampling import Pool, samplers
from harness.training.task import Task

SCHEMA = "calibration/1"
# FLOPs are those of the first so many steps of the sampler's plan, which is short of the whole by a per cent at most.
STEPS = 3000
# Bytes of a number in a file of weights, of an architecture in the compressed estimates and partition, and of all the rest.
WEIGHT, ESTIMATE, LABEL, REST = 4, 24, 3, 20_000
# Fields of a run that change what it finds and not what a pass costs.
FREE = ("seed", "truth", "population", "estimator", "parent", "start")
FREE_OF_RECIPE = ("passes", "lr", "lr_end", "momentum", "nesterov", "weight_decay")


@dataclass(frozen=True)
class Pace:
    """Measured here: seconds of a pass and of one architecture's estimate on one core or GPU, and MiB that a process took.

    On a core they are the seconds that the processor worked, so that what else runs meanwhile does not count.
    """

    pass_seconds: float
    member_seconds: float
    memory: float


@dataclass(frozen=True)
class Cost:
    """What one run costs, its ancestors left out.

    parameters: of all supernets. disk: bytes it leaves. members: architectures to estimate. guessed: the parts are not known
    before networks are measured, so random ones of equal sizes stand for them.
    """

    supernets: int
    parameters: int
    passes: int
    flops: float
    disk: int
    members: int
    guessed: bool


def lineage(run: Run) -> list[Run]:
    """A run's ancestors, the oldest first, and itself."""
    return [*(lineage(run.parent) if run.parent is not None else []), run]


def cost_of(run: Run, last: bool = True) -> Cost:
    """What a run costs; `last`: it is estimated, and not only the parent of one that is."""
    partition, guessed = _parts(run)
    spec, tasks = run.spec, _tasks(run, partition, "cpu")
    sampler, pool = samplers.get(spec.sampler), tasks[0].pool
    costs = flops(run.bench.space, spec.skeleton, live_only=True)
    drawn = [sampler.draw(pool, spec.stream, step) for step in range(min(STEPS, tasks[0].steps))]
    each = [costs[row.architecture] for rows in drawn for row in rows]
    # What a sampler only looks at is among its passes per step and not among those it trains.
    passes = tasks[0].steps * len(each) // len(drawn)
    spent = tasks[0].steps * sampler.passes_per_step(partition.k)
    asked = sum(len(question.members) for question in _questions(run, partition, tasks)) if last else 0
    parameters = spec.parameters(partition.k)
    disk = WEIGHT * parameters + LABEL * len(run.bench.space) + REST + (ESTIMATE * len(wanted_by(run)) if last else 0)
    # A backward pass costs about two forward passes.
    return Cost(len(tasks), parameters, passes, 3.0 * spec.recipe.batch * spent * float(np.mean(each)), disk, asked, guessed)


def paces(runs: Sequence[Run], device: str, reporter: Reporter) -> dict[str, Pace]:
    """The pace of each run by the name of its folder: from the file, or measured now, one after another, and noted there.

    Raises what a measurement raises.
    """
    path = results_home() / "calibration.json"
    known = read_json(path, SCHEMA)["paces"] if path.exists() else {}
    alike = {run.folder.name: _kind(run.spec, device) for run in runs}
    asked = {alike[run.folder.name]: run.spec for run in runs if alike[run.folder.name] not in known}
    items = [(spec, device) for spec in asked.values()]
    for position, outcome in crew(_measure, items, 1, lambda *said: None):
        if isinstance(outcome, HarnessError):
            raise outcome
        known[list(asked)[position]] = asdict(outcome)
        write_json(path, {"schema": SCHEMA, "paces": known})
        reporter.step("calibrate", position + 1, len(items))
    return {name: Pace(**known[kind]) for name, kind in alike.items()}


def makespan(seconds: Sequence[float], workers: int, cores: int) -> float:
    """Wall seconds of runs of so many seconds each, begun in order by `workers` at once, which share the cores."""
    free = [0.0] * workers
    for each in seconds:
        heapq.heappush(free, heapq.heappop(free) + each)
    return max(max(free), sum(seconds) / min(workers, cores))


@dataclass(frozen=True)
class Line:
    """One training of a sweep, in the folder of `run`, for the first cell that needs it, which for an ancestor is a child's.

    memory: MiB of one process. left: seconds of what is not yet done on one core; alone: with all cores.
    """

    run: str
    cell: Cell
    cost: Cost
    memory: float
    left: float
    alone: float


@dataclass(frozen=True)
class Plan:
    """lines: every training once, ancestors before their children. seconds: of the whole sweep by 1, 2 ... workers."""

    lines: tuple[Line, ...]
    seconds: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        return {"runs": [{"run": line.run, "varied": dict(line.cell.varied), "memory_mib": line.memory, "seconds": line.left,
                          **asdict(line.cost)} for line in self.lines],
                "seconds": {str(i + 1): value for i, value in enumerate(self.seconds)}}


def planned(sweep: Sweep, device: str, most: int, reporter: Reporter) -> Plan:
    """The plan of a sweep for 1 to `most` workers; takes a second or two for each kind of network that is not calibrated."""
    needed: dict[str, tuple[Cell, Run]] = {}
    images: dict[str, ImageData] = {}
    for cell in sweep.cells:
        run = Run.prepare(cell.spec, images.get(cell.spec.dataset))
        images[cell.spec.dataset] = run.images
        for each in lineage(run):
            needed.setdefault(each.folder.name, (cell, each))
    asked = {cell.run for cell in sweep.cells}
    pace = paces([run for _, run in needed.values()], device, reporter)
    found = devices(device)
    slots = cpu_count() if found == ("cpu",) else len(found)
    lines = []
    for name, (cell, run) in needed.items():
        last = name in asked
        cost = cost_of(run, last)
        train, estimate = cost.passes * pace[name].pass_seconds, cost.members * pace[name].member_seconds
        if all((run.folder / f"supernet-{i}.safetensors").exists() for i in range(cost.supernets)):
            train = 0.0
        if last and (run.estimates_file.exists() or cell.finished):
            train = estimate = 0.0
        lines.append(Line(name, cell, cost, pace[name].memory, train + estimate,
                          train / min(slots, cost.supernets) + estimate / slots))
    chains: dict[str, float] = {}
    for line in lines:
        chains[line.cell.name] = chains.get(line.cell.name, 0.0) + line.left
    several = (makespan(list(chains.values()), workers, slots) for workers in range(2, most + 1))
    return Plan(tuple(lines), (sum(line.alone for line in lines), *several))


# ---- the parts of a run that is not there


def _parts(run: Run) -> tuple[Partition, bool]:
    if run.partition_file.exists():
        return read_partition(run.partition_file, run.about_partition), False
    guessed = "network" in run.criterion.needs
    return split(Random() if guessed else run.criterion, run.context, run.spec.k), guessed


def _tasks(run: Run, partition: Partition, device: str) -> list[Task]:
    """The trainings of a run from their beginning."""
    pool, nowhere = Pool.of(partition, run.bench.space), Path("not there")
    return [Task(run.spec, i, pool, nowhere, run.keys.weights, device) for i in range(run.spec.supernets(partition.k))]


def _questions(run: Run, partition: Partition, tasks: Sequence[Task]) -> list[Question]:
    return questions(tasks, partition.label, wanted_by(run), run.folder, run.keys.estimates)


def _kind(spec: RunSpec, device: str) -> str:
    """What costs alike: a hash of the spec but for what costs nothing, and of the machine."""
    fields = {name: value for name, value in spec.as_dict().items() if name not in FREE}
    fields["recipe"] = {name: value for name, value in fields["recipe"].items() if name not in FREE_OF_RECIPE}
    facts = [fields, devices(device), platform.node(), cpu_count(), torch.__version__]
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _measure(item: tuple[RunSpec, str], send: Send) -> Pace:
    """The pace of one supernet's training and of estimates by it."""
    spec, device = item
    run = Run.prepare(replace(spec, parent=None, start="inherit"))
    partition, _ = _parts(run)
    tasks = _tasks(run, partition, devices(device)[0])
    asked = _questions(run, partition, tasks)
    start, began = time.perf_counter(), time.process_time()
    found = forecast(tasks, asked, 1, 1)
    share = (time.process_time() - began) / (time.perf_counter() - start) if tasks[0].device == "cpu" else 1.0
    members = sum(len(each.members) for each in asked)
    return Pace(share * found.train / spec.recipe.passes, share * found.estimate / members, peak_memory())
