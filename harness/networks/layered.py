"""One supernet whose later cells exist in copies, of which an architecture uses one at each cell (see routes.py)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.cost import Skeleton
from benchmarks.seeds import derive
from benchmarks.space import Space
from harness.networks.routes import routes
from harness.networks.supernet import Supernet


class Layered(nn.Module):
    """A supernet with copies of the cells after the first stage.

    Weights are named as the supernet's; those in copies with `copy<number>_` before it. Copy 0 and all that is common begin as
    the supernet of the same seed.
    """

    def __init__(self, space: Space, skeleton: Skeleton, seed: int, thresholds: tuple[int, ...]) -> None:
        super().__init__()
        self.space, self.skeleton = space, skeleton
        found, which = np.unique(routes(space, skeleton, thresholds), axis=0, return_inverse=True)
        self._route_of: NDArray[np.int64] = which.reshape(-1)  # of each architecture, a number
        first = Supernet(space, skeleton, seed)
        copies = [first, *(Supernet(space, skeleton, derive(seed, "copy", copy)) for copy in range(1, len(thresholds) + 1))]
        # For each route: the name of a weight in the supernet -> that of the copy which stands for it.
        self._copy_of: list[dict[str, str]] = [{} for _ in found]
        for name, weight in first.named_parameters():
            position = int(name.split("_")[0].removeprefix("cell")) if name.startswith("cell") else 0
            if position < skeleton.cells:
                self.register_parameter(name, weight)
            else:
                for copy, network in enumerate(copies):
                    self.register_parameter(f"copy{copy}_{name}", network.get_parameter(name))
            for route, copy_of in zip(found, self._copy_of, strict=True):
                copy_of[name] = name if position < skeleton.cells else f"copy{route[position]}_{name}"
        # Computes with the weights that it is handed and has none; not registered, so that it is no part of the state.
        self._engine = (first.to("meta"),)

    def forward(self, images: Tensor, codes: Sequence[Sequence[int]] | NDArray[np.uint8]) -> Tensor:
        """float [M, B, classes]: as `Supernet.forward`; the architectures of one route run together."""
        codes = np.asarray(codes, dtype=np.uint8)
        route = self._route_of[self.space.index(codes)]
        logits = torch.cat([functional_call(self.engine, self._weights(each), (images, codes[route == each]))
                            for each in np.unique(route)])
        return logits if len(codes) == 1 else logits[np.argsort(np.argsort(route, kind="stable"))]

    @property
    def engine(self) -> Supernet:
        """The network that computes, with weights that it is handed."""
        return self._engine[0]

    def _weights(self, route: int) -> dict[str, Tensor]:
        return {name: self.get_parameter(copy) for name, copy in self._copy_of[route].items()}
