"""`harness data import`: one source file into one table, checked, merged and written whole or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.convert.agreement import check_agreement
from benchmarks.convert.naming import Meaning, Values, is_description, meaning, trials_to_seeds
from benchmarks.errors import DataError, UsageError
from benchmarks.folder import data_home
from benchmarks.rows import Rows, read_rows
from benchmarks.space import Space, nasbench201
from benchmarks.table import (
    EMBEDDED_FOLDER,
    RESERVED,
    Table,
    check_values,
    headers,
    logical_hash,
    table_path,
    verify,
    write_table,
)
from benchmarks.truth import TruthKey

OPTIONS = ("--dataset", "--split", "--epochs", "--train-on")


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    table: its name. columns: what the source gave. skipped: columns of the source that hold no accuracy.
    architectures: with at least one value; missing: the rest of the space. sha256: of the source file; logical_sha256:
    of the whole table after the import. changed: False when the table had all of it already.
    """

    table: str
    path: Path
    columns: tuple[str, ...]
    skipped: tuple[str, ...]
    architectures: int
    missing: int
    sha256: str
    logical_sha256: str
    changed: bool


def import_table(path: Path, name: str, *, dataset: str | None = None, split: str | None = None,
                 epochs: int | None = None, train_on: str | None = None, column: str | None = None) -> ImportSummary:
    """Import a parquet, CSV or JSON file of accuracies as the table `name`; nothing in the file is executed.

    Columns whose names say what they hold (`c10_test_200_v10`) need nothing else; for others, dataset, split, epochs
    and train_on together say what they are (a column `..._s0` is the trial of seed 0). `column` takes only that one.
    Raises UsageError for a bad name or a column of unknown meaning, DataError for a source that cannot be read or
    joined, holds other than accuracies or contradicts the table there is, RunError when the table cannot be written.
    """
    space = nasbench201()
    target = _target(name)
    key = _key(name, dataset, split, epochs, train_on)
    rows = read_rows(path, space)
    wanted = list(rows.columns) if column is None else [rows.choose(column)]
    _refuse_text(rows, column)
    skipped = (*rows.texts, *(c for c in rows.columns if c not in wanted or (is_description(c) and c != column)))
    found = [_values(rows, c, key) for c in wanted if c not in skipped]
    counts = {c: values for c, values in rows.columns.items() if c.startswith("n_trials_")}
    try:
        columns = [_spread(rows, space, c) for c in trials_to_seeds(found, counts)]
        check_agreement(columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    _refuse_unclear(path, columns)
    file_hash = sha256(path.read_bytes()).hexdigest()
    table, changed = _write(name, target, columns, {"file": path.name, "sha256": file_hash})
    present = int(np.any([~np.isnan(c.values) for c in columns], axis=0).sum())
    return ImportSummary(name, table.path, tuple(c.name for c in columns), skipped, present, len(space) - present,
                         file_hash, table.sha256, changed)


def _target(name: str) -> Path:
    """Where the table goes; UsageError for a name that is none or that belongs to an embedded table."""
    table_path(name)
    if name in RESERVED or (EMBEDDED_FOLDER / f"{name}.parquet").exists():
        raise UsageError(f"'{name}' is the name of an embedded benchmark's table; import under another name with --as.")
    return data_home() / "tables" / f"{name}.parquet"


def _key(name: str, dataset: str | None, split: str | None, epochs: int | None,
         train_on: str | None) -> TruthKey | None:
    """What columns of unknown names hold; UsageError when only a part of it was said."""
    given = (dataset, split, epochs, train_on)
    if dataset is not None and split is not None and epochs is not None and train_on is not None:
        return TruthKey(name, dataset, split, epochs, train_on)
    if any(value is not None for value in given):
        missing = ", ".join(option for option, value in zip(OPTIONS, given, strict=True) if value is None)
        raise UsageError(f"To say which truth a column is takes {', '.join(OPTIONS)} together; add {missing}.")
    return None


def _refuse_text(rows: Rows, column: str | None) -> None:
    """A column that should hold accuracies and holds text is damage, not something to skip."""
    for name in rows.texts:
        if meaning(name) is not None and column in (None, name):
            rows.choose(name)


def _values(rows: Rows, column: str, key: TruthKey | None) -> Values:
    meant = meaning(column)
    if meant is None:
        if key is None:
            raise UsageError(f"The name of column '{column}' of {rows.source} does not say what it holds; say it "
                             f"with {', '.join(OPTIONS)}, or take another with --column.")
        stem, mark, seed = column.rpartition("_s")
        meant = Meaning(key, seed if stem and mark and seed.isdigit() else "mean")
    return Values(column, meant, rows.columns[column])


def _spread(rows: Rows, space: Space, column: Values) -> Values:
    """float64 [n_row] -> [n_arch], NaN for architectures without a row; DataError for values that are no accuracies."""
    values: NDArray[np.float64] = np.full(len(space), np.nan)
    values[rows.index] = column.values
    check_values(column.name, values)
    return Values(column.name, column.meaning, values)


def _refuse_unclear(path: Path, columns: Sequence[Values]) -> None:
    """UsageError for a source without accuracies and for two columns that would be the same number."""
    if not columns:
        raise UsageError(f"{path} has no column of accuracies; name columns like c10_test_200_v10, or take one with "
                         f"--column and say what it is with {', '.join(OPTIONS)}.")
    seen: dict[tuple[TruthKey, str], str] = {}
    for column in columns:
        other = seen.setdefault((column.meaning.key, column.meaning.seed), column.name)
        if other != column.name:
            raise UsageError(f"Columns '{other}' and '{column.name}' of {path} would both be {column.meaning.key}; "
                             "take one with --column, or end the names of trials in _s and their seed.")


def _write(name: str, target: Path, new: Sequence[Values], origin: dict[str, str]) -> tuple[Table, bool]:
    """The table with the new columns merged in, and whether that changed it."""
    merged: dict[tuple[TruthKey, str], Values] = {}
    origins: tuple[Mapping[str, Any], ...] = ()
    old = None
    if target.exists():
        old = verify(name)
        for c, values in zip(old.columns, old.read(old.columns).T, strict=True):
            merged[c.key, c.seed] = Values(c.name, Meaning(c.key, c.seed), values)
        origins = old.origins
    for column in new:
        place = (column.meaning.key, column.meaning.seed)
        merged[place] = _merge(name, merged[place], column) if place in merged else column
    names = [column.name for column in merged.values()]
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise UsageError(f"Table '{name}' already has another truth in its column '{twice}'; import under another name "
                         "with --as.")
    columns = [(c.name, c.meaning.key, c.meaning.seed, c.values) for c in merged.values()]
    if old is not None and logical_hash(headers(columns)) == old.sha256:
        return old, False
    return write_table(name, target, columns, [*origins, origin]), True


def _merge(table: str, old: Values, new: Values) -> Values:
    """The values of both; DataError where both have one and they differ."""
    both = ~np.isnan(old.values) & ~np.isnan(new.values)
    differ = np.flatnonzero(both & (old.values != new.values))
    if len(differ):
        i = differ[0]
        raise DataError(f"Column '{new.name}' contradicts table '{table}': architecture {i} has {new.values[i]} and "
                        f"the table says {old.values[i]} ({old.meaning.key}); import under another name with --as.")
    return Values(old.name, old.meaning, np.where(np.isnan(old.values), new.values, old.values))
