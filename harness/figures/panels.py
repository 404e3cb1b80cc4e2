"""Figures with one panel for each of several things: their grid, and the colours and names of the parts."""

from collections.abc import Sequence
from math import ceil
from textwrap import fill, wrap
from typing import TYPE_CHECKING

import numpy as np

from harness.figures.style import ONE_COLUMN, TWO_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Panels in a row, by the columns of a paper that the figure spans.
MOST_IN_ROW = {1: 2, 2: 4}
# Of viridis, which the colour-blind read too and which is ordered in grey: parts are ordered from low to high scores. Its ends
# are left out: dark lines do not show on the one, and the other does not on paper.
FIRST, LAST = 0.25, 0.9
CHARACTERS_PER_INCH = 17
# The font of what stands below a figure.
NOTE = 6.5
# Of more parts the sizes are not written.
MOST_SIZES = 5
# In inches, of a panel beside its axes: what a title cannot use, less where panels share the numbers of their axis.
ASIDE, OWN_AXIS = 0.3, 0.5
# In points, between a panel and its title where its colours stand there; in characters, what a name takes beside itself.
KEYED, BESIDE = 14, 3
# Per cent of the values that lie below an axis, where so few would take most of it; and how much longer an axis is at each end.
BELOW, MARGIN = 1, 0.04


def panels(number: int, height: float, sharex: bool = False, columns: int = 2,
           sharey: bool = True) -> tuple["Figure", list["Axes"]]:
    """A figure across `columns` columns of a paper, and that many axes of `height` inches in even rows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = ceil(number / MOST_IN_ROW[columns])
    across = ceil(number / rows)
    figure = Figure(figsize=(ONE_COLUMN if columns == 1 else TWO_COLUMNS, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(rows, across, sharex=sharex, sharey=sharey, squeeze=False).flat)
    for position, ax in enumerate(grid):
        ax.set_visible(position < number)
        ax.tick_params(labelbottom=is_lowest(position, across, number) or not sharex)
    return figure, grid[:number]


def is_lowest(position: int, across: int, number: int) -> bool:
    """Whether no panel stands below the one at that position."""
    return position + across >= number


def width_of(ax: "Axes") -> float:
    """The inches that a panel has."""
    return float(ax.get_figure(root=True).get_figwidth() / ax.get_subplotspec().get_gridspec().ncols)  # type: ignore[union-attr]


def first_column(grid: list["Axes"]) -> list["Axes"]:
    """The panels that stand first in their rows."""
    return [ax for ax in grid if ax.get_subplotspec().is_first_col()]  # type: ignore[union-attr]


def colours(k: int) -> list[tuple[float, float, float, float]]:
    """A colour for each of k parts."""
    from matplotlib import colormaps

    steps = [FIRST + (LAST - FIRST) * part / max(1, k - 1) for part in range(k)] if k > 1 else [(FIRST + LAST) / 2]
    return [colormaps["viridis"](step) for step in steps]


def part_names(names: Sequence[str], room: float) -> list[str]:
    """The names of the parts where all fit into `room` inches each, else their numbers as #0, #1 ..."""
    fit = all(len(name) <= room * CHARACTERS_PER_INCH for name in names) and len(set(names)) == len(names)
    return list(names) if fit else [f"#{part}" for part in range(len(names))]


def name_parts(ax: "Axes", names: Sequence[str], sizes: Sequence[int]) -> None:
    """Below an axis on which part i stands at i: names, sizes where there is room for them, and not every one of very many."""
    k = len(names)
    room = width_of(ax) / (k + 1)
    shown, counts = part_names(names, room), [f"{size:,}" for size in sizes]
    if k <= MOST_SIZES and max(map(len, counts)) <= room * CHARACTERS_PER_INCH:
        shown = [f"{name}\n{count}" for name, count in zip(shown, counts, strict=True)]
    step = ceil(max(len(line) for name in shown for line in name.split("\n")) / (room * CHARACTERS_PER_INCH))
    ax.set_xticks(range(0, k, step), shown[::step])
    ax.set_xlim(-0.6, k - 0.4)
    ax.tick_params(axis="x", length=0)


def shortened(text: str, inches: float) -> str:
    """As much of a text as there is room for."""
    longest = int(inches * CHARACTERS_PER_INCH)
    return text if len(text) <= longest else f"{text[:longest - 1]}…"


def head(ax: "Axes", title: str, numbers: str = "", key: Sequence[str] = (), lines: int = 3) -> None:
    """Above a panel: as much of its title as fits into so many lines, numbers, and the colours of its parts if they fit."""
    from matplotlib.lines import Line2D

    shared = len(ax.get_shared_y_axes().get_siblings(ax)) > 1
    inches = width_of(ax) - (ASIDE if shared else OWN_AXIS)
    found = wrap(title, int(inches * CHARACTERS_PER_INCH), break_long_words=False, break_on_hyphens=False)
    kept = [*found[:lines - 1], " ".join(found[lines - 1:])]
    numbered = [f"#{part}" for part in range(len(key))]
    names = next((each for each in (part_names(key, inches), numbered)
                  if sum(len(name) + BESIDE for name in each) <= inches * CHARACTERS_PER_INCH), [])
    ax.set_title("\n".join(filter(None, [*(shortened(line, inches) for line in kept), numbers])), loc="left",
                 pad=KEYED if names else None)
    if names:
        handles = [Line2D([], [], linestyle="", marker="o", markersize=3.5, markeredgewidth=0, color=colour, label=name)
                   for colour, name in zip(colours(len(names)), names, strict=True)]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names), borderpad=0.2, borderaxespad=0,
                  handlelength=0.6, handletextpad=0.3, columnspacing=0.5)


def note(figure: "Figure", text: str) -> None:
    """Below all panels, in as many lines as it needs."""
    longest = int((figure.get_figwidth() - OWN_AXIS) * CHARACTERS_PER_INCH)
    figure.supxlabel("\n".join(fill(line, longest) for line in text.split("\n")), fontsize=NOTE)


def reach(values: "pd.Series[float]") -> tuple[float, float]:
    """The ends of an axis that leaves a few of the lowest values out, which would take most of it."""
    low, high = np.percentile(values, (BELOW, 100), method="lower")
    beside = MARGIN * (high - low) or 1
    return float(low - beside), float(high + beside)
