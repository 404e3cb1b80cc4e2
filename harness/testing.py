"""The conformance kit for criteria: `check_criterion` in a test of yours says what a criterion has to get right.

    from harness.testing import check_criterion

    def test_my_proxy_conforms() -> None:
        check_criterion("./my_proxy.py:MyProxy")

It demands, in this order, and stops at the first that does not hold:

1. The class is a frozen dataclass with a docstring, whose fields are numbers, words or tuples of them.
2. Its selector (`name[parameter=value]`) is read back as an equal instance.
3. It makes k parts of the space, and the same ones when it is called again with the same seed.
4. Its rule, where there is one, gives its own labels when it is applied to what it reads.
5. It uses the truth only where it says so in `needs`.
6. Its scores, where it scores, say what they mean; an architecture without a score is NaN, never a mark such as -1e9, and
   exactly those are in no part.
7. An architecture's score depends on the architecture alone: not on the order of the space, nor, for criteria that measure
   networks, on which others are measured.

On the way everything holds that the commands demand of any criterion (criteria/guard.py): nothing raises, the lengths are right,
no score is infinite, not all are NaN, and nothing that was handed over has changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.cost import Skeleton
from benchmarks.errors import HarnessError
from benchmarks.space import Space, nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, Criterion, Partition, Scorer, Scores, criteria, partition
from criteria import score as scores_of
from criteria.network import NetworkScorer

# Where one rounding may differ from another; an order that mattered would be off by far more.
TOLERANCE = 1e-6
# Architectures that networks are measured of.
MEASURED = 12


def check_criterion(criterion: Criterion | str, ctx: Context | None = None, k: int = 3) -> None:
    """Raises AssertionError with one sentence that says what is wrong with a criterion; None when nothing is.

    ctx: where it is tried; by default all of NAS-Bench-201 with a made-up truth, and for a criterion that measures networks a
    few of the small ones of digits201, which takes a second to half a minute. k: parts to make.
    """
    try:
        chosen = criteria.get(criterion) if isinstance(criterion, str) else criterion
        _check_class(chosen)
        text = criteria.text(chosen)
        _demand(criteria.get(text) == chosen, f"'{text}' is read back as another instance; compare all fields.")
        with _worlds(chosen, ctx) as (world, again, fewer):
            _check(text, chosen, world, again, chosen.fixed_k or k)
            if fewer is not None and isinstance(chosen, Scorer):
                _check_members(text, chosen, world, fewer)
    except HarnessError as error:
        raise AssertionError(str(error)) from error


def _check(text: str, chosen: Criterion, ctx: Context, again: Context, k: int) -> None:
    """again: the same world, which remembers nothing of the first."""
    first, second = partition(chosen, ctx, k), partition(chosen, again, k)
    _demand(_same(first, second), f"'{text}' gives another partition when it is called again with the same seed; "
                                  "draw from np.random.default_rng(derive(ctx.seed, ...)).")
    _check_rule(text, first, ctx)
    if "truth" not in chosen.needs:
        seeing, blind = chosen.split(ctx, k), chosen.split(replace(ctx, truth=None), k)
        _demand(_same(seeing, blind), f"'{text}' uses the truth and does not say so; declare needs = frozenset({{'truth'}}).")
    if isinstance(chosen, Scorer):
        _check_scores(text, chosen, ctx, first)


@contextmanager
def _worlds(chosen: Criterion, given: Context | None) -> Iterator[tuple[Context, Context, Context | None]]:
    """The given context or a made one, twice. Networks are measured anew in the second one, where they are the harness's own, and
    in a third one of fewer architectures, where the score is a measurement of one network."""
    with TemporaryDirectory() as folder:
        if given is not None or "network" not in chosen.needs:
            world = given if given is not None else Context(nasbench201(), Skeleton())
            world = world if world.truth is not None else replace(world, truth=_made_up(world.space))
            yield world, world, None
            return
        world, again, fewer = (_small_world(Path(folder) / name) for name in ("first", "second", "third"))
        assert fewer.members is not None
        yield world, again, replace(fewer, members=fewer.members[::2]) if isinstance(chosen, NetworkScorer) else None


def _small_world(home: Path) -> Context:
    from harness.scoring.laboratory import Laboratory

    digits = benchmark("digits201")
    chosen = np.random.default_rng(0).choice(digits.space.population("connected"), MEASURED, replace=False)
    return Context(digits.space, digits.skeleton, truth=_made_up(digits.space), members=np.sort(chosen),
                   laboratory=Laboratory(digits.name, digits.datasets[0], jobs=1, home=home))


def _demand(holds: bool, sentence: str) -> None:
    if not holds:
        raise AssertionError(sentence)


def _check_class(chosen: Any) -> None:
    cls = type(chosen)
    name = cls.__name__
    frozen = is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
    _demand(frozen, f"{name} must be a frozen dataclass; put @dataclass(frozen=True) above it.")
    written = cls.__doc__ or ""
    _demand(bool(written) and not written.startswith(f"{name}("),  # what dataclasses make up
            f"{name} has no docstring; `harness list` shows its first line.")
    for field in fields(cls):
        try:
            hash(getattr(chosen, field.name))
        except TypeError:
            raise AssertionError(f"{name}.{field.name} can change after creation; make it a number, a word or a "
                                 "tuple of them.") from None
    _demand(isinstance(chosen.needs, frozenset), f"{name}.needs must be a frozenset of words.")
    _demand(chosen.fixed_k is None or chosen.fixed_k >= 1, f"{name}.fixed_k must be None or a number of parts.")


def _check_rule(text: str, parts: Partition, ctx: Context) -> None:
    """The rule, applied to what it reads, gives the labels."""
    if parts.rule is None:
        return
    _demand(parts.rule.reads == "codes" or parts.scores is not None,
            f"the rule of '{text}' reads scores and its partition has none; hand them over as Partition(scores=...).")
    given = ctx.space.codes if parts.scores is None or parts.rule.reads == "codes" else parts.scores.values
    _demand(np.array_equal(parts.rule.label(given), parts.label), f"the rule of '{text}' does not give its own labels.")


def _check_scores(text: str, scorer: Scorer, ctx: Context, parts: Partition) -> None:
    scores = scores_of(scorer, ctx)
    _demand(bool(scores.meaning), f"the scores of '{text}' do not say what they mean; fill in Scores.meaning.")
    _demand(parts.scores is not None and _equal(parts.scores, scores.values),
            f"'{text}' scores differently inside split than in score.")
    _demand(np.array_equal(np.isnan(scores.values), parts.label < 0),
            f"'{text}' must leave exactly the architectures without a score in no part (-1).")
    sentinels = scores.values[(scores.values <= -1e6) & (np.log10(np.abs(scores.values) + 1e-300) % 1 == 0)]
    _demand(sentinels.size == 0, f"'{text}' scores {sentinels[:1]} looks like a mark for an undefined score; use NaN.")
    if "network" in scorer.needs:  # whose laboratory knows one order only
        return
    order = np.random.default_rng(0).permutation(len(ctx.space))
    moved = scores_of(scorer, _reordered(ctx, order))
    _demand(_equal(moved, scores.values[order]),
            f"'{text}' depends on the order of the architectures; score each from its own code.")


def _check_members(text: str, scorer: Scorer, ctx: Context, fewer: Context) -> None:
    """The scores of fewer architectures are those of the same ones among all."""
    few, all_ = scores_of(scorer, fewer).values[fewer.members], scores_of(scorer, ctx).values[fewer.members]
    _demand(np.array_equal(few, all_, equal_nan=True),
            f"'{text}' depends on which other architectures are measured; score each from its own network.")


def _reordered(ctx: Context, order: NDArray[np.int64]) -> Context:
    """The same world with its architectures in another order [n_arch]."""
    truth = ctx.truth and replace(ctx.truth, accuracy=ctx.truth.accuracy[order])
    return replace(ctx, space=replace(ctx.space, codes=ctx.space.codes[order]), truth=truth)


def _equal(scores: Scores, values: NDArray[np.float64]) -> bool:
    spread = float(np.nanstd(values))
    return np.allclose(scores.values, values, rtol=TOLERANCE, atol=TOLERANCE * spread, equal_nan=True)


def _same(one: Partition, other: Partition) -> bool:
    if (one.scores is None) != (other.scores is None) or one.names != other.names:
        return False
    same_scores = one.scores is None or other.scores is None or np.array_equal(one.scores.values, other.scores.values,
                                                                              equal_nan=True)
    return same_scores and np.array_equal(one.label, other.label)


def _made_up(space: Space) -> GroundTruth:
    """A truth of three drawn trials in which some are missing."""
    accuracy = np.random.default_rng(0).uniform(10.0, 95.0, (len(space), 3))
    accuracy[::7, 0] = accuracy[::50] = np.nan
    return GroundTruth(TruthKey("made_up", "cifar10", "test", 200, "full"), accuracy, ("0", "1", "2"), "", "made_up")
