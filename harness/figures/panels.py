"""Figures with one panel for each of several things: their grid, and the colours and names of the parts."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from harness.figures.lettering import common, extent, fitted
from harness.figures.sheet import entitle, grid, room
from harness.figures.style import SETTINGS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches of a note below panels.
FOOT = 0.3
# Panels in a row across two columns of a paper.
MOST_IN_ROW = 4
# Of viridis, which the colour-blind read too and which is ordered in grey: parts are ordered from low to high scores. Its ends
# are left out: dark lines do not show on the one, and the other does not on paper.
FIRST, LAST = 0.25, 0.9
TICK, KEY = SETTINGS["xtick.labelsize"], SETTINGS["legend.fontsize"]
# Names end a word of what they begin with alike here.
WORDS = " /|,"
# In inches: what a tilted name and its size may take, the least between the names of two parts, and what a part has at least
# whose name is tilted and not upright.
TILTED, BETWEEN, UPRIGHT = 0.92, 0.05, 0.12
# In inches, of a panel beside its axes: what a title cannot use, less where panels share the numbers of their axis, more where a
# tilted name reaches beyond it.
ASIDE, OWN_AXIS, OVERHANG = 0.35, 0.5, 0.25
# In points: between a panel and its title, and a line of the key between them. In inches: what a name of the key takes beside
# itself, and the longest one, rather the first.
PAD, KEYED, BESIDE, LONGEST = 4.0, 10.0, 0.2, (0.9, 0.45)
# Lines of a key.
MOST_LINES = 3
# Per cent of the values that lie below an axis, where so few would take most of it; and how much longer an axis is at each end.
BELOW, MARGIN = 1, 0.04


def panels(number: int, height: float, sharex: bool = False, columns: int = 2,
           sharey: bool = True) -> tuple["Figure", list["Axes"]]:
    """A figure across `columns` columns of a paper, and that many axes of `height` inches in even rows, above a note."""
    figure, made = grid(number, columns, height, MOST_IN_ROW, sharex, sharey, FOOT)
    across = made[0].get_subplotspec().get_gridspec().ncols  # type: ignore[union-attr]
    for position, ax in enumerate(made):
        ax.tick_params(labelbottom=is_lowest(position, across, number) or not sharex)
    return figure, made


def is_lowest(position: int, across: int, number: int) -> bool:
    """Whether no panel stands below the one at that position."""
    return position + across >= number


def first_column(grid: list["Axes"]) -> list["Axes"]:
    """The panels that stand first in their rows."""
    return [ax for ax in grid if ax.get_subplotspec().is_first_col()]  # type: ignore[union-attr]


def colours(k: int) -> list[tuple[float, float, float, float]]:
    """A colour for each of k parts."""
    from matplotlib import colormaps

    steps = [FIRST + (LAST - FIRST) * part / max(1, k - 1) for part in range(k)] if k > 1 else [(FIRST + LAST) / 2]
    return [colormaps["viridis"](step) for step in steps]


def part_names(names: Sequence[str], inches: float) -> list[str]:
    """The names of the parts where all fit into `inches` each, without the words that all begin with if they have to; else
    their numbers as #0, #1 ..."""
    for shown in (list(names), _told(names)):
        if all(shown) and len(set(shown)) == len(shown) and max(extent(name, TICK) for name in shown) <= inches:
            return shown
    return _numbers(len(names))


def _numbers(k: int) -> list[str]:
    return [f"#{part}" for part in range(k)]


def _told(names: Sequence[str]) -> list[str]:
    """Names without the words that all begin with."""
    begin = names[0][:common(names)] if len(names) > 1 else ""
    return [name[max(begin.rfind(end) for end in WORDS) + 1:] for name in names]


def _cut(names: Sequence[str], inches: float) -> list[str]:
    """As much of the names as fits; their numbers where that tells nothing, or of a range would be another one."""
    shown = fitted(_told(names), inches, 1, TICK)
    unlike = len(set(shown)) == len(shown) and not any(name.startswith("#") for name in shown)
    return shown if unlike and not any(".." in name for name in names) else _numbers(len(names))


def name_parts(ax: "Axes", names: Sequence[str], sizes: Sequence[int]) -> None:
    """Below an axis on which part i stands at i: its name and its size, tilted where there is no room beside each other."""
    k, counts = len(names), [f"{size:,}" for size in sizes]
    inches, widest = (room(ax) - OWN_AXIS) / k - BETWEEN, max(extent(count, TICK) for count in counts)
    level, tilted = part_names(names, inches), _cut(names, TILTED - widest)
    if max(widest, *(extent(name, TICK) for name in level)) <= inches and (level[0] != "#0" or tilted[0] == "#0"):
        ax.set_xticks(range(k), [f"{name}\n{count}" for name, count in zip(level, counts, strict=True)])
    else:
        ticks = range(0, k, ceil(TICK / 72 / max(inches + BETWEEN, 1e-3)))
        ax.set_xticks(ticks, [f"{tilted[part]}: {counts[part]}" for part in ticks], rotation=45 if inches > UPRIGHT else 90,
                      ha="right", va="center", rotation_mode="anchor")
    ax.set_xlim(-0.6, k - 0.4)
    ax.tick_params(axis="x", length=0)


def head(ax: "Axes", title: str, numbers: str = "", key: Sequence[str] = (), lines: int = 3) -> None:
    """Above a panel: its title on at most so many lines, numbers, and the colours of its parts."""
    shared, tilted = len(ax.get_shared_y_axes().get_siblings(ax)) > 1, ax.xaxis.get_major_ticks(1)[0].label1.get_rotation() > 0
    inches = room(ax) - (ASIDE if shared else OWN_AXIS) - OVERHANG * tilted
    rows = _key(ax, key, inches) if key else 0
    entitle(ax, title, inches, lines, numbers, PAD + KEYED * rows)


def _key(ax: "Axes", names: Sequence[str], inches: float) -> int:
    """The colours of parts above a panel, and on how many lines."""
    from matplotlib.lines import Line2D

    k = len(names)
    ways = (part_names(names, inches - BESIDE), *(_cut(names, longest) for longest in LONGEST), _numbers(k))
    # Where there is no room for all, the first and the last part stand for the order of the colours.
    shown = next((dict(enumerate(way)) for way in ways if ceil(k / _across(way, inches)) <= MOST_LINES),
                 {0: "#0 to", k - 1: f"#{k - 1}"})
    ncols, palette = _across(list(shown.values()), inches), colours(k)
    handles = [Line2D([], [], linestyle="", marker="o", markersize=3.5, markeredgewidth=0, color=palette[part], label=name)
               for part, name in shown.items()]
    # A legend is filled column by column, and is read line by line.
    handles = [handles[place] for column in range(ncols) for place in range(column, len(handles), ncols)]
    ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderpad=0.2, borderaxespad=0,
              handlelength=0.6, handletextpad=0.3, columnspacing=0.5, labelspacing=0.2)
    return ceil(len(shown) / ncols)


def _across(names: Sequence[str], inches: float) -> int:
    """How many of the names stand beside each other."""
    return max(1, min(len(names), int(inches / (BESIDE + max(extent(name, KEY) for name in names)))))


def reach(values: "pd.Series[float]") -> tuple[float, float]:
    """The ends of an axis that leaves a few of the lowest values out, which would take most of it."""
    low, high = np.percentile(values, (BELOW, 100), method="lower")
    beside = MARGIN * (high - low) or 1
    return float(low - beside), float(high + beside)
