"""`harness data diff`: how far two tables, or two numbers, rank the architectures alike and where they differ."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from benchmarks.column import ACCURACY, Column
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from benchmarks.suggestion import suggestion
from benchmarks.table import MEAN, Table, open_table
from benchmarks.truth import TRAIN, GroundTruth, TruthKey, refuse_no_truth

LARGEST = 5


@dataclass(frozen=True)
class Gap:
    """An architecture and its two means in per cent."""

    index: int
    architecture: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """Two truths: tau_b between their means on the n architectures that both have (None where it is undefined).

    equal: architectures with the same mean. only_a, only_b: architectures that the other lacks. largest: by how far the means
    are apart. missing_a: (seed, architectures) of trials that B has and A lacks; missing_b the reverse; both are empty where
    a side has only means.
    """

    a: str
    b: str
    n: int
    tau: float | None
    equal: int
    only_a: int
    only_b: int
    largest: tuple[Gap, ...]
    missing_a: tuple[tuple[str, int], ...]
    missing_b: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Difference:
    """Two tables: the keys of both compared, the keys of one, and pairs that differ only in their source.

    other_columns: columns of losses, times and the like that both have; other_equal: those with the same values.
    """

    a: str
    b: str
    same: bool
    comparisons: tuple[Comparison, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    other_columns: int
    other_equal: int
    offers: tuple[tuple[str, str], ...]


def diff(a: str, b: str) -> Difference:
    """The difference of two tables by name, or of two numbers written TABLE:KEY.

    KEY is a truth key or a column name. Raises DataError for a table that is absent or damaged, UsageError when only one side
    names a key, or a table does not have it.
    """
    (name_a, _, key_a), (name_b, _, key_b) = a.partition(":"), b.partition(":")
    if bool(key_a) != bool(key_b):
        raise UsageError(f"'{a if key_b else b}' names no key and '{b if key_b else a}' does; write both as TABLE, or both as "
                         "TABLE:KEY.")
    table_a, table_b = open_table(name_a), open_table(name_b)
    if key_a:
        one, other = _truth(table_a, key_a), _truth(table_b, key_b)
        return Difference(a, b, one.sha256 == other.sha256, (_compare(one, other),), (), (), 0, 0, ())
    keys_a, keys_b = table_a.keys, table_b.keys
    common = [key for key in keys_a if key in keys_b]
    comparisons = tuple(_compare(_truth(table_a, str(key)), _truth(table_b, str(key))) for key in common)
    rest_a, rest_b = _others(table_a), _others(table_b)
    both = [place for place in rest_a if place in rest_b]
    offers = tuple((f"{name_a}:{x}", f"{name_b}:{y}") for x in keys_a for y in keys_b
                   if x != y and replace(x, source=y.source) == y and (x not in common or y not in common))
    return Difference(a, b, table_a.sha256 == table_b.sha256, comparisons, tuple(str(k) for k in keys_a if k not in keys_b),
                      tuple(str(k) for k in keys_b if k not in keys_a), len(both),
                      sum(rest_a[place].sha256 == rest_b[place].sha256 for place in both), offers)


def _others(table: Table) -> dict[tuple[str, TruthKey, str], Column]:
    return {(c.quantity, c.key, c.seed): c for c in table.columns if c.quantity != ACCURACY or c.key.split == TRAIN}


def _truth(table: Table, text: str) -> GroundTruth:
    columns = table.select(text if "/" not in text else str(TruthKey.parse(text)))
    if not columns:
        known = [name for c in table.columns for name in (c.name, str(c.key))]
        raise UsageError(f"Table '{table.name}' has no '{text}'{suggestion(text, known) or ';'} `harness data list` shows every "
                         "key and column.")
    refuse_no_truth(text, columns[0].key, columns[0].quantity)
    return table.truth(columns, None if "/" in text else text)


def _compare(a: GroundTruth, b: GroundTruth) -> Comparison:
    x, y = a.mean(), b.mean()
    has_a, has_b = ~np.isnan(x), ~np.isnan(y)
    both = np.flatnonzero(has_a & has_b)
    apart = np.abs(x - y)[both]
    order = both[np.argsort(-apart, kind="stable")][: min(LARGEST, int((apart > 0).sum()))]
    tau = kendalltau(x[both], y[both]).statistic if len(both) > 1 else np.nan
    strings = nasbench201().strings
    return Comparison(str(a.key), str(b.key), len(both), float(tau) if np.isfinite(tau) else None, int((apart == 0).sum()),
                      int((has_a & ~has_b).sum()), int((has_b & ~has_a).sum()),
                      tuple(Gap(int(i), strings[i], float(x[i]), float(y[i])) for i in order), _missing(a, b), _missing(b, a))


def _missing(of: GroundTruth, than: GroundTruth) -> tuple[tuple[str, int], ...]:
    """(seed, architectures) of the trials that `than` has and `of` lacks."""
    if MEAN in (*of.seeds, *than.seeds):
        return ()
    counts = [(seed, int((_present(than, seed) & ~_present(of, seed)).sum())) for seed in than.seeds]
    return tuple((seed, count) for seed, count in counts if count)


def _present(truth: GroundTruth, seed: str) -> NDArray[np.bool_]:
    if seed not in truth.seeds:
        return np.zeros(len(truth.accuracy), dtype=bool)
    present: NDArray[np.bool_] = ~np.isnan(truth.accuracy[:, truth.seeds.index(seed)])
    return present
