"""The figure of what factors are worth: main effects and interactions with their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.errors import DataError, UsageError
from harness.experiments.attribution import Effect, attribute
from harness.experiments.factorial import factorial
from harness.experiments.observations import of_runs
from harness.figures.column import MAYBE, NUMBER, SOME, SPREAD, one_of
from harness.figures.configurations import titles
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.lettering import extent, fitted
from harness.figures.sheet import NOTE, entitle, room, sheet
from harness.figures.style import INK, style
from harness.report.rows import groups
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLUMNS = ("panel", "kind", "factors", "contrast", "value", "low", "high", "sd", "n_seed", "p", "p_holm")
TITLES = {"main": "main effects", "interaction": "two-way interactions"}
# Of Okabe and Ito, too, and not those that mean truth and estimate; with markers, for grey prints.
LOOKS = {"main": ("#0072B2", "o"), "interaction": ("#E69F00", "s")}
# In inches: a line of one effect, and what is around the lines.
LINE, AROUND = 0.16, 0.8
# Of the width, for the labels.
LABELS = 0.55
XLABEL = "difference of tau-b, 95 % intervals over seeds"


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row an effect on tau-b, of the runs of each question that are a full factorial: all of them, else those of a criterion.

    Marginal means (kind mean) are in it, too, and are not drawn. Raises UsageError where no such runs are a full factorial.
    """
    found: list[tuple[str, list[Effect]]] = []
    asked = groups(records)
    named = titles([group.question for group in asked], ("benchmark", "dataset", "passes"), ())
    for group in asked:
        mine = [record for row in group.rows for record in row.records.values()]
        if effects := _effects(mine):
            found.append((named[group.question], effects))
            continue
        for criterion in dict.fromkeys(record.spec.criterion for record in mine):
            if effects := _effects([record for record in mine if record.spec.criterion == criterion]):
                found.append((f"{named[group.question]}, {criterion}", effects))
    if not found:
        raise UsageError("No runs of equal passes among these are a full factorial, so no factor can be told from the others; "
                         "`harness attribute` says what is missing.")
    import pandas as pd

    return pd.concat([effects_frame(effects, panel) for panel, effects in found], ignore_index=True)


def _effects(records: Sequence[Record]) -> list[Effect]:
    try:
        design = factorial(of_runs(records))
    except UsageError:
        return []
    return attribute(design.values, design.factors, design.levels)


def effects_frame(effects: Sequence[Effect], panel: str = "") -> "pd.DataFrame":
    """The effects of one factorial as rows."""
    import pandas as pd

    rows = [{"panel": panel, **effect.to_json(), "factors": " x ".join(effect.factors)} for effect in effects]
    return pd.DataFrame(rows)[list(COLUMNS)].astype(dict.fromkeys(("value", "low", "high", "sd", "p", "p_holm"), float))


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """A panel for each factorial, below each other."""
    drawn = frame[frame["kind"].isin(list(TITLES))]
    panels = apart(drawn)
    if not panels:
        raise DataError("There is no effect to draw; give runs in which some factor is varied.")
    figure = sheet(columns, 1)
    width = figure.get_figwidth()
    heights = [AROUND + LINE * sum(label.count("\n") + 1 for label in _labels(found, width)) for found in panels]
    figure.set_figheight(sum(heights) + 0.45)
    made = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for found, ax in zip(panels, made[:, 0], strict=True):
        axes(found, ax)
        ax.set_xlabel("")
        ax.get_legend().remove()
    figure.legend(handles=_handles(drawn), loc="outside upper left", ncols=2, columnspacing=1)
    figure.supxlabel(XLABEL, fontsize=7)
    return figure


@style()
def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The effects of one factorial, a line each, alone or on given axes; DataError unless the frame has one panel of them."""
    found = single(frame[frame["kind"].isin(list(TITLES))].reset_index(drop=True))
    ax = sheet(2, AROUND + LINE * len(found)).subplots() if ax is None else ax
    width = room(ax)
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.grid(axis="x")
    for kind, (colour, marker) in LOOKS.items():
        mine = found[found["kind"] == kind]
        if len(mine):
            reach = np.nan_to_num((mine["high"] - mine["value"]).to_numpy())
            ax.errorbar(mine["value"], mine.index, xerr=reach, fmt=marker, color=colour, markersize=3, capsize=1.5)
    ax.set_yticks(range(len(found)), _labels(found, width))
    ax.set_ylim(len(found) - 0.4, -0.6)
    seeds = int(found["n_seed"].iloc[0])
    said = ", ".join(filter(None, (found["panel"].iloc[0], f"{seeds} seeds" if seeds > 1 else "one seed, so no intervals")))
    entitle(ax, said, width * (1 - LABELS) - 0.2, 4)
    ax.set_xlabel(XLABEL)
    ax.legend(handles=_handles(found), loc="best")
    return ax


def _handles(found: "pd.DataFrame") -> "list[Line2D]":
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=colour, marker=marker, markersize=3, linewidth=0.8, label=TITLES[kind])
            for kind, (colour, marker) in LOOKS.items() if (found["kind"] == kind).any()]


def _labels(found: "pd.DataFrame", width: float) -> list[str]:
    """The factors and what is compared: on one line, or with the contrast on a second one where there is no room."""
    pairs = list(zip(found["factors"], found["contrast"], strict=True))
    if all(extent(f"{factors}: {contrast}", NOTE) <= LABELS * width for factors, contrast in pairs):
        return [f"{factors}: {contrast}" for factors, contrast in pairs]
    lines = [fitted([f"{factors}:" for factors, _ in pairs], LABELS * width, 3, NOTE),
             fitted([contrast for _, contrast in pairs], LABELS * width, 3, NOTE)]
    return ["\n".join(pair) for pair in zip(*lines, strict=True)]


def describe(frame: "pd.DataFrame") -> str:
    """Each effect with its interval."""
    said = []
    for _, row in frame[frame["kind"].isin(list(TITLES))].iterrows():
        interval = "" if np.isnan(row["low"]) else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
        said.append(f"{row['panel']}{': ' * bool(row['panel'])}{row['factors']}, {row['contrast']} {row['value']:+.3f}{interval}")
    return f"Effects of factors on tau-b with 95 % intervals over seeds: {'; '.join(said)}."


KIND = Kind("effects", "what each factor is worth in tau-b, with intervals", COLUMNS, frame, draw, describe,
            ("panel", "kind", "factors", "contrast"), types={"kind": one_of("mean", "main", "interaction"), "value": NUMBER,
                   "low": MAYBE, "high": MAYBE, "sd": SPREAD, "n_seed": SOME, "p": SPREAD, "p_holm": SPREAD},
            ordered=(("low", "value", "high"),))
