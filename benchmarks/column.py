"""One column of a ground-truth table: which number it is, in which unit, how it is stored and how it is hashed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.truth import TruthKey

N_ARCH = 15_625
ACCURACY = "accuracy"
# Quantity -> unit. seconds: of the whole training (split train), else of one evaluation. params, flops: what an official
# file says where that is not the closed form. What belongs to a network and not to images has the split train.
QUANTITIES = {
    ACCURACY: "per cent", "loss": "nats", "seconds": "seconds", "params": "millions", "flops": "millions",
    "latency": "seconds per batch of 256",
}
# Means over batches of float32 numbers and wall-clock times: seven digits are all that they carry.
SINGLE = ("loss", "seconds", "latency")


@dataclass(frozen=True)
class Column:
    """One column: its name, which number it is, its trial ("777", "mean", ...), the sha256 of its values, its quantity."""

    name: str
    key: TruthKey
    seed: str
    sha256: str
    quantity: str = ACCURACY


@dataclass(frozen=True, eq=False)
class NewColumn:
    """A column to write: values float64 [n_arch] in the unit of the quantity, NaN = missing, rounded to what a table holds."""

    name: str
    key: TruthKey
    seed: str
    values: NDArray[np.float64]
    quantity: str = ACCURACY

    def __post_init__(self) -> None:
        if self.quantity in SINGLE:
            # A number that float32 cannot hold becomes infinite, which `check` refuses.
            with np.errstate(over="ignore"):
                object.__setattr__(self, "values", self.values.astype(np.float32).astype(np.float64))

    @property
    def place(self) -> tuple[str, TruthKey, str]:
        """What can be in a table only once."""
        return self.quantity, self.key, self.seed

    @property
    def header(self) -> Column:
        """What the header of a table says about it."""
        return Column(self.name, self.key, self.seed, value_hash(self.values), self.quantity)

    def check(self) -> None:
        """DataError, naming the first architecture, for anything but NaN and values that its quantity can have."""
        if self.values.shape != (N_ARCH,):
            raise DataError(f"Column {self.name} has shape {self.values.shape}; a table has one value for each of {N_ARCH} "
                            "cells.")
        most = 100 if self.quantity == ACCURACY else np.finfo(np.float64).max
        bad = np.flatnonzero(~(np.isnan(self.values) | ((self.values >= 0) & (self.values <= most))))
        if len(bad):
            what = "no accuracy: give per cent from 0 to 100" if self.quantity == ACCURACY else (
                f"no number of {QUANTITIES[self.quantity]}: give a finite one that is not negative")
            raise DataError(f"Column {self.name} has {self.values[bad[0]]} for architecture {bad[0]}, which is {what}, and "
                            "leave a missing value empty.")


def refuse_fractions(columns: Sequence[NewColumn]) -> None:
    """DataError when the accuracies of columns, two or more of them, are all at most 1, for then they are no per cent.

    One value can be 1 %, and of networks that learned nothing, on CIFAR-100, several.
    """
    accuracies = [column for column in columns if column.quantity == ACCURACY]
    count = sum(int((~np.isnan(column.values)).sum()) for column in accuracies)
    if count > 1 and all(np.fmax.reduce(column.values, initial=0.0) <= 1 for column in accuracies):
        raise DataError(f"Column {accuracies[0].name} looks like fractions of 1, for none of its accuracies exceeds it; multiply "
                        "by 100.")


def value_hash(values: NDArray[np.float64]) -> str:
    """sha256 of float64 [n_arch] in little-endian bytes; every NaN counts as the same NaN, -0 as 0."""
    canonical = np.where(np.isnan(values), np.nan, values + 0.0)
    return sha256(canonical.astype("<f8").tobytes()).hexdigest()


def logical_hash(columns: Iterable[Column]) -> str:
    """sha256 of what the columns say (quantity unless it is accuracy, key, seed, values), whatever their names and order."""
    facts = sorted((*(() if c.quantity == ACCURACY else (c.quantity,)), str(c.key), c.seed, c.sha256) for c in columns)
    return sha256(json.dumps(facts).encode()).hexdigest()


def arrow_array(column: NewColumn) -> Any:
    """The arrow array of doubles or floats that a table stores."""
    import pyarrow as pa

    kind = pa.float32() if column.quantity in SINGLE else pa.float64()
    return pa.array(column.values.astype(kind.to_pandas_dtype()), type=kind, mask=np.isnan(column.values))


def numbers(column: Any) -> NDArray[np.float64]:
    """float64 [n]: an arrow column of doubles or floats, null as NaN; pyarrow's own to_numpy would import pandas."""
    parts = []
    for chunk in column.chunks:
        width = {"double": np.float64, "float": np.float32}.get(str(chunk.type))
        if width is None:
            raise TypeError(f"a column of {chunk.type}")
        inside = slice(chunk.offset, chunk.offset + len(chunk))
        present, values = chunk.buffers()
        part = np.frombuffer(values, width)[inside].astype(np.float64)
        if present is not None:
            part[np.unpackbits(np.frombuffer(present, np.uint8), bitorder="little")[inside] == 0] = np.nan
        parts.append(part)
    return np.concatenate(parts)
