"""Masks: which operations each edge may hold, the form of every part that is made by dividing the operations of edges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import RunError
from benchmarks.space import Space

# How masks are written: n/s13p/ns13p for 'none', all but 'none', and every operation on edges 0, 1 and 2.
LETTERS = {"none": "n", "skip_connect": "s", "nor_conv_1x1": "1", "nor_conv_3x3": "3", "avg_pool_3x3": "p"}


@dataclass(frozen=True)
class Mask:
    """allowed: for each edge the codes of the operations that it may hold, ascending."""

    allowed: tuple[tuple[int, ...], ...]

    @classmethod
    def whole(cls, space: Space) -> "Mask":
        """Every operation on every edge."""
        return cls((tuple(range(len(space.op_names))),) * len(space.edges))

    @classmethod
    def read(cls, text: str, space: Space) -> "Mask":
        """The mask written as `3/ns1p/1` for the first edges; the others may hold every operation."""
        written = {LETTERS[name]: op for op, name in enumerate(space.op_names)}
        mask = cls.whole(space)
        for edge, letters in enumerate(text.split("/")):
            mask = mask.only(edge, tuple(sorted(written[letter] for letter in letters)))
        return mask

    @classmethod
    def around(cls, codes: NDArray[np.uint8]) -> "Mask":
        """The smallest mask that holds all of the codes [m, n_edge]."""
        return cls(tuple(tuple(np.unique(ops).tolist()) for ops in codes.T))

    def only(self, edge: int, ops: tuple[int, ...]) -> "Mask":
        """The same with only those operations on that edge."""
        return Mask((*self.allowed[:edge], ops, *self.allowed[edge + 1:]))

    @property
    def size(self) -> int:
        """Cells it allows."""
        return prod(map(len, self.allowed))

    def holds(self, codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """bool [m]: every edge of the codes [m, n_edge] holds an operation that is allowed there."""
        inside = np.ones(len(codes), bool)
        for edge, ops in enumerate(self.allowed):
            inside &= np.bincount(ops, minlength=256).astype(bool)[codes[:, edge]]
        return inside

    def text(self, space: Space, edges: Sequence[int]) -> str:
        """What those edges may hold, one letter an operation, `/` between edges."""
        return "/".join("".join(LETTERS.get(space.op_names[op], f"({space.op_names[op]})") for op in self.allowed[edge])
                        for edge in edges)


@dataclass(frozen=True)
class Masks:
    """The rule of parts that are masks: part i holds the cells of masks[i]. RunError when two of them share a cell."""

    masks: tuple[Mask, ...]
    reads: ClassVar[str] = "codes"

    def __post_init__(self) -> None:
        for (i, one), (j, other) in combinations(enumerate(self.masks), 2):
            if all(any(op in there for op in here) for here, there in zip(one.allowed, other.allowed, strict=True)):
                raise RunError(f"parts {i} and {j} share cells; divide the operations of some edge between them.")

    def label(self, of: NDArray[np.uint8], /) -> NDArray[np.int16]:
        """int16 [m]: the part of each of the codes [m, n_edge], -1 for a cell in none of the masks."""
        label = np.full(len(of), -1, np.int16)
        for part, mask in enumerate(self.masks):
            label[mask.holds(of)] = part
        return label
