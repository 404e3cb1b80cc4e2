"""The figure of tau-b against the budget: a line for each configuration that was trained for several numbers of passes."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from benchmarks.errors import DataError, UsageError
from harness.figures.column import COUNT, MAYBE, SOME, SPREAD
from harness.figures.configurations import configurations, few
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import extent, fitted
from harness.figures.omission import sentence
from harness.figures.sheet import DASHES, SERIES, entitle, room, series, sheet, stack
from harness.figures.style import style
from harness.report.summary import scaled, three
from harness.report.tables import TAU, spread_text
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PASSES = ("recipe.passes", "parent.recipe.passes")
COLUMNS = ("panel", "configuration", "passes", "mean", "sd", "seeds")
# Lines that can be told apart.
MOST = len(SERIES) * len(DASHES)
# In inches: the axes, a line of the legend, a title, and what stands between axes and legend.
HEIGHT, LINE, TITLE, BELOW = 2.1, 0.16, 0.25, 0.42
# Inches of a legend's symbol, of what stands left of the legend, and between its columns.
SYMBOL, LEFT, BESIDE = 0.5, 0.5, 0.2


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row a configuration and budget (subnet passes of the training): mean and standard deviation of tau-b over its seeds.

    Panels have runs of one question in them. A configuration with a single budget has no line and is left out. Raises UsageError
    where all have.
    """
    import pandas as pd

    shown = [(each.panel, each.name, sorted(each.rows, key=lambda row: row.first.budget.passes))
             for each in few(configurations(records, PASSES, 2), MOST)]
    if not shown:
        raise UsageError("No two of these runs differ in their subnet passes alone, so there is no curve; run one of them again "
                         "with another --set recipe.passes=N.")
    made = [(panel, name, row.first.budget.passes, row.spread(TAU.of)) for panel, name, rows in shown for row in rows]
    return pd.DataFrame([(*each, over.mean, over.sd, over.n) for *each, over in made], columns=list(COLUMNS))


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """A panel for each question; its legend stands below it."""
    panels = apart(frame)
    if not panels:
        raise DataError("There is no tau-b to draw; give runs of several budgets.")
    figure, made = stack(panels, columns, _height)
    for found, ax in zip(panels, made, strict=True):
        axes(found, ax)
    return figure


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The lines of a frame of one panel, and their legend below; DataError unless the frame has one panel."""
    from matplotlib.transforms import ScaledTranslation

    names = list(single(frame)["configuration"].unique())
    with style():
        ax = sheet(1, HEIGHT + TITLE + LINE * len(names)).subplots() if ax is None else ax
        ax.grid(axis="y")
        ax.set_xscale("log")
        lines = []
        for position, (_, line) in enumerate(frame.groupby("configuration", sort=False)):
            colour, marker, dashes = series(position)
            drawn = ax.errorbar(line["passes"], line["mean"], line["sd"].fillna(0.0), color=colour, marker=marker,
                                linestyle=dashes, markersize=3.5, capsize=1.5, elinewidth=0.6)
            lines.append(drawn.lines[0])
        ticks = sorted(frame["passes"].unique())
        ax.set_xticks(ticks, [scaled(float(tick)).strip() for tick in ticks])
        ax.set_xticks([], minor=True)
        ax.set(xlabel="subnet passes", ylabel="tau-b")
        width = room(ax)
        entitle(ax, frame["panel"].iloc[0], width - LEFT - 0.1, 1)
        figure: Any = ax.get_figure(root=True)
        below = ax.transAxes + ScaledTranslation(0, -BELOW, figure.dpi_scale_trans)
        ax.legend(lines, fitted(names, width - SYMBOL - LEFT), loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below,
                  borderaxespad=0, ncols=_legend_columns(names, width), handlelength=3)
    return ax


def _height(frame: "pd.DataFrame", width: float) -> float:
    names = list(frame["configuration"].unique())
    return HEIGHT + TITLE + LINE * ceil(len(names) / _legend_columns(names, width))


def _legend_columns(names: Sequence[str], width: float) -> int:
    longest = max(map(extent, names))
    return max(1, min(len(names), int((width - LEFT) / (SYMBOL + BESIDE + longest))))


def describe(frame: "pd.DataFrame") -> str:
    """tau-b of each configuration at its lowest and at its highest budget."""
    from harness.measures.statistics import Spread

    said = []
    for (_, name), line in frame.groupby(["panel", "configuration"], sort=False):
        ends = [line.iloc[0], line.iloc[-1]][:len(line)]
        said.append(f"{name}: " + ", ".join(
            f"{spread_text(Spread(end['mean'], end['sd'], end['seeds']), three, True)} at {end['passes']:,}" for end in ends))
    return ("Lines of tau-b, mean and standard deviation (number of seeds), against subnet passes. Fewest and most passes: "
            f"{'; '.join(said)}.")


def _single(records: Sequence[Record]) -> list[str]:
    """Of runs of a single budget, that they are left out."""
    names = [record.name for each in configurations(records, PASSES) if len(each.rows) == 1
             for record in each.rows[0].records.values()]
    return [sentence(names, len(records), "No run beside them differs in its subnet passes alone.")] if names else []


KIND = Kind("budget", "tau-b against subnet passes, a line for each configuration", COLUMNS, frame, draw, describe,
            ("panel", "configuration"), types={"passes": SOME, "mean": MAYBE, "sd": SPREAD, "seeds": COUNT}, left_out=_single)
