"""The weights that a network begins with, drawn from a stream of its own."""

import torch
from torch import Tensor, nn

from benchmarks.errors import UsageError
from benchmarks.seeds import derive

SCHEMES = ("default", "kaiming_in", "kaiming_out", "normal")


class Initialiser:
    """Draws weights by a scheme.

    default: PyTorch's, uniform with bound 1/sqrt(fan-in). kaiming_in, kaiming_out: normal with variance 2/fan-in or
    2/fan-out (He et al. 2015), linear layers as by default. normal: N(0, 1) everywhere, biases 0 (Zen-NAS). The biases of
    linear layers are uniform with bound 1/sqrt(fan-in) unless said otherwise.
    """

    def __init__(self, seed: int, scheme: str = "default") -> None:
        if scheme not in SCHEMES:
            raise UsageError(f"Unknown initialisation '{scheme}'; choose one of {', '.join(SCHEMES)}.")
        self._generator = torch.Generator().manual_seed(derive(seed, "init"))
        self._scheme = scheme

    def conv(self, inputs: int, outputs: int, kernel: int) -> nn.Parameter:
        """float [outputs, inputs, kernel, kernel], channels-last."""
        area, shape = kernel * kernel, (outputs, inputs, kernel, kernel)
        variance = {"kaiming_in": 2 / (inputs * area), "kaiming_out": 2 / (outputs * area), "normal": 1.0}.get(self._scheme)
        weight = self._uniform(inputs * area, *shape) if variance is None else self._normal(variance, *shape)
        return nn.Parameter(weight.contiguous(memory_format=torch.channels_last))

    def linear(self, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
        """(weight float [outputs, inputs], bias float [outputs])."""
        if self._scheme == "normal":
            return nn.Parameter(self._normal(1.0, outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        return nn.Parameter(self._uniform(inputs, outputs, inputs)), nn.Parameter(self._uniform(inputs, outputs))

    def _uniform(self, fan_in: int, *shape: int) -> Tensor:
        return torch.empty(shape).uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=self._generator)

    def _normal(self, variance: float, *shape: int) -> Tensor:
        return torch.empty(shape).normal_(0.0, variance**0.5, generator=self._generator)
