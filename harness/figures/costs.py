"""The figure of FLOPs and parameters per part of several splits, one panel a criterion (EFS-NAS, Fig. 3)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.folder import write_atomically
from criteria.base import Context
from harness.figures.panels import NOTE, colours, first_column, panels, part_names, shortened, width_of
from harness.figures.style import beside, save, style
from harness.report.splits import MOST_SIZES
from harness.splits.rivals import Candidate, Lineup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NAME = "flops-params-per-part"
HEIGHT = 1.75
MEGA = 1e6
# In points: between the same costs of neighbouring parts, and the diameters of the rarest and of the most frequent point.
STEP, SMALLEST, LARGEST = 5.0, 1.2, 8.0
# In points: between the first part and the last one at most.
WIDEST = 16.0
# The axes reach so many times further than the costs.
MARGIN = 1.6


def cost_frame(candidates: Sequence[Candidate], context: Context, members: NDArray[np.int64]) -> "pd.DataFrame":
    """What the figure shows of members int64 [n], one row a point: criterion, part (0..k-1), name, flops (multiply-adds), params,
    architectures (how many of the part share these costs). Those in no part are left out."""
    import pandas as pd

    flops, params = cost.flops(context.space, context.skeleton), cost.params(context.space, context.skeleton)
    frames = []
    for row in candidates:
        label = row.partition.label
        chosen = members[label[members] >= 0]
        each = pd.DataFrame({"part": label[chosen], "flops": flops[chosen], "params": params[chosen]})
        counted = each.groupby(["part", "flops", "params"], as_index=False).size().rename(columns={"size": "architectures"})
        counted.insert(0, "criterion", row.criterion)
        counted.insert(2, "name", np.array(row.partition.names, dtype=object)[counted["part"]])
        frames.append(counted)
    return pd.concat(frames, ignore_index=True)


def draw_costs(found: Lineup, context: Context, folder: Path) -> tuple[Path, Path, Path]:
    """Write the figure of a comparison into a folder as png, pdf and csv.

    Cells share few costs, so a point is as large as it has architectures, and points of different parts are moved apart. Raises
    RunError when a file cannot be written.
    """
    frame = cost_frame(found.candidates, context, found.members)
    largest = int(frame["architectures"].max())
    with style():
        figure, grid = panels(len(found.candidates), HEIGHT, sharex=True)
        for row, ax in zip(found.candidates, grid, strict=True):
            _panel(row, frame[frame["criterion"] == row.criterion], ax, largest)
            ax.set_xlabel("FLOPs (M)" if ax.xaxis.get_tick_params()["labelbottom"] else "")
        for ax in first_column(grid):
            ax.set_ylabel("parameters (M)")
        for limits, values in ((grid[0].set_xlim, frame["flops"]), (grid[0].set_ylim, frame["params"])):
            limits(values.min() / MEGA / MARGIN, values.max() / MEGA * MARGIN)
        figure.supxlabel("area: architectures of the same cost; points of several parts are moved apart, across the diagonal",
                         fontsize=NOTE)
        out = folder / NAME
        png, pdf = save(figure, out)
    csv = beside(out, "csv")
    write_atomically(csv, frame.to_csv(index=False, lineterminator="\n").encode())
    return png, pdf, csv


def _panel(row: Candidate, drawn: "pd.DataFrame", ax: "Axes", largest: int) -> None:
    from matplotlib.ticker import LogLocator, NullLocator
    from matplotlib.transforms import ScaledTranslation

    k, width, figure = row.partition.k, width_of(ax), ax.get_figure(root=True)
    assert figure is not None
    ax.grid()
    ax.set(xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    for part, (colour, name) in enumerate(zip(colours(k), part_names(row, width / 3), strict=True)):
        mine = drawn[drawn["part"] == part]
        shift = min(STEP, WIDEST / max(1, k - 1)) * (part - (k - 1) / 2) / 72 / 2 ** 0.5
        moved = ax.transData + ScaledTranslation(-shift, shift, figure.dpi_scale_trans)
        area = np.maximum(LARGEST ** 2 * mine["architectures"] / largest, SMALLEST ** 2)
        ax.scatter(mine["flops"] / MEGA, mine["params"] / MEGA, s=area, color=colour, edgecolor="white", linewidth=0.2,
                   transform=moved)
        if k <= MOST_SIZES:
            at = 0.94 - 0.11 * (k - 1 - part)
            ax.plot(0.05, at, "o", color=colour, markersize=4, markeredgewidth=0, transform=ax.transAxes)
            ax.annotate(name, (0.1, at), xycoords="axes fraction", va="center_baseline")
    ax.set_title(shortened(row.criterion, width - 0.3), loc="left")
