"""The figure of true accuracies in every part, or leaf of a tree, as histograms in which the best 1 % are marked."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from harness.figures.kind import Kind
from harness.figures.panels import shortened
from harness.figures.sheet import NOTE, broken, room, sheet
from harness.figures.split import splits, truth_name, truths_of
from harness.figures.style import INK, TRUTH
from harness.runs.collection import Record
from harness.splits.separation import best

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("split", "part", "name", "architectures", "top", "below", "low", "high", "count", "count_top")
BINS = 30
# Per cent of the connected architectures that lie below the lowest bin, where so few would take most of the axis.
BELOW = 1
# In inches: a part, and what is around them. Of a part's height: its name, its histogram, and the one of the best below it.
PART, AROUND = 0.4, 0.75
TEXT, UP, DOWN = 0.36, 0.36, 0.2
# Characters of numbers in an inch.
NARROW = 20


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a bin of a part of a split: low and high end (per cent), count of its architectures, count_top of the best.

    Each different partition of the runs is there once. architectures: of the part that are connected and have a truth; top: of
    the best 1 % of all that have one, as in `compare-splits`; below: how many lie under the lowest bin. Raises UsageError where
    no run has parts, Absent where no truth is at hand.
    """
    import pandas as pd

    made = [each for each in splits(records) if each.partition.k > 1]
    if not made:
        raise UsageError("None of these runs splits the space into parts, so there is nothing to compare; give runs of a "
                         "criterion, such as nonlinear.")
    known, found = truths_of([each.record for each in made]), []
    for each in made:
        if (truth := known.get(truth_name(each.record))) is not None:
            members = each.members(truth)
            connected = each.benchmark.space.connected[members]
            if connected.any():
                found.append(histogram(each.title, each.partition.label[members], each.partition.names, truth.mean()[members],
                                       connected))
    if not found:
        raise UsageError("No connected architecture of these runs has a truth, so there is nothing to show; choose another "
                         "population.")
    return pd.concat(found, ignore_index=True)


def histogram(title: str, label: NDArray[np.int16], names: Sequence[str], true: NDArray[np.float64],
              connected: NDArray[np.bool_]) -> "pd.DataFrame":
    """The rows of one split of m architectures: their parts, their true accuracies (per cent), and which are connected."""
    import pandas as pd

    top = np.isin(np.arange(len(true)), best(true))[connected]
    true, label = true[connected], label[connected]
    low, high = np.percentile(true, (BELOW, 100))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    frames = []
    for part, name in enumerate(names):
        mine = label == part
        frames.append(pd.DataFrame({
            "split": title, "part": part, "name": name, "architectures": int(mine.sum()), "top": int((mine & top).sum()),
            "below": int((true[mine] < low).sum()), "low": edges[:-1], "high": edges[1:],
            "count": np.histogram(true[mine], edges)[0], "count_top": np.histogram(true[mine & top], edges)[0]}))
    return pd.concat(frames, ignore_index=True)


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """A panel for each split, in it a histogram for each part, up for all and down for the best."""
    if frame.empty:
        raise DataError("There is no part to draw; give runs of a criterion whose truth is at hand.")
    panels = [found for _, found in frame.groupby("split", sort=False)]
    across = min(len(panels), 3 if columns == 2 else 1)
    rows = [panels[start:start + across] for start in range(0, len(panels), across)]
    heights = [AROUND + PART * max(found["part"].nunique() for found in row) for row in rows]
    figure = sheet(columns, sum(heights))
    axes = figure.subplots(ceil(len(panels) / across), across, squeeze=False, height_ratios=heights)
    for row, line in zip(axes, rows, strict=True):
        for position, ax in enumerate(row):
            if position < len(line):
                _panel(line[position], ax)
            else:
                ax.remove()
    figure.supxlabel(broken("up: connected architectures, each part to its own scale; down: the best 1 %, to one scale; "
                            f"{BELOW} % lie further left", figure.get_figwidth(), 3), fontsize=NOTE)
    return figure


def _panel(found: "pd.DataFrame", ax: "Axes") -> None:
    parts = [part for _, part in found.groupby("part", sort=True)]
    most = max(1, int(found["count_top"].max()))
    for row, part in enumerate(parts):
        first, base = part.iloc[0], len(parts) - row - UP - TEXT
        for heights, colour in ((UP * part["count"] / max(1, int(part["count"].max())), TRUTH),
                                (-DOWN * part["count_top"] / most, INK)):
            ax.bar(part["low"], heights, part["high"] - part["low"], bottom=base, align="edge", color=colour, linewidth=0)
        ax.axhline(base, color=INK, linewidth=0.4)
        counts = f" n={first['architectures']:,}, best {first['top']:,}"
        name = shortened(first["name"], room(ax) - 0.1 - len(counts) / NARROW)
        ax.annotate(name + "," * bool(name) + counts, (0, base + UP + 0.06), xycoords=("axes fraction", "data"))
    ax.set(ylim=(0, len(parts)), yticks=[], xlim=(found["low"].min(), found["high"].max()))
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("true accuracy (%)")
    ax.set_title(broken(found["split"].iloc[0], room(ax) - 0.3), loc="left")


def describe(frame: "pd.DataFrame") -> str:
    """Of each part how many architectures and how many of the best it holds."""
    said = []
    for split, found in frame.groupby("split", sort=False):
        parts = found.drop_duplicates("part")
        held = ", ".join(f"{name} {top:,} of {size:,}" for name, top, size in zip(
            parts["name"], parts["top"], parts["architectures"], strict=True))
        said.append(f"{split}: {held}")
    return ("Histograms of true accuracy in each part, one panel a split, with the best 1 % of all architectures marked. How "
            f"many of these each part holds: {'; '.join(said)}.")


KIND = Kind("leaves", "true accuracy in each part or leaf, the best 1 % marked", COLUMNS, frame, draw, describe,
            ("split", "name"))
