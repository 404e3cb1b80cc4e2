"""How fast this machine trains and asks the networks of runs, measured once for everything that costs alike.

Each kind is measured in a process of its own and kept in $HARNESS_RESULTS/calibration.json.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from joblib import cpu_count

from benchmarks.errors import DataError, HarnessError
from criteria.base import Partition
from harness.device import devices
from harness.estimation.estimate import Question, questions
from harness.experiments.crew import crew
from harness.parallel import Send
from harness.progress import Reporter
from harness.provenance import peak_memory
from harness.runs.content import amount
from harness.runs.forecast import forecast
from harness.runs.run import Run
from harness.runs.spec import RunSpec
from harness.runs.stages import wanted_by
from harness.store import read_json, results_home, write_json
from harness.training.sampling import Pool, samplers
from harness.training.task import Task

SCHEMA = "calibration/1"
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


def paces(runs: Mapping[str, tuple[Run, Partition]], device: str, reporter: Reporter) -> dict[str, Pace | HarnessError]:
    """The pace of each run by its name: from the file, or measured now, one after another, and noted there; or why it failed.

    DataError where the file is damaged.
    """
    path = results_home() / "calibration.json"
    known = _read(path) if path.exists() else {}
    alike = {name: _kind(run.spec, device) for name, (run, _) in runs.items()}
    found: dict[str, Pace | HarnessError] = {kind: known[kind] for kind in alike.values() if kind in known}
    # Without the rule, which may be somebody's own and go to no other process.
    asked = {alike[name]: (run.spec, replace(partition, rule=None, scores=None), device)
             for name, (run, partition) in runs.items() if alike[name] not in found}
    for position, outcome in crew(_measure, list(asked.values()), 1, lambda *said: None):
        found[list(asked)[position]] = outcome
        if isinstance(outcome, Pace):
            known[list(asked)[position]] = outcome
            write_json(path, {"schema": SCHEMA, "paces": {kind: asdict(pace) for kind, pace in known.items()}})
        reporter.step("calibrate", position + 1, len(asked))
    return {name: found[kind] for name, kind in alike.items()}


def _read(path: Path) -> dict[str, Pace]:
    """The paces of a file by their kinds."""
    content = read_json(path, SCHEMA)
    try:
        return {kind: Pace(**{name: amount(value) for name, value in pace.items()}) for kind, pace in content["paces"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is not what a plan of this version writes ({said}); delete it and run the same command again, "
                        "which measures anew.") from error


def tasks_of(run: Run, partition: Partition, device: str) -> list[Task]:
    """The trainings of a run from their beginning. Raises what a sampler says of parts that it cannot do with."""
    pool, nowhere = Pool.of(partition, run.bench.space), Path("not there")
    samplers.get(run.spec.sampler).check(pool, run.spec.supernets(partition.k))
    return [Task(run.spec, i, pool, nowhere, run.keys.weights, device) for i in range(run.spec.supernets(partition.k))]


def questions_of(run: Run, partition: Partition, tasks: Sequence[Task]) -> list[Question]:
    """What the supernets are asked."""
    return questions(tasks, partition.label, wanted_by(run), run.folder, run.keys.estimates)


def _kind(spec: RunSpec, device: str) -> str:
    """What costs alike: a hash of the spec but for what costs nothing, and of the machine."""
    fields = {name: value for name, value in spec.as_dict().items() if name not in FREE}
    fields["recipe"] = {name: value for name, value in fields["recipe"].items() if name not in FREE_OF_RECIPE}
    facts = [fields, devices(device), platform.node(), cpu_count(), torch.__version__]
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _measure(item: tuple[RunSpec, Partition, str], send: Send) -> Pace:
    """The pace of one supernet's training and of estimates by it."""
    spec, partition, device = item
    run = Run.prepare(replace(spec, parent=None, start="inherit"))
    tasks = tasks_of(run, partition, devices(device)[0])
    asked = questions_of(run, partition, tasks)
    start, began = time.perf_counter(), time.process_time()
    found = forecast(tasks, asked, 1, 1)
    share = (time.process_time() - began) / (time.perf_counter() - start) if tasks[0].device == "cpu" else 1.0
    members = sum(len(each.members) for each in asked)
    return Pace(share * found.train / spec.recipe.passes, share * found.estimate / members, peak_memory())
