"""The columns of a parquet, CSV or JSON file, told apart by content; nothing in a file is executed.

They are read in this process, so a file is measured before its values are made: a few kilobytes can stand for any number of
rows, and no table of the space has more rows than architectures.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from benchmarks.column import N_ARCH
from benchmarks.errors import DataError

# The values of one column: float64 where all of it are numbers (NaN = missing), else what stood in the file.
Column = NDArray[np.float64] | list[object]
MOST_COLUMNS = 1_000
# Bytes of a file, and of the values of a parquet file: more than that many columns of doubles take.
MOST_BYTES = 200_000_000
# Values, lists and objects of a JSON file, each up to 100 bytes of memory: 13 proxies with score and time of all architectures on
# six data sets are 4 million.
MOST_ENTRIES = 10_000_000
# Rows of parquet that are made at once: few enough that a long text in each of them is noticed in time.
BATCH = 512


def read_source(path: Path) -> bytes:
    """The content of a file that is read in this process; DataError when it cannot be read or is too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read ({why}); give the path of a parquet, CSV or JSON file.") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path} has more than {MOST_BYTES:,} bytes, and no table of {N_ARCH:,} architectures needs as many; "
                        "leave out what are no numbers.")
    return content


def read_columns(path: Path, content: bytes) -> dict[str, Column]:
    """Name -> values [n_row] of every column of a file's content, in its order.

    JSON is `{arch: number}` (columns 'arch' and 'value'), `{arch: {column: number}}` or a list of
    `{"arch": ..., column: number, ...}`. Raises DataError for content that is truncated or none of these, for two columns or
    JSON entries of one name, and for more rows than architectures or more than MOST_COLUMNS columns.
    """
    try:
        if content.startswith(b"PAR1"):
            return _arrow_columns(path, _parquet(path, content))
        text = content.decode("utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            return json_columns(path, read_json(path, content))
        if not text.endswith("\n"):
            raise DataError(f"{path} does not end with a line break, so its last row may be cut short; write it again, "
                            "or add the line break if it is whole.")
        return _arrow_columns(path, _csv(path, text.encode()))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no whole parquet, CSV or JSON file ({why}); write or download it again.") from None


def _refuse_size(path: Path, rows: int, columns: int) -> None:
    if rows > N_ARCH:
        raise DataError(f"{path} has {rows:,} rows and there are {N_ARCH:,} architectures, so one stands twice; keep one row per "
                        "architecture.")
    if columns > MOST_COLUMNS:
        raise DataError(f"{path} has more than {MOST_COLUMNS:,} columns; keep those that are wanted.")


def _parquet(path: Path, content: bytes) -> pa.Table:
    with pyarrow.parquet.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
        metadata = file.metadata
        _refuse_size(path, metadata.num_rows, metadata.num_columns)
        stated = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        batches, size = [], 0
        # A text that stands once in the file stands in every row of the table, so what is stated is not all.
        for batch in file.iter_batches(BATCH, use_threads=False) if stated <= MOST_BYTES else ():
            size += batch.nbytes
            batches.append(batch)
            if size > MOST_BYTES:
                break
        if max(stated, size) > MOST_BYTES:
            raise DataError(f"{path} unpacks to more than {MOST_BYTES:,} bytes, and no table of {N_ARCH:,} architectures needs "
                            "as many; leave out what are no numbers.")
        table = pa.Table.from_batches(batches, file.schema_arrow)
        _check_footer(path, table, file)
        return table


def _check_footer(path: Path, table: pa.Table, file: pyarrow.parquet.ParquetFile) -> None:
    """DataError where the footer contradicts itself or the values, for pages seldom have checksums."""
    metadata = file.metadata
    for leaf in range(metadata.num_columns):
        chunks = [metadata.row_group(group).column(leaf) for group in range(metadata.num_row_groups)]
        name = file.schema.column(leaf).path
        if any(chunk.path_in_schema != name for chunk in chunks):
            raise DataError(f"{path} has two names for its column '{name}', so it is damaged; get it again.")
        statistics = [chunk.statistics for chunk in chunks if chunk.statistics is not None and chunk.statistics.has_min_max]
        values = _arrow_column(table[name]) if table.column_names.count(name) == 1 else []
        if not isinstance(values, np.ndarray) or len(statistics) < len(chunks) or np.isnan(values).all():
            continue
        low, high = min(float(each.min) for each in statistics), max(float(each.max) for each in statistics)
        # Some writers say NaN where a column holds one.
        if (np.nanmin(values), np.nanmax(values)) != (low, high) and not np.isnan([low, high]).any():
            raise DataError(f"{path} says that its column '{name}' goes from {low} to {high}, which it does not, so it is "
                            "damaged; get it again.")


def _csv(path: Path, content: bytes) -> pa.Table:
    lines = re.finditer(rb"[^\r\n]+", content)
    header = next(lines, None)
    _refuse_size(path, sum(1 for _ in lines), 0 if header is None else header[0].count(b",") + 1)
    return pyarrow.csv.read_csv(pa.BufferReader(content))


def _arrow_columns(path: Path, table: pa.Table) -> dict[str, Column]:
    names = table.column_names
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two columns '{_twice(names)}'; rename one of them.")
    return {name: _arrow_column(column) for name, column in zip(names, table.columns, strict=True)}


def _arrow_column(column: pa.ChunkedArray) -> Column:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return list(column.to_pylist())


def read_json(path: Path, content: bytes) -> object:
    """What a JSON file holds; DataError when it is none, holds too much or names a thing twice."""
    if sum(content.count(mark) for mark in (b",", b"[", b"{")) > MOST_ENTRIES:
        raise DataError(f"{path} holds more than {MOST_ENTRIES:,} values, and no table of {N_ARCH:,} architectures needs as "
                        "many; leave out what are no numbers.")
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=lambda pairs: _unique(path, pairs))
    except (ValueError, RecursionError) as error:
        raise _no_json(path, error) from None


def _no_json(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is no whole JSON file ({' '.join(str(error).split())[:200]}); write or download it again.")


def _unique(path: Path, pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; json itself would keep the last of several equal keys in silence."""
    names = dict(pairs)
    if len(names) < len(pairs):
        raise DataError(f"{path}: '{_twice([key for key, _ in pairs])[:200]}' stands twice; keep one entry of that name.")
    return names


def _twice(names: Sequence[str]) -> str:
    return next(name for name, count in Counter(names).items() if count > 1)


def json_columns(path: Path, content: object) -> dict[str, Column]:
    """The columns of what a JSON file holds; DataError when it is no table."""
    records: Sequence[dict[str, object]]
    _refuse_size(path, len(content) if isinstance(content, dict | list) else 0, 0)
    if isinstance(content, dict) and all(isinstance(entry, dict) for entry in content.values()):
        records = [{**entry, "arch": arch} for arch, entry in content.items()]
    elif isinstance(content, dict):
        records = [{"arch": arch, "value": value} for arch, value in content.items()]
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        records = content
    else:
        raise DataError(f"{path} is no table in JSON: it must be {{arch: number}}, {{arch: {{column: number}}}} or a "
                        "list of {\"arch\": ..., column: number}.")
    names: dict[str, None] = {}
    for record in records:
        names.update(dict.fromkeys(record))
        _refuse_size(path, 0, len(names))
    try:
        return {name: _json_column([record.get(name) for record in records]) for name in names}
    except OverflowError as error:
        raise _no_json(path, error) from None


def _json_column(values: list[object]) -> Column:
    """Numbers when all of it are; null and "nan" (how JSON has to write it) are missing."""
    if all(value is None or value == "nan" or (isinstance(value, int | float) and not isinstance(value, bool))
           for value in values):
        return np.array([np.nan if value is None else float(value) for value in values])  # type: ignore[arg-type]
    return values
