"""Twins: architectures that are the same in some sense, and whether a split keeps them together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.space import Space

# In what sense, and the array of the space that says it.
EQUIVALENCES = {"cell": "live_id", "function": "function_id", "training": "training_id"}


@dataclass(frozen=True)
class Twins:
    """Of one equivalence: classes of several architectures (in the parts), how many a split tears apart, and what is in those.

    apart, architectures: classes whose members lie in different parts, and all their members; every one of these has a twin in
    another part, whose supernet estimates the same network with other weights.
    """

    equivalence: str
    classes: int
    apart: int
    architectures: int

    def to_json(self) -> dict[str, object]:
        return dict(vars(self))


def twins(label: NDArray[np.int16], space: Space) -> tuple[Twins, ...]:
    """Of a split, labels int16 [n_arch]; architectures in no part (-1) are left out.

    cell: the same cell without its dead edges; function: the same function of shared weights; training: the same stand-alone
    network up to renaming. Each implies the next.
    """
    inside = np.flatnonzero(label >= 0)
    found = []
    for name, array in EQUIVALENCES.items():
        member: NDArray[np.int32] = getattr(space, array)[inside]
        count = np.bincount(member)
        low, high = np.full(len(count), np.iinfo(np.int16).max, np.int16), np.full(len(count), -1, np.int16)
        np.minimum.at(low, member, label[inside])
        np.maximum.at(high, member, label[inside])
        torn = low < high
        found.append(Twins(name, int((count > 1).sum()), int(torn.sum()), int(count[torn].sum())))
    return tuple(found)
