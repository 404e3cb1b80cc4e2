"""The figure of a random search that trains what it looks at, and of the methods by how much of it they save."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from harness.figures.configurations import Configuration, configurations, few
from harness.figures.kind import Kind
from harness.figures.sheet import NOTE, SERIES, broken, sheet
from harness.figures.split import judged, truth_name, truths_of
from harness.measures.statistics import spread
from harness.report.summary import two
from harness.runs.collection import Record
from harness.search.random_curve import best_quantile, expected_best, position

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("panel", "name", "picks", "trained", "accuracy", "low", "high", "seeds")
# Of a method's highest estimates so many are trained, and the best of them is what it found.
PICKS = (1, 10)
# Of the searches lie between the edges of the band.
BAND = (0.05, 0.95)
POINTS = 80
# Methods in a figure.
MOST = 60
# In inches: the curve, a method, and what is around each of them.
CURVE, METHOD, AROUND = 1.6, 0.28, 0.4
# Of the room of a method, so that marks at one place are both seen.
BESIDE = 0.13
LOOKS = dict(zip(PICKS, SERIES, strict=False))


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """What a random search and the methods find among what the runs are judged on, in per cent of true accuracy.

    Rows without a name are the random search: `trained` architectures, the expected best of them, and its band. Those with one
    are a method, of which the `picks` highest estimates are trained: mean over its seeds, low and high a standard deviation
    away; `trained` is how many a random search has to train to expect as much. Raises UsageError without runs, Absent where no
    truth is at hand.
    """
    import pandas as pd

    found = few(configurations(records), MOST)
    if not found:
        raise UsageError("There is no finished run to place on the curve; name some, or finish one with `harness run`.")
    known, rows = truths_of([each.first for each in found]), list[tuple[Any, ...]]()
    for panel in dict.fromkeys(each.panel for each in found if truth_name(each.first) in known):
        mine = [each for each in found if each.panel == panel]
        truth = known[truth_name(mine[0].first)]
        true = truth.mean()[judged(mine[0].first, truth).members]
        if len(true) >= max(PICKS):
            rows += [(panel, *row) for row in _random(true)]
            rows += [(panel, *_method(each, picks, true)) for each in mine for picks in PICKS]
    if not rows:
        raise UsageError(f"These runs are judged on fewer than {max(PICKS)} architectures, among which there is nothing to find; "
                         "give runs that estimate more.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _random(true: NDArray[np.float64]) -> list[tuple[Any, ...]]:
    counts = np.unique(np.geomspace(1, len(true), POINTS).round().astype(int)).tolist()
    return [("", k, k, expected_best(true, k), *(best_quantile(true, k, share) for share in BAND), 0) for k in counts]


def _method(each: Configuration, picks: int, true: NDArray[np.float64]) -> tuple[Any, ...]:
    lost = [record.value("regret", str(picks), "mean") for record in each.rows[0].records.values()]
    over = spread([float(true.max()) - value for value in lost])
    saved = np.nan if np.isnan(over.mean) else float(position(true, over.mean))
    return each.name, picks, saved, over.mean, over.mean - over.sd, over.mean + over.sd, over.n


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """For each question the curve with the methods on it, and below it a line for each method."""
    panels = [found for _, found in frame.groupby("panel", sort=False)]
    if not panels:
        raise DataError("There is no curve to draw; give runs whose truth is at hand.")
    rows = [panels[start:start + columns] for start in range(0, len(panels), columns)]
    lines = [max(found.loc[found["name"] != "", "name"].nunique() for found in row) for row in rows]
    heights = [height for each in lines for height in (CURVE + AROUND, METHOD * max(each, 1) + AROUND)]
    across = min(len(panels), columns)
    figure = sheet(columns, sum(heights) + 0.15)
    grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
    width = figure.get_figwidth() / across
    for place, found in enumerate(panels):
        row, column = divmod(place, across)
        upper = figure.add_subplot(grid[2 * row, column])
        lower = figure.add_subplot(grid[2 * row + 1, column], sharex=upper)
        _curve(found, upper, width)
        _methods(found[found["name"] != ""], lower, width)
    figure.supxlabel(broken(f"line: expected best of a random search, band: {BAND[0]:.0%} to {BAND[1]:.0%} of them; circles, "
                            f"squares: the best of a method's {PICKS[0]} or {PICKS[1]} highest estimates, where a random search "
                            "expects as much", figure.get_figwidth(), 4), fontsize=NOTE)
    return figure


def _curve(found: "pd.DataFrame", ax: "Axes", width: float) -> None:
    drawn = found[found["name"] == ""]
    ax.set_xscale("log")
    ax.grid()
    ax.fill_between(drawn["trained"], drawn["low"], drawn["high"], color="#D9D9D9", linewidth=0)
    ax.plot(drawn["trained"], drawn["accuracy"], color="#222222")
    for picks, (colour, marker) in LOOKS.items():
        mine = found[(found["name"] != "") & (found["picks"] == picks)]
        ax.plot(mine["trained"], mine["accuracy"], marker, color=colour, markersize=4, markeredgecolor="white",
                markeredgewidth=0.4)
    # A lone architecture is often far worse than what any search finds, and would squash the rest.
    lowest = min(drawn["accuracy"].iloc[0], *found.loc[found["name"] != "", "accuracy"].dropna(), drawn["accuracy"].max())
    highest = drawn["high"].max()
    margin = 0.06 * max(highest - lowest, 1e-3)
    ax.set_ylim(lowest - margin, highest + margin)
    ax.tick_params(labelbottom=False)
    ax.set_ylabel("true accuracy (%)")
    ax.set_title(broken(found["panel"].iloc[0], width - 0.3, 2), loc="left")


def _methods(found: "pd.DataFrame", ax: "Axes", width: float) -> None:
    names = list(dict.fromkeys(found["name"]))
    for (picks, (colour, marker)), beside in zip(LOOKS.items(), (-BESIDE, BESIDE), strict=True):
        mine = found[found["picks"] == picks]
        ax.plot(mine["trained"], [names.index(name) + beside for name in mine["name"]], marker, color=colour, markersize=4,
                markeredgecolor="white", markeredgewidth=0.4)
    ax.grid()
    ax.set_yticks(range(len(names)), [broken(name, min(0.43 * width, 1.7)) for name in names], linespacing=0.95)
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6)
    ax.set_xlabel("architectures trained at random")
    ax.xaxis.set_major_formatter("{x:,.0f}")


def describe(frame: "pd.DataFrame") -> str:
    """What each method finds, and how many trainings that saves."""
    said = []
    for (_, name), found in frame[frame["name"] != ""].groupby(["panel", "name"], sort=False):
        each = [f"{two(row['accuracy'])} % by {row['picks']}, which takes a random search {row['trained']:,.0f}"
                for _, row in found.dropna(subset=["accuracy"]).iterrows()]
        said.append(f"{name}: {', '.join(each) or 'undefined'}")
    return ("The expected best true accuracy of a random search against how many architectures it trains, with every method "
            f"placed on it. What the best estimates of each find: {'; '.join(said)}.")


KIND = Kind("curve", "the random-search curve of the truth, every method placed on it", COLUMNS, frame, draw, describe,
            ("panel", "name"))
