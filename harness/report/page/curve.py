"""The training curves of a run as lines for a small drawing, which needs no plotting library: a page each run is many pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import UsageError
from harness.figures.training import frame
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd

# The box that lines are drawn in, in units of the drawing.
WIDTH, HEIGHT = 300.0, 120.0


@dataclass(frozen=True)
class Line:
    """One supernet: its name, the points of a polyline, and the last value as text."""

    name: str
    points: str
    last: str


@dataclass(frozen=True)
class Panel:
    """What is drawn of a quantity, with the lowest and highest value as text."""

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str

    @property
    def words(self) -> str:
        """The drawing in words."""
        ends = ", ".join(f"{line.name} {line.last}" for line in self.lines)
        return f"{self.title} of the training images, epoch by epoch, between {self.low} and {self.high}; at the end: {ends}."


@dataclass(frozen=True)
class Curves:
    """Loss and accuracy of the supernets of a run, from its first epoch to the last."""

    first: int
    last: int
    panels: tuple[Panel, ...]


def curves(record: Record) -> Curves | None:
    """The curves of a run; None where it has no files of them, DataError where one is damaged."""
    try:
        found = frame([record])
    except UsageError:
        return None
    if found.empty:
        return None
    named = [(_name(int(each["supernet"].iloc[0]) + 1, str(each["name"].iloc[0])), each)
             for _, each in found.groupby("supernet")]
    first, last = int(found["epoch"].min()), int(found["epoch"].max())
    return Curves(first, last, (_panel("Loss (nats)", "loss", named, first, last, "{:.3f}"),
                                _panel("Accuracy (%)", "accuracy", named, first, last, "{:.1f}")))


def _name(number: int, part: str) -> str:
    """A part may be named '2', and two parts may have one name."""
    return part if part == f"supernet {number}" else f"supernet {number} ({part})"


def _panel(title: str, column: str, named: "Sequence[tuple[str, pd.DataFrame]]", first: int, last: int, form: str) -> Panel:
    drawn = [(name, each["epoch"].to_numpy(float), each[column].to_numpy(float)) for name, each in named]
    low, high = (float(edge(np.concatenate([values for *_, values in drawn]))) for edge in (np.min, np.max))
    lines = []
    for name, epoch, values in drawn:
        across = (epoch - first) * WIDTH / max(1, last - first)
        down = (high - values) * HEIGHT / ((high - low) or 1.0)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
        lines.append(Line(name, points, form.format(values[-1])))
    return Panel(title, tuple(lines), form.format(low), form.format(high))
