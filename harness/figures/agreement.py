"""The figure of how alike splits are: the adjusted Rand index of each pair of criteria."""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import Absent, DataError, UsageError
from harness.figures.column import COUNT, MAYBE
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import fitted
from harness.figures.omission import NO_PARTS
from harness.figures.sheet import entitle, note, room, sheet, stack
from harness.figures.split import Split, splits
from harness.figures.style import INK, style
from harness.report.summary import MISSING, three
from harness.runs.collection import Record
from harness.splits.agreement import agreement
from harness.splits.rivals import Lineup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "one", "other", "adjusted_rand", "architectures")
# In inches: the largest cell, the lowest one, and what is around the cells besides the names.
CELL, LOW, AROUND = 0.42, 0.17, 0.4
# From here on cells are too dark for dark text.
DARK = 0.55
# Of the width of a panel, for the names at its left; the inches of the longest one, and of the longest below; and of a cell from
# which on a name beside it has two lines.
NAMES, LONGEST, TILTED, TWO_LINES = 0.42, 1.7, 1.0, 0.22
# Inches between a name and its cell.
TICK = 0.1


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a pair of splits of one benchmark and dataset, and one for each with itself: adjusted Rand index, and the
    architectures that both have in a part.

    Each different partition of the runs is there once, with the lowest seed, but not those of a single part. Raises UsageError
    where there are no two splits to compare.
    """
    import pandas as pd

    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(f"{record.spec.benchmark}, {record.spec.dataset}", []).append(record)
    rows = []
    for panel, mine in found.items():
        made = [each for each in _known(mine) if each.partition.k > 1]
        for one, other in combinations_with_replacement(made, 2) if len(made) > 1 else ():
            alike = agreement(one.partition.label, other.partition.label)
            rows.append((panel, one.title, other.title, alike.adjusted_rand, alike.n))
    if not rows:
        raise UsageError("These runs hold no two splits of one dataset, so there is nothing to compare; give runs of several "
                         "criteria.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _known(records: Sequence[Record]) -> list[Split]:
    try:
        return splits(records)
    except (Absent, UsageError):
        return []


def lineup_frame(found: Lineup) -> "pd.DataFrame":
    """The same of criteria that `harness compare-splits` compared."""
    import pandas as pd

    panel, names = f"{found.truth.key.dataset}, k = {found.k}", [row.criterion for row in found.candidates]
    own = [(panel, row.criterion, row.criterion, 1.0, int((row.partition.label >= 0).sum())) for row in found.candidates]
    pairs = [(panel, names[one], names[other], alike.adjusted_rand, alike.n) for (one, other), alike in found.agreements.items()]
    return pd.DataFrame(own + pairs, columns=list(COLUMNS))


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """A panel for each dataset: darker is more alike."""
    panels = apart(frame)
    if not panels:
        raise DataError("There is no pair of splits to draw; give several.")
    figure, made = stack(panels, columns, _height, foot=0.15)
    for found, ax in zip(panels, made, strict=True):
        axes(found, ax)
    note(figure, "adjusted Rand index: 1 = the same parts, 0 = alike as by chance")
    return figure


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The pairs of one panel, each once, below the diagonal; DataError unless the frame has one panel."""
    names = _names(single(frame))
    with style():
        ax = sheet(1, AROUND + 0.8 + CELL * len(names)).subplots() if ax is None else ax
        table = np.full((len(names), len(names)), np.nan)
        places = {name: place for place, name in enumerate(names)}
        for one, other, value in zip(frame["one"], frame["other"], frame["adjusted_rand"], strict=True):
            low, high = sorted((places[one], places[other]))
            table[high, low] = value
        ax.imshow(table, cmap="Blues", vmin=0, vmax=1)
        width = room(ax)
        cell = _cells(frame, width)
        for (row, column), value in np.ndenumerate(table):
            if column <= row:
                text = MISSING if np.isnan(value) else f"{round(value, 2) + 0:.2f}"
                ax.text(column, row, text, ha="center", va="center", fontsize=min(6.5, 21 * cell),
                        color="white" if value > DARK else INK)
        ax.set_yticks(range(len(names)), fitted(names, min(NAMES * width, LONGEST) - TICK, 2 if cell > TWO_LINES else 1))
        ax.set_xticks(range(len(names)), fitted(names, min(TILTED, NAMES * width)), rotation=40, ha="right",
                      rotation_mode="anchor")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        entitle(ax, frame["panel"].iloc[0], width - NAMES * width - 0.1, 2)
    return ax


def _names(frame: "pd.DataFrame") -> list[str]:
    return list(dict.fromkeys([*frame["one"], *frame["other"]]))


def _height(frame: "pd.DataFrame", width: float) -> float:
    return _cells(frame, width) * len(_names(frame)) + AROUND + 0.8


def _cells(frame: "pd.DataFrame", width: float) -> float:
    """The inches of a cell."""
    return max(LOW, min(CELL, (1 - NAMES) * (width - 0.2) / len(_names(frame))))


def describe(frame: "pd.DataFrame") -> str:
    """The index of each pair, the most alike first."""
    pairs = frame[frame["one"] != frame["other"]].sort_values("adjusted_rand", ascending=False, kind="stable")
    said = [f"{one} and {other} {three(value)}" for one, other, value in zip(
        pairs["one"], pairs["other"], pairs["adjusted_rand"], strict=True)]
    return f"A heat map of the adjusted Rand index between splits, from the most alike: {'; '.join(said)}."


KIND = Kind("agreement", "how alike the splits of criteria are (adjusted Rand index)", COLUMNS, frame, draw, describe,
            ("panel", "one", "other"), types={"adjusted_rand": MAYBE, "architectures": COUNT}, left_out=NO_PARTS)
