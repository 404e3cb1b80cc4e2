"""Anybody's table of numbers per architecture, joined to the space by architecture, never by position.

Rows are named by an architecture column (official strings, or the nested genotypes that FS-NAS and EFS-NAS write), by
an integer column `index` (the official order), or by both, which must then agree. Nothing in a file is executed: a
genotype is read with `ast.literal_eval`, which takes literals only.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.columns import Column, read_columns, read_source
from benchmarks.errors import DataError, UsageError
from benchmarks.space import Space
from benchmarks.suggestion import suggestion

# What pandas calls the row numbers it writes beside the data: no measurement, and no architecture index either.
ROW_NUMBERS = ("", "Unnamed: 0", "__index_level_0__")
# A genotype is some 110 characters long; the bound keeps a hostile text away from the parser.
LONGEST_GENOTYPE = 1000
ARCHITECTURE = re.compile(r"\s*\|[^|]*~\d|\s*[\[(]\s*[\[(][\s\[(]*['\"]")


@dataclass(frozen=True, eq=False)
class Rows:
    """Named columns of numbers for some architectures of a space.

    index: int64 [n_row], the official index of each row's architecture, none twice, in the order of the file.
    columns: name -> float64 [n_row], NaN = missing.
    texts: name -> why it is no column of numbers, for every other column except the architectures.
    """

    source: str
    space: Space
    index: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, str]

    def choose(self, column: str | None) -> str:
        """The name of the column to read: the given one, or the only one.

        Raises UsageError when it is unknown or when several could be meant, DataError when it is no column of numbers.
        """
        names = ", ".join(self.columns)
        if column is not None and column in self.columns:
            return column
        if column is not None and column in self.texts:
            raise DataError(f"Column '{column}' of {self.source} is not numeric: {self.texts[column]}; correct it.")
        if not self.columns:
            texts = "".join(f" ('{name}': {why})" for name, why in self.texts.items())
            raise DataError(f"{self.source} has no column of numbers{texts}; give each architecture a number.")
        if column is not None:
            raise UsageError(f"{self.source} has no column '{column}' among its columns of numbers {names}"
                             f"{suggestion(column, self.columns) or '; choose one of them.'}")
        if len(self.columns) > 1:
            raise UsageError(f"{self.source} has several columns of numbers; name one with --column: {names}.")
        return next(iter(self.columns))

    def spread(self, column: str) -> NDArray[np.float64]:
        """float64 [n_arch]: the column in the official order, NaN where the file has no row.

        Raises DataError when a value is infinite.
        """
        values = self.columns[column]
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise DataError(f"Column '{column}' of {self.source} is infinite in row {row + 1} "
                            f"({self.space.strings[self.index[row]]}); leave it empty where it is undefined.")
        spread = np.full(len(self.space), np.nan)
        spread[self.index] = values
        return spread


def read_estimates(path: Path, column: str | None, space: Space) -> NDArray[np.float64]:
    """float64 [n_arch]: one column of anybody's estimates in the official order, NaN where the file has none.

    Raises DataError for a file that cannot be read or joined, UsageError for a column that cannot be chosen.
    """
    rows = read_rows(path, space)
    return rows.spread(rows.choose(column))


def read_rows(path: Path, space: Space) -> Rows:
    """All numeric columns of a parquet, CSV or JSON file, joined to the architectures of `space`.

    Raises DataError for a file that cannot be read (see `read_source` and `read_columns`) or has no header, and for an
    architecture that is unknown, stands twice or contradicts its index.
    """
    return rows_of(path, read_source(path), space)


def rows_of(path: Path, content: bytes, space: Space) -> Rows:
    """`read_rows` of what has been read from `path`."""
    columns = read_columns(path, content)
    if any(ARCHITECTURE.match(name) for name in columns):
        raise DataError(f"{path} has no header: its first line is already an architecture; put column names above it.")
    if columns and not len(next(iter(columns.values()))):
        raise DataError(f"{path} has no rows; give it one row per architecture.")
    claimed = columns.pop("index", None)
    arch = _architecture_column(path, columns)
    if arch is None and claimed is None:
        raise DataError(f"{path} does not say which architecture a row is: it has neither a column of {space.name} "
                        "architectures nor an integer column 'index'; add one of them.")
    named = None if arch is None else _indices_of(path, columns.pop(arch), space)
    index = _claimed_indices(path, claimed, space) if claimed is not None else named
    assert index is not None
    if named is not None and not np.array_equal(named, index):
        row = int(np.flatnonzero(named != index)[0])
        raise DataError(f"{path}, row {row + 1}: the index {index[row]} is not that of '{space.strings[named[row]]}', "
                        f"which is {named[row]}; correct one or leave the column 'index' out.")
    order = np.argsort(index, kind="stable")
    again = order[1:][np.diff(index[order]) == 0]
    if len(again):
        row = int(again.min())
        raise DataError(f"{path}, row {row + 1}: '{space.strings[index[row]]}' stands twice (first in row "
                        f"{np.flatnonzero(index == index[row])[0] + 1}); keep one row per architecture.")
    numbers = {name: values for name, values in columns.items()
               if isinstance(values, np.ndarray) and name not in ROW_NUMBERS}
    texts = {name: _why_text(values) for name, values in columns.items() if isinstance(values, list)}
    return Rows(str(path), space, index, numbers, texts)


# ---- architectures to indices

def _architecture_column(path: Path, columns: Mapping[str, Column]) -> str | None:
    """The name of the column that holds architectures: 'arch', or the one that looks like it."""
    texts = {name: values for name, values in columns.items() if isinstance(values, list)}
    if "arch" in texts:
        return "arch"
    found = [name for name, values in texts.items() if any(_looks_like_architecture(value) for value in values)]
    if len(found) > 1:
        raise DataError(f"{path} has several architecture columns ({', '.join(found)}); name the one to use 'arch'.")
    return found[0] if found else None


def _looks_like_architecture(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and ARCHITECTURE.match(value) is not None)


def _indices_of(path: Path, archs: Column, space: Space) -> NDArray[np.int64]:
    known = {arch: i for i, arch in enumerate(space.strings)}
    index = np.empty(len(archs), dtype=np.int64)
    for row, arch in enumerate(archs):
        try:
            official = arch if isinstance(arch, str) and arch in known else _official_string(arch, space)
            index[row] = known[official] if official in known else space.index_of(official)
        except DataError as error:
            raise DataError(f"{path}, row {row + 1}: {error}") from None
    return index


def _official_string(arch: object, space: Space) -> str:
    """The official string of a genotype, `[(('none', 0),), (('none', 0), ('none', 1)), ...]` as text or lists."""
    if isinstance(arch, str) and "~" in arch:
        return arch
    genotype = arch
    if isinstance(arch, str) and len(arch) <= LONGEST_GENOTYPE:
        try:
            genotype = ast.literal_eval(arch.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            genotype = None
    try:
        nodes = [[(op, source) for op, source in node] for node in genotype]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        nodes = []
    if not nodes or not all(op in space.op_names and type(source) is int for node in nodes for op, source in node):
        raise DataError(f"'{str(arch)[:120]}' is not a {space.name} architecture; write its official string, e.g. "
                        f"'{space.strings[0]}', or the nested tuples ((operation, node), ...) of each node.")
    return "+".join("|" + "|".join(f"{op}~{source}" for op, source in node) + "|" for node in nodes)


def _claimed_indices(path: Path, claimed: Column, space: Space) -> NDArray[np.int64]:
    for row, value in enumerate(claimed):
        if not isinstance(value, float) or not value.is_integer() or not 0 <= value < len(space):
            raise DataError(f"{path}, row {row + 1}: '{value}' is no index of {space.name}; it must be a whole number "
                            f"from 0 to {len(space) - 1}.")
    return np.asarray(claimed, dtype=np.int64)


def _why_text(values: list[object]) -> str:
    """The first entry that keeps a column from being numbers, in words."""
    row = next((row for row, value in enumerate(values) if not _is_number(value)), 0)
    return f"row {row + 1} holds {str(values[row])[:60]!r}"


def _is_number(value: object) -> bool:
    try:
        return value is None or float(value) is not None  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
