"""The figure of true accuracies in every part, or leaf of a tree, as histograms in which the best 1 % are marked.

So Ly-Manson et al. look at the leaves of their trees, "Analyzing Few-Shot Neural Architecture Search in a Metric-Driven
Framework", AutoML 2024.
"""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from harness.figures.column import COUNT, NUMBER, PART_ID
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import extent, fitted
from harness.figures.omission import NO_TRUTH_OR_PARTS
from harness.figures.sheet import entitle, note, room, sheet
from harness.figures.split import splits, truth_name, truths_of
from harness.figures.style import INK, TRUTH, style
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
    panels = apart(frame, "split")
    across = min(len(panels), 3 if columns == 2 else 1)
    rows = [panels[start:start + across] for start in range(0, len(panels), across)]
    heights = [AROUND + PART * max(found["part"].nunique() for found in row) for row in rows]
    figure = sheet(columns, sum(heights))
    made = figure.subplots(ceil(len(panels) / across), across, squeeze=False, height_ratios=heights)
    for row, line in zip(made, rows, strict=True):
        for position, ax in enumerate(row):
            if position < len(line):
                axes(line[position], ax)
            else:
                ax.remove()
    note(figure, f"up: connected architectures, each part to its own scale; down: the best 1 %, to one scale; {BELOW} % of all "
                 "lie further left")
    return figure


@style()
def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The parts of one split, alone or on given axes; DataError unless the frame has one."""
    parts = apart(single(frame, "split").sort_values(["part", "low"], kind="stable"), "part")
    ax = sheet(1, AROUND + PART * len(parts)).subplots() if ax is None else ax
    most = max(1, int(frame["count_top"].max()))
    counts = [f" n={part['architectures'].iloc[0]:,}, best {part['top'].iloc[0]:,}" for part in parts]
    names = fitted([part["name"].iloc[0] for part in parts], room(ax) - 0.25 - max(map(extent, counts)))
    for row, part in enumerate(parts):
        base = len(parts) - row - UP - TEXT
        for heights, colour in ((UP * part["count"] / max(1, int(part["count"].max())), TRUTH),
                                (-DOWN * part["count_top"] / most, INK)):
            ax.bar(part["low"], heights, part["high"] - part["low"], bottom=base, align="edge", color=colour, linewidth=0)
        ax.axhline(base, color=INK, linewidth=0.4)
        ax.annotate(names[row] + "," * bool(names[row]) + counts[row], (0, base + UP + 0.06), xycoords=("axes fraction", "data"))
    ax.set(ylim=(0, len(parts)), yticks=[], xlim=(frame["low"].min(), frame["high"].max()))
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("true accuracy (%)")
    entitle(ax, frame["split"].iloc[0], room(ax) - 0.3)
    return ax


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


KIND = Kind("leaves", "true accuracy in each part or leaf, the best 1 % marked (metric-driven framework)", COLUMNS, frame, draw,
            describe, ("split", "name"), types={"part": PART_ID, "architectures": COUNT, "top": COUNT, "below": COUNT,
                   "low": NUMBER, "high": NUMBER, "count": COUNT, "count_top": COUNT},
            ordered=(("low", "high"), ("count_top", "count"), ("top", "architectures")), left_out=NO_TRUTH_OR_PARTS)
