"""What is kept of a training, epoch by epoch."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.benchmark import benchmark
from benchmarks.cost import flops
from benchmarks.errors import RunError
from harness.networks.mixture import Mixture
from harness.training.sampling import Pass
from harness.training.task import Task


class Curve:
    """What is kept of a training: per epoch the mean loss and accuracy of the passes, passes per part, and FLOPs in all.

    Of a mixture also how the codes spread at the end of each epoch (see `Mixture.spread`).
    """

    def __init__(self, task: Task) -> None:
        self._epoch_steps = len(task.images.train) / task.spec.recipe.batch
        epochs = math.ceil(task.steps / self._epoch_steps)
        self._sums = torch.zeros(epochs, 2, dtype=torch.float64, device=task.device)
        self._passes = torch.zeros(epochs, len(task.pool.parts), dtype=torch.int64)
        self._flops = torch.zeros(1, dtype=torch.float64)
        self._cost = flops(benchmark(task.spec.benchmark).space, task.spec.skeleton, live_only=True)
        self._batch, self._supernet, self._last = task.spec.recipe.batch, task.supernet, task.steps - 1
        self._codes = torch.zeros(epochs, 2, dtype=torch.float64) if task.spec.share == "mixture" else None

    def add(self, step: int, rows: Sequence[Pass], loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one pass, a batch, in the part of its first row; rows that share it had about the same number of its images."""
        epoch = int(step / self._epoch_steps)
        self._sums[epoch] += torch.stack([loss, (logits.argmax(1) == labels).float().mean()])
        self._passes[epoch, rows[0].part] += 1
        # A backward pass costs about two forward passes.
        self._flops += 3.0 * self._batch * float(self._cost[[row.architecture for row in rows]].mean())

    def note(self, step: int, network: nn.Module) -> None:
        """Keep how the codes of a mixture spread, after the last step of an epoch."""
        epoch = int(step / self._epoch_steps)
        if isinstance(network, Mixture) and self._codes is not None and (
                step == self._last or int((step + 1) / self._epoch_steps) > epoch):
            self._codes[epoch] = network.spread()

    def look(self, members: NDArray[np.int64], images: int) -> None:
        """Count the FLOPs of forward passes of these architectures [m] that nothing is trained by."""
        self._flops += float(images * self._cost[members].sum())

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
        """loss and accuracy (share) summed over passes, float64 [epoch, 2]; passes int64 [epoch, part]; FLOPs float64 [1].

        Of a mixture also codes float64 [epoch, 2], in nats: the mean entropy of a code, and the entropy of the mean code.
        """
        kept = {"curve.sums": self._sums, "curve.passes": self._passes, "curve.flops": self._flops}
        return kept if self._codes is None else {**kept, "curve.codes": self._codes}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])
