"""The parts of a split, one by one: what the judged architectures in each are worth and what they cost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from criteria.base import Context, Partition
from harness.measures.tau import number
from harness.splits.separation import best

QUARTILES = (0, 25, 50, 75, 100)


@dataclass(frozen=True)
class Spread:
    """Minimum, quartiles and maximum; NaN of nothing."""

    low: float
    q1: float
    median: float
    q3: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        return {name: number(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Part:
    """One part. size, connected: architectures of the whole space; everything else is about the n that are judged.

    mean, sd, low (minimum), q1, median, q3, high (maximum): of the true accuracy, per cent; best: the official index of the
    best architecture, best_arch: its string, None where n = 0. top: architectures of the best 1 % that lie here; enrichment:
    the part's share of them divided by its share of all, 1 = as by chance. flops (multiply-adds), params: of the networks.
    """

    name: str
    size: int
    connected: int
    n: int
    mean: float
    sd: float
    low: float
    q1: float
    median: float
    q3: float
    high: float
    best: int | None
    best_arch: str | None
    top: int
    enrichment: float
    flops: Spread
    params: Spread

    def to_json(self) -> dict[str, Any]:
        return {name: value.to_json() if isinstance(value, Spread) else number(value) if isinstance(value, float) else value
                for name, value in vars(self).items()}


def parts(made: Partition, context: Context, true: NDArray[np.float64], members: NDArray[np.int64]) -> tuple[Part, ...]:
    """The parts of a partition, from the truth [n_arch] of the judged members [m]; ties at the border of the best 1 % go to
    the lower index."""
    space = context.space
    top = members[best(true[members])]
    flops, params = cost.flops(space, context.skeleton), cost.params(space, context.skeleton)
    found = []
    for part, name in enumerate(made.names):
        mine = members[made.label[members] == part]
        values, among = true[mine], int((made.label[top] == part).sum())
        first = int(mine[np.argmax(values)]) if len(mine) else None
        found.append(Part(
            name=name, size=made.sizes[part], connected=int(space.connected[made.label == part].sum()), n=len(mine),
            mean=float(values.mean()) if len(mine) else float("nan"), sd=float(values.std()) if len(mine) else float("nan"),
            **vars(spread(values)), best=first, best_arch=None if first is None else space.string(space.codes[first]), top=among,
            enrichment=among / len(top) / (len(mine) / len(members)) if len(mine) else float("nan"),
            flops=spread(flops[mine]), params=spread(params[mine])))
    return tuple(found)


def spread(values: NDArray[Any]) -> Spread:
    """Of values [n] of any unit, without NaN."""
    return Spread(*np.percentile(values, QUARTILES).tolist()) if len(values) else Spread(*(float("nan"),) * len(QUARTILES))
