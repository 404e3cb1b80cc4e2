"""The figure of accuracies per part of several splits, one panel a criterion (EFS-NAS, Fig. 2)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.folder import write_atomically
from benchmarks.truth import GroundTruth
from criteria.base import Context
from harness.figures.panels import NOTE, colours, first_column, panels, part_names, shortened, width_of
from harness.figures.parts import FEWEST_FOR_VIOLIN
from harness.figures.style import INK, beside, save, style
from harness.report.splits import MOST_SIZES
from harness.report.summary import three
from harness.splits.rivals import Candidate, Lineup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NAME = "accuracy-per-part"
HEIGHT = 1.75
# Per cent of the architectures whose accuracies lie below the axis, where so few would take most of it.
BELOW = 1
# Of the axis, above the best.
ABOVE = 0.04
CAPTION = "parts by name or #number, with their connected architectures; {below} % of these lie below the axis"


def violin_frame(candidates: Sequence[Candidate], context: Context, truth: GroundTruth,
                 members: NDArray[np.int64]) -> "pd.DataFrame":
    """What the figure shows, one row an architecture of members int64 [n] and criterion: criterion, part (0..k-1), name, index,
    accuracy (per cent), connected. Those in no part are left out."""
    import pandas as pd

    true, frames = truth.mean(), []
    for row in candidates:
        label, names = row.partition.label, np.array(row.partition.names, dtype=object)
        chosen = members[label[members] >= 0]
        chosen = chosen[np.argsort(label[chosen], kind="stable")]
        frames.append(pd.DataFrame({
            "criterion": row.criterion, "part": label[chosen], "name": names[label[chosen]], "index": chosen,
            "accuracy": true[chosen], "connected": context.space.connected[chosen]}))
    return pd.concat(frames, ignore_index=True)


def draw_violins(found: Lineup, context: Context, folder: Path) -> tuple[Path, Path, Path]:
    """Write the figure of a comparison into a folder as png, pdf and csv.

    Disconnected cells, which are at chance, would squash the axis: they are in the csv and not drawn. Parts of few architectures
    are drawn as points. Raises DataError where nothing is left to draw, RunError when a file cannot be written.
    """
    frame = violin_frame(found.candidates, context, found.truth, found.members)
    shown = frame.loc[frame["connected"], "accuracy"]
    if shown.empty:
        raise DataError(f"No architecture of the population {found.population} that has a truth is connected, so there is "
                        "nothing to draw; choose another population or truth.")
    low, high = np.percentile(shown, (BELOW, 100))
    with style():
        figure, grid = panels(len(found.candidates), HEIGHT)
        for row, ax in zip(found.candidates, grid, strict=True):
            _panel(row, frame[(frame["criterion"] == row.criterion) & frame["connected"]], ax, width_of(ax))
        if low < high:
            grid[0].set_ylim(low, high + ABOVE * (high - low))
        for ax in first_column(grid):
            ax.set_ylabel("true accuracy (%)")
        figure.supxlabel(CAPTION.format(below=BELOW), fontsize=NOTE)
        png, pdf = save(figure, folder / NAME)
    csv = beside(folder / NAME, "csv")
    write_atomically(csv, frame.to_csv(index=False, lineterminator="\n").encode())
    return png, pdf, csv


def _panel(row: Candidate, drawn: "pd.DataFrame", ax: "Axes", width: float) -> None:
    import seaborn as sns

    k = row.partition.k
    names = part_names(row, width / (k + 1))
    sizes = drawn["part"].value_counts().reindex(range(k), fill_value=0)
    many = drawn["part"].map(sizes) >= FEWEST_FOR_VIOLIN
    shared: dict[str, Any] = {"x": "part", "y": "accuracy", "hue": "part", "order": range(k), "hue_order": range(k),
                              "palette": colours(k), "legend": False, "ax": ax}
    ax.grid(axis="y")
    if many.any():
        sns.violinplot(drawn[many], cut=0, inner="quart", density_norm="width", width=0.9, linewidth=0.5, linecolor=INK,
                       saturation=1, **shared)
    if not many.all():
        sns.stripplot(drawn[~many], jitter=False, size=2.5, linewidth=0.3, edgecolor=INK, **shared)
    ax.set_xticks(range(k), [f"{name}\n{size:,}" if k <= MOST_SIZES else name for name, size in zip(names, sizes, strict=True)])
    ax.set_xlim(-0.6, k - 0.4)
    ax.tick_params(axis="x", length=0)
    ax.set(xlabel="", ylabel="")
    ax.set_title(f"{shortened(row.criterion, width - 0.3)}\ntau-b {three(row.separation.tau)}, eta² {three(row.separation.eta2)}",
                 loc="left")
