"""The columns of a parquet, CSV or JSON file, told apart by content; nothing in a file is executed."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from benchmarks.errors import DataError

# The values of one column: float64 where all of it are numbers (NaN = missing), else what stood in the file.
Column = NDArray[np.float64] | list[object]


def read_columns(path: Path) -> dict[str, Column]:
    """Name -> values [n_row] of every column, in the order of the file.

    JSON is `{arch: number}` (columns 'arch' and 'value'), `{arch: {column: number}}` or a list of
    `{"arch": ..., column: number, ...}`. Raises DataError for a file that is absent, truncated or none of these, and
    for two columns or JSON entries of one name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give the path of a parquet, CSV or JSON file."
                        ) from error
    try:
        if content.startswith(b"PAR1"):
            return _arrow_columns(path, pyarrow.parquet.read_table(pa.BufferReader(content),
                                                                     page_checksum_verification=True))
        text = content.decode("utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            return _json_columns(path, json.loads(text, object_pairs_hook=lambda pairs: _unique(path, pairs)))
        if not text.endswith("\n"):
            raise DataError(f"{path} does not end with a line break, so its last row may be cut short; write it again, "
                            "or add the line break if it is whole.")
        return _arrow_columns(path, pyarrow.csv.read_csv(pa.BufferReader(text.encode())))
    except (pa.ArrowException, OSError, ValueError, OverflowError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no whole parquet, CSV or JSON file ({why}); write or download it again.") from None


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


def _unique(path: Path, pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; json itself would keep the last of several equal keys in silence."""
    names = dict(pairs)
    if len(names) < len(pairs):
        raise DataError(f"{path}: '{_twice([key for key, _ in pairs])}' stands twice; keep one entry of that name.")
    return names


def _twice(names: list[str]) -> str:
    return next(name for name, count in Counter(names).items() if count > 1)


def _json_columns(path: Path, content: object) -> dict[str, Column]:
    records: list[dict[str, object]]
    if isinstance(content, dict) and all(isinstance(entry, dict) for entry in content.values()):
        records = [{**entry, "arch": arch} for arch, entry in content.items()]
    elif isinstance(content, dict):
        records = [{"arch": arch, "value": value} for arch, value in content.items()]
    elif isinstance(content, list) and all(isinstance(entry, dict) for entry in content):
        records = content
    else:
        raise DataError(f"{path} is no table in JSON: it must be {{arch: number}}, {{arch: {{column: number}}}} or a "
                        "list of {\"arch\": ..., column: number}.")
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: _json_column([record.get(name) for record in records]) for name in names}


def _json_column(values: list[object]) -> Column:
    """Numbers when all of it are; null and "nan" (how JSON has to write it) are missing."""
    if all(value is None or value == "nan" or (isinstance(value, int | float) and not isinstance(value, bool))
           for value in values):
        return np.array([np.nan if value is None else float(value) for value in values])  # type: ignore[arg-type]
    return values
