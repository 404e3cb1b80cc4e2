"""Controls: what any criterion has to be compared with. No split, a split by chance, and a split by the truth."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.seeds import derive
from criteria.base import Context, Criterion, Partition, Scorer, Scores
from criteria.registry import register
from criteria.split import Whole


@register("none")
@dataclass(frozen=True)
class Unsplit:
    """No split: all architectures in one part, which is one-shot NAS."""

    needs: ClassVar[frozenset[str]] = frozenset()
    fixed_k: ClassVar[int | None] = 1

    def split(self, ctx: Context, k: int) -> Partition:
        """The whole space as one part."""
        rule = Whole()
        return Partition(rule.label(ctx.space.codes), ("all",), rule)


@register("random")
@dataclass(frozen=True)
class Random:
    """The null: parts drawn by chance with the sizes of another criterion's parts (like=C), or of equal sizes.

    The draw depends on the seed of the context and on k. Architectures that the other criterion has in no part are in none.
    """

    like: Criterion | None = None

    @property
    def needs(self) -> frozenset[str]:
        """What the other criterion needs."""
        return self.like.needs if self.like is not None else frozenset()

    @property
    def fixed_k(self) -> int | None:
        """That of the other criterion."""
        return self.like.fixed_k if self.like is not None else None

    def split(self, ctx: Context, k: int) -> Partition:
        """The labels of the other criterion, or 0..k-1 in turn, in random order."""
        label = (np.arange(len(ctx.space)) % k).astype(np.int16) if self.like is None else self.like.split(ctx, k).label
        inside, dealt = label >= 0, label.copy()
        dealt[inside] = shuffled(label[inside], ctx.seed, k)
        return Partition(dealt, tuple(f"random {part}" for part in range(k)), None)


def shuffled(label: NDArray[np.int16], seed: int, k: int) -> NDArray[np.int16]:
    """int16 [n_arch]: the labels of a partition in k parts in random order, hence with its sizes."""
    return np.random.default_rng(derive(seed, "criterion", "random", k)).permutation(label)


@register("oracle")
@dataclass(frozen=True)
class Oracle(Scorer):
    """The ceiling, no method: USES THE TRUTH (mean accuracy over training seeds) to split.

    Architectures that the truth does not have are in no part.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"truth"})
    reference: ClassVar[str] = "tau-b 1 by construction"

    def score(self, ctx: Context) -> Scores:
        """The true accuracy of every architecture."""
        return Scores(ctx.need_truth().mean(), "true accuracy", "%")
