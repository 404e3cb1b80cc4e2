"""Estimating architectures with the weights they inherit from their trained supernet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.errors import RunError
from benchmarks.images import ImageData
from benchmarks.seeds import derive
from harness.device import settle
from harness.estimation.recalibration import recalibrated
from harness.runs.spec import Estimation
from harness.store import read_frame
from harness.training.augment import evaluation_images, normalise
from harness.training.checkpoint import read_tensors, write_tensors
from harness.training.task import SharedWeights, Task

# Architectures per partial file: small enough to lose little when killed, large enough to fill a GPU.
CHUNK = 64
# The top of the truth that a sample of architectures is joined by, a population of its own (EFS-NAS fig. 4).
TOP = 150


@dataclass(frozen=True, eq=False)
class Estimates:
    """float64 [n_arch] each, NaN = not estimated: accuracy in per cent, loss the mean cross-entropy in nats.

    angle: by which the weights turned in training, in radians; None where no file has it.
    """

    accuracy: NDArray[np.float64]
    loss: NDArray[np.float64]
    angle: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """One supernet's share of an estimation: its architectures, and where the partial files go.

    members: int64 [m], one official index of each function to estimate.
    """

    task: Task
    members: NDArray[np.int64]
    folder: Path
    key: str

    @property
    def chunks(self) -> list[NDArray[np.int64]]:
        """The members in pieces of CHUNK."""
        return [self.members[start : start + CHUNK] for start in range(0, len(self.members), CHUNK)]

    def partial(self, chunk: int) -> Path:
        """The file of one piece."""
        return self.folder / f"{self.task.supernet}-{chunk}.safetensors"

    @property
    def about(self) -> dict[str, str]:
        return {"schema": "estimates-partial/1", "key": self.key, "supernet": str(self.task.supernet)}


def best(truth: NDArray[np.float64], size: int = TOP) -> NDArray[np.int64]:
    """int64 [size], ascending: the architectures of the highest truth [n_arch]; ties at the border go to the lower index."""
    return np.sort(np.argsort(-truth, kind="stable")[:size])


def read_estimates(path: Path, about: Mapping[str, str], n_arch: int) -> Estimates:
    """The estimates of a file; DataError when it is damaged or about others."""
    columns, _ = read_frame(path, about)
    values = {name: np.full(n_arch, np.nan) for name in ("accuracy", "loss", "angle") if name in columns}
    for name in values:
        values[name][columns["index"]] = columns[name]
    return Estimates(**values)


def questions(tasks: Sequence[Task], label: NDArray[np.int16], wanted: NDArray[np.int64], folder: Path,
              key: str) -> list[Question]:
    """What each supernet is asked: one architecture of each function among those wanted that lie in its parts."""
    function = tasks[0].same
    asked = []
    for task in tasks:
        mine = wanted[[part >= 0 and task.supernet_of(int(part)) == task.supernet for part in label[wanted]]]
        first = np.unique(function[mine], return_index=True)[1]
        asked.append(Question(task, mine[np.sort(first)], folder, key))
    return asked


def answer(question: Question, chunks: Sequence[int], report: Callable[[int], None]) -> None:
    """Estimate some of the chunks of a question and write each to its file; those that are there are skipped."""
    settle(question.task.device)
    spec, task = question.task.spec, question.task
    network = trained(task)
    images, labels = question_images(task.images, spec.estimation)
    images, labels = images.to(task.device), labels.to(task.device)
    calibration = [some.to(task.device) for some in calibration_batches(task.images, spec.estimation)]
    codes = benchmark(spec.benchmark).space.codes
    for chunk in chunks:
        members = question.chunks[chunk]
        if not question.partial(chunk).exists():
            with recalibrated(network, calibration, codes[members]):
                accuracy, loss = estimate(network, images, labels, codes[members], spec.estimation.batch)
            write_tensors(question.partial(chunk), {"accuracy": accuracy, "loss": loss, "members": torch.from_numpy(members)},
                          question.about)
        report(len(members))


def trained(task: Task) -> SharedWeights:
    """The supernet with its trained weights."""
    network = task.network()
    network.load_state_dict(read_tensors(task.weights, task.about)[0])
    return network.to(task.device)


def question_images(data: ImageData, estimation: Estimation) -> tuple[Tensor, Tensor]:
    """float [n, C, H, W] normalised, int64 [n]: the images that estimates are made on, in one fixed shuffled order."""
    return _shown(data, estimation.split, "images", slice(estimation.images or None))


def held_out_images(data: ImageData, count: int) -> tuple[Tensor, Tensor]:
    """The same of so many validation images, those that estimates on some of them come to last."""
    return _shown(data, "valid", "images", slice(-count, None))


def calibration_batches(data: ImageData, estimation: Estimation) -> Sequence[Tensor]:
    """float [B, C, H, W] each: training images that batch-norm is recalibrated on, shown as those of the estimates; or none."""
    if estimation.norm == "batch":
        return ()
    batches: Sequence[Tensor] = _shown(data, "train", "calibration", slice(estimation.calibration))[0].split(estimation.batch)
    return batches


def _shown(data: ImageData, split: str, name: str, part: slice) -> tuple[Tensor, Tensor]:
    """A part of the images of a split in the order of that name; not augmented unless evaluation images are."""
    images = data.select(split)
    order = np.random.default_rng(derive(0, "estimation", name)).permutation(len(images) * data.copies)
    order = order[part]
    if data.copies == 1:
        chosen = images.take(order)
        return normalise(torch.from_numpy(chosen.pixels), data.mean, data.std), torch.from_numpy(chosen.labels)
    pixels, labels = evaluation_images(data, split, derive(0, "evaluation", data.name, split))
    return pixels[torch.from_numpy(order)], labels[torch.from_numpy(order)]


@torch.no_grad()
def estimate(network: SharedWeights, images: Tensor, labels: Tensor, codes: NDArray[np.uint8],
             batch: int) -> tuple[Tensor, Tensor]:
    """(accuracy float64 [m] in per cent, loss float64 [m]) of codes [m, n_edge] on images [n, C, H, W] in batches of `batch`."""
    correct = torch.zeros(len(codes), dtype=torch.float64, device=images.device)
    loss = torch.zeros_like(correct)
    for some, answers in zip(images.split(batch), labels.split(batch), strict=True):
        logits = network(some, codes)
        correct += (logits.argmax(2) == answers).sum(1)
        each = F.cross_entropy(logits.flatten(0, 1), answers.repeat(len(codes)), reduction="none")
        loss += each.view(len(codes), -1).double().sum(1)
    return (100 * correct / len(labels)).cpu(), (loss / len(labels)).cpu()


def gather(asked: Sequence[Question], label: NDArray[np.int16], wanted: NDArray[np.int64]) -> Estimates:
    """All partial files as one: every wanted architecture gets the estimate of its function under its supernet."""
    task = asked[0].task
    function = task.same
    accuracy, loss = np.full((2, len(label)), np.nan)
    for question in asked:
        found = {}
        for chunk in range(len(question.chunks)):
            tensors, _ = read_tensors(question.partial(chunk), question.about)
            for member, *values in zip(*(tensors[name].tolist() for name in ("members", "accuracy", "loss")), strict=True):
                found[int(function[member])] = values
        for index in wanted:
            if label[index] >= 0 and task.supernet_of(int(label[index])) == question.task.supernet:
                accuracy[index], loss[index] = found[int(function[index])]
    if not np.isfinite(loss[wanted][label[wanted] >= 0]).all():
        raise RunError(f"The supernets of {asked[0].task.folder} give losses that are not finite, so training diverged; lower "
                       "recipe.lr.")
    return Estimates(accuracy, loss)
