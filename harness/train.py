"""Training one supernet of a run: its own rows of the sampler's plan, resumable at any step."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.cost import flops
from benchmarks.errors import RunError
from benchmarks.images import ImageData, load_images
from benchmarks.seeds import derive
from harness.augment import augment, normalise
from harness.checkpoint import read_tensors, write_tensors
from harness.device import settle
from harness.sampling import Pass, Pool, samplers
from harness.spec import RunSpec
from harness.supernet import Supernet

# A killed run loses at most this much work of each supernet.
CHECKPOINT_SECONDS = 20.0
CHECKPOINT_SHARE = 0.05
REPORT_SECONDS = 1.0

# What a worker says while it trains: supernet, steps done, steps in all, mean loss of the epoch so far.
Report = Callable[[int, int, int, float], None]


@dataclass(frozen=True, eq=False)
class Task:
    """All that one supernet's training depends on, and where its files go."""

    spec: RunSpec
    supernet: int
    pool: Pool
    folder: Path
    key: str
    device: str

    @property
    def images(self) -> ImageData:
        """Loaded once by each process for itself, never sent along."""
        return _images(self.spec.dataset)

    @cached_property
    def steps(self) -> int:
        """Optimiser steps of the whole run, so that it makes `recipe.passes` passes over all its supernets."""
        return max(1, round(self.spec.recipe.passes / samplers.get(self.spec.sampler).passes_per_step(len(self.pool.parts))))

    @property
    def weights(self) -> Path:
        """The trained supernet's file."""
        return self.folder / f"supernet-{self.supernet}.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The unfinished supernet's file; gone once it is trained."""
        return self.folder / f"supernet-{self.supernet}.checkpoint"

    @property
    def curve(self) -> Path:
        """The finished training's curve."""
        return self.folder / f"training-{self.supernet}.safetensors"

    @property
    def done(self) -> bool:
        """The supernet is trained; one whose curve is gone is trained again."""
        return self.weights.exists() and self.curve.exists()

    @property
    def about(self) -> dict[str, str]:
        """What these files say of themselves."""
        return {"schema": "supernet/1", "key": self.key, "supernet": str(self.supernet)}

    def supernet_of(self, part: int) -> int:
        """Which supernet trains the architectures of a part."""
        return part if self.spec.share == "part" else 0

    def network(self) -> Supernet:
        """The supernet at initialisation."""
        seed = derive(self.spec.seed, "supernet", self.supernet)
        return Supernet(benchmark(self.spec.benchmark).space, self.spec.skeleton, seed)


@lru_cache(maxsize=1)
def _images(dataset: str) -> ImageData:
    return load_images(dataset)


class Clock:
    """When to save and when to say something; `before`: seconds that earlier processes spent."""

    def __init__(self, before: float, every: int) -> None:
        self._every = every
        self._start = time.monotonic() - before
        self._saved = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def to_report(self) -> bool:
        """About once a second."""
        if time.monotonic() - self._said < REPORT_SECONDS:
            return False
        self._said = time.monotonic()
        return True

    def to_save(self, done: int) -> bool:
        """Every CHECKPOINT_SECONDS, and at every CHECKPOINT_SHARE of the steps."""
        if time.monotonic() - self._saved < CHECKPOINT_SECONDS and done % self._every:
            return False
        self._saved = time.monotonic()
        return True


class Batches:
    """The training images in batches: an endless row of shuffled epochs cut into pieces of `size`, the same for all supernets."""

    def __init__(self, images: ImageData, size: int, seed: int, device: str) -> None:
        self._data, self._size, self._seed = images, size, seed
        self._pixels = torch.from_numpy(images.train.pixels).to(device)
        self._labels = torch.from_numpy(images.train.labels).to(device)
        self._orders: dict[int, NDArray[np.int64]] = {}

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """float [B, C, H, W] augmented and normalised, int64 [B], of a step."""
        n = len(self._labels)
        epochs, places = np.divmod(np.arange(step * self._size, (step + 1) * self._size), n)
        index = torch.from_numpy(np.array([self._order(int(e))[p] for e, p in zip(epochs, places, strict=True)]))
        pixels = augment(self._pixels[index], self._data.augmentation, derive(self._seed, "augment", step))
        return normalise(pixels, self._data.mean, self._data.std), self._labels[index]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {e: o for e, o in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = np.random.default_rng(derive(self._seed, "order", epoch)).permutation(len(self._labels))
        return self._orders[epoch]


def train(task: Task, report: Report) -> float:
    """Train one supernet to the end, from its checkpoint where there is one, and write its weights; gives the seconds it took.

    Idempotent: with its files there, nothing happens and the seconds are 0. Gradients of operations that a step did not
    sample stay None, so weight decay and momentum leave those operations alone.
    """
    if task.done:
        return 0.0
    settle(task.device)
    spec, recipe, sampler = task.spec, task.spec.recipe, samplers.get(task.spec.sampler)
    codes, batches = benchmark(spec.benchmark).space.codes, Batches(task.images, recipe.batch, spec.seed, task.device)
    network = task.network().to(task.device)
    optimizer = torch.optim.SGD(network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay,
                                nesterov=recipe.nesterov and recipe.momentum > 0)
    curve = Curve(task)
    start, before = _resume(task, network, optimizer, curve)
    clock = Clock(before, every=max(1, round(CHECKPOINT_SHARE * task.steps)))
    for step in range(start, task.steps):
        mine = [row for row in sampler.draw(task.pool, spec.seed, step) if task.supernet_of(row.part) == task.supernet]
        if mine:
            images, labels = batches(step)
            optimizer.zero_grad(set_to_none=True)
            for row in mine:
                logits = network(images, codes[row.architecture][None])[0]
                loss = F.cross_entropy(logits, labels)
                loss.backward()
                curve.add(step, row, loss.detach(), logits.detach(), labels)
            optimizer.param_groups[0]["lr"] = learning_rate(spec, step, task.steps)
            optimizer.step()
        if clock.to_report():
            report(task.supernet, step + 1, task.steps, curve.loss(step))
        if clock.to_save(step + 1):
            curve.check(step)
            _save(task, network, optimizer, curve, step + 1, clock.seconds)
    curve.check(task.steps - 1)
    write_tensors(task.curve, curve.tensors(), task.about)
    write_tensors(task.weights, network.state_dict(), task.about)
    task.checkpoint.unlink(missing_ok=True)
    report(task.supernet, task.steps, task.steps, curve.loss(task.steps - 1))
    return clock.seconds


def learning_rate(spec: RunSpec, step: int, steps: int) -> float:
    """The cosine from lr to lr_end over the global steps."""
    recipe = spec.recipe
    return recipe.lr_end + (recipe.lr - recipe.lr_end) * (1 + math.cos(math.pi * step / steps)) / 2


class Curve:
    """What is kept of a training: per epoch the mean loss and accuracy of the passes, passes per part, and FLOPs in all."""

    def __init__(self, task: Task) -> None:
        self._epoch_steps = len(task.images.train) / task.spec.recipe.batch
        epochs = math.ceil(task.steps / self._epoch_steps)
        self._sums = torch.zeros(epochs, 2, dtype=torch.float64, device=task.device)
        self._passes = torch.zeros(epochs, len(task.pool.parts), dtype=torch.int64)
        self._flops = torch.zeros(1, dtype=torch.float64)
        self._cost = flops(benchmark(task.spec.benchmark).space, task.spec.skeleton, live_only=True)
        self._batch, self._supernet = task.spec.recipe.batch, task.supernet

    def add(self, step: int, row: Pass, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one pass."""
        epoch = int(step / self._epoch_steps)
        self._sums[epoch] += torch.stack([loss, (logits.argmax(1) == labels).float().mean()])
        self._passes[epoch, row.part] += 1
        # A backward pass costs about two forward passes.
        self._flops += 3.0 * self._batch * float(self._cost[row.architecture])

    def loss(self, step: int) -> float:
        """The mean loss of the epoch of a step, so far."""
        epoch = int(step / self._epoch_steps)
        return float(self._sums[epoch, 0]) / max(1, int(self._passes[epoch].sum()))

    def check(self, step: int) -> None:
        """RunError when the loss is no longer finite: nothing of such a supernet is worth keeping."""
        if not math.isfinite(self.loss(step)):
            raise RunError(f"Training diverged: at step {step} of supernet {self._supernet + 1} the loss is {self.loss(step)}; "
                           "lower recipe.lr.")

    def tensors(self) -> dict[str, Tensor]:
        """loss and accuracy (share) summed over passes, float64 [epoch, 2]; passes int64 [epoch, part]; FLOPs float64 [1]."""
        return {"curve.sums": self._sums, "curve.passes": self._passes, "curve.flops": self._flops}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])


def _save(task: Task, network: Supernet, optimizer: torch.optim.SGD, curve: Curve, step: int, seconds: float) -> None:
    momenta = {f"momentum.{name}": optimizer.state[weight]["momentum_buffer"]
               for name, weight in network.named_parameters() if weight in optimizer.state}
    write_tensors(task.checkpoint, {**network.state_dict(), **momenta, **curve.tensors()},
                  {**task.about, "step": str(step), "seconds": f"{seconds:.3f}"})


def _resume(task: Task, network: Supernet, optimizer: torch.optim.SGD, curve: Curve) -> tuple[int, float]:
    """(the step to go on with, seconds spent before), after loading the checkpoint where there is one."""
    if not task.checkpoint.exists():
        return 0, 0.0
    tensors, about = read_tensors(task.checkpoint, task.about)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    for name, weight in network.named_parameters():
        if f"momentum.{name}" in tensors:
            buffer = tensors[f"momentum.{name}"].to(weight.device)
            optimizer.state[weight]["momentum_buffer"] = buffer.contiguous(memory_format=memory_format(weight))
    curve.restore(tensors)
    return int(about["step"]), float(about["seconds"])


def memory_format(weight: Tensor) -> torch.memory_format:
    """Convolution weights are channels-last; their momentum must be too, or a resumed step would sum in another order."""
    return torch.channels_last if weight.dim() == 4 else torch.contiguous_format
