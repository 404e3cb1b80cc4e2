"""The one door to criteria: nothing that a plug-in does wrong passes it silently."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.space import Space
from criteria.base import Context, Criterion, Partition, Scorer, Scores, checked
from criteria.registry import criteria

if TYPE_CHECKING:
    from benchmarks.truth import GroundTruth

R = TypeVar("R")
Arrays = dict[str, NDArray[Any]]


def partition(criterion: Criterion | str, ctx: Context, k: int | None = None) -> Partition:
    """The space of ctx in k parts; k may be left out where the criterion fixes it.

    Raises UsageError for a k that cannot be made and for unmet needs; RunError, naming the criterion, when it raises,
    gives only NaN, an infinite score, a wrong length or number of parts, or changes what it was handed.
    """
    chosen, text = _resolve(criterion)
    k = number_of_parts(chosen, k)
    parts = _call(chosen, text, f"cannot make {k} parts", ctx, lambda seen: chosen.split(seen, k))
    if not isinstance(parts, Partition):
        raise RunError(f"The criterion '{text}' failed: split must return a Partition, not {type(parts).__name__}.")
    if len(parts.label) != len(ctx.space):
        raise RunError(f"The criterion '{text}' failed: {len(parts.label)} labels for {len(ctx.space)} architectures.")
    if parts.k != k:
        raise RunError(f"The criterion '{text}' failed: it made {parts.k} parts where {k} were asked for.")
    return parts


def number_of_parts(criterion: Criterion, k: int | None) -> int:
    """k, or the number that the criterion fixes; UsageError where the two differ, or k is none."""
    fixed = criterion.fixed_k
    if fixed is not None:
        if k not in (None, fixed):
            raise UsageError(f"The criterion '{criteria.text(criterion)}' fixes its number of parts and cannot make {k}; say "
                             f"--k {fixed}.")
        return fixed
    if k is None or isinstance(k, bool) or k != int(k) or k < 1:
        raise UsageError(f"The criterion '{criteria.text(criterion)}' needs a number of parts of at least 1, not {k}; say --k 3.")
    return k


def score(criterion: Criterion | str, ctx: Context) -> Scores:
    """The scores of all architectures; raises as `partition`, and UsageError for a criterion that does not score."""
    chosen, text = _resolve(criterion)
    if not isinstance(chosen, Scorer):
        raise UsageError(f"The criterion '{text}' does not score architectures, it only splits them; choose one that "
                         "scores, such as nonlinear, params or flops.")
    return _call(chosen, text, "cannot score", ctx, lambda seen: checked(chosen.score(seen), seen))


def _resolve(criterion: Criterion | str) -> tuple[Criterion, str]:
    chosen = criteria.get(criterion) if isinstance(criterion, str) else criterion
    return chosen, criteria.text(chosen)


def _call(chosen: Criterion, text: str, refusal: str, ctx: Context, work: Callable[[Context], R]) -> R:
    """work(ctx): only what the criterion declares is seen, every failure names it, and no array has changed after."""
    try:
        ctx.check(chosen.needs)
    except UsageError as error:
        raise UsageError(f"The criterion '{text}' {refusal}: {error}") from error
    truth = ctx.truth if "truth" in chosen.needs else None
    laboratory = ctx.laboratory if "network" in chosen.needs else None
    owners: list[Space | GroundTruth] = [ctx.space] if truth is None else [ctx.space, truth]
    before = [(owner, _copies(owner)) for owner in owners]
    try:
        result = work(replace(ctx, truth=truth, laboratory=laboratory))
    except UsageError as error:
        raise UsageError(f"The criterion '{text}' {refusal}: {error}") from error
    except DataError:
        raise
    except RunError as error:
        if type(error) is not RunError:  # such as harness.store.Held, which callers tell apart
            raise
        raise RunError(f"The criterion '{text}' failed: {error}") from error
    except (Exception, SystemExit) as error:
        raise RunError(f"The criterion '{text}' failed ({criteria.describe(_head(text)).origin}): it raised "
                       f"{type(error).__name__}: {error}.") from error
    finally:
        changed = [name for owner, copies in before for name in _restore(owner, copies)]
    if changed:
        raise RunError(f"The criterion '{text}' failed: it changed {', '.join(changed)} of its context; let it work on "
                       "a copy.")
    return result


def _head(text: str) -> str:
    return text.partition("[")[0]


def _held(owner: object) -> Arrays:
    return {name: value for name, value in vars(owner).items() if isinstance(value, np.ndarray)}


def _copies(owner: object) -> Arrays:
    """Copies of the arrays that an object holds."""
    return {name: value.copy() for name, value in _held(owner).items()}


def _restore(owner: "Space | GroundTruth", copies: Arrays) -> list[str]:
    """The names of the arrays that differ from their copies; they are put back, for the next criterion's sake."""
    changed = _put_back(owner, copies)
    new = [name for name in _held(owner) if name not in copies]
    if new:  # first derived during the call: compared with a second derivation
        fresh = replace(owner)
        changed += _put_back(owner, {name: getattr(fresh, name) for name in new})
    return changed


def _put_back(owner: object, right: Arrays) -> list[str]:
    changed = []
    for name, value in right.items():
        array = vars(owner)[name]
        if not np.array_equal(array, value, equal_nan=value.dtype.kind == "f"):
            array.setflags(write=True)
            array[...] = value
            array.setflags(write=False)
            changed.append(name)
    return changed
