"""How alike splits are: two of them, and those that one criterion makes from different initialisations."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from criteria.base import Context, Criterion, Partition
from criteria.guard import partition as split
from harness.measures.tau import number
from harness.scoring.world import reseeded

Labels = NDArray[np.int16]


@dataclass(frozen=True)
class Agreement:
    """Of two splits, over the n architectures that both have in a part; NaN where n < 2.

    rand: the share of pairs of architectures that both put together or both put apart (Rand, JASA 1971). adjusted_rand,
    adjusted_information: 0 = as by chance for these sizes, 1 = the same split (Hubert and Arabie, 1985; Vinh et al., JMLR 2010,
    divided by the mean entropy).
    """

    rand: float
    adjusted_rand: float
    adjusted_information: float
    n: int

    def to_json(self) -> dict[str, float | None]:
        return {"rand": number(self.rand), "adjusted_rand": number(self.adjusted_rand),
                "adjusted_information": number(self.adjusted_information), "n": self.n}


@dataclass(frozen=True)
class Stability:
    """The splits of one criterion from several seeds, `seeds` of them, all with one another.

    depends: whether anything differs between two seeds; when nothing does the others are not tried. rand, adjusted_rand: mean
    over the pairs of seeds, 1 where nothing differs, None for one seed only.
    """

    seeds: tuple[int, ...]
    depends: bool | None
    rand: float | None
    adjusted_rand: float | None

    def to_json(self) -> dict[str, object]:
        return {"seeds": list(self.seeds), "depends_on_seed": self.depends, "rand": number(self.rand),
                "adjusted_rand": number(self.adjusted_rand)}


def agreement(one: Labels, other: Labels) -> Agreement:
    """Of two splits, labels int16 [n], -1 = in no part."""
    from sklearn.metrics import adjusted_mutual_info_score

    together = (one >= 0) & (other >= 0)
    one, other = one[together], other[together]
    rand, adjusted = _rand(one, other)
    information = float(adjusted_mutual_info_score(one, other)) if len(one) > 1 else float("nan")
    return Agreement(rand, adjusted, information, len(one))


def stability(criterion: Criterion, context: Context, first: Partition, seeds: int) -> Stability:
    """The split made with the seed of the context, against those with the seeds that follow; raises what the criterion raises."""
    if seeds < 2:
        return Stability((context.seed,), None, None, None)
    made = [first]
    for seed in range(context.seed + 1, context.seed + seeds):
        made.append(split(criterion, reseeded(context, seed), first.k))
        if len(made) == 2 and _same(first, made[1]):
            return Stability((context.seed, seed), False, 1.0, 1.0)
    pairs = []
    for one, other in combinations(made, 2):
        together = (one.label >= 0) & (other.label >= 0)
        pairs.append(_rand(one.label[together], other.label[together]))
    rand, adjusted = np.mean(pairs, axis=0).tolist()
    return Stability(tuple(range(context.seed, context.seed + seeds)), True, rand, adjusted)


def _same(one: Partition, other: Partition) -> bool:
    if one.scores is not None and other.scores is not None:
        alike = np.array_equal(one.scores.values, other.scores.values, equal_nan=True)
    else:
        alike = True
    return alike and np.array_equal(one.label, other.label)


def _rand(one: Labels, other: Labels) -> tuple[float, float]:
    """The Rand index and the adjusted one, of labels [n] without -1; exact, as they count pairs."""
    if len(one) < 2:
        return float("nan"), float("nan")
    width = int(other.max()) + 1
    table = np.bincount(one.astype(np.int64) * width + other, minlength=(int(one.max()) + 1) * width).reshape(-1, width)
    both, first, second = (_pairs(counts) for counts in (table, table.sum(axis=1), table.sum(axis=0)))
    pairs = _pairs(np.array([len(one)]))
    chance, most = first * second / pairs, (first + second) / 2
    return 1 - (first + second - 2 * both) / pairs, 1.0 if most == chance else (both - chance) / (most - chance)


def _pairs(counts: NDArray[np.int64]) -> int:
    return int((counts * (counts - 1) // 2).sum())
