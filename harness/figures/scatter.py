"""The figure of estimates against true accuracies, coloured by part, a panel for each configuration of runs (EFS-NAS, Fig. 4)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, HarnessError, UsageError
from benchmarks.truth import GroundTruth
from harness.estimation.estimators import kept_values
from harness.figures.column import COUNT, FLAG, MAYBE, PART_ID_OR_NONE
from harness.figures.configurations import configurations
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.omission import NO_TRUTH_OR_ESTIMATES
from harness.figures.panels import BELOW, colours, first_column, head, panels, reach
from harness.figures.sheet import note
from harness.figures.split import estimates_of, gravest, judged, truth_name, truths_of
from harness.figures.style import style
from harness.measures.tau import ranks, tau_b
from harness.report.summary import three
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "dataset", "estimator", "part", "name", "index", "connected", "truth", "estimate", "tau")
TEXTS = ("panel", "dataset", "estimator", "name")
HEIGHT = 2.0
# In points, of an architecture; where a panel has more than MANY it is smaller, and all are drawn as an image.
LARGE, SMALL, MANY = 2.0, 1.0, 1500
NOWHERE = "#9A9A9A"
NOTES = f"connected architectures; parts from dark to light in their order; up to {BELOW} % lie below each axis"


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row an architecture that a run is judged on, of the lowest seed of each configuration: panel, dataset, estimator, part
    (0..k-1, -1 = in none), name, index, connected, truth (per cent), estimate (higher = better; NaN = undefined), tau (of the
    panel, undefined estimates ranked last).

    Raises UsageError, Absent and DataError as `Kind` says.
    """
    import pandas as pd

    truths = truths_of(records)
    found = configurations([record for record in records if truth_name(record) in truths])
    several = len({each.panel for each in found}) > 1
    frames, unknown = [], list[HarnessError]()
    for each in found:
        record = each.rows[0].first
        beside = f", {each.panel.removeprefix(f'{record.spec.benchmark}, ')}" if several else ""
        try:
            frames.append(_rows(record, truths[truth_name(record)], each.name + beside))
        except UsageError as error:
            unknown.append(error)
    if not frames:
        raise gravest(unknown)
    return pd.concat(frames, ignore_index=True)


def _rows(record: Record, truth: GroundTruth, title: str) -> "pd.DataFrame":
    import pandas as pd

    columns, population = estimates_of(record), judged(record, truth)
    values = kept_values(record.folder, record.key, record.spec.estimator, columns, population)
    members, true = population.members, truth.mean()[population.members]
    part = columns["part"][np.searchsorted(columns["index"], members)].astype(np.int64)
    names = np.array([*record.part_names, ""], dtype=object)  # -1 is the last one
    return pd.DataFrame({
        "panel": title, "dataset": record.spec.dataset, "estimator": record.spec.estimator, "part": part, "name": names[part],
        "index": members, "connected": benchmark(record.spec.benchmark).space.connected[members], "truth": true,
        "estimate": values, "tau": tau_b(*ranks(values, true, "last"))})


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """One panel of a frame, alone or on given axes; DataError where no connected architecture has both numbers, and unless the
    frame has one panel."""
    from matplotlib.colors import to_rgba

    drawn = _drawn(single(frame))
    with style():
        ax = panels(1, HEIGHT, columns=1)[1][0] if ax is None else ax
        parts = dict(zip(frame["part"], frame["name"], strict=True))
        k, many = max(*parts, 0) + 1, len(drawn) > MANY
        palette = np.array([*colours(k), to_rgba(NOWHERE)])
        ax.grid()
        ax.scatter(drawn["truth"], drawn["estimate"], s=(SMALL if many else LARGE) ** 2, c=palette[drawn["part"]], linewidth=0,
                   rasterized=many)
        ax.set(xlim=reach(drawn["truth"]), ylim=reach(drawn["estimate"]))
        head(ax, str(frame["panel"].iloc[0]), f"tau-b {three(frame['tau'].iloc[0])}",
             [parts.get(part, f"#{part}") for part in range(k)])
    return ax


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; DataError where no connected architecture has both numbers."""
    shown = set(_drawn(frame)["panel"])
    each = [mine for mine in apart(frame) if mine["panel"].iloc[0] in shown]
    alike = len({_estimated(mine) for mine in each}) == 1
    with style():
        figure, grid = panels(len(each), HEIGHT, columns=columns, sharey=False)
        for mine, ax in zip(each, grid, strict=True):
            axes(mine, ax)
            if len(frame) > MANY:  # however few a panel has, together they would be heavy
                for points in ax.collections:
                    points.set_rasterized(True)
        for mine, ax in zip(each, grid, strict=True):
            if not alike or ax in first_column(grid):
                ax.set_ylabel(_estimated(mine))
        note(figure, f"true accuracy (%)\n{NOTES}")
    return figure


def _drawn(frame: "pd.DataFrame") -> "pd.DataFrame":
    drawn = frame[frame["connected"] & frame["truth"].notna() & frame["estimate"].notna()]
    if drawn.empty:
        raise DataError("No connected architecture has a truth and an estimate, so there is nothing to draw; choose other runs.")
    return drawn


def _estimated(frame: "pd.DataFrame") -> str:
    estimators = set(frame["estimator"])
    return "estimated accuracy (%)" if estimators == {"accuracy"} else "estimate (higher is better)"


def describe(frame: "pd.DataFrame") -> str:
    """What is to be seen."""
    taus = frame.groupby("panel", sort=False)["tau"].first()
    named = "; ".join(f"{panel}: {three(tau)}" for panel, tau in taus.items())
    return (f"Scatter plots of estimates against true accuracies, coloured by part, of {len(taus)} "
            f"configuration{'s' * (len(taus) > 1)} of runs. Kendall's tau-b: {named}.")


KIND = Kind("scatter", "estimate against true accuracy by part, a panel a configuration of runs (EFS-NAS, Fig. 4)", COLUMNS,
            frame, draw, describe, TEXTS, types={"part": PART_ID_OR_NONE, "index": COUNT, "connected": FLAG, "truth": MAYBE,
                   "estimate": MAYBE, "tau": MAYBE}, left_out=NO_TRUTH_OR_ESTIMATES)
