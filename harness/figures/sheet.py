"""The sheet that a figure is drawn on: its axes and their room, what stands below them, and how several lines differ."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING

from harness.figures.lettering import another, broken
from harness.figures.style import INK, ONE_COLUMN, TWO_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.figures.paper import Paper

# Of Okabe and Ito, "Color universal design" (2008), each with a marker of its own, so that grey prints tell them apart, too.
SERIES = tuple(zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK), "osD^vPX", strict=True))
DASHES = ("-", "--", ":")
# The font of what stands below a figure, and the inches that it leaves free.
NOTE, MARGIN = 6.5, 0.2


def sheet(columns: int, height: float) -> "Paper":
    """An empty figure across 1 or 2 columns of a paper, that many inches high; no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from harness.figures.paper import Paper

    figure = Paper(ONE_COLUMN if columns == 1 else TWO_COLUMNS, height)
    FigureCanvasAgg(figure)
    return figure


def grid(number: int, columns: int, height: float, most: int, sharex: bool = False,
         sharey: bool = False, foot: float = 0.0) -> tuple["Paper", list["Axes"]]:
    """A sheet with that many axes, each with its part of `height` inches, at most `most` of them (half of it) in a row.

    `foot` inches are below them all.
    """
    rows = ceil(number / (most if columns == 2 else max(1, most // 2)))
    across = ceil(number / rows)
    figure = sheet(columns, rows * height + foot)
    made = list(figure.subplots(rows, across, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for ax in made[number:]:
        ax.remove()
    return figure, made[:number]


def stack(panels: Sequence["pd.DataFrame"], columns: int, height: Callable[["pd.DataFrame", float], float],
          foot: float = 0.0) -> tuple["Paper", list["Axes"]]:
    """A sheet with axes for each panel, as many in a row as columns, a row as high as the highest `height(panel, width)` in it.

    In inches; `foot` is below them all.
    """
    across = min(len(panels), columns)
    rows = [panels[start:start + across] for start in range(0, len(panels), across)]
    figure = sheet(columns, 1)
    width = figure.get_figwidth() / across
    heights = [max(height(panel, width) for panel in row) for row in rows]
    figure.set_figheight(sum(heights) + foot)
    made = list(figure.subplots(len(rows), across, squeeze=False, height_ratios=heights).flat)
    for ax in made[len(panels):]:
        ax.remove()
    return figure, made[:len(panels)]


def series(position: int) -> tuple[str, str, str]:
    """Colour, marker and dashes of a line."""
    colour, marker = SERIES[position % len(SERIES)]
    return colour, marker, DASHES[position // len(SERIES) % len(DASHES)]


def room(ax: "Axes") -> float:
    """The inches across that axes have: on a sheet of ours that is not yet laid out with ticks and all, else without them."""
    return float(ax.get_position(original=True).width * ax.get_figure(root=True).get_figwidth())  # type: ignore[union-attr]


def entitle(ax: "Axes", title: str, inches: float, most: int = 2, below: str = "", pad: float | None = None) -> None:
    """Write a title over axes on at most `most` lines of so many inches, and `below` it what is not cut.

    No two axes of a figure get the same title, whatever is cut of it.
    """
    others = [other for other in ax.get_figure(root=True).axes if other is not ax]  # type: ignore[union-attr]
    shown = another(title, {str(other.get_label()) for other in others}, inches, most) if title else ""
    ax.set_label(shown)
    ax.set_title("\n".join(filter(None, (shown, below))), loc="left", pad=pad)


def note(figure: "Figure", text: str) -> None:
    """Below all axes, in as many lines as it needs; a line end begins a new one."""
    inches = figure.get_figwidth() - MARGIN
    figure.supxlabel("\n".join(broken(line, inches, len(line), NOTE) for line in text.split("\n")), fontsize=NOTE)
