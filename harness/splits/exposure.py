"""How often training would sample each operation in each part, which no split changes for free: the passes are given."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.space import Space
from criteria.base import Partition
from harness.measures.tau import number

PASSES = 1000


@dataclass(frozen=True, eq=False)
class Exposure:
    """Expected passes, of `PASSES` in all, under one sampler.

    passes: float64 [k], of each part; NaN where the sampler cannot work because a part has no connected architecture.
    operations: float64 [k, n_edge, n_op], of each operation on each edge in each part; those of an edge add up to the part's.
    """

    sampler: str
    passes: NDArray[np.float64]
    operations: NDArray[np.float64]

    def to_json(self) -> dict[str, object]:
        return {"sampler": self.sampler, "of": PASSES, "passes": [number(value) for value in self.passes],
                "operations": [[[number(value) for value in edge] for edge in part] for part in self.operations]}


def exposures(made: Partition, space: Space) -> tuple[Exposure, ...]:
    """Of a partition, in closed form: uniform draws among all connected architectures, sbs one of every part a step."""
    counts = np.zeros((made.k, len(space.edges), len(space.op_names)))
    for part in range(made.k):
        codes = space.codes[(made.label == part) & space.connected]
        for edge in range(len(space.edges)):
            counts[part, edge] = np.bincount(codes[:, edge], minlength=len(space.op_names))
    size = counts[:, 0].sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Mapping[str, NDArray[np.float64]] = {
            "uniform": np.full(made.k, PASSES / size.sum()) if size.any() else np.full(made.k, np.nan),
            "sbs": PASSES / made.k / size if size.all() else np.full(made.k, np.nan)}
    return tuple(Exposure(name, each * size, each[:, None, None] * counts) for name, each in share.items())
