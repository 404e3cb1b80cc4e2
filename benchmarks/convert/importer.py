"""`harness data import`: one source into one table, checked, merged and written whole or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import ACCURACY, N_ARCH, NewColumn, logical_hash, refuse_fractions
from benchmarks.columns import read_source
from benchmarks.convert.agreement import check_agreement
from benchmarks.convert.naming import SOURCES, Meaning, Values, is_description, meaning, trials_to_seeds
from benchmarks.convert.naslib import naslib_rows
from benchmarks.convert.source import NASLIB_JSON, OFFICIAL, source_format
from benchmarks.errors import DataError, UsageError
from benchmarks.folder import data_home
from benchmarks.lock import sole_writer
from benchmarks.rows import Rows, rows_of
from benchmarks.space import Space, nasbench201
from benchmarks.table import RESERVED, Table, is_embedded, table_path, verify, write_table
from benchmarks.truth import TRAIN, TruthKey

OPTIONS = ("--dataset", "--split", "--epochs", "--train-on")
# What two sources of one number may differ by: other programs sum the same batches in another order. An image is 7e-4.
SAME = 1e-6


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    table: its name. format: of the source; size in bytes and sha256: of it (of a folder: over its sorted names and hashes).
    columns: what the source gave. skipped: columns of the source that hold no measurement. architectures: with at least
    one value; missing: the rest of the space. logical_sha256: of the whole table after the import. changed: False when the
    table had all of it already. oddities: what is unlike the rest of an official source and came in as it stands, in words.
    """

    table: str
    path: Path
    format: str
    size: int
    columns: tuple[str, ...]
    skipped: tuple[str, ...]
    architectures: int
    missing: int
    sha256: str
    logical_sha256: str
    changed: bool
    oddities: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Content:
    """What a source gave, its format as it was read, its size in bytes and sha256."""

    columns: list[NewColumn]
    skipped: tuple[str, ...]
    format: str
    size: int
    sha256: str
    oddities: tuple[str, ...] = ()


def import_table(path: Path, name: str, *, dataset: str | None = None, split: str | None = None,
                 epochs: int | None = None, train_on: str | None = None, column: str | None = None,
                 form: str | None = None, jobs: int = 1, report: Callable[[int, int], None] | None = None) -> ImportSummary:
    """Import a source of any format of `benchmarks.convert.source` as the table `name`; nothing in it is executed.

    Columns whose names say what they hold (`c10_test_200_v10`) need nothing else; for others, dataset, split, epochs
    and train_on together say what they are (a column `..._s0` is the trial of seed 0). `column` takes only that one.
    form: the format, recognised from the content unless given. jobs: processes that read the files of an official folder;
    report: called with (files or bytes read, how many there are). Raises UsageError for a bad name or a column of unknown
    meaning, DataError for a source that cannot be read or joined, holds other than measurements or contradicts the table
    there is, RunError when the table cannot be written.
    """
    target = _target(name)
    key = _key(name, dataset, split, epochs, train_on)
    found = source_format(path, form)
    if found in OFFICIAL:
        if key is not None or column is not None:
            raise UsageError(f"{path} is an official file and says itself what it holds; leave --column and {', '.join(OPTIONS)} "
                             "out.")
        content = _official(path, form, jobs, report)
    else:
        content = _named(path, found, column, key)
    present = int(np.logical_or.reduce([~np.isnan(c.values) for c in content.columns]).sum())
    if not present:
        raise DataError(f"{path} has no value of any architecture; give a file that has some.")
    origin = {"file": path.name, "format": content.format, "sha256": content.sha256,
              **({"oddities": content.oddities} if content.oddities else {})}
    try:
        with sole_writer(target):
            table, changed = _write(name, target, content.columns, origin)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return ImportSummary(name, table.path, content.format, content.size, tuple(c.name for c in content.columns), content.skipped,
                         present, N_ARCH - present, content.sha256, table.sha256, changed, content.oddities)


def _official(path: Path, form: str | None, jobs: int, report: Callable[[int, int], None] | None) -> _Content:
    # Not at the top: it starts processes, and a truth is read without it.
    from benchmarks.convert.confined import read_official
    from benchmarks.convert.redundancy import check_redundancy
    from benchmarks.convert.trials import official_columns

    official = read_official(path, jobs, report)
    if form not in (None, official.format):
        raise DataError(f"{path} is not of the format {form} but of {official.format}; leave --format out, or give another file.")
    try:
        columns = official_columns(official)
        oddities = check_redundancy(official)
        for column in columns:
            column.check()
        # Together: networks of nothing but zeros have 1 % on CIFAR-100.
        refuse_fractions(columns)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return _Content(columns, (), official.format, official.size, official.sha256, oddities)


def _named(path: Path, form: str, column: str | None, key: TruthKey | None) -> _Content:
    """The measurements of a file of named columns."""
    space, content = nasbench201(), read_source(path)
    rows = (naslib_rows if form == NASLIB_JSON else rows_of)(path, content, space)
    wanted = list(rows.columns) if column is None else [rows.choose(column)]
    _refuse_text(rows, column)
    skipped = (*rows.texts, *(c for c in rows.columns if c not in wanted or (is_description(c) and c != column)))
    found = [_values(rows, c, key) for c in wanted if c not in skipped]
    counts = {c: values for c, values in rows.columns.items() if c.startswith("n_trials_")}
    try:
        columns = [_spread(rows, space, c) for c in trials_to_seeds(found, counts)]
        for new in columns:
            refuse_fractions([new])
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    _refuse_unclear(path, columns)
    return _Content(columns, skipped, form, len(content), sha256(content).hexdigest())


def _target(name: str) -> Path:
    """Where the table goes; UsageError for a name that is none or that belongs to an embedded table."""
    table_path(name)
    if name in RESERVED or is_embedded(name):
        raise UsageError(f"'{name}' is the name of an embedded benchmark's table; import under another name with --as.")
    return data_home() / "tables" / f"{name}.parquet"


def _key(name: str, dataset: str | None, split: str | None, epochs: int | None,
         train_on: str | None) -> TruthKey | None:
    """What columns of unknown names hold; UsageError when only a part of it was said, or what an import cannot say."""
    given = (dataset, split, epochs, train_on)
    if split == TRAIN:
        raise UsageError(f"--split {TRAIN} is no truth, for it is about the images that were trained on; choose valid, test or "
                         "valtest.")
    if dataset is not None and split is not None and epochs is not None and train_on is not None:
        if name in SOURCES.values():
            raise UsageError(f"'{name}' is an official source, and what {', '.join(OPTIONS)} say is yours; import under another "
                             "name with --as.")
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


def _spread(rows: Rows, space: Space, column: Values) -> NewColumn:
    """float64 [n_row] -> [n_arch], NaN for architectures without a row; DataError for values that are no measurements."""
    values: NDArray[np.float64] = np.full(len(space), np.nan)
    values[rows.index] = column.values
    meant = column.meaning
    new = NewColumn(column.name, meant.key, meant.seed, values, meant.quantity)
    new.check()
    return new


def _refuse_unclear(path: Path, columns: Sequence[NewColumn]) -> None:
    """UsageError for a source without measurements and for two columns that would be the same number."""
    if not columns:
        raise UsageError(f"{path} has no column of accuracies; name columns like c10_test_200_v10, or take one with "
                         f"--column and say what it is with {', '.join(OPTIONS)}.")
    seen: dict[tuple[str, TruthKey, str], str] = {}
    for column in columns:
        other = seen.setdefault(column.place, column.name)
        if other != column.name:
            raise UsageError(f"Columns '{other}' and '{column.name}' of {path} would both be {column.key}; "
                             "take one with --column, or end the names of trials in _s and their seed.")


def _write(name: str, target: Path, new: Sequence[NewColumn], origin: Mapping[str, Any]) -> tuple[Table, bool]:
    """The table with the new columns merged in and checked as a whole, and whether that changed it."""
    merged: dict[tuple[str, TruthKey, str], NewColumn] = {}
    origins: tuple[Mapping[str, Any], ...] = ()
    old = None
    if target.exists():
        old = verify(name)
        for c, values in zip(old.columns, old.read(old.columns).T, strict=True):
            column = NewColumn(c.name, c.key, c.seed, values, c.quantity)
            merged[column.place] = column
        origins = old.origins
    for column in new:
        merged[column.place] = _merge(name, merged[column.place], column) if column.place in merged else column
    columns = list(merged.values())
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        twice = next(n for i, n in enumerate(names) if n in names[:i])
        raise UsageError(f"Table '{name}' already has another truth in its column '{twice}'; import under another name "
                         "with --as.")
    check_agreement(columns)
    if old is not None and logical_hash(column.header for column in columns) == old.sha256:
        return old, False
    return write_table(name, target, columns, [*origins, origin]), True


def _merge(table: str, old: NewColumn, new: NewColumn) -> NewColumn:
    """The values of both, those of the table where both have one; DataError where these differ."""
    both = ~np.isnan(old.values) & ~np.isnan(new.values)
    scale = np.ones_like(old.values) if old.quantity == ACCURACY else np.abs(old.values)
    differ = np.flatnonzero(both & (np.abs(old.values - new.values) > SAME * scale))
    if len(differ):
        i = differ[0]
        raise DataError(f"Column '{new.name}' contradicts table '{table}': architecture {i} has {new.values[i]} and "
                        f"the table says {old.values[i]} ({old.key}); import under another name with --as.")
    return NewColumn(old.name, old.key, old.seed, np.where(np.isnan(old.values), new.values, old.values), old.quantity)
