"""How long a run will take here, from a second of real passes, said before it starts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from joblib import cpu_count

from benchmarks.benchmark import benchmark
from harness.device import settle
from harness.estimation.estimate import CHUNK, Question, question_images
from harness.training.batches import Batches
from harness.training.sampling import samplers
from harness.training.task import Task

TRIAL_SECONDS = 0.6
WARM_UP = 2
FEW = 8


@dataclass(frozen=True)
class Forecast:
    """Wall seconds of training and of estimating, if nothing else runs on the machine."""

    train: float
    estimate: float

    def __str__(self) -> str:
        return f"predicted: {_time(self.train)} to train, {_time(self.estimate)} to estimate"


def forecast(tasks: Sequence[Task], asked: Sequence[Question], trainers: int, workers: int) -> Forecast:
    """The forecast for the stages that are still to do (`asked` is empty where there is nothing to estimate).

    Supernets train in processes of their own; those that share a core or a GPU share its time.
    """
    missing = [task for task in tasks if not task.done]
    slots = cpu_count() if tasks[0].device == "cpu" else len({task.device for task in tasks})
    threads = torch.get_num_threads()
    try:
        train = _pass_seconds(missing[0]) * _passes(missing) / min(trainers, slots, len(missing)) if missing else 0.0
        questions = [question for question in asked if len(question.members)]
        estimate = sum(len(q.members) for q in questions) * _member_seconds(questions[0]) if questions else 0.0
    finally:
        torch.set_num_threads(threads)
    return Forecast(train, estimate / min(workers, slots))


def _passes(missing: Sequence[Task]) -> float:
    """The passes still to make by these supernets; a checkpoint's share of them is not looked up."""
    task = missing[0]
    return task.spec.recipe.passes * len(missing) / task.spec.supernets(len(task.pool.parts))


def _pass_seconds(task: Task) -> float:
    """The mean seconds of a pass over architectures that the sampler draws."""
    settle(task.device)
    spec, network = task.spec, task.network().to(task.device)
    codes, sampler = benchmark(spec.benchmark).space.codes, samplers.get(spec.sampler)
    batches = Batches(task.images, spec.recipe.batch, spec.seed, task.device)
    optimizer = torch.optim.SGD(network.parameters(), 0.0, spec.recipe.momentum)
    start, passes, step = 0.0, 0, 0
    while step <= WARM_UP or time.perf_counter() - start < TRIAL_SECONDS:
        if step == WARM_UP:
            start, passes = time.perf_counter(), 0
        images, labels = batches(step)
        for row in sampler.draw(task.pool, spec.seed, step):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(network(images, codes[row.architecture][None])[0], labels).backward()
            optimizer.step()
            passes += 1
        step += 1
    return (time.perf_counter() - start) / passes


@torch.no_grad()
def _member_seconds(question: Question) -> float:
    """The mean seconds of one architecture on all images of the question, those that it is recalibrated on first included."""
    task, asked = question.task, question.task.spec.estimation
    settle(task.device)
    network, codes = task.network().to(task.device), benchmark(task.spec.benchmark).space.codes
    images, _ = question_images(task.images, asked)
    some = images[: asked.batch].to(task.device)
    network(some, codes[question.members[:1]])
    # A GPU computes many architectures at once, a CPU one after another.
    several = CHUNK if some.is_cuda else FEW
    start, done = time.perf_counter(), 0
    while not done or time.perf_counter() - start < TRIAL_SECONDS / 2:
        logits = network(some, codes[question.members[:several]])
        logits.sum().item()  # waits for a GPU
        done += len(logits)
    shown = len(images) + (asked.calibration if asked.norm == "recalibrated" else 0)
    return (time.perf_counter() - start) / done * shown / len(some)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
