"""K-shot NAS: copies of every weight, merged for each architecture with a code of its own.

Source: Su et al., "K-shot NAS: Learnable Weight-Sharing for NAS with K-shot Supernets", ICML 2021, whose authors published no
program. The code of an architecture, a point of the simplex, is what a small net makes of its operations. Weights and net are
trained by turns. A warm-up and several paths in a batch are after the only public program (david-0429/Greedy-K-shot-NAS), their
numbers our own; see harness/presets/k-shot.toml.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.cost import SIMPLEX_HIDDEN, Skeleton
from benchmarks.seeds import derive
from benchmarks.space import Space
from harness.networks.initialiser import Initialiser
from harness.networks.layers import memory_format
from harness.networks.supernet import Supernet

# This share of the steps comes first, with equal codes for all architectures.
WARM_UP = 0.1
# So many paths share the batch of a step that trains the simplex-net (16 in that program, of a batch of 1024).
PATHS = 4


@dataclass(frozen=True)
class Turn:
    """What a step trains: a group of the network's weights, by its place in `groups`; so many paths share a pass's batch."""

    group: int = 0
    paths: int = 1


class Mixture(nn.Module):
    """A supernet with `copies` of every weight, of which an architecture uses the sum weighted by its code.

    The copies of a weight lie together, float [copies, *shape]. The first begin as the supernet of the same seed, the others
    from seeds of their own; so one copy is that supernet.
    """

    def __init__(self, space: Space, skeleton: Skeleton, seed: int, copies: int) -> None:
        super().__init__()
        self.space, self.skeleton, self.equal = space, skeleton, False
        networks = [Supernet(space, skeleton, derive(seed, "copy", copy) if copy else seed) for copy in range(copies)]
        self.copies = nn.ParameterDict({name: torch.stack([each.get_parameter(name).detach() for each in networks])
                                        for name in dict(networks[0].named_parameters())})
        draw = Initialiser(derive(seed, "simplex"))
        self.simplex = nn.ParameterList([*draw.linear(len(space.edges) * len(space.op_names), SIMPLEX_HIDDEN),
                                         *draw.linear(SIMPLEX_HIDDEN, copies)])
        # Computes with the weights that it is handed and has none; not registered, so that it is no part of the state.
        self._engine = (networks[0].to("meta"),)

    def forward(self, images: Tensor, codes: Sequence[Sequence[int]] | NDArray[np.uint8]) -> Tensor:
        """float [M, B, classes]: as `Supernet.forward`, one architecture after another, as no two have weights in common."""
        return torch.cat([functional_call(self.engine, self.merged(code), (images, code[None]))
                          for code in np.asarray(codes, dtype=np.uint8)])

    def code(self, codes: NDArray[np.uint8]) -> Tensor:
        """float [M, copies]: how much of each copy the architectures of codes [M, n_edge] use; every row adds up to 1.

        It is that of the live cell, dead edges being 'none', so that cells which differ in dead edges only have one estimate.
        """
        hidden, hidden_bias, out, out_bias = self.simplex
        if self.equal:
            return torch.full_like(out_bias, 1 / len(out_bias)).expand(len(codes), -1)
        live = torch.from_numpy(self.space.live_codes[self.space.index(codes)].astype(np.int64))
        chosen = F.one_hot(live, len(self.space.op_names)).flatten(1).to(hidden)
        return F.linear(F.relu(F.linear(chosen, hidden, hidden_bias)), out, out_bias).softmax(1)

    @property
    def engine(self) -> Supernet:
        """The network that computes, with weights that it is handed."""
        return self._engine[0]

    def merged(self, code: NDArray[np.uint8]) -> dict[str, Tensor]:
        """The weights of an architecture's own, summed over the copies, by their names in the supernet."""
        share, names = self.code(code[None])[0], ("head_bias", *self.engine.weights_of(code))
        weights = {name: torch.tensordot(share, self.copies[name], 1) for name in names}
        return {name: weight.contiguous(memory_format=memory_format(weight)) for name, weight in weights.items()}

    def turn(self, step: int, steps: int) -> Turn:
        """What a step trains, which alone gets gradients: first the weights under equal codes, then weights and code by turns."""
        warm = step < WARM_UP * steps or len(self.simplex[-1]) == 1
        turn = Turn() if warm or step % 2 == 0 else Turn(1, PATHS)
        self.equal = warm
        self.copies.requires_grad_(turn.group == 0)
        self.simplex.requires_grad_(turn.group == 1)
        return turn

    @torch.no_grad()
    def spread(self) -> Tensor:
        """float64 [2], in nats: the mean entropy of the codes of all connected cells, and the entropy of their mean.

        Codes have collapsed where the first is log(copies), all copies alike, or the second 0, one copy for all.
        """
        members = np.intersect1d(self.space.population("distinct"), self.space.population("connected"))
        codes = self.code(self.space.codes[members]).double()
        return torch.stack([_entropy(codes).mean(), _entropy(codes.mean(0))])


def groups(network: nn.Module) -> tuple[nn.Module, ...]:
    """The weights of a network in the groups that are trained by turns."""
    return (network.copies, network.simplex) if isinstance(network, Mixture) else (network,)


def turn_of(network: nn.Module, step: int, steps: int) -> Turn:
    """What a step of so many trains."""
    return network.turn(step, steps) if isinstance(network, Mixture) else Turn()


def _entropy(shares: Tensor) -> Tensor:
    """In nats, of shares [..., copies]."""
    return -torch.xlogy(shares, shares).sum(-1)
