"""The figure of a random search that trains what it looks at, and of the methods by how much of it they save.

What a search expects is the mean of the highest of k values drawn without replacement, in closed form (Tang et al., "Showing Your
Work Doesn't Always Work", ACL 2020); see harness/search/random_curve.py.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from harness.figures.column import COUNT, MAYBE, SOME
from harness.figures.configurations import Configuration, configurations, few
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import fitted
from harness.figures.omission import NO_TRUTH
from harness.figures.sheet import NOTE, SERIES, entitle, note, room, sheet
from harness.figures.split import judged, truth_name, truths_of
from harness.figures.style import style
from harness.measures.statistics import spread
from harness.report.summary import two
from harness.runs.collection import Record
from harness.search.random_curve import best_quantile, expected_best

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
# Of the width of a panel, for the names at its left; and the inches of the longest one.
NAMES, LONGEST = 0.43, 1.7
# Of the room of a method, so that marks at one place are both seen.
BESIDE = 0.13
LOOKS = dict(zip(PICKS, SERIES, strict=False))
MARKS: dict[str, Any] = {"markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.4, "elinewidth": 0.5}
TRAINED = "architectures trained at random"


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """What a random search and the methods find among what the runs are judged on, in per cent of true accuracy.

    Rows without a name are the random search: `trained` architectures, the expected best of them, and its band. Those with one
    are a method, of which the `picks` highest estimates are trained: mean over its seeds, low and high a standard deviation
    away; `trained` is how many a random search has to train to expect as much, between two numbers by their logarithms, as the
    line is drawn. Raises UsageError without runs, Absent where no truth is at hand.
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
            line = _random(true)
            rows += [(panel, *row) for row in line]
            expected = np.array([(trained, best) for _, _, trained, best, *_ in line])
            rows += [(panel, *_method(each, picks, float(true.max()), *expected.T)) for each in mine for picks in PICKS]
    if not rows:
        raise UsageError(f"These runs are judged on fewer than {max(PICKS)} architectures, among which there is nothing to find; "
                         "give runs that estimate more.")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _random(true: NDArray[np.float64]) -> list[tuple[Any, ...]]:
    counts = np.unique(np.geomspace(1, len(true), POINTS).round().astype(int)).tolist()
    return [("", k, k, expected_best(true, k), *(best_quantile(true, k, share) for share in BAND), 0) for k in counts]


def _method(each: Configuration, picks: int, highest: float, trained: NDArray[np.float64],
            expected: NDArray[np.float64]) -> tuple[Any, ...]:
    lost = [record.value("regret", str(picks), "mean") for record in each.rows[0].records.values()]
    over = spread([highest - value for value in lost])
    saved = float(_place(over.mean, trained, expected))
    return each.name, picks, saved, over.mean, over.mean - over.sd, over.mean + over.sd, over.n


def _place(accuracy: Any, trained: Any, expected: Any) -> NDArray[np.float64]:
    """How many a random search trains to expect these accuracies, by the line that is drawn; beyond its ends as at them."""
    placed: NDArray[np.float64] = np.exp(np.interp(accuracy, expected, np.log(trained)))
    return placed


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """For each question the curve with the methods on it, and below it a line for each method."""
    panels = apart(frame)
    if not panels:
        raise DataError("There is no curve to draw; give runs whose truth is at hand.")
    rows = [panels[start:start + columns] for start in range(0, len(panels), columns)]
    lines = [max(found.loc[found["name"] != "", "name"].nunique() for found in row) for row in rows]
    heights = [height for each in lines for height in (CURVE + AROUND, METHOD * max(each, 1) + AROUND)]
    across = min(len(panels), columns)
    figure = sheet(columns, sum(heights) + 0.15)
    grid = figure.add_gridspec(len(heights), across, height_ratios=heights)
    for place, found in enumerate(panels):
        row, column = divmod(place, across)
        upper = axes(found, figure.add_subplot(grid[2 * row, column]))
        upper.tick_params(labelbottom=False)
        upper.set_xlabel("")
        methods(found, figure.add_subplot(grid[2 * row + 1, column], sharex=upper))
    note(figure, f"line: expected best of a random search, band: {BAND[0]:.0%} to {BAND[1]:.0%} of them; circles, squares: the "
                 f"best of a method's {PICKS[0]} or {PICKS[1]} highest estimates, where a random search expects as much; bars: a "
                 "standard deviation over the seeds, whose number is in brackets")
    return figure


@style()
def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The curve of one panel and the methods on it, alone or on given axes; DataError unless the frame has one panel.

    Which mark is which method is said by `methods`.
    """
    drawn = _line(single(frame))
    ax = sheet(1, CURVE + AROUND).subplots() if ax is None else ax
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.grid()
    ax.fill_between(drawn["trained"], drawn["low"], drawn["high"], color="#D9D9D9", linewidth=0)
    ax.plot(drawn["trained"], drawn["accuracy"], color="#222222")
    for picks, (colour, marker) in LOOKS.items():
        mine = frame[(frame["name"] != "") & (frame["picks"] == picks)]
        ax.errorbar(mine["trained"], mine["accuracy"], yerr=_beside(mine["accuracy"], mine["low"], mine["high"]), fmt=marker,
                    color=colour, **MARKS)
    # A lone architecture is often far worse than what any search finds, and would squash the rest.
    lowest = min(drawn["accuracy"].iloc[0], *frame.loc[frame["name"] != "", ["accuracy", "low"]].stack().dropna(),
                 drawn["accuracy"].max())
    highest = max(drawn["high"].max(), *frame.loc[frame["name"] != "", "high"].dropna(), drawn["accuracy"].max())
    margin = 0.06 * max(highest - lowest, 1e-3)
    ax.set_ylim(lowest - margin, highest + margin)
    ax.set_ylabel("true accuracy (%)")
    ax.set_xlabel(TRAINED)
    entitle(ax, frame["panel"].iloc[0], room(ax) - _names(ax) - 0.3)
    return ax


@style()
def methods(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """A line for each method of one panel, with how many a random search trains, as `axes`."""
    line, found = _line(single(frame)), frame[frame["name"] != ""]
    seeds = found.groupby("name", sort=False)["seeds"].max().to_dict()
    ax = sheet(1, METHOD * max(1, len(seeds)) + AROUND).subplots() if ax is None else ax
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    for (picks, (colour, marker)), beside in zip(LOOKS.items(), (-BESIDE, BESIDE), strict=True):
        mine = found[found["picks"] == picks]
        low, high = (_place(mine[end], line["trained"], line["accuracy"]) for end in ("low", "high"))
        ax.errorbar(mine["trained"], [list(seeds).index(name) + beside for name in mine["name"]],
                    xerr=_beside(mine["trained"], low, high), fmt=marker, color=colour, **MARKS)
    ax.grid()
    names = fitted([f"{name} ({number})" for name, number in seeds.items()], _names(ax), 2, NOTE)
    ax.set_yticks(range(len(seeds)), names, linespacing=0.95)
    ax.set_ylim(max(len(seeds), 1) - 0.4, -0.6)
    ax.set_xlabel(TRAINED)
    return ax


def _names(ax: "Axes") -> float:
    """The inches that names may take at the left of axes."""
    return min(NAMES * room(ax), LONGEST)


def _line(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of the random search."""
    line = frame[frame["name"] == ""]
    if line.empty or line[["trained", "accuracy", "low", "high"]].isna().any(axis=None):
        raise DataError("A panel has no whole line of a random search; write the data again with `harness figure curve`.")
    return line


def _beside(middle: Any, low: Any, high: Any) -> NDArray[np.float64]:
    """float64 [2, m]: how far the ends of bars are from their middle; none where they are not known, as of a single seed."""
    return np.nan_to_num(np.abs([np.subtract(middle, low), np.subtract(high, middle)]))


def describe(frame: "pd.DataFrame") -> str:
    """What each method finds, and how many trainings that saves."""
    said = []
    for (_, name), found in frame[frame["name"] != ""].groupby(["panel", "name"], sort=False):
        each = [f"{two(row['accuracy'])} % by {row['picks']}, which takes a random search {np.ceil(row['trained'] - 1e-6):,.0f}"
                for _, row in found.dropna(subset=["accuracy"]).iterrows()]
        seeds = int(found["seeds"].max())
        said.append(f"{name} ({seeds} seed{'s' * (seeds > 1)}): {', '.join(each) or 'undefined'}")
    return ("The expected best true accuracy of a random search against how many architectures it trains, with every method "
            f"placed on it. What the best estimates of each find: {'; '.join(said)}.")


KIND = Kind("curve", "the random-search curve of the truth, every method placed on it", COLUMNS, frame, draw, describe,
            ("panel", "name"), types={"picks": SOME, "trained": MAYBE, "accuracy": MAYBE, "low": MAYBE, "high": MAYBE,
                   "seeds": COUNT}, left_out=NO_TRUTH)
