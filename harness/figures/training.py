"""The figure of trainings: loss and accuracy of each supernet, epoch by epoch."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from harness.figures.column import ANY, PART_ID, SOME
from harness.figures.configurations import configurations, few
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import broken, fitted
from harness.figures.omission import NO_CURVES
from harness.figures.panels import colours
from harness.figures.sheet import NOTE, entitle, note, room, sheet
from harness.figures.style import style
from harness.report.summary import three, two
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "run", "supernet", "name", "epoch", "passes", "loss", "accuracy")
# What is drawn, and how its axis is called.
DRAWN = {"loss": "loss (nats)", "accuracy": "accuracy (%)"}
# In inches: one axes, and what a title cannot use beside it.
HEIGHT, ASIDE = 1.25, 0.5
# Configurations in a figure.
MOST = 24
# Of the legend of one run: a line, and the columns of it in each column of a paper.
LINE, ACROSS = 0.16, 2


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row an epoch of a supernet: its subnet passes, and their mean training loss (nats) and accuracy (per cent).

    Of each configuration the run of the lowest seed is shown that has curves; epochs without a pass of a supernet are left out.
    A last epoch that was only begun has too few passes to be a point of its own: they count with those of the epoch before it.
    Raises UsageError where no run has curves, DataError for damaged ones.
    """
    import pandas as pd

    found = few(configurations([record for record in records if _files(record)]), MOST)
    if not found:
        raise UsageError("None of these runs has the curves of its training, files training-*.safetensors in its folder; name "
                         "one that has.")
    several = len({each.panel for each in found}) > 1
    frames = []
    for each in found:
        record = each.first
        files = _files(record)
        named = record.spec.share == "part" and len(files) == len(record.part_names)
        for supernet, columns in enumerate(curves(files)):
            frames.append(pd.DataFrame({
                "panel": f"{each.panel}: {each.name}" if several else each.name, "run": record.name, "supernet": supernet,
                "name": record.part_names[supernet] if named else f"supernet {supernet + 1}", **columns}))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def _files(record: Record) -> list[Path]:
    return sorted(record.folder.glob("training-*.safetensors"), key=lambda path: (len(path.name), path.name))


def curves(files: Sequence[Path]) -> list[dict[str, NDArray[Any]]]:
    """Columns [m] of each file of one training (see harness/training/curve.py), of the epochs that had a pass.

    No torch is needed. DataError where a file is damaged.
    """
    read = [_read(path) for path in files]
    found = []
    for sums, passes in read:
        # Supernets that are trained together share the passes of an epoch by chance, so only all of them say how long it was.
        together = np.sum([other for _, other in read if len(other) == len(passes)], axis=0)
        if len(together) > 1 and together[-1] < together[:-1].min():
            sums, passes = (np.concatenate([each[:-2], each[-2:].sum(axis=0, keepdims=True)]) for each in (sums, passes))
        epochs = np.flatnonzero(passes)
        loss, accuracy = (sums[epochs] / passes[epochs, None]).T
        found.append({"epoch": epochs + 1, "passes": passes[epochs], "loss": loss, "accuracy": 100 * accuracy})
    return found


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of a file: sums of loss and accuracy [epoch, 2], and passes [epoch]."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return file.get_tensor("curve.sums"), file.get_tensor("curve.passes").sum(axis=1)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}), so it is truncated or damaged; take the folder from where it was "
                        "published again.") from error


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """Loss and accuracy, for one run side by side, for several below each other."""
    panels = apart(frame)
    if not panels:
        raise DataError("There is no epoch to draw; give runs that have the curves of their training.")
    if len(panels) == 1:
        figure = sheet(columns, HEIGHT * 1.5 + LINE * ceil(panels[0]["supernet"].nunique() / (ACROSS * columns)))
        for what, ax in zip(DRAWN, figure.subplots(1, 2), strict=True):
            _lines(panels[0], what, ax)
        return _titled(figure, panels[0], ACROSS * columns)
    across = min(len(panels), 3 if columns == 2 else 2)
    rows = ceil(len(panels) / across)
    figure = sheet(columns, rows * (2 * HEIGHT + 0.35))
    made = figure.subplots(2 * rows, across, squeeze=False)
    for place in range(rows * across):
        row, column = divmod(place, across)
        for ax, what in zip(made[2 * row:2 * row + 2, column], DRAWN, strict=True):
            if place >= len(panels):
                ax.remove()
                continue
            _lines(panels[place], what, ax)
            if what == "loss":
                ax.set_xlabel("")
                entitle(ax, panels[place]["panel"].iloc[0], room(ax) - ASIDE, 3)
    if frame["supernet"].max() > 0:
        note(figure, "a line is a supernet; from dark to light: in the order of the parts")
    return figure


def _titled(figure: "Figure", found: "pd.DataFrame", across: int) -> "Figure":
    figure.suptitle(broken(found["panel"].iloc[0], figure.get_figwidth() - 0.2), fontsize=7, x=0.02, ha="left")
    handles, names = figure.axes[0].get_legend_handles_labels()
    if len(names) > 1:
        width = figure.get_figwidth() / across - 0.5
        figure.legend(handles, fitted(list(map(str, names)), width, 1, NOTE), loc="outside lower left", ncols=across)
    return figure


@style()
def axes(frame: "pd.DataFrame", ax: "Axes | None" = None, what: str = "loss") -> "Axes":
    """`what`, loss or accuracy, of the supernets of one panel, alone or on given axes; DataError unless the frame has one."""
    ax = sheet(1, HEIGHT * 1.5).subplots() if ax is None else ax
    _lines(single(frame), what, ax)
    entitle(ax, frame["panel"].iloc[0], room(ax) - ASIDE, 3)
    return ax


def _lines(found: "pd.DataFrame", what: str, ax: "Axes") -> None:
    lines = apart(found.sort_values(["supernet", "epoch"], kind="stable"), "supernet")
    ax.grid(axis="y")
    for line, colour in zip(lines, colours(len(lines)), strict=True):
        ax.plot(line["epoch"], line[what], color=colour, marker="o" if len(line) == 1 else "", markersize=3,
                label=line["name"].iloc[0])
    ax.set(xlabel="epoch", ylabel=DRAWN[what])


def describe(frame: "pd.DataFrame") -> str:
    """Where each supernet's loss and accuracy end."""
    said = []
    for found in apart(frame):
        ends = [line.iloc[-1] for line in apart(found.sort_values(["supernet", "epoch"], kind="stable"), "supernet")]
        said.append(f"{found['panel'].iloc[0]}: " + ", ".join(
            f"{end['name']} loss {three(end['loss'])}, accuracy {two(end['accuracy'])} % in epoch {end['epoch']:,}"
            for end in ends))
    return f"Lines of training loss and accuracy over the epochs, one a supernet. At their ends: {'; '.join(said)}."


KIND = Kind("training", "loss and accuracy of each supernet, epoch by epoch", COLUMNS, frame, draw, describe,
            ("panel", "run", "name"), types={"supernet": PART_ID, "epoch": SOME, "passes": SOME, "loss": ANY, "accuracy": ANY},
            left_out=NO_CURVES)
