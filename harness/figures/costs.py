"""The figure of FLOPs and parameters per part of several splits, one panel a criterion (EFS-NAS, Fig. 3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.errors import DataError
from criteria.base import Context, Partition
from harness.figures.column import PART_ID, SOME
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.omission import NO_PARTS
from harness.figures.panels import colours, first_column, head, panels
from harness.figures.sheet import note
from harness.figures.split import splits
from harness.figures.style import style
from harness.report.summary import scaled
from harness.runs.collection import Record
from harness.splits.rivals import Lineup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

COLUMNS = ("panel", "dataset", "part", "name", "flops", "params", "architectures")
TEXTS = ("panel", "dataset", "name")
HEIGHT = 2.25
MEGA = 1e6
# In points: the diameters of the rarest and of the most frequent place.
SMALLEST, LARGEST = 1.6, 8.0
# Points on the arc of a whole circle.
ARC = 48
# The axes reach so many times further than the costs.
MARGIN = 1.2
NOTES = ("a circle: all architectures of one cost, its area how many of the n, its slices their parts, clockwise from dark to "
         "light in their order")


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a cost of each part of each different partition of runs: panel, dataset, part (0..k-1), name, flops (multiply-adds)
    and params of the stand-alone networks, architectures (how many of the part share these costs; of those that were estimated
    where no more is known).

    Raises UsageError, Absent and DataError as `Kind` says.
    """
    import pandas as pd

    return pd.concat([_rows(split.title, split.record.spec.dataset, split.partition, split.context,
                            split.benchmark.space.population(split.record.spec.population)) for split in splits(records)],
                     ignore_index=True)


def lineup_frame(found: Lineup, context: Context) -> "pd.DataFrame":
    """The same of a comparison of criteria, which holds at least one, on the architectures that it judges."""
    import pandas as pd

    return pd.concat([_rows(row.criterion, found.truth.key.dataset, row.partition, context, found.members)
                      for row in found.candidates], ignore_index=True)


def _rows(title: str, dataset: str, made: Partition, context: Context, members: NDArray[np.int64]) -> "pd.DataFrame":
    import pandas as pd

    flops, params = cost.flops(context.space, context.skeleton), cost.params(context.space, context.skeleton)
    chosen = members[made.label[members] >= 0]
    each = pd.DataFrame({"part": made.label[chosen].astype(np.int64), "flops": flops[chosen], "params": params[chosen]})
    counted = each.groupby(["part", "flops", "params"], as_index=False).size().rename(columns={"size": "architectures"})
    counted.insert(0, "panel", title)
    counted.insert(1, "dataset", dataset)
    counted.insert(3, "name", np.array(made.names, dtype=object)[counted["part"]])
    return counted


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """One panel of a frame, alone or on given axes: a circle where architectures are, cut into the shares of the parts.

    Cells share few costs, so points of different parts would hide each other. The area of a circle says how many of the panel's
    architectures it stands for. DataError unless the frame has one panel.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.ticker import LogLocator, NullLocator
    from matplotlib.transforms import IdentityTransform

    names = dict(zip(single(frame)["part"], frame["name"], strict=True))
    k = max(names) + 1
    with style():
        ax = panels(1, HEIGHT, columns=1)[1][0] if ax is None else ax
        ax.grid()
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
        places = sorted(_places(frame), key=lambda place: -place["architectures"].sum())  # the small ones on top
        most, palette = places[0]["architectures"].sum(), colours(k)
        cut = [(place, i) for place in places for i in range(len(place))]
        spots = np.array([(place["flops"].iloc[i], place["params"].iloc[i]) for place, i in cut]) / MEGA
        circles = PathCollection(
            [_slice(place["architectures"].to_numpy(float), i) for place, i in cut],
            [max(LARGEST ** 2 * place["architectures"].sum() / most, SMALLEST ** 2) for place, _ in cut], offsets=spots,
            offset_transform=ax.transData, facecolors=[palette[place["part"].iloc[i]] for place, i in cut], edgecolors="white",
            linewidths=0.2)
        circles.set_transform(IdentityTransform())
        ax.add_collection(circles, autolim=False)
        ax.update_datalim(spots)
        _limit(ax, frame)
        head(ax, str(frame["panel"].iloc[0]), f"n = {frame['architectures'].sum():,}",
             [names.get(part, f"#{part}") for part in range(k)])
    return ax


def _places(frame: "pd.DataFrame") -> list["pd.DataFrame"]:
    """The rows of each cost, by part."""
    return apart(frame.sort_values("part", kind="stable"), "flops", "params")


def _slice(counts: NDArray[np.float64], position: int) -> "Path":
    """One of the slices of a circle of diameter 1, clockwise from the top."""
    from matplotlib.path import Path

    start, end = np.concatenate([[0.0], np.cumsum(counts)])[position:position + 2] / counts.sum()
    angles = 2 * np.pi * np.linspace(start, end, max(2, round(ARC * (end - start)) + 1))
    arc = np.column_stack([np.sin(angles), np.cos(angles)]) / 2
    return Path(np.concatenate([arc, arc[:1]] if len(counts) == 1 else [[(0.0, 0.0)], arc, [(0.0, 0.0)]]))


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; DataError where nothing is left to draw."""
    if frame.empty:
        raise DataError("No architecture is in a part, so there is nothing to draw; choose other runs.")
    each = apart(frame)
    alike = frame["dataset"].nunique() == 1
    with style():
        figure, grid = panels(len(each), HEIGHT, sharex=alike, columns=columns, sharey=alike)
        for mine, ax in zip(each, grid, strict=True):
            axes(mine, ax)
            _limit(ax, frame[frame["dataset"] == mine["dataset"].iloc[0]])
            ax.set_xlabel("FLOPs (M)" if ax.xaxis.get_tick_params()["labelbottom"] else "")
        for ax in first_column(grid):
            ax.set_ylabel("parameters (M)")
        note(figure, NOTES)
    return figure


def _limit(ax: "Axes", frame: "pd.DataFrame") -> None:
    for limits, values in ((ax.set_xlim, frame["flops"]), (ax.set_ylim, frame["params"])):
        limits(values.min() / MEGA / MARGIN, values.max() / MEGA * MARGIN)


def describe(frame: "pd.DataFrame") -> str:
    """What is to be seen."""
    said = []
    for mine in apart(frame):
        ends = mine.groupby("part").agg({"name": "first", "flops": ["min", "max"]})
        ranges = [f"{name} has {scaled(low).strip()} to {scaled(high)}FLOPs" for name, low, high in ends.itertuples(index=False)]
        said.append(f"{mine['panel'].iloc[0]}: {', '.join(ranges)}")
    return ("Parameters against FLOPs of the architectures of each part, a panel for each of "
            f"{len(said)} partition{'s' * (len(said) > 1)}. {'; '.join(said)}.")


KIND = Kind("costs", "FLOPs and parameters per part, a panel a partition (EFS-NAS, Fig. 3)", COLUMNS, frame, draw, describe,
            TEXTS, types={"part": PART_ID, "flops": SOME, "params": SOME, "architectures": SOME}, left_out=NO_PARTS)
