"""What is kept of a training, epoch by epoch."""

import math

import torch
from torch import Tensor

from benchmarks.benchmark import benchmark
from benchmarks.cost import flops
from benchmarks.errors import RunError
from harness.sampling import Pass
from harness.task import Task


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
