"""What a criterion gets (Context), what it gives (Scores, Partition), and the base of those that score (Scorer)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import Space
from criteria.split import RULES, Cuts, Rule, RuleName, part_names, sized, thresholds

if TYPE_CHECKING:
    from benchmarks.truth import GroundTruth
    from criteria.mask import Mask
    from criteria.matching import GradientMatching
    from criteria.network import NetworkScorer


# What a criterion may say that it needs.
NEEDS = ("truth", "network", "images")


@dataclass(frozen=True, eq=False)
class Scores:
    """One number per architecture.

    values: float64 [n_arch] in the official order, in `unit`, higher = better; NaN = undefined. Raises RunError for
    infinite ones.
    """

    values: NDArray[np.float64]
    meaning: str
    unit: str = ""

    def __post_init__(self) -> None:
        given = np.asarray(self.values)
        if given.ndim != 1 or given.dtype.kind not in "biuf":
            raise RunError(f"scores must be numbers [n_arch], not {given.dtype} {list(given.shape)}.")
        values = np.array(given, dtype=np.float64)
        if np.isinf(values).any():
            first = np.isinf(values).argmax()
            raise RunError(f"{np.isinf(values).sum()} scores are infinite (first: architecture {first}); an undefined "
                           "score must be NaN.")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @property
    def n_undefined(self) -> int:
        """Architectures without a score."""
        return int(np.isnan(self.values).sum())


@dataclass(frozen=True, eq=False)
class Partition:
    """Every architecture in at most one part.

    label: int16 [n_arch] in the official order, 0..k-1, -1 = in no part. names: of the parts. rule: labels
    architectures that are not in the space, None where none can (a random draw). scores: what the rule cut, or None.
    parents: for trees, the parent of each node, -1 at the root; nodes 0..k-1 are the parts, the inner nodes follow.
    Raises RunError when these disagree or a part is empty.
    """

    label: NDArray[np.int16]
    names: tuple[str, ...]
    rule: Rule | None
    scores: Scores | None = None
    parents: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        given = np.asarray(self.label)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise RunError(f"labels must be integers [n_arch], not {given.dtype} {list(given.shape)}.")
        if given.size == 0 or given.min() < -1 or given.max() >= self.k:
            raise RunError(f"labels must lie in -1..{self.k - 1}, as there are {self.k} part names.")
        label = given.astype(np.int16)
        label.setflags(write=False)
        object.__setattr__(self, "label", label)
        if 0 in self.sizes:
            raise RunError(f"part '{self.names[self.sizes.index(0)]}' is empty.")
        if self.scores is not None and len(self.scores.values) != len(label):
            raise RunError(f"there are {len(label)} labels and {len(self.scores.values)} scores.")
        nodes = self.parents
        if nodes is not None and (len(nodes) < self.k or any(p != -1 and not self.k <= p < len(nodes) for p in nodes)):
            raise RunError("the parent of a node must be an inner node (numbered after the parts) or -1.")

    @property
    def k(self) -> int:
        """How many parts there are."""
        return len(self.names)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Architectures in each part."""
        return tuple(np.bincount(self.label[self.label >= 0], minlength=self.k).tolist())

    @property
    def n_unassigned(self) -> int:
        """Architectures in no part."""
        return int((self.label < 0).sum())

    @property
    def summary(self) -> str:
        """The sizes as text, with the number of architectures in no part where there are any."""
        sizes = " / ".join(f"{size:,}" for size in self.sizes)
        return f"{sizes} ({self.n_unassigned:,} in no part)" if self.n_unassigned else sizes

    def members(self, part: int) -> NDArray[np.int64]:
        """int64 [size], ascending: the official indices of the architectures in that part."""
        return np.flatnonzero(self.label == part)


class Laboratory(Protocol):
    """Where networks are measured; the harness has one."""

    def measure(self, scorer: "NetworkScorer", members: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """float64 [n_arch]: scorer.measure of every connected architecture, or of those of them in `members`; NaN elsewhere."""
        ...

    def match(self, matching: "GradientMatching", mask: "Mask", edge: int) -> NDArray[np.float64]:
        """float64 [n_op, n_op]: matching.alike of the operations that the mask allows on an edge, the mean over its batches."""
        ...


@dataclass(frozen=True, eq=False)
class Context:
    """The world that a criterion sees; of truth and laboratory only what it declares in `needs`.

    needs may hold "truth"; "network", which asks for the laboratory; and "images", which says that those of the data set are
    shown to the networks. members: int64 [m], the only architectures that networks are measured for; None = all. parent: the
    parts of the trained run that the asking one begins from, for criteria that divide them further; None where there is none.
    """

    space: Space
    skeleton: Skeleton
    seed: int = 0
    truth: "GroundTruth | None" = None
    laboratory: Laboratory | None = None
    members: NDArray[np.int64] | None = None
    parent: Partition | None = None

    def need_truth(self) -> "GroundTruth":
        """The ground truth; UsageError where there is none."""
        if self.truth is None:
            raise UsageError("a ground truth is needed and none is here; name one with --truth KEY (`harness data "
                             "list` has them), and in a criterion of your own declare needs = frozenset({'truth'}).")
        return self.truth

    def need_laboratory(self) -> Laboratory:
        """The laboratory; UsageError where there is none."""
        if self.laboratory is None:
            raise UsageError("networks are needed and no laboratory is here; use the commands or functions of the harness, and "
                             "in a criterion of your own derive from NetworkScorer.")
        return self.laboratory

    def check(self, needs: frozenset[str]) -> None:
        """UsageError naming the first of the needs that this context cannot meet."""
        for need in sorted(needs):
            if need not in NEEDS:
                raise UsageError(f"'{need}' is needed, which no context has; a criterion can need: {', '.join(NEEDS)}.")
        if "truth" in needs:
            self.need_truth()
        if "network" in needs:
            self.need_laboratory()


class Criterion(Protocol):
    """A way to split a space: a frozen dataclass whose fields are its parameters, under a name in the registry."""

    @property
    def needs(self) -> frozenset[str]:
        """What its context must hold besides space, skeleton and seed: some of NEEDS."""
        ...

    @property
    def fixed_k(self) -> int | None:
        """The number of parts it always makes; None where the user chooses."""
        ...

    def split(self, ctx: Context, k: int) -> Partition:
        """The space of the context in k parts; UsageError when k cannot be made."""
        ...


@dataclass(frozen=True)
class Scorer(ABC):
    """A criterion that scores architectures and cuts the scores: write `score`, and `split` is there.

    rule: see criteria/split.py; 'merge' is for criteria that declare which values they merge. thresholds: explicit cuts
    instead; sizes: of the parts instead, from low to high scores, kept as well as equal scores allow. reference: published or
    computed figures that `harness list` shows.
    """

    rule: RuleName = field(default="quantile", kw_only=True)
    thresholds: tuple[float, ...] = field(default=(), kw_only=True)
    sizes: tuple[int, ...] = field(default=(), kw_only=True)
    needs: ClassVar[frozenset[str]] = frozenset()
    fixed_k: ClassVar[int | None] = None
    reference: ClassVar[str] = ""

    @abstractmethod
    def score(self, ctx: Context) -> Scores:
        """A score for every architecture of `ctx.space`, in its order, higher = better."""

    def cut(self, values: NDArray[np.float64], k: int) -> Cuts:
        """The cuts that make k parts of the scores [n_arch]; UsageError when they cannot."""
        if self.thresholds or self.sizes:
            if self.rule != type(self).rule or (self.thresholds and self.sizes):
                raise UsageError("give one of rule, thresholds and sizes, not several.")
            if self.thresholds:
                return thresholds(values, k, self.thresholds)
            if len(self.sizes) != k:
                raise UsageError(f"{len(self.sizes)} sizes make {len(self.sizes)} parts; say --k {len(self.sizes)} or give {k}.")
            return sized(values, self.sizes)
        if self.rule == "merge":
            raise UsageError("it declares no merges; choose rule=quantile, rule=equal, rule=value or thresholds=A+B.")
        return RULES[self.rule](values, k)

    def split(self, ctx: Context, k: int) -> Partition:
        """The space in k parts, higher parts of higher scores; architectures without a score are in none."""
        scores = checked(self.score(ctx), ctx)
        rule = self.cut(scores.values, k)
        label = rule.label(scores.values)
        return Partition(label, part_names(scores.values, label, k), rule, scores)


def checked(scores: Scores, ctx: Context) -> Scores:
    """The scores themselves; RunError when they are no Scores, of the wrong length or all undefined."""
    if not isinstance(scores, Scores):
        raise RunError(f"score must return Scores, not {type(scores).__name__}.")
    if len(scores.values) != len(ctx.space):
        raise RunError(f"there are {len(scores.values)} scores for {len(ctx.space)} architectures.")
    if scores.n_undefined == len(ctx.space):
        raise RunError("all scores are NaN.")
    return scores
