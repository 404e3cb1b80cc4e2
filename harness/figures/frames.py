"""Frames of figures by their panels."""

from typing import TYPE_CHECKING

from benchmarks.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def apart(frame: "pd.DataFrame", *names: str) -> list["pd.DataFrame"]:
    """The rows of each panel, in their order; `names` are the columns that a panel has one value each of."""
    return [found for _, found in frame.groupby(list(names or ("panel",)), sort=False)]


def single(frame: "pd.DataFrame", *names: str) -> "pd.DataFrame":
    """The same frame; DataError unless it is of one panel, as axes hold no more."""
    found = apart(frame, *names)
    if len(found) != 1:
        raise DataError(f"Axes hold one panel and this frame has {len(found)}; give the rows of one "
                        f"({', '.join(names or ('panel',))}), or draw them all with `draw`.")
    return frame
