"""Estimators: what ranks architectures by, from what was asked of their trained supernets; alone, or with criteria, by ranks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.errors import DataError, RunError, UsageError
from criteria.base import Context, Criterion, Scorer
from criteria.ensemble import log_rank_sum, rank_sum
from criteria.guard import score
from criteria.registry import Registry, criteria
from criteria.selector import parse, parts
from harness.runs.spec import INHERITABLE, PLAIN, RunSpec
from harness.store import read_frame, write_frame

if TYPE_CHECKING:
    from harness.estimation.estimate import Estimates

Values = NDArray[np.float64]
# Of the columns of estimates, so that higher is better.
SIGN = dict(zip(PLAIN, (1.0, -1.0, 1.0), strict=True))
# Of files of terms.
RANKED = "ranked/2"
# Columns of a file that say what a row is about.
WHICH = ("population", "index", "architecture")
# The list that a search goes through, where the whole space was estimated; it depends on no truth.
ESTIMATED = "estimated"


@dataclass(frozen=True)
class Estimator(ABC):
    """One value for each architecture from its estimates."""

    @abstractmethod
    def values(self, estimates: "Estimates") -> Values:
        """float64 [n_arch], higher = better; NaN = not estimated."""


estimators: Registry[Estimator] = Registry(
    "estimator", "split_harness.estimators", Estimator, "values")  # type: ignore[type-abstract]


@estimators.register("accuracy")
@dataclass(frozen=True)
class Accuracy(Estimator):
    """Accuracy with the weights of the trained supernet, in per cent."""

    def values(self, estimates: "Estimates") -> Values:
        return estimates.accuracy


@estimators.register("loss")
@dataclass(frozen=True)
class Loss(Estimator):
    """Cross-entropy with the weights of the trained supernet, in nats, negated."""

    def values(self, estimates: "Estimates") -> Values:
        return -estimates.loss


@estimators.register("angle")
@dataclass(frozen=True)
class Angle(Estimator):
    """Angle between an architecture's weights before and after the training of its supernet, in radians (AngleNet)."""

    def values(self, estimates: "Estimates") -> Values:
        assert estimates.angle is not None  # the stage that asks sees to it
        return estimates.angle


# How terms are added up: a+b, or rank_sum[a+b].
SUMS = {"": log_rank_sum, "rank_sum": rank_sum}
# What can be added up; criteria are scored at initialisation, for the estimated architectures only.
Term = Estimator | Criterion


def terms(selector: str) -> dict[str, Term]:
    """The terms that a selector joins by +, each an estimator or a criterion, by their canonical selectors.

    Raises UsageError for a name that is neither, and for a term that stands twice.
    """
    found: dict[str, Term] = {}
    for part in _addends(selector)[1]:
        term = _term(part)
        name = estimators.text(term) if isinstance(term, Estimator) else criteria.text(term)
        if name in found:
            raise UsageError(f"In the estimator '{selector}' the term '{name}' stands twice; leave one out.")
        found[name] = term
    if not found:
        raise UsageError(f"The estimator '{selector}' has no term; choose one of {', '.join(estimators.names())}.")
    return found


def _addends(selector: str) -> tuple[str, list[str]]:
    """Which of SUMS a selector asks for, and of what; UsageError where it asks for more."""
    addends = list(parts(selector, "+"))
    if len(addends) == 1:
        name, raw = parse(addends[0])
        if name and name in SUMS:
            if set(raw) != {""}:
                raise UsageError(f"'{selector}' is no estimator; write {name}[angle+accuracy], with any terms and nothing else.")
            return name, list(parts(raw[""], "+"))
    return "", addends


def _term(selector: str) -> Term:
    if (name := parse(selector)[0]) and name in SUMS:
        raise UsageError(f"'{selector}' stands in a sum; write it alone, as in {name}[angle+accuracy].")
    if name in set(criteria.names()) - set(estimators.names()):
        return criteria.get(selector)
    try:
        return estimators.get(selector)
    except UsageError as error:
        try:
            return criteria.get(selector)  # a file's class
        except UsageError:
            raise UsageError(f"{str(error).rstrip('.')}; or a criterion of `harness list criteria`.") from None


def term_names(selector: str) -> tuple[str, ...]:
    """The names of the terms of a selector, as `terms` gives them for a canonical one; no file of a plug-in is opened.

    UsageError for what is no sum.
    """
    try:
        return tuple(_addends(selector)[1] if ".py:" in selector else terms(selector))
    except UsageError:  # not installed
        return tuple(_addends(selector)[1])


def estimator_text(selector: str) -> str:
    """The canonical selector."""
    name, joined = _addends(selector)[0], "+".join(terms(selector))
    return f"{name}[{joined}]" if name else joined


def estimator_sha256(selector: str) -> str:
    """Hash of the code of its plug-ins, empty where it has none."""
    hashes = [(estimators if isinstance(term, Estimator) else criteria).source_sha256(term) for term in terms(selector).values()]
    return "+".join(filter(None, hashes))


def estimator_needs(selector: str) -> frozenset[str]:
    """What the criteria among its terms need of their context."""
    return frozenset[str]().union(*(term.needs for term in terms(selector).values() if not isinstance(term, Estimator)))


def check(spec: RunSpec) -> None:
    """UsageError when a run's estimator cannot be had of its supernets, or adds up what is no score."""
    for name, term in terms(spec.estimator).items():
        if not isinstance(term, Estimator | Scorer):
            raise UsageError(f"The estimator '{spec.estimator}' adds up '{name}', which scores no architectures; name "
                             "criteria that do, see `harness list criteria`.")
    if any(isinstance(term, Angle) for term in terms(spec.estimator).values()) and spec.share not in INHERITABLE:
        raise UsageError(f"The estimator '{spec.estimator}' needs plain weights and share={spec.share} has copies of them; "
                         "choose accuracy or loss, or --share part or all.")


def term_values(chosen: Mapping[str, Term], estimates: "Estimates", ctx: Context) -> dict[str, Values]:
    """float64 [n_arch] of each term, higher = better, for the members of the context, which are all it sees; NaN = undefined.

    Raises RunError, naming the term, when it raises or gives infinite values, none at all, or no float [n_arch]; as
    criteria.guard.score for criteria.
    """
    asked = np.zeros(len(ctx.space), bool)
    asked[slice(None) if ctx.members is None else ctx.members] = True
    estimated, found = asked & ~np.isnan(estimates.accuracy), {}
    for name, term in chosen.items():
        # Copies, so that a plug-in that changes them changes nothing.
        seen = replace(estimates, **{column: np.where(asked, values, np.nan) for column, values in vars(estimates).items()
                                     if values is not None})
        values = _estimated(name, term, seen) if isinstance(term, Estimator) else score(term, ctx).values
        if estimated.any() and np.isnan(values[estimated]).all():
            raise RunError(f"The term '{name}' of the estimator failed: all its values are NaN.")
        found[name] = np.where(asked, values, np.nan)
    return found


def _estimated(name: str, term: Estimator, estimates: "Estimates") -> Values:
    """The values of an estimator; RunError, naming it, when there is something wrong with them."""
    try:
        values: Any = term.values(estimates)
    except (Exception, SystemExit) as error:
        raise RunError(f"The estimator '{name}' failed: it raised {type(error).__name__}: {error}.") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.shape != estimates.accuracy.shape:
        given = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
        raise RunError(f"The estimator '{name}' failed: values must return floats [{len(estimates.accuracy)}], one for each "
                       f"architecture, not {given}.")
    if np.isinf(values).any():
        raise RunError(f"The estimator '{name}' failed: {np.isinf(values).sum()} values are infinite (first: architecture "
                       f"{np.isinf(values).argmax()}); an undefined one must be NaN.")
    return values.astype(np.float64)


def judgement(estimator: str, columns: Mapping[str, Values]) -> Values:
    """float64 [m], higher = better: the one column [m] itself, or the sum of several, over the rows that are given.

    Which sum, the estimator says; see criteria/ensemble.py. An architecture that a term leaves undefined ranks last there.
    """
    found = list(columns.values())
    return found[0] if len(found) == 1 else SUMS[_addends(estimator)[0]](found)


# ---- what a run was judged by, in its files


def ranked_file(folder: Path, key: str) -> Path:
    """The columns behind the metrics of that key, where those of the estimates are not enough."""
    return folder / f"ranked-{key}.parquet"


def write_ranked(path: Path, key: str, lists: Sequence[Population], tables: Sequence[Mapping[str, Values]],
                 strings: Sequence[str]) -> None:
    """Write the terms [m] of an estimator for each list, as each is ranked on its own; strings: of all architectures."""
    index = np.concatenate([each.members for each in lists])
    which: dict[str, Any] = {"population": [each.name for each in lists for _ in each.members], "index": index,
             "architecture": [strings[i] for i in index]}
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    write_frame(path, {**which, **columns}, {"schema": RANKED, "key": key})


def kept_values(folder: Path, key: str, estimator: str, estimates: Mapping[str, NDArray[Any]], population: Population) -> Values:
    """float64 [m], a value for each member of a population: what the metrics of that key were computed from.

    estimates: the columns of their file. population: one that the run is judged on, or ESTIMATED with all of them. No network and
    no plug-in is needed. DataError where a file is damaged, missing, or disagrees with the estimates.
    """
    path, members = ranked_file(folder, key), population.members
    rows = np.searchsorted(estimates["index"], members)
    if rows.max(initial=-1) < len(estimates["index"]) and np.array_equal(estimates["index"][rows], members):
        known = {name: SIGN[name] * estimates[name][rows] for name in SIGN if name in estimates}
        if path.exists() and estimator not in known:  # what is a column of the estimates is ranked by that
            columns, _ = read_frame(path, {"schema": RANKED, "key": key})
            mine = columns["population"] == population.name
            columns = {name: values[mine] for name, values in columns.items()}
            same = {"index": members, **{name: values for name, values in known.items() if name in columns}}
            whole = set(columns) == {*WHICH, *term_names(estimator)}
            if whole and all(np.array_equal(columns[name], values, equal_nan=name != "index") for name, values in same.items()):
                return judgement(estimator, {name: values for name, values in columns.items() if name not in WHICH})
        elif estimator in known and not path.exists():
            return known[estimator]
    raise DataError(f"{folder} does not hold what the estimator '{estimator}' ranked of '{population.name}'; delete "
                    f"metrics-{key}.json there and run the same command again.")
