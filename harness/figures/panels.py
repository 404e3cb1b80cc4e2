"""Figures with one panel for each of several splits: their grid, and the colours and names of the parts."""

from math import ceil
from typing import TYPE_CHECKING

from harness.figures.style import ONE_COLUMN, TWO_COLUMNS
from harness.splits.rivals import Candidate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 4
# Of viridis, which the colour-blind read too and which is ordered in grey: parts are ordered from low to high scores. Its ends
# are left out: dark lines do not show on the one, and the other does not on paper.
FIRST, LAST = 0.25, 0.9
CHARACTERS_PER_INCH = 17
# The font of what stands below a figure.
NOTE = 6.5


def panels(number: int, height: float, sharex: bool = False) -> tuple["Figure", list["Axes"]]:
    """A figure, and that many axes of `height` inches which share their scale of y, in even rows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = ceil(number / MOST_COLUMNS)
    columns = ceil(number / rows)
    figure = Figure(figsize=(ONE_COLUMN if columns == 1 else TWO_COLUMNS, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False).flat)
    for position, ax in enumerate(grid):
        ax.set_visible(position < number)
        ax.tick_params(labelbottom=is_lowest(position, columns, number) or not sharex)
    return figure, grid[:number]


def is_lowest(position: int, columns: int, number: int) -> bool:
    """Whether no panel stands below the one at that position."""
    return position + columns >= number


def width_of(ax: "Axes") -> float:
    """The inches that a panel has."""
    return float(ax.get_figure(root=True).get_figwidth() / ax.get_subplotspec().get_gridspec().ncols)  # type: ignore[union-attr]


def first_column(grid: list["Axes"]) -> list["Axes"]:
    """The panels that stand first in their rows."""
    return [ax for ax in grid if ax.get_subplotspec().is_first_col()]  # type: ignore[union-attr]


def colours(k: int) -> list[tuple[float, ...]]:
    """A colour for each of k parts."""
    from matplotlib import colormaps

    steps = [FIRST + (LAST - FIRST) * part / max(1, k - 1) for part in range(k)] if k > 1 else [(FIRST + LAST) / 2]
    return [colormaps["viridis"](step) for step in steps]


def part_names(row: Candidate, room: float) -> list[str]:
    """The names of the parts where all fit into `room` inches each, else their numbers as #0, #1 ..."""
    names = row.partition.names
    fit = all(len(name) <= room * CHARACTERS_PER_INCH for name in names) and len(set(names)) == len(names)
    return list(names) if fit else [f"#{part}" for part in range(row.partition.k)]


def shortened(text: str, inches: float) -> str:
    """As much of a text as there is room for."""
    longest = int(inches * CHARACTERS_PER_INCH)
    return text if len(text) <= longest else f"{text[:longest - 1]}…"
