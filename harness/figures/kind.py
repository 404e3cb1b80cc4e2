"""Kinds of figures: each is a frame of what it shows and a drawing of that frame alone, so that its CSV draws it again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.folder import write_atomically
from harness.figures.style import beside, save, style
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    name: as in `harness figure NAME` and of its files. about: one line on what it shows. columns: of its frame, in order.
    frame: what it shows of runs; raises UsageError, in a sentence, when these runs have nothing of the kind, and Absent when
    only a truth is missing. draw: the figure of a frame across `columns` (1 or 2) columns of a paper; it raises DataError when
    nothing is left to draw. describe: what is to be seen, in words, for those who cannot look. texts: the columns that hold
    text, so that a part named '2' stays one; the others hold numbers, or True and False.
    """

    name: str
    about: str
    columns: tuple[str, ...]
    frame: Callable[[Sequence[Record]], "pd.DataFrame"]
    draw: Callable[["pd.DataFrame", int], "Figure"]
    describe: Callable[["pd.DataFrame"], str]
    texts: tuple[str, ...] = ()

    def write(self, frame: "pd.DataFrame", out: Path, columns: int = 2) -> tuple[Path, Path, Path]:
        """Write out.png, out.pdf and out.csv; RunError when a file cannot be written."""
        with style():
            png, pdf = save(self.draw(frame, columns), out)
        csv = beside(out, "csv")
        write_atomically(csv, frame.to_csv(index=False, lineterminator="\n").encode())
        return png, pdf, csv

    def read(self, path: Path) -> "pd.DataFrame":
        """The frame of a CSV that `write` wrote; DataError when it is none."""
        import pandas as pd

        try:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            if tuple(frame.columns) != self.columns:
                raise ValueError(f"its columns are not {', '.join(self.columns)}")
            return frame.assign(**{name: _numbers(frame[name]) for name in self.columns if name not in self.texts})
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is not the data of the figure '{self.name}' ({error}); write it again with `harness figure "
                            f"{self.name}`.") from error

    def svg(self, frame: "pd.DataFrame", columns: int = 2) -> str:
        """The figure as an <svg> element whose text is text; the same frame gives the same one.

        Its ids begin with the name of the kind, so that figures of several kinds can stand on one page.
        """
        from matplotlib import rc_context

        content = BytesIO()
        with style(), rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            self.draw(frame, columns).savefig(content, format="svg", metadata={"Date": None})
        text = content.getvalue().decode()
        return re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{self.name}-", text[text.index("<svg"):])


def _numbers(column: "pd.Series[str]") -> NDArray[Any]:
    """Of text, exactly as written: yes and no, whole numbers or numbers, NaN where there is none; ValueError for other text."""
    text: NDArray[Any] = column.to_numpy(dtype=str)
    said: NDArray[Any] = text == "True"
    if len(text) and (said | (text == "False")).all():
        return said
    try:
        return text.astype(np.int64)
    except ValueError:
        return np.where(text == "", "nan", text).astype(np.float64)
