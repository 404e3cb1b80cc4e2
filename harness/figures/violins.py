"""The figure of accuracies per part of several splits, one panel a criterion (EFS-NAS, Fig. 2)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.space import Space
from benchmarks.truth import GroundTruth
from criteria.base import Context, Partition
from harness.figures.column import COUNT, FLAG, MAYBE, PART_ID
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.omission import NO_TRUTH_OR_PARTS
from harness.figures.panels import colours, first_column, head, name_parts, panels, reach
from harness.figures.parts import FEWEST_FOR_VIOLIN
from harness.figures.sheet import note
from harness.figures.split import splits, truth_name, truths_of
from harness.figures.style import INK, style
from harness.report.summary import three
from harness.runs.collection import Record
from harness.splits.rivals import Lineup
from harness.splits.separation import separation

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "dataset", "part", "name", "index", "accuracy", "connected", "tau", "eta2")
TEXTS = ("panel", "dataset", "name")
HEIGHT = 1.75
NOTES = "parts by name or #number, with their connected architectures"


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row an architecture that has a truth and a part, of each different partition of runs: panel, dataset, part (0..k-1),
    name, index, accuracy (per cent), connected, tau (of the part numbers), eta2 (of the panel).

    Raises UsageError, Absent and DataError as `Kind` says.
    """
    import pandas as pd

    truths = truths_of(records)
    frames = []
    for split in splits([record for record in records if truth_name(record) in truths]):
        truth = truths[truth_name(split.record)]
        frames.append(_rows(split.title, split.partition, split.benchmark.space, truth, split.members(truth)))
    return pd.concat(frames, ignore_index=True)


def lineup_frame(found: Lineup, context: Context) -> "pd.DataFrame":
    """The same of a comparison of criteria, which holds at least one."""
    import pandas as pd

    return pd.concat([_rows(row.criterion, row.partition, context.space, found.truth, found.members)
                      for row in found.candidates], ignore_index=True)


def _rows(title: str, made: Partition, space: Space, truth: GroundTruth, members: NDArray[np.int64]) -> "pd.DataFrame":
    import pandas as pd

    true, label = truth.mean(), made.label
    worth = separation(label[members], true[members])
    chosen = members[label[members] >= 0]
    chosen = chosen[np.argsort(label[chosen], kind="stable")]
    return pd.DataFrame({
        "panel": title, "dataset": truth.key.dataset, "part": label[chosen].astype(np.int64),
        "name": np.array(made.names, dtype=object)[label[chosen]], "index": chosen, "accuracy": true[chosen],
        "connected": space.connected[chosen], "tau": worth.tau, "eta2": worth.eta2})


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """One panel of a frame, alone or on given axes; points stand for parts of few architectures.

    Disconnected cells, which are at chance, would squash the axis: they are not drawn. DataError where nothing is left, and
    unless the frame has one panel.
    """
    import seaborn as sns

    drawn = _drawn(single(frame))
    with style():
        ax = panels(1, HEIGHT, columns=1)[1][0] if ax is None else ax
        names = dict(zip(frame["part"], frame["name"], strict=True))
        k = max(names) + 1
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
        name_parts(ax, [names.get(part, f"#{part}") for part in range(k)], sizes.tolist())
        ax.set(xlabel="", ylabel="")
        head(ax, str(frame["panel"].iloc[0]), f"tau-b {three(frame['tau'].iloc[0])}, eta² {three(frame['eta2'].iloc[0])}")
    return ax


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; panels of one dataset share their axis. DataError where nothing is left to draw."""
    drawn = _drawn(frame)
    shown, datasets = set(drawn["panel"]), set(drawn["dataset"])
    each = [mine for mine in apart(frame) if mine["panel"].iloc[0] in shown]
    limits = {str(dataset): reach(mine["accuracy"]) for dataset, mine in drawn.groupby("dataset")}
    with style():
        figure, grid = panels(len(each), HEIGHT, columns=columns, sharey=len(datasets) == 1)
        for mine, ax in zip(each, grid, strict=True):
            axes(mine, ax)
            ax.set_ylim(limits[mine["dataset"].iloc[0]])
        for ax in first_column(grid):
            ax.set_ylabel("true accuracy (%)")
        lost = _below(drawn, limits)
        note(figure, NOTES + (f"; of a part up to {lost:.1f} % lie below the axis" if lost else ""))
    return figure


def _below(drawn: "pd.DataFrame", limits: Mapping[str, tuple[float, float]]) -> float:
    """The largest share of a part that lies below its axis, per cent, rounded up to tenths."""
    lowest = drawn["dataset"].map({dataset: low for dataset, (low, _) in limits.items()})
    shares = (drawn["accuracy"] < lowest).groupby([drawn["panel"], drawn["part"]]).mean()
    return float(np.ceil(shares.max() * 1000 - 1e-9) / 10)


def _drawn(frame: "pd.DataFrame") -> "pd.DataFrame":
    drawn = frame[frame["connected"] & frame["accuracy"].notna()]
    if drawn.empty:
        raise DataError("No architecture that has a truth is connected, so there is nothing to draw; choose another population "
                        "or truth.")
    return drawn


def describe(frame: "pd.DataFrame") -> str:
    """What is to be seen."""
    said = []
    for panel, mine in frame.groupby("panel", sort=False):
        medians = mine[mine["connected"]].groupby("part")["accuracy"].median()
        said.append(f"{panel}: medians {', '.join(f'{value:.1f}' for value in medians)} %, tau-b {three(mine['tau'].iloc[0])}, "
                    f"eta squared {three(mine['eta2'].iloc[0])}")
    return ("Violins of the true accuracies of the connected architectures in each part, a panel for each of "
            f"{len(said)} partition{'s' * (len(said) > 1)}. {'; '.join(said)}.")


KIND = Kind("violins", "true accuracies per part, a panel a partition (EFS-NAS, Fig. 2)", COLUMNS, frame, draw, describe, TEXTS,
            types={"part": PART_ID, "index": COUNT, "accuracy": MAYBE, "connected": FLAG, "tau": MAYBE, "eta2": MAYBE},
            left_out=NO_TRUTH_OR_PARTS)
