"""Training one supernet of a run: its own rows of the sampler's plan, resumable at any step."""

import math
import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from benchmarks.benchmark import benchmark
from harness.device import settle
from harness.networks.layers import memory_format
from harness.networks.mixture import groups, turn_of
from harness.runs.spec import RunSpec
from harness.training.batches import Batches
from harness.training.checkpoint import read_tensors, write_tensors
from harness.training.curve import Curve
from harness.training.draws import Draws
from harness.training.task import SharedWeights, Task

# A killed run loses at most this much work of each supernet.
CHECKPOINT_SECONDS = 20.0
CHECKPOINT_SHARE = 0.05
REPORT_SECONDS = 1.0

# What a worker says while it trains: supernet, steps done, steps in all, mean loss of the epoch so far.
Report = Callable[[int, int, int, float], None]
# One for each group of the network's weights; a step trains one group.
Optimizers = Sequence[torch.optim.SGD]


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


def train(task: Task, report: Report) -> float:
    """Train one supernet to the end, from its checkpoint where there is one, and write its weights; gives the seconds it took.

    Idempotent: with its files there, nothing happens and the seconds are 0.
    """
    if task.done:
        return 0.0
    settle(task.device)
    spec, recipe = task.spec, task.spec.recipe
    codes, batches = benchmark(spec.benchmark).space.codes, Batches(task.images, recipe.batch, spec.stream, task.device)
    network = task.begun().to(task.device)
    optimizers = [torch.optim.SGD(group.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay,
                                  nesterov=recipe.nesterov and recipe.momentum > 0) for group in groups(network)]
    curve = Curve(task)
    draws = Draws(task, network, curve)
    start, before = _resume(task, network, optimizers, curve, draws)
    clock = Clock(before, every=max(1, round(CHECKPOINT_SHARE * task.steps)))
    for step in range(start, task.steps):
        turn = turn_of(network, step, task.steps)
        optimizer, mine = optimizers[turn.group], draws(step, turn.paths)
        # A weight whose gradient is None is passed over; one whose gradient is zero goes on with momentum and weight decay.
        optimizer.zero_grad(set_to_none=recipe.unsampled == "frozen")
        if mine:
            images, labels = batches(step)
        for rows in mine:
            parts = zip(rows, images.tensor_split(len(rows)), strict=True)
            logits = torch.cat([network(some, codes[row.architecture][None])[0] for row, some in parts])
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            curve.add(step, rows, loss.detach(), logits.detach(), labels)
        optimizer.param_groups[0]["lr"] = learning_rate(spec, step, task.steps)
        optimizer.step()
        curve.note(step, network)
        if clock.to_report():
            report(task.supernet, step + 1, task.steps, curve.loss(step))
        if clock.to_save(step + 1):
            curve.check(step)
            _save(task, network, optimizers, curve, draws, step + 1, clock.seconds)
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


def _save(task: Task, network: SharedWeights, optimizers: Optimizers, curve: Curve, draws: Draws, step: int,
          seconds: float) -> None:
    momenta = {f"momentum.{name}": optimizer.state[weight]["momentum_buffer"] for optimizer in optimizers
               for name, weight in network.named_parameters() if weight in optimizer.state}
    moved = " ".join(name for name, weight in network.named_parameters() if weight.grad is not None)
    write_tensors(task.checkpoint, {**network.state_dict(), **momenta, **curve.tensors(), **draws.tensors()},
                  {**task.about, "step": str(step), "seconds": f"{seconds:.3f}", "moved": moved})


def _resume(task: Task, network: SharedWeights, optimizers: Optimizers, curve: Curve, draws: Draws) -> tuple[int, float]:
    """(the step to go on with, seconds spent before), after loading the checkpoint where there is one."""
    if not task.checkpoint.exists():
        return 0, 0.0
    tensors, about = read_tensors(task.checkpoint, task.about)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    names = {weight: name for name, weight in network.named_parameters()}
    for optimizer in optimizers:
        for weight in optimizer.param_groups[0]["params"]:
            if (name := f"momentum.{names[weight]}") in tensors:
                buffer = tensors[name].to(weight.device)
                # In the weight's layout, or a resumed step would sum in another order.
                optimizer.state[weight]["momentum_buffer"] = buffer.contiguous(memory_format=memory_format(weight))
    for name in about["moved"].split():  # they have had a gradient, which matters where unsampled weights move
        weight = network.get_parameter(name)
        weight.grad = torch.zeros_like(weight)
    curve.restore(tensors)
    draws.restore(tensors)
    return int(about["step"]), float(about["seconds"])
