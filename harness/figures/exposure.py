"""The figure of how many architectures each part has and how often each is sampled, uniform against SBS (EFS-NAS, Fig. 5)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import DataError, UsageError
from harness.figures.column import COUNT, PART_ID, SPREAD
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.omission import NOT_WHOLE
from harness.figures.panels import first_column, head, name_parts, panels
from harness.figures.sheet import note
from harness.figures.split import splits
from harness.figures.style import ESTIMATE, INK, TRUTH, style
from harness.runs.collection import Record
from harness.splits.exposure import PASSES, exposures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "part", "name", "architectures", "connected", "uniform", "sbs")
TEXTS = ("panel", "name")
HEIGHT = 1.75
# How each sampler is drawn and called.
SAMPLERS = {"uniform": (TRUTH, "uniform"), "sbs": (ESTIMATE, "SBS")}
NOTES = f"expected of {PASSES:,} subnet passes; numbers below names: connected architectures of the part"


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a part of each different partition of runs: panel, part (0..k-1), name, architectures, connected (of them, what
    can be sampled), uniform and sbs (expected passes of 1,000; NaN where the sampler cannot work).

    Raises UsageError, Absent and DataError as `Kind` says.
    """
    import pandas as pd

    found = [split for split in splits(records) if split.whole]
    if not found:
        raise UsageError("Of no run the parts of all architectures are known, so nobody can say how often each is sampled; name "
                         "runs that have their partition.parquet.")
    frames = []
    for split in found:
        made, space = split.partition, split.benchmark.space
        passes = {each.sampler: each.passes for each in exposures(made, space)}
        frames.append(pd.DataFrame({
            "panel": split.title, "part": range(made.k), "name": list(made.names), "architectures": list(made.sizes),
            "connected": np.bincount(made.label[space.connected & (made.label >= 0)], minlength=made.k), **passes}))
    return pd.concat(frames, ignore_index=True)


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """One panel of a frame, alone or on given axes; DataError unless the frame has one panel."""
    single(frame)
    with style():
        ax = panels(1, HEIGHT, columns=1)[1][0] if ax is None else ax
        ax.grid(axis="y")
        width = 0.8 / len(SAMPLERS)
        for i, (sampler, (colour, _)) in enumerate(SAMPLERS.items()):
            ax.bar(frame["part"] + (i - (len(SAMPLERS) - 1) / 2) * width, frame[sampler], width, color=colour, edgecolor=INK,
                   linewidth=0.5)
        name_parts(ax, list(frame["name"]), list(frame["connected"]))
        head(ax, str(frame["panel"].iloc[0]), _idle(frame))
    return ax


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; DataError where nothing is left to draw."""
    from matplotlib.patches import Patch

    if frame.empty:
        raise DataError("There is no part, so there is nothing to draw; choose other runs.")
    each = apart(frame)
    with style():
        figure, grid = panels(len(each), HEIGHT, columns=columns)
        for mine, ax in zip(each, grid, strict=True):
            axes(mine, ax)
        for ax in first_column(grid):
            ax.set_ylabel("passes")
        handles = [Patch(facecolor=colour, edgecolor=INK, linewidth=0.5, label=name) for colour, name in SAMPLERS.values()]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), handlelength=1, columnspacing=1)
        note(figure, NOTES)
    return figure


def _idle(frame: "pd.DataFrame") -> str:
    """Which samplers cannot work in a panel."""
    idle = [name for sampler, (_, name) in SAMPLERS.items() if frame[sampler].isna().any()]
    return f"{' and '.join(idle)} cannot work" if idle else ""


def describe(frame: "pd.DataFrame") -> str:
    """What is to be seen."""
    said = []
    for mine in apart(frame):
        working = [sampler for sampler in SAMPLERS if mine[sampler].notna().all()]
        parts = [f"{part['name']} with {part['architectures']:,} architectures "
                 f"{' and '.join(f'{part[sampler]:.0f}' for sampler in working)}".rstrip() for _, part in mine.iterrows()]
        idle = f"; {_idle(mine)}, as a part has no connected architecture" if len(working) < len(SAMPLERS) else ""
        said.append(f"{mine['panel'].iloc[0]}: {', '.join(parts)}{idle}")
    return (f"Bars of the expected passes of each part, of {PASSES:,} in all, under uniform sampling and under supernet-balanced "
            f"sampling. {'; '.join(said)}.")


KIND = Kind("exposure", "architectures per part and how often each part is sampled, uniform against SBS (EFS-NAS, Fig. 5)",
            COLUMNS, frame, draw, describe, TEXTS, types={"part": PART_ID, "architectures": COUNT, "connected": COUNT,
                   "uniform": SPREAD, "sbs": SPREAD}, left_out=NOT_WHOLE)
