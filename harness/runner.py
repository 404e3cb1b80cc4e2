"""One run from its spec to its comparison with the truth. A stage whose file is there is not done again."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Benchmark, Population, benchmark
from benchmarks.cost import supernet_params
from benchmarks.errors import RunError, UsageError
from benchmarks.images import ImageData, load_images
from benchmarks.truth import GroundTruth, load_truth
from criteria.base import Context, Criterion, Partition, Scores
from criteria.guard import partition as split
from criteria.registry import criteria
from harness.checkpoint import read_tensors
from harness.comparison import compare, control_labels
from harness.device import devices
from harness.estimate import TOP, Estimates, Question, answer, gather, questions, sample
from harness.forecast import forecast
from harness.parallel import Send, spread
from harness.progress import Reporter
from harness.provenance import peak_memory, provenance
from harness.sampling import Pool, samplers
from harness.spec import Keys, RunSpec
from harness.store import read_frame, read_json, results_home, run_name, sole_writer, write_frame, write_json
from harness.train import Task, train
from harness.truths import about

# Room for weights, checkpoints and partial estimates, with a margin.
FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class Machine:
    """What must not change a result: the device, and how many processes work at once (0 = as many as suit)."""

    device: str = "auto"
    jobs: int = 0


@dataclass(frozen=True, eq=False)
class Run:
    """A spec with everything that it names looked up; its files lie in `folder`, where `execute` puts them."""

    spec: RunSpec
    criterion: Criterion
    truth: GroundTruth
    images: ImageData
    keys: Keys
    folder: Path

    @classmethod
    def prepare(cls, spec: RunSpec) -> "Run":
        """Look up all that the spec names, so that what is missing is missing before the first expensive second."""
        bench = benchmark(spec.benchmark)
        bench.check_dataset(spec.dataset)
        bench.space.population(spec.population)
        samplers.get(spec.sampler)
        criterion = criteria.get(spec.criterion)
        truth = about(load_truth(spec.truth, bench.table), spec.truth, bench, spec.dataset)
        images = load_images(spec.dataset)
        asked = spec.estimation
        if asked.images > (known := len(images.select(asked.split)) * images.copies):
            raise UsageError(f"estimation.images={asked.images} is more than the {known:,} {asked.split} images of "
                             f"{spec.dataset}; choose fewer, or 0 for all.")
        look = f"{images.sha256} {images.split} {images.augmentation} {images.copies} {images.mean} {images.std}"
        sources = {"images": sha256(look.encode()).hexdigest(), "criterion": criteria.source_sha256(criterion),
                   "truth": truth.sha256}
        keys = Keys.of(spec, sources, "truth" in criterion.needs)
        return cls(spec, criterion, truth, images, keys, results_home() / run_name(spec, keys))

    @property
    def bench(self) -> Benchmark:
        return benchmark(self.spec.benchmark)

    @property
    def context(self) -> Context:
        """What the criterion sees: the truth only when it says that it needs it."""
        truth = self.truth if "truth" in self.criterion.needs else None
        return Context(self.bench.space, self.bench.skeleton_for(self.spec.dataset), self.spec.seed, truth)

    @property
    def partition_file(self) -> Path:
        return self.folder / "partition.parquet"

    @property
    def about_partition(self) -> dict[str, str]:
        """What the partition's file says of itself."""
        return {"schema": "partition/1", "key": self.keys.partition}

    @property
    def estimates_file(self) -> Path:
        return self.folder / f"estimates-{self.keys.estimates}.parquet"

    @property
    def metrics_file(self) -> Path:
        return self.folder / f"metrics-{self.keys.metrics}.json"

    @property
    def finished(self) -> bool:
        """Every stage's file is there."""
        # Not Path.exists, which raises in a folder that may not be looked into.
        return os.path.exists(self.metrics_file) and os.path.exists(self.folder / "spec.json")


def execute(run: Run, machine: Machine, reporter: Reporter) -> dict[str, Any]:
    """Do what is not yet done of a run and give its metrics; RunError when another process holds the run or space is short."""
    if run.finished:
        return read_json(run.metrics_file, "metrics/1")
    # What can be wrong with the question or the place is found before the folder is made.
    partition = partition_of(run)
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
                     f"{forecast(tasks, asked, machine.jobs or len(tasks), machine.jobs or os.cpu_count() or 1)}")
        weights_stage(run, tasks, machine, reporter)
        estimates = estimates_stage(run, tasks, partition, machine, reporter)
        return metrics_stage(run, partition, estimates)


def check_space(folder: Path) -> None:
    """RunError when the disk on which a folder is, or is to be made, is almost full."""
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))
    if (free := shutil.disk_usage(there).free) < FREE_BYTES:
        raise RunError(f"Only {free >> 20} MiB are free at {there} and a run needs {FREE_BYTES >> 20}; free some space or choose "
                       "another folder with HARNESS_RESULTS.")


# ---- partition


def partition_of(run: Run) -> Partition:
    """The partition, from its file or from the criterion."""
    if not os.path.exists(run.partition_file):
        return split(run.criterion, run.context, run.spec.k)
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
    seconds = spread(_train, missing, machine.jobs or len(missing), _show(reporter, len(tasks)))
    record(run, "weights", {"process_seconds": sum(seconds), "peak_memory_mib": peak_memory(), "device": tasks[0].device})


def _train(task: Task, send: Send) -> float:
    return train(task, send)


def _show(reporter: Reporter, supernets: int) -> Send:
    def show(supernet: int, step: int, steps: int, loss: float) -> None:
        reporter.step(f"train supernet {supernet + 1} of {supernets}", step, steps, f"loss {loss:.3f}")

    return show


# ---- estimates


def populations_of(run: Run) -> list[Population]:
    """What a run is judged on: first a population of the space, or a sample; then the truth's best, where all of it is known."""
    space, true = run.bench.space, run.truth.mean()
    size = run.spec.estimation.architectures
    chosen, top = sample(space.population("connected"), true, size or len(space))
    first = run.bench.population(run.spec.population, run.truth)
    if size:
        first = Population(f"sample of {len(chosen)} connected", chosen)
    # The best of a small sample are no elite.
    known = int(np.isfinite(true).sum())
    return [first, Population(f"top {TOP}", top)] if known == len(space) else [first]


def wanted_by(run: Run) -> NDArray[np.int64]:
    """int64 [m], ascending: the architectures to estimate."""
    if not run.spec.estimation.architectures:
        return np.arange(len(run.bench.space))
    return np.unique(np.concatenate([population.members for population in populations_of(run)]))


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
        record(run, f"estimates-{run.keys.estimates}",
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

    workers = machine.jobs or os.cpu_count() or 1
    shares = [(question, chunks) for question in asked for worker in range(workers)
              if (chunks := list(range(len(question.chunks)))[worker::workers])]
    spread(_answer, shares, workers, show)


def _answer(share: tuple[Question, list[int]], send: Send) -> None:
    answer(*share, send)


# ---- metrics


def metrics_stage(run: Run, partition: Partition, estimates: Estimates) -> dict[str, Any]:
    """The comparison with the truth, written and given back."""
    controls = control_labels(partition, run.context, run.truth)
    compared = compare(estimates.by(run.spec.estimator), run.truth, run.bench.space, partition, populations_of(run), controls)
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


def record(run: Run, stage: str, facts: dict[str, Any]) -> None:
    """Note in provenance.json what a stage took and where it ran."""
    path = run.folder / "provenance.json"
    content = read_json(path, "provenance/1") if path.exists() else {"schema": "provenance/1"}
    write_json(path, {**content, stage: {**facts, **provenance()}})
