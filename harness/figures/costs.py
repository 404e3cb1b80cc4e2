"""The figure of FLOPs and parameters per part of several splits, one panel a criterion (EFS-NAS, Fig. 3)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.errors import DataError
from criteria.base import Context, Partition
from harness.figures.kind import Kind
from harness.figures.panels import colours, first_column, head, note, panels
from harness.figures.split import splits
from harness.figures.style import style
from harness.report.summary import scaled
from harness.runs.collection import Record
from harness.splits.rivals import Lineup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "dataset", "part", "name", "flops", "params", "architectures")
TEXTS = ("panel", "dataset", "name")
HEIGHT = 1.95
MEGA = 1e6
# In points: between the same costs of neighbouring parts, and the diameters of the rarest and of the most frequent point.
STEP, SMALLEST, LARGEST = 5.0, 1.2, 8.0
# In points: between the first part and the last one at most.
WIDEST = 16.0
# The axes reach so many times further than the costs.
MARGIN = 1.6
NOTES = "area: architectures of one cost; parts from dark to light in their order, moved apart"


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


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None, largest: int | None = None) -> "Axes":
    """One panel of a frame, alone or on given axes; the area of a point says how many architectures it stands for, and `largest`
    of them make the largest. Points of different parts are moved apart, as cells share few costs."""
    from matplotlib.ticker import LogLocator, NullLocator
    from matplotlib.transforms import ScaledTranslation

    with style():
        ax = panels(1, HEIGHT, columns=1)[1][0] if ax is None else ax
        names = dict(zip(frame["part"], frame["name"], strict=True))
        k, most = max(names) + 1, frame["architectures"].max() if largest is None else largest
        figure = ax.get_figure(root=True)
        assert figure is not None
        ax.grid()
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
        for part, colour in enumerate(colours(k)):
            mine = frame[frame["part"] == part]
            shift = min(STEP, WIDEST / max(1, k - 1)) * (part - (k - 1) / 2) / 72 / 2 ** 0.5
            moved = ax.transData + ScaledTranslation(-shift, shift, figure.dpi_scale_trans)
            area = np.maximum(LARGEST ** 2 * mine["architectures"] / most, SMALLEST ** 2)
            ax.scatter(mine["flops"] / MEGA, mine["params"] / MEGA, s=area, color=colour, edgecolor="white", linewidth=0.2,
                       transform=moved)
        _limit(ax, frame)
        head(ax, str(frame["panel"].iloc[0]), key=[names.get(part, f"#{part}") for part in range(k)])
    return ax


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; DataError where nothing is left to draw."""
    if frame.empty:
        raise DataError("No architecture is in a part, so there is nothing to draw; choose other runs.")
    each = [mine for _, mine in frame.groupby("panel", sort=False)]
    alike = frame["dataset"].nunique() == 1
    with style():
        figure, grid = panels(len(each), HEIGHT, sharex=alike, columns=columns, sharey=alike)
        for mine, ax in zip(each, grid, strict=True):
            together = frame[frame["dataset"] == mine["dataset"].iloc[0]]
            axes(mine, ax, int(together["architectures"].max()))
            _limit(ax, together)
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
    for panel, mine in frame.groupby("panel", sort=False):
        ends = mine.groupby("part").agg({"name": "first", "flops": ["min", "max"]})
        ranges = [f"{name} has {scaled(low).strip()} to {scaled(high)}FLOPs" for name, low, high in ends.itertuples(index=False)]
        said.append(f"{panel}: {', '.join(ranges)}")
    return ("Parameters against FLOPs of the architectures of each part, a panel for each of "
            f"{len(said)} partition{'s' * (len(said) > 1)}. {'; '.join(said)}.")


KIND = Kind("costs", "FLOPs and parameters per part, a panel a partition", COLUMNS, frame, draw, describe, TEXTS)
