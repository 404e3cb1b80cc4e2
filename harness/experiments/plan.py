"""What a sweep will cost before it starts: passes, FLOPs, parameters, memory, disk and time.

Time and memory are those of harness/experiments/calibration.py; the rest is counted.
"""

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from joblib import cpu_count

from benchmarks.cost import flops
from benchmarks.errors import HarnessError, RunError
from benchmarks.images import ImageData
from criteria.base import Partition
from criteria.controls import Random
from criteria.guard import partition as split
from harness.device import devices
from harness.experiments.calibration import Pace, paces, questions_of, tasks_of
from harness.experiments.crew import attempted
from harness.experiments.sweep import Cell, Failure, Sweep
from harness.progress import Reporter
from harness.runs.generation import read_partition
from harness.runs.run import Run
from harness.runs.stages import wanted_by
from harness.scoring.deadline import deadline
from harness.scoring.world import Machine
from harness.training.sampling import samplers

# FLOPs are those of the first so many steps of the sampler's plan, which is short of the whole by a per cent at most.
STEPS = 3000
# Bytes of a number in a file of weights, of an architecture in the compressed estimates and partition, and of all the rest.
WEIGHT, ESTIMATE, LABEL, REST = 4, 24, 3, 20_000


@dataclass(frozen=True)
class Cost:
    """What one run costs, its ancestors left out.

    parameters: of all supernets. passes: what a sampler only looks at among them, a look being a third of one. disk: bytes it
    leaves. members: architectures to estimate. guessed: the parts are not known before networks are measured, so random ones of
    equal sizes stand for them.
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


def parts_of(run: Run, time_limit: float) -> Partition:
    """The parts of a run, or what stands for them (see `Cost.guessed`). Raises what a criterion raises."""
    if run.partition_file.exists():
        return read_partition(run.partition_file, run.about_partition)
    with deadline(run.spec.criterion, time_limit):
        return split(Random() if _guessed(run) else run.criterion, run.context, run.spec.k)


def _guessed(run: Run) -> bool:
    return "network" in run.criterion.needs and not run.partition_file.exists()


def cost_of(run: Run, partition: Partition, last: bool = True) -> Cost:
    """What a run with these parts costs; `last`: it is estimated, and not only the parent of one that is. Raises what a sampler
    raises."""
    spec, tasks = run.spec, tasks_of(run, partition, "cpu")
    sampler, pool = samplers.get(spec.sampler), tasks[0].pool
    costs = flops(run.bench.space, spec.skeleton, live_only=True)
    drawn = [sampler.draw(pool, spec.stream, step) for step in range(min(STEPS, tasks[0].steps))]
    each = [costs[row.architecture] for rows in drawn for row in rows]
    spent = tasks[0].steps * sampler.passes_per_step(partition.k)
    asked = sum(len(question.members) for question in questions_of(run, partition, tasks)) if last else 0
    parameters = spec.parameters(partition.k)
    disk = WEIGHT * parameters + LABEL * len(run.bench.space) + REST + (ESTIMATE * len(wanted_by(run)) if last else 0)
    # A backward pass costs about two forward passes.
    return Cost(len(tasks), parameters, round(spent), 3.0 * spec.recipe.batch * spent * float(np.mean(each)), disk, asked,
                _guessed(run))


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
    """lines: every training once, ancestors before their children. seconds: of the whole sweep by 1, 2 ... workers. failed: cells
    of which nothing is in these."""

    lines: tuple[Line, ...]
    seconds: tuple[float, ...]
    failed: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        return {"runs": [{"run": line.run, "varied": dict(line.cell.varied), "memory_mib": line.memory, "seconds": line.left,
                          **asdict(line.cost)} for line in self.lines],
                "seconds": {str(i + 1): value for i, value in enumerate(self.seconds)},
                "failed": [{"varied": dict(each.varied), "reason": each.reason} for each in self.failed]}


def planned(sweep: Sweep, machine: Machine, most: int, reporter: Reporter) -> Plan:
    """The plan of a sweep for 1 to `most` workers; takes a second or two for each kind of network that is not calibrated.

    RunError when nothing of it can be planned.
    """
    asked = {cell.run for cell in sweep.cells}
    costs: dict[str, Cost] = {}
    known: dict[str, Partition | HarnessError] = {}
    images: dict[str, ImageData] = {}
    runs: dict[str, tuple[Run, Partition]] = {}

    def counted(cell: Cell) -> list[str]:
        """The names of the runs of a cell, each with its costs."""
        run = Run.prepare(cell.spec, images.get(cell.spec.dataset))
        images[cell.spec.dataset] = run.images
        chain = lineage(run)
        for each in chain:
            name, key = each.folder.name, each.keys.partition
            if key not in known:  # runs that divide alike ask once
                known[key] = attempted(parts_of, each, machine.time_limit)
            if isinstance(partition := known[key], HarnessError):
                raise partition
            if name not in costs:
                costs[name], runs[name] = cost_of(each, partition, name in asked), (each, partition)
        return [each.folder.name for each in chain]

    chains = [attempted(counted, cell) for cell in sweep.cells]
    measured = paces(runs, machine.device, reporter)
    pace = {name: each for name, each in measured.items() if isinstance(each, Pace)}
    found = devices(machine.device)
    slots = cpu_count() if found == ("cpu",) else len(found)
    lines: dict[str, Line] = {}
    failed: list[Failure] = []
    for cell, chain in zip(sweep.cells, chains, strict=True):
        names = [] if isinstance(chain, HarnessError) else chain
        if errors := [each for each in (chain, *map(measured.get, names)) if isinstance(each, HarnessError)]:
            failed.append(Failure(cell.varied, str(errors[0])))
            continue
        for name in names:
            lines.setdefault(name, _line(cell, runs[name][0], costs[name], pace[name], name in asked, slots))
    if not lines:
        raise RunError(f"Nothing of this sweep can be planned (first: {failed[0].reason}); correct it and try again.")
    needed: dict[str, float] = {}
    for line in lines.values():
        needed[line.cell.name] = needed.get(line.cell.name, 0.0) + line.left
    several = (makespan(list(needed.values()), workers, slots) for workers in range(2, most + 1))
    return Plan(tuple(lines.values()), (sum(line.alone for line in lines.values()), *several), tuple(failed))


def _line(cell: Cell, run: Run, cost: Cost, pace: Pace, last: bool, slots: int) -> Line:
    """What is not yet done of a run."""
    train, estimate = cost.passes * pace.pass_seconds, cost.members * pace.member_seconds
    if all((run.folder / f"supernet-{i}.safetensors").exists() for i in range(cost.supernets)):
        train = 0.0
    if last and (run.estimates_file.exists() or run.finished):
        train = estimate = 0.0
    return Line(run.folder.name, cell, cost, pace.memory, train + estimate,
                train / min(slots, cost.supernets) + estimate / slots)
