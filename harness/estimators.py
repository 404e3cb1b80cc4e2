"""Estimators: what ranks architectures by, from what was asked of their trained supernets; alone, or with criteria, by ranks."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from criteria.base import Context, Criterion, Scorer
from criteria.ensemble import log_rank_sum, scored
from criteria.registry import Registry, criteria
from criteria.selector import parse, parts
from harness.spec import INHERITABLE, RunSpec
from harness.store import read_frame, write_frame

if TYPE_CHECKING:
    from harness.estimate import Estimates

Values = NDArray[np.float64]
# Of the columns of estimates, so that higher is better.
SIGN = {"accuracy": 1.0, "loss": -1.0, "angle": 1.0}
# Columns of a file that say which architecture a row is about.
WHICH = ("index", "architecture")


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


# What can be added up; criteria are scored at initialisation, for the estimated architectures only.
Term = Estimator | Criterion


def terms(selector: str) -> dict[str, Term]:
    """The terms that a selector joins by +, each an estimator or a criterion, by their canonical selectors.

    Raises UsageError for a name that is neither, and for a term that stands twice.
    """
    found: dict[str, Term] = {}
    for part in parts(selector, "+"):
        term = _term(part)
        name = estimators.text(term) if isinstance(term, Estimator) else criteria.text(term)
        if name in found:
            raise UsageError(f"In the estimator '{selector}' the term '{name}' stands twice; leave one out.")
        found[name] = term
    if not found:
        raise UsageError(f"The estimator '{selector}' has no term; choose one of {', '.join(estimators.names())}.")
    return found


def _term(selector: str) -> Term:
    if parse(selector)[0] in set(criteria.names()) - set(estimators.names()):
        return criteria.get(selector)
    try:
        return estimators.get(selector)
    except UsageError as error:
        try:
            return criteria.get(selector)  # a file's class
        except UsageError:
            raise error from None


def estimator_text(selector: str) -> str:
    """The canonical selector."""
    return "+".join(terms(selector))


def estimator_sha256(selector: str) -> str:
    """Hash of the code of its plug-ins, empty where it has none."""
    hashes = [(estimators if isinstance(term, Estimator) else criteria).source_sha256(term) for term in terms(selector).values()]
    return "+".join(filter(None, hashes))


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
    """float64 [n_arch] of each term, higher = better, where an architecture was estimated; NaN = undefined."""
    asked = np.zeros(len(ctx.space), bool)
    asked[slice(None) if ctx.members is None else ctx.members] = True
    values = {name: term.values(estimates) if isinstance(term, Estimator) else scored(term, ctx) for name, term in chosen.items()}
    return {name: np.where(asked, found, np.nan) for name, found in values.items()}


def judgement(columns: Mapping[str, Values]) -> Values:
    """float64 [m], higher = better: the one column [m] itself, or the log-rank sum of several, over the rows that are given.

    Source of the sum: AZ-NAS, see criteria/ensemble.py. An architecture that a term leaves undefined ranks last there.
    """
    found = list(columns.values())
    return found[0] if len(found) == 1 else log_rank_sum(found)


# ---- what a run was judged by, in its files


def ranked_file(folder: Path, key: str) -> Path:
    """The columns behind the metrics of that key, where those of the estimates are not enough."""
    return folder / f"ranked-{key}.parquet"


def write_ranked(path: Path, key: str, columns: Mapping[str, Values], index: NDArray[np.int64], architecture: list[str]) -> None:
    """Write the terms [m] of an estimator, one row for each of the estimated architectures."""
    write_frame(path, {"index": index, "architecture": architecture, **columns}, {"schema": "ranked/1", "key": key})


def kept_values(folder: Path, key: str, estimator: str, estimates: Mapping[str, NDArray[Any]]) -> Values:
    """float64 [m], a value for each row of the columns of the estimates: what the metrics of that key were computed from.

    No network and no plug-in is needed. DataError where the file is damaged, missing, or disagrees with the estimates.
    """
    path = ranked_file(folder, key)
    if path.exists():
        columns, _ = read_frame(path, {"schema": "ranked/1", "key": key})
        known = {"index": estimates["index"], **{name: SIGN[name] * estimates[name] for name in SIGN if name in estimates}}
        if all(np.array_equal(columns[name], values, equal_nan=True) for name, values in known.items() if name in columns):
            return judgement({name: values for name, values in columns.items() if name not in WHICH})
    elif estimator in SIGN and estimator in estimates:
        return SIGN[estimator] * estimates[estimator]
    raise DataError(f"{path} does not hold what the estimator '{estimator}' ranked; delete the metrics {key} beside it and run "
                    "the same command again.")
