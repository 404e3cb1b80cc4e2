"""Ground-truth tables on disk: one parquet file each, every column under its own hash.

Rows are the architectures in official order. The footer holds a JSON header (schema number, columns with key and seed,
origins) and its hash, so that a damaged byte is found wherever it lies: in a page by the page's checksum, in a value by
the hash of its column, in the header by the header's.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from benchmarks.folder import data_home, write_atomically
from benchmarks.suggestion import suggestion
from benchmarks.truth import TruthKey

SCHEMA = 1
N_ARCH = 15_625
MEAN = "mean"
HEADER, SEAL = b"split_harness", b"split_harness_sha256"
EMBEDDED_FOLDER = Path(__file__).parent / "tables"
# Names that belong to the package, whether or not their table has been made yet.
RESERVED = ("digits201",)
# A column to write: name, key, seed, float64 [n_arch] in per cent with NaN for missing.
NewColumn = tuple[str, TruthKey, str, NDArray[np.float64]]


@dataclass(frozen=True)
class Column:
    """One column: its name, which number it is, its trial ("777", "mean", ...) and the sha256 of its values."""

    name: str
    key: TruthKey
    seed: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Table:
    """The header of a table; `origins` says for each import which file it came from."""

    name: str
    path: Path
    columns: tuple[Column, ...]
    origins: tuple[Mapping[str, Any], ...]
    sha256: str

    def select(self, key_or_column: str) -> tuple[Column, ...]:
        """The columns that a key (all its seeds, else its mean) or a column name stands for; empty when it has none."""
        if "/" not in key_or_column:
            return tuple(column for column in self.columns if column.name == key_or_column)
        key = TruthKey.parse(key_or_column)
        columns = sorted((column for column in self.columns if column.key == key), key=_seed_order)
        return tuple(column for column in columns if column.seed != MEAN) or tuple(columns)

    def read(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """float64 [n_arch, n_column], per cent, NaN = missing; DataError when the values are not those written."""
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                table = file.read([column.name for column in columns], use_threads=False)
            values = [_numbers(table[column.name]) for column in columns]
        except Exception as error:  # pyarrow meets damaged bytes with exceptions of many families
            raise _damaged(self.name, self.path, str(error)) from error
        for column, value in zip(columns, values, strict=True):
            if len(value) != N_ARCH or value_hash(value) != column.sha256:
                raise _damaged(self.name, self.path, f"the values of {column.name} are not those that were written")
        return np.stack(values, axis=1)

    @property
    def keys(self) -> tuple[TruthKey, ...]:
        """Every key it has, in order."""
        return tuple(sorted({column.key for column in self.columns}))


def _numbers(column: Any) -> NDArray[np.float64]:
    """float64 [n]: an arrow column of doubles, null as NaN; pyarrow's own to_numpy would import pandas."""
    parts = []
    for chunk in column.chunks:
        if str(chunk.type) != "double":
            raise TypeError(f"a column of {chunk.type}")
        inside = slice(chunk.offset, chunk.offset + len(chunk))
        present, values = chunk.buffers()
        part = np.frombuffer(values, np.float64)[inside].copy()
        if present is not None:
            part[np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")[inside] == 0] = np.nan
        parts.append(part)
    return np.concatenate(parts)


def _seed_order(column: Column) -> tuple[int, str]:
    return len(column.seed), column.seed


def value_hash(values: NDArray[np.float64]) -> str:
    """sha256 of float64 [n_arch] in little-endian bytes; every NaN counts as the same NaN, -0 as 0."""
    canonical = np.where(np.isnan(values), np.nan, values + 0.0)
    return sha256(canonical.astype("<f8").tobytes()).hexdigest()


def logical_hash(columns: Iterable[Column]) -> str:
    """sha256 of what the columns say (key, seed, values), whatever their names, order and file."""
    facts = sorted((str(column.key), column.seed, column.sha256) for column in columns)
    return sha256(json.dumps(facts).encode()).hexdigest()


def table_path(name: str) -> Path:
    """Where the table called `name` lies or would lie: in the user's data folder, else embedded in the package.

    Only `harness data build` makes a table of an embedded name, so one in the data folder is the user's own, fuller one.
    """
    if not re.fullmatch(r"[a-z0-9_-][a-z0-9_.-]*", name):
        raise UsageError(f"'{name}' is no name of a table: use lower-case letters, digits, '_', '.' and '-'.")
    own, embedded = data_home() / "tables" / f"{name}.parquet", EMBEDDED_FOLDER / f"{name}.parquet"
    return embedded if embedded.exists() and not own.exists() else own


def table_names() -> list[str]:
    """Every embedded and every imported table, sorted."""
    folders = (EMBEDDED_FOLDER, data_home() / "tables")
    paths = (path for folder in folders for path in folder.glob("*.parquet"))
    return sorted({path.stem for path in paths if not path.name.startswith(".")})


def tables() -> list[Table]:
    """The headers of all tables; DataError for a damaged one."""
    return [open_table(name) for name in table_names()]


def open_table(name: str) -> Table:
    """The header of a table; DataError that says how to get it when it is absent, or what is damaged."""
    return open_file(name, table_path(name))


def open_file(name: str, path: Path) -> Table:
    """The header of the table in a file, wherever it lies."""
    import pyarrow.parquet as pq

    if not path.exists():
        how = f"harness data build {name}" if name in RESERVED else f"harness data import FILE --as {name}"
        raise DataError(f"There is no table '{name}' at {path}; make it with `{how}`.")
    try:
        metadata = pq.read_metadata(path)
        entries, rows = metadata.metadata or {}, metadata.num_rows
    except Exception as error:  # pyarrow meets damaged bytes with exceptions of many families
        raise _damaged(name, path, str(error)) from error
    header = entries.get(HEADER, b"")
    if sha256(header).hexdigest().encode() != entries.get(SEAL) or rows != N_ARCH:
        raise _damaged(name, path, "its header is not the one that was written")
    body = json.loads(header)
    if body["schema"] != SCHEMA:
        raise DataError(f"Table '{name}' at {path} has schema {body['schema']} and this version reads {SCHEMA}; "
                        "import its source again or update split-harness.")
    columns = tuple(
        Column(entry["name"], TruthKey.parse(entry["key"]), entry["seed"], entry["sha256"]) for entry in body["columns"]
    )
    return Table(name, path, columns, tuple(body["origins"]), body["sha256"])


def headers(columns: Sequence[NewColumn]) -> tuple[Column, ...]:
    """What the header says about columns that are to be written."""
    return tuple(Column(name, key, seed, value_hash(values)) for name, key, seed, values in columns)


def write_table(name: str, path: Path, columns: Sequence[NewColumn], origins: Sequence[Mapping[str, Any]]) -> Table:
    """Write a table whole or not at all; `origins` may hold anything that JSON can (file, hash, recipe, versions).

    Raises DataError for values outside 0..100 and RunError when the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for column, _, _, values in columns:
        check_values(column, values)
    arrays = {column: pa.array(values, type=pa.float64(), mask=np.isnan(values)) for column, _, _, values in columns}
    entries = headers(columns)
    table = Table(name, path, entries, tuple(dict(origin) for origin in origins), logical_hash(entries))
    body = {
        "schema": SCHEMA, "name": name, "sha256": table.sha256, "origins": table.origins,
        "columns": [{"name": c.name, "key": str(c.key), "seed": c.seed, "sha256": c.sha256} for c in entries],
    }
    header = json.dumps(body, sort_keys=True).encode()
    metadata = {HEADER: header, SEAL: sha256(header).hexdigest().encode()}
    sink = pa.BufferOutputStream()
    values_only = pa.table(arrays)
    with pq.ParquetWriter(sink, values_only.schema, compression="zstd", compression_level=9, use_dictionary=True,
                          write_page_checksum=True, store_schema=False) as writer:
        writer.write_table(values_only)
        writer.add_key_value_metadata(metadata)
    write_atomically(path, sink.getvalue().to_pybytes())
    return table


def check_values(column: str, values: NDArray[np.float64]) -> None:
    """DataError, naming the first architecture, for anything but NaN and 0..100 in float64 [n_arch]."""
    if values.shape != (N_ARCH,):
        raise DataError(f"Column {column} has shape {values.shape}; a table has one value for each of {N_ARCH} cells.")
    bad = np.flatnonzero(~(np.isnan(values) | ((values >= 0) & (values <= 100))))
    if len(bad):
        raise DataError(f"Column {column} has {values[bad[0]]} for architecture {bad[0]}, which is no accuracy: "
                        "give per cent from 0 to 100, and leave a missing value empty.")


def verify(name: str) -> Table:
    """Read every value of a table and recompute its hashes; DataError when any differs."""
    table = open_table(name)
    table.read(table.columns)
    if logical_hash(table.columns) != table.sha256:
        raise _damaged(name, table.path, "its columns are not those of its logical hash")
    return table


def find(key_or_column: str, table: str) -> tuple[Table, tuple[Column, ...], str | None]:
    """The table and columns of a key or column name, and the name if it was one: of `table`, else of another table.

    Raises UsageError when no table has it, or when several others have it with different values; DataError when `table`
    is absent and no other has it.
    """
    asked_by = None if "/" in key_or_column else key_or_column
    if asked_by is None:
        key_or_column = str(TruthKey.parse(key_or_column))
    if table_path(table).exists():
        own = open_table(table)
        if columns := own.select(key_or_column):
            return own, columns, asked_by
    others = [open_table(name) for name in table_names() if name != table]
    having = [(other, columns) for other in others if (columns := other.select(key_or_column))]
    if len({logical_hash(columns) for _, columns in having}) > 1:
        raise UsageError(f"'{key_or_column}' stands in the tables {', '.join(other.name for other, _ in having)} with "
                         f"different values; import the one you mean with `harness data import FILE --as {table}`.")
    if having:
        return *having[0], asked_by
    candidates = [own, *others] if table_path(table).exists() else [open_table(table)]
    known = [text for other in candidates for c in other.columns for text in (c.name, str(c.key))]
    raise UsageError(f"No table has '{key_or_column}'{suggestion(key_or_column, known) or ';'} "
                     "`harness data list` shows every key and column.")


def _damaged(name: str, path: Path, what: str) -> DataError:
    how = "reinstall split-harness" if path.parent == EMBEDDED_FOLDER else (
        f"delete the file and import it again with `harness data import FILE --as {name}`")
    reason = " ".join(what.split()).rstrip(".")
    return DataError(f"Table '{name}' at {path} is damaged ({reason}); {how}.")
