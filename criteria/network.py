"""What a criterion sees of networks: one architecture with weights at their initialisation, a batch, and what happens inside.

A criterion that needs a network is a NetworkScorer: it says which network and which batch it wants, and measures one
architecture at a time. The laboratory of the harness hands it every function of the space once, in parallel, and keeps what was
measured. PyTorch is imported only where a measurement needs it, so that listing criteria does not.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from criteria.base import Context, Scorer, Scores

if TYPE_CHECKING:
    from torch import Tensor

Init = Literal["default", "kaiming_in", "kaiming_out", "normal"]


class Watch:
    """Sees the forward pass of one architecture, in order; override what is wanted. Values carry their gradient graph."""

    def relu(self, value: "Tensor", edges: int) -> None:
        """What goes into a ReLU, [B, c, h, w], and how many live convolutions follow it (each has its own in the papers)."""

    def conv(self, weight: str, output: "Tensor") -> None:
        """What a convolution gives before its batch-norm, [B, c, h, w], and the name of its weight."""

    def features(self, value: "Tensor") -> None:
        """What leaves the stem, each cell and each reduction, [B, c, h, w]."""


class Features(Watch):
    """values: what leaves the stem, each cell and each reduction, in order."""

    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def features(self, value: "Tensor") -> None:
        self.values.append(value)


class Subnet(Protocol):
    """One architecture of a network; the weights are those of operations that reach the output, shared ones included."""

    @property
    def code(self) -> NDArray[np.uint8]:
        """uint8 [n_edge]."""
        ...

    @property
    def weights(self) -> "Mapping[str, Tensor]":
        """Convolution weights [out, in, kernel, kernel] and the classifier's [classes, c], by name, all with a gradient."""
        ...

    def logits(self, images: "Tensor", watch: Watch | None = None) -> "Tensor":
        """float [B, classes] of images [B, channels, h, w]."""
        ...


@dataclass(frozen=True)
class NetworkScorer(Scorer):
    """A criterion that measures networks at their initialisation: write `measure`, and `score` is there.

    batch: images. init: how weights are drawn. weights: "shared" draws one network for the whole space, whose operations every
    architecture takes (quick, and without noise between architectures); "own" draws anew for each. channels, cells: of the
    network; 0 = those of the benchmark's stand-alone networks. repeats: initialisations that the score is the mean of.
    """

    batch: int = field(default=64, kw_only=True)
    init: Init = field(default="default", kw_only=True)
    weights: Literal["shared", "own"] = field(default="shared", kw_only=True)
    channels: int = field(default=0, kw_only=True)
    cells: int = field(default=0, kw_only=True)
    repeats: int = field(default=1, kw_only=True)
    needs: ClassVar[frozenset[str]] = frozenset({"network", "images"})
    # What it is shown: "real" images of the training half with their labels, or "noise" from N(0, 1).
    shown: ClassVar[Literal["real", "noise"]] = "real"
    # Changes of the networks that its definition asks for.
    normalised: ClassVar[bool] = True
    double: ClassVar[bool] = False
    absolute: ClassVar[bool] = False
    unit: ClassVar[str] = ""

    @abstractmethod
    def measure(self, subnet: Subnet, images: "Tensor", labels: "Tensor") -> float:
        """The score of one connected architecture, higher = better; NaN = undefined."""

    def score(self, ctx: Context) -> Scores:
        """The measurement of every architecture; disconnected ones, whose networks are constant, have no score."""
        values = ctx.need_laboratory().measure(self, ctx.members)
        return Scores(values, (type(self).__doc__ or "").partition("\n")[0].rstrip("."), self.unit)


def finite(value: float) -> float:
    """The value, NaN where it is infinite."""
    return value if isfinite(value) else nan
