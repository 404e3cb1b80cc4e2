"""The supernets of a run as others begin from them or ask them: what each holds and where its trained weights are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from criteria.base import Partition, Scores
from harness.runs.spec import INHERITABLE, RunSpec
from harness.store import SPEC_SCHEMA, find_run, read_frame, read_json
from harness.training.sampling import Pool
from harness.training.task import Task


@dataclass(frozen=True, eq=False)
class Generation:
    """The partition of a run, the training of each of its supernets, and the generation that they begin from."""

    partition: Partition
    tasks: tuple[Task, ...]
    parent: "Generation | None" = None

    def holder(self, members: NDArray[np.int64]) -> Task:
        """The training of the one supernet that holds all these architectures [m]; UsageError when there is none."""
        parts = np.unique(self.partition.label[members]).tolist()
        held = sorted({self.tasks[0].supernet_of(part) for part in parts if part >= 0})
        if -1 in parts or len(held) != 1:
            raise UsageError(f"Of the {len(self.tasks)} supernets of {self.tasks[0].folder.name} none holds all of the "
                             f"{len(members):,} architectures of one part; choose a run with one supernet (k=1 or share=all), or "
                             "a criterion that divides its parts, such as gradient_matching.")
        return self.tasks[held[0]]

    @property
    def trained(self) -> bool:
        """All its supernets are trained, and nothing is left to tidy up."""
        return all(task.done and not task.checkpoint.exists() for task in self.tasks)


def read_generation(run: str, device: str) -> Generation:
    """The supernets of a run that is already trained, by its folder or name; UsageError when it has none that can be asked."""
    folder = find_run(run)
    content = read_json(folder / "spec.json", SPEC_SCHEMA)
    spec = RunSpec.from_dict(content["spec"])
    if not (folder / "partition.parquet").exists() or spec.share not in INHERITABLE:
        raise UsageError(f"The run {folder.name} has no trained supernet; name one that was run here to its end, with share="
                         f"{' or '.join(sorted(INHERITABLE))}.")
    partition = read_partition(folder / "partition.parquet", {})
    pool = Pool.of(partition, benchmark(spec.benchmark).space)
    tasks = tuple(Task(spec, i, pool, folder, content["key"], device) for i in range(spec.supernets(partition.k)))
    return Generation(partition, tasks)


def read_partition(path: Path, about: Mapping[str, str]) -> Partition:
    """A partition as its file has it, without the rule that made it; DataError when the file is damaged or about another one."""
    columns, words = read_frame(path, about)
    scores = Scores(columns["score"], words["meaning"], words["unit"]) if "score" in columns else None
    return Partition(columns["part"], tuple(json.loads(words["names"])), None, scores)
