"""The sheet that a figure is drawn on, and how several lines on it differ."""

from collections.abc import Callable, Sequence
from math import ceil
from textwrap import wrap
from typing import TYPE_CHECKING

from harness.figures.panels import CHARACTERS_PER_INCH, shortened
from harness.figures.style import INK, ONE_COLUMN, TWO_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of Okabe and Ito, "Color universal design" (2008), each with a marker of its own, so that grey prints tell them apart, too.
SERIES = tuple(zip(("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK), "osD^vPX", strict=True))
DASHES = ("-", "--", ":")
# The font of what stands below a figure.
NOTE = 6.5


def sheet(columns: int, height: float) -> "Figure":
    """An empty figure across 1 or 2 columns of a paper, that many inches high; no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(ONE_COLUMN if columns == 1 else TWO_COLUMNS, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid(number: int, columns: int, height: float, most: int) -> tuple["Figure", list["Axes"]]:
    """A sheet with that many axes, each with its part of `height` inches, at most `most` of them (half of it) in a row."""
    across = min(number, most if columns == 2 else max(1, most // 2))
    rows = ceil(number / across)
    across = ceil(number / rows)
    figure = sheet(columns, rows * height)
    made = list(figure.subplots(rows, across, squeeze=False).flat)
    for ax in made[number:]:
        ax.remove()
    return figure, made[:number]


def stack(panels: Sequence["pd.DataFrame"], columns: int, height: Callable[["pd.DataFrame", float], float],
          foot: float = 0.0) -> tuple["Figure", list["Axes"]]:
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


def broken(text: str, inches: float, most: int = 2) -> str:
    """A text on at most so many lines of so many inches; what is left of it is cut."""
    # What stands around an equals sign stays on its line: the blanks become those that do not break.
    lines = wrap(text.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"), max(4, int(inches * CHARACTERS_PER_INCH))) or [""]
    return "\n".join([*lines[:most - 1], shortened(" ".join(lines[most - 1:]), inches)] if len(lines) >= most else lines)


def room(ax: "Axes") -> float:
    """The inches across that a panel has, ticks and all."""
    return float(ax.get_figure(root=True).get_figwidth() / ax.get_subplotspec().get_gridspec().ncols)  # type: ignore[union-attr]
