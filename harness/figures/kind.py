"""Kinds of figures: each is a frame of what it shows and a drawing of that frame alone, so that its CSV draws it again."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.folder import write_atomically
from harness.figures.column import Column
from harness.figures.style import beside, save, style
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Inches of the columns of a paper.
PAGE = 9.0


def _all_are_in(records: Sequence[Record]) -> list[str]:
    return []


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    name: as in `harness figure NAME` and of its files. about: one line on what it shows. columns: of its frame, in order.
    frame: what it shows of runs; raises UsageError, in a sentence, when these runs have nothing of the kind, and Absent when
    only a truth is missing. drawing: the figure of a frame across 1 or 2 columns of a paper, see `draw`. describe: what is to be
    seen, in words, for those who cannot look. texts: the columns that hold text, so that a part named '2' stays one. types: what
    the others may hold, and some of the texts. ordered: columns whose numbers ascend in every row. left_out: of runs that have
    something of the kind, a sentence for each reason why `frame` leaves some out.
    """

    name: str
    about: str
    columns: tuple[str, ...]
    frame: Callable[[Sequence[Record]], "pd.DataFrame"]
    drawing: Callable[["pd.DataFrame", int], "Figure"]
    describe: Callable[["pd.DataFrame"], str]
    texts: tuple[str, ...] = ()
    types: Mapping[str, Column] = field(default_factory=dict)
    ordered: tuple[tuple[str, ...], ...] = ()
    left_out: Callable[[Sequence[Record]], list[str]] = _all_are_in

    def draw(self, frame: "pd.DataFrame", columns: int = 2) -> "Figure":
        """The figure of a frame across `columns` (1 or 2) columns of a paper, in our style whatever the user has set.

        `figure("scatter").draw(frame, columns=1)` is for looking and for changing; `write` saves a figure as PNG, PDF and CSV.
        Raises DataError when nothing is left to draw.
        """
        with style():
            return self.drawing(frame, columns)

    def write(self, frame: "pd.DataFrame", out: Path, columns: int = 2) -> tuple[Path, Path, Path]:
        """Draw, and write out.png, out.pdf and out.csv; RunError when a file cannot be written."""
        return self.save(self.draw(frame, columns), frame, out)

    def save(self, drawn: "Figure", frame: "pd.DataFrame", out: Path) -> tuple[Path, Path, Path]:
        """Write what `draw` made of a frame, as `write` does."""
        with style():
            png, pdf = save(drawn, out)
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
            frame = frame.assign(**{name: self._values(name, frame[name]) for name in self.columns if name in self.types})
            for low, high in ((low, high) for names in self.ordered for low, high in pairwise(names)):
                if (frame[low] > frame[high]).any():
                    raise ValueError(f"in row {int((frame[low] > frame[high]).argmax()) + 1} '{low}' is more than '{high}'")
            return frame
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is not the data of the figure '{self.name}' ({error}); write it again with `harness figure "
                            f"{self.name}`.") from error

    def _values(self, name: str, text: "pd.Series[str]") -> NDArray[Any]:
        try:
            return self.types[name].values(text.tolist())
        except ValueError as error:
            raise ValueError(f"in its column '{name}' {error}") from error

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


def too_high(drawn: "Figure", columns: int) -> list[str]:
    """A sentence where a figure is higher than a page, else none."""
    inches, wider = drawn.get_figheight(), ", or --columns 2" if columns == 1 else ""
    if inches <= PAGE:
        return []
    return [f"The figure is {inches:.1f} inches high, more than a page has ({PAGE:g}); give fewer runs{wider}."]
