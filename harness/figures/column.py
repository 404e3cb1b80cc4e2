"""Columns of numbers in the data of a figure: what each may hold, so that a CSV of others is refused before it is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Parts are counted in 16 bits.
LAST_PART = 2 ** 15 - 2


@dataclass(frozen=True)
class Column:
    """What a column may hold.

    whole: numbers without a fraction. low, high: the ends of their range. missing: a blank, too, which is NaN. words: these and
    no numbers.
    """

    whole: bool = False
    low: float = -1e15
    high: float = 1e15
    missing: bool = False
    words: tuple[str, ...] = ()

    def values(self, text: Sequence[str]) -> NDArray[Any]:
        """Exactly what was written, of text [n]: words, truths, whole numbers or others; ValueError says what is wrong."""
        written: NDArray[Any] = np.asarray(text, dtype=str)
        if self.words:
            found = _said(written) if self == FLAG else written.astype(object)
            wrong = ~np.isin(written, self.words)
        else:
            found = _numbers(written)
            with np.errstate(invalid="ignore"):
                wrong = ~((found >= self.low) & (found <= self.high) & (not self.whole or found == np.floor(found)))
            wrong &= ~(np.isnan(found) & (written == "") & self.missing)
        if wrong.any():
            raise ValueError(f"'{written[wrong][0]}' is not {self}")
        return found

    def __str__(self) -> str:
        if self.words:
            return f"one of {', '.join(self.words)}"
        ends = " and ".join([f"at least {self.low:g}"] * (self.low > -1e15) + [f"at most {self.high:g}"] * (self.high < 1e15))
        return f"a {'whole' if self.whole else 'finite'} number{f' of {ends}' if ends else ''}{' or blank' * self.missing}"


def _said(written: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(written == "True")


def _numbers(written: NDArray[Any]) -> NDArray[Any]:
    """NaN where there is none."""
    try:
        return written.astype(np.int64)
    except ValueError:
        return np.array([_number(each) for each in written.tolist()])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


NUMBER, WHOLE = Column(), Column(whole=True)
MAYBE = Column(missing=True)
# What nothing but text is refused for.
ANY = Column(low=-np.inf, high=np.inf, missing=True)
# A deviation, a number of passes, a probability.
SPREAD = Column(low=0, missing=True)
# Of things, from none on, or from one on.
COUNT, SOME = Column(whole=True, low=0), Column(whole=True, low=1)
PART_ID, PART_ID_OR_NONE = Column(whole=True, low=0, high=LAST_PART), Column(whole=True, low=-1, high=LAST_PART)
FLAG = Column(words=("True", "False"))


def one_of(*words: str) -> Column:
    """Of a column of text: these words."""
    return Column(words=words)
