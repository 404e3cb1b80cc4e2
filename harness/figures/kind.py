"""Kinds of figures: each is a frame of what it shows and a drawing of that frame alone, so that its CSV draws it again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

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
    nothing is left to draw. describe: what is to be seen, in words, for those who cannot look.
    """

    name: str
    about: str
    columns: tuple[str, ...]
    frame: Callable[[Sequence[Record]], "pd.DataFrame"]
    draw: Callable[["pd.DataFrame", int], "Figure"]
    describe: Callable[["pd.DataFrame"], str]

    def write(self, frame: "pd.DataFrame", out: Path, columns: int = 2) -> tuple[Path, Path, Path]:
        """Write out.png, out.pdf and out.csv; RunError when a file cannot be written."""
        with style():
            png, pdf = save(self.draw(frame, columns), out)
        csv = beside(out, "csv")
        write_atomically(csv, frame.to_csv(index=False, lineterminator="\n").encode())
        return png, pdf, csv

    def svg(self, frame: "pd.DataFrame", columns: int = 2) -> str:
        """The figure as an <svg> element whose text is text; the same frame gives the same one."""
        content = BytesIO()
        with style():
            self.draw(frame, columns).savefig(content, format="svg", metadata={"Date": None})
        text = content.getvalue().decode()
        return text[text.index("<svg"):]
