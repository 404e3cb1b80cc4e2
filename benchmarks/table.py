"""Ground-truth tables on disk: one parquet file each, every column under its own hash.

Rows are the architectures in official order. The footer holds a JSON header (schema number, columns with quantity, key
and seed, origins) and its hash, so that a damaged byte is found wherever it lies: in a page by the page's checksum, in a
value by the hash of its column, in the header by the header's.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import ACCURACY, N_ARCH, SINGLE, Column, NewColumn, arrow_array, logical_hash, numbers, value_hash
from benchmarks.errors import Absent, DataError, HarnessError, UsageError
from benchmarks.folder import data_home, write_atomically
from benchmarks.suggestion import suggestion
from benchmarks.truth import LONGEST_NAME, TRAIN, GroundTruth, TruthKey

SCHEMA = 2
# Schema 1 held accuracies only and is read as it stands.
READABLE = (1, SCHEMA)
MEAN = "mean"
HEADER, SEAL = b"split_harness", b"split_harness_sha256"
EMBEDDED_FOLDER = Path(__file__).parent / "tables"
# Names that belong to the package, whether or not their table has been made yet.
RESERVED = ("digits201",)
NAME = re.compile(rf"[a-z0-9_-][a-z0-9_.-]{{0,{LONGEST_NAME - 1}}}")


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
        columns = sorted((c for c in self.columns if c.key == key and c.quantity == ACCURACY), key=_seed_order)
        return tuple(column for column in columns if column.seed != MEAN) or tuple(columns)

    def read(self, columns: Sequence[Column]) -> NDArray[np.float64]:
        """float64 [n_arch, n_column], NaN = missing; DataError when the values are not those that were written."""
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                table = file.read([column.name for column in columns], use_threads=False)
            values = [numbers(table[column.name]) for column in columns]
        except Exception as error:  # pyarrow meets damaged bytes with exceptions of many families
            raise _damaged(self.name, self.path, str(error)) from error
        for column, value in zip(columns, values, strict=True):
            if len(value) != N_ARCH or value_hash(value) != column.sha256:
                raise _damaged(self.name, self.path, f"the values of {column.name} are not those that were written")
        return np.stack(values, axis=1)

    def truth(self, columns: Sequence[Column], asked_by: str | None = None) -> GroundTruth:
        """The truth that columns of one key are; asked_by: the name it was asked by, None for a key.

        A key's architectures that have no trial here, only a mean from another source, keep that mean as their one value.
        """
        values, key = self.read(columns), columns[0].key
        beside = [c for c in self.columns if (c.quantity, c.key, c.seed) == (ACCURACY, key, MEAN) and c not in columns]
        if beside and asked_by not in {column.name for column in self.columns}:
            means = np.where(np.isnan(values).all(axis=1, keepdims=True), self.read(beside), np.nan)
            if not np.isnan(means).all():
                columns, values = (*columns, *beside), np.concatenate([values, means], axis=1)
        return GroundTruth(key, values, tuple(c.seed for c in columns), logical_hash(columns), self.name, asked_by)

    @property
    def keys(self) -> tuple[TruthKey, ...]:
        """The key of every truth it has, in order; what else it holds (losses, times, training images) is no truth."""
        return tuple(sorted({c.key for c in self.columns if c.quantity == ACCURACY and c.key.split != TRAIN}))


def _seed_order(column: Column) -> tuple[int, str]:
    return len(column.seed), column.seed


def table_path(name: str) -> Path:
    """Where the table called `name` lies or would lie: in the user's data folder, else embedded in the package.

    Only `harness data build` makes a table of an embedded name, so one in the data folder is the user's own, fuller one.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"'{name[:LONGEST_NAME]}' is no name of a table: use lower-case letters, digits, '_', '.' and '-', at "
                         f"most {LONGEST_NAME}.")
    own, embedded = data_home() / "tables" / f"{name}.parquet", EMBEDDED_FOLDER / f"{name}.parquet"
    return embedded if embedded.exists() and not own.exists() else own


def is_embedded(name: str) -> bool:
    """Whether a table of that name comes with the package; all others are the user's, and not ours to publish."""
    return (EMBEDDED_FOLDER / f"{name}.parquet").exists()


def table_names() -> list[str]:
    """Every embedded and every imported table, sorted; files of other names in their folders are nobody's tables."""
    folders = (EMBEDDED_FOLDER, data_home() / "tables")
    paths = (path for folder in folders for path in folder.glob("*.parquet"))
    return sorted({path.stem for path in paths if NAME.fullmatch(path.stem)})


def tables(damaged: list[DataError] | None = None) -> list[Table]:
    """The headers of all tables that can be read; what is wrong with the others is added to `damaged`."""
    found = []
    for name in table_names():
        try:
            found.append(open_table(name))
        except DataError as error:
            if damaged is not None:
                damaged.append(error)
    return found


def open_table(name: str) -> Table:
    """The header of a table; DataError that says how to get it when it is absent, or what is damaged."""
    return open_file(name, table_path(name))


def open_file(name: str, path: Path) -> Table:
    """The header of the table in a file, wherever it lies."""
    import pyarrow.parquet as pq

    try:
        absent = not path.exists()
        metadata = None if absent else pq.read_metadata(path)
    except Exception as error:  # pyarrow meets damaged bytes with exceptions of many families
        raise _damaged(name, path, str(error)) from error
    if metadata is None:
        how = f"harness data build {name}" if name in RESERVED else f"harness data import FILE --as {name}"
        raise Absent(f"There is no table '{name}' at {path}; make it with `{how}`.")
    return _of_metadata(name, path, metadata)


def _of_metadata(name: str, path: Path, metadata: Any) -> Table:
    """The header in the footer of a parquet file."""
    entries = metadata.metadata or {}
    header = entries.get(HEADER, b"")
    if sha256(header).hexdigest().encode() != entries.get(SEAL) or metadata.num_rows != N_ARCH:
        raise _damaged(name, path, "its header is not the one that was written")
    body = json.loads(header)
    if body["schema"] not in READABLE:
        raise DataError(f"Table '{name}' at {path} has schema {body['schema']} and this version reads up to {SCHEMA}; "
                        "update split-harness.")
    try:
        columns = tuple(Column(entry["name"], TruthKey.parse(entry["key"]), entry["seed"], entry["sha256"],
                               entry.get("quantity", ACCURACY)) for entry in body["columns"])
    except (HarnessError, KeyError) as error:
        raise _damaged(name, path, f"its header says {error}") from error
    return Table(name, path, columns, tuple(body["origins"]), body["sha256"])


def write_table(name: str, path: Path, columns: Sequence[NewColumn], origins: Sequence[Mapping[str, Any]]) -> Table:
    """Write a table whole or not at all; `origins` may hold anything that JSON can (file, hash, recipe, versions).

    Raises DataError for values that their quantity cannot have and for what could not be read again, RunError when the file
    cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for column in columns:
        column.check()
    arrays = {column.name: arrow_array(column) for column in columns}
    entries = tuple(column.header for column in columns)
    table = Table(name, path, entries, tuple(dict(origin) for origin in origins), logical_hash(entries))
    body = {
        "schema": SCHEMA, "name": name, "sha256": table.sha256, "origins": table.origins,
        "columns": [{"name": c.name, "key": str(c.key), "seed": c.seed, "sha256": c.sha256, "quantity": c.quantity}
                    for c in entries],
    }
    header = json.dumps(body, sort_keys=True).encode()
    metadata = {HEADER: header, SEAL: sha256(header).hexdigest().encode()}
    sink = pa.BufferOutputStream()
    values_only = pa.table(arrays)
    # Accuracies repeat, for they count images; no two losses or times are equal, so their bytes are split by weight.
    single = {column.name: "BYTE_STREAM_SPLIT" for column in columns if column.quantity in SINGLE}
    with pq.ParquetWriter(sink, values_only.schema, compression="zstd", compression_level=9, column_encoding=single or None,
                          use_dictionary=[column.name for column in columns if column.name not in single],
                          write_page_checksum=True, write_statistics=False, store_schema=False) as writer:
        writer.write_table(values_only)
        writer.add_key_value_metadata(metadata)
    content = sink.getvalue()
    # A table that cannot be read is worse than none, and the one that it replaces would be lost.
    try:
        again = _of_metadata(name, path, pq.read_metadata(pa.BufferReader(content))).columns
    except DataError:
        again = None
    if again != table.columns:
        raise DataError(f"Table '{name}' could not be read again as it would be written, so {path} stays as it is; name its "
                        "columns and keys otherwise.")
    write_atomically(path, content.to_pybytes())
    return table


def verify(name: str) -> Table:
    """Read every value of a table and recompute its hashes; DataError when any differs."""
    table = open_table(name)
    table.read(table.columns)
    if logical_hash(table.columns) != table.sha256:
        raise _damaged(name, table.path, "its columns are not those of its logical hash")
    return table


def find(key_or_column: str, table: str) -> tuple[Table, tuple[Column, ...], str | None]:
    """The table and columns of a key or column name, and the name if it was one: of `table`, else of another table.

    A name that no table has but that says which mean it is (c10_test_200_v10) stands for the seeds of its key. Raises
    UsageError when no table has it, or when several others have it with different values; DataError when `table` is
    absent and no other has it.
    """
    # Not at the top: the converters import this module.
    from benchmarks.convert.naming import mean_key

    asked_by = None if "/" in key_or_column else key_or_column
    text = str(TruthKey.parse(key_or_column)) if asked_by is None else key_or_column
    own = open_table(table) if table_path(table).exists() else None
    if own is not None and (columns := own.select(text)):
        return own, columns, asked_by
    # Others are opened only now, and one that is damaged is in the way of nothing that another one answers.
    damaged: list[DataError] = []
    others = [other for other in tables(damaged) if other.name != table]
    meant = mean_key(text)
    for asked in (text, *(() if meant is None else (str(meant),))):
        if own is not None and (columns := own.select(asked)):
            return own, columns, asked_by
        having = [(other, columns) for other in others if (columns := other.select(asked))]
        if len({logical_hash(columns) for _, columns in having}) > 1:
            raise UsageError(f"'{text}' stands in the tables {', '.join(other.name for other, _ in having)} with "
                             f"different values; import the one you mean with `harness data import FILE --as {table}`.")
        if having:
            return *having[0], asked_by
    candidates = [own or open_table(table), *others]
    if damaged:
        raise damaged[0]
    known = [text for other in candidates for c in other.columns for text in (c.name, str(c.key))]
    raise UsageError(f"No table has '{text}'{suggestion(text, known) or ';'} `harness data list` shows every key and column.")


def _damaged(name: str, path: Path, what: str) -> DataError:
    how = "reinstall split-harness" if path.parent == EMBEDDED_FOLDER else (
        f"delete the file and import it again with `harness data import FILE --as {name}`")
    reason = " ".join(what.split()).rstrip(".")
    return DataError(f"Table '{name}' at {path} is damaged ({reason}); {how}.")
