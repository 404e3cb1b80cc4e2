"""The figure of accuracy per part: the true accuracies of a part's architectures, beside what its supernet estimates."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, UsageError
from benchmarks.space import Space
from criteria.base import Scores
from harness.figures.column import COUNT, FLAG, NUMBER, one_of
from harness.figures.kind import Kind
from harness.figures.lettering import broken, extent, fitted
from harness.figures.sheet import entitle, room, sheet
from harness.figures.split import estimates_of, judged, partition_of, truth_of
from harness.figures.style import ESTIMATE, INK, ONE_COLUMN, TRUTH, TWO_COLUMNS, style
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("part", "kind", "index", "accuracy", "connected", "title", "meaning")
TEXTS = ("part", "kind", "title", "meaning")
COLOURS = {"truth": TRUTH, "estimate": ESTIMATE}
# A smooth shape drawn from fewer accuracies would be invented; they are drawn as points.
FEWEST_FOR_VIOLIN = 15
# In inches; tilted names need more of them, and are at most so long.
HEIGHT, TILTED, LEGEND_WIDTH, LONGEST = 2.2, 0.6, 1.6, 1.1
# In inches: beside the axes, there of tilted names, and between names.
NUMBERS, ASIDE, BESIDE = 0.4, 0.6, 0.03
# Lines of what the parts are values of.
MEANING = 4
WORDS = {"truth": "true", "estimate": "estimated"}


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """What the figure shows of the one run that is given, see `part_frame`; both sides of what it is judged on.

    Raises UsageError, Absent and DataError as `Kind` says.
    """
    if len(records) != 1:
        raise UsageError(f"The figure 'parts' is of one run and one truth, and here are {len(records)}; name the folder of "
                         "one run.")
    record, = records
    truth, columns, (partition, _) = truth_of(record), estimates_of(record), partition_of(record)
    estimates = np.full(len(partition.label), np.nan)
    estimates[columns["index"]] = columns["accuracy"]
    spec, space = record.spec, benchmark(record.spec.benchmark).space
    return part_frame(partition.label, partition.names, space, truth.mean(), estimates, judged(record, truth).members,
                      f"{spec.criterion}, {spec.dataset}, {spec.estimation.split} images", _meaning(partition.scores))


def part_frame(label: NDArray[np.int16], names: tuple[str, ...], space: Space, true: NDArray[np.float64],
               estimates: NDArray[np.float64] | None = None, members: NDArray[np.int64] | None = None, title: str = "",
               meaning: str = "part") -> "pd.DataFrame":
    """What the figure shows, one row an accuracy (per cent), sorted by part: part, kind (truth, estimate), index, accuracy,
    connected, title, meaning (what the names of the parts are values of).

    label: int16 [n_arch], -1 = in no part; true, estimates: float64 [n_arch], per cent, NaN = unknown. Only architectures
    of `members` (int64 [m], default all) that have a truth, and an estimate where estimates are given, are in it: both
    sides show the same ones, so that they differ by the estimation and not by the choice.
    """
    import pandas as pd

    sides = {"truth": true} | ({} if estimates is None else {"estimate": estimates})
    known = np.logical_and.reduce([label >= 0, *(np.isfinite(values) for values in sides.values())])
    chosen = np.arange(len(label)) if members is None else np.unique(members)
    chosen = chosen[known[chosen]]
    chosen = chosen[np.argsort(label[chosen], kind="stable")]
    alike = len(set(names)) < len(names)
    shown = np.array([f"{name} #{i}" if alike else name for i, name in enumerate(names)], dtype=object)[label[chosen]]
    return pd.concat([pd.DataFrame({"part": shown, "kind": kind, "index": chosen, "accuracy": values[chosen],
                                    "connected": space.connected[chosen], "title": title, "meaning": meaning})
                      for kind, values in sides.items()], ignore_index=True)


def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """Violins of a frame of `part_frame`, with quartiles; points where a part has few architectures.

    All violins are equally wide, whatever the size of the part. Disconnected cells, which are at chance, would squash the axis:
    they are counted below it, not drawn. Raises DataError when nothing is left to draw. Without axes it takes one column of a
    paper where the names of the parts fit into it, else two.
    """
    import seaborn as sns

    names, kinds = _names(frame), list(dict.fromkeys(frame["kind"]))
    drawn = frame[frame["connected"]]
    if drawn.empty:
        raise DataError("There is no accuracy of a connected architecture to draw; give a truth that has some of them.")
    sizes = drawn.loc[drawn["kind"] == kinds[0], "part"].value_counts().reindex(names, fill_value=0)
    many = drawn["part"].map(sizes) >= FEWEST_FOR_VIOLIN
    with style():
        ax = ax if ax is not None else _alone(names, fitting(frame))
        title, by = (str(frame[name].iloc[0]) for name in ("title", "meaning"))
        shared: dict[str, Any] = {"x": "part", "y": "accuracy", "hue": "kind", "order": names, "hue_order": kinds,
                                  "palette": COLOURS, "legend": False, "ax": ax}
        ax.grid(axis="y")
        if many.any():
            sns.violinplot(drawn[many], cut=0, inner="quart", density_norm="width", width=0.85, gap=0.1, linewidth=0.6,
                           linecolor=INK, saturation=1, **shared)
        if not many.all():
            sns.stripplot(drawn[~many], dodge=len(kinds) > 1, jitter=False, size=2.5, linewidth=0.3, edgecolor=INK, **shared)
        width = room(ax) - NUMBERS
        if not _name_parts(ax, names, sizes.tolist(), width):
            width -= ASIDE
        left_out = int((frame["kind"] == kinds[0]).sum() - sizes.sum())
        note = f"\n({left_out:,} disconnected cell{'s' * (left_out > 1)} left out)" if left_out else ""
        ax.set_xlabel(broken(by, width, MEANING) + note)
        ax.set_ylabel("accuracy (%)" if len(kinds) > 1 else f"{WORDS[kinds[0]]} accuracy (%)")
        above = len(kinds) > 1 and extent(title) > width - LEGEND_WIDTH
        entitle(ax, title, width, 1, pad=14 if above else 4)
        if len(kinds) > 1:
            _legend(ax, kinds)
    return ax


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """The figure across `columns` columns; DataError where nothing is left to draw."""
    figure: Figure = axes(frame, _alone(_names(frame), columns)).get_figure(root=True)  # type: ignore[assignment]
    return figure


def fitting(frame: "pd.DataFrame") -> int:
    """How many columns of a paper the names of the parts need."""
    return 1 if _fits(_names(frame), ONE_COLUMN - NUMBERS) else 2


def _names(frame: "pd.DataFrame") -> list[str]:
    return list(dict.fromkeys(frame["part"]))


def _alone(names: list[str], columns: int) -> "Axes":
    width = ONE_COLUMN if columns == 1 else TWO_COLUMNS
    return sheet(columns, HEIGHT if _fits(names, width - NUMBERS) else HEIGHT + TILTED).subplots()


def _name_parts(ax: "Axes", names: list[str], sizes: list[int], width: float) -> bool:
    """Names and sizes below the axis: on two lines, or on one and tilted where there are too many; whether they are upright."""
    upright = _fits(names, width)
    shown = ([f"{_halved(name, width / len(names) - BESIDE)}\n" for name in names] if upright
             else [f"{name} " for name in fitted(names, LONGEST)])
    ax.set_xticks(range(len(names)), [f"{name}(n={size:,})" for name, size in zip(shown, sizes, strict=True)])
    if not upright:
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.tick_params(axis="x", length=0)
    return upright


def _legend(ax: "Axes", kinds: list[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=COLOURS[kind], edgecolor=INK, linewidth=0.5, label=WORDS[kind]) for kind in kinds]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=len(kinds), handlelength=1,
              columnspacing=1)


def _halved(name: str, inches: float) -> str:
    """The name of a part, a range broken before its end where it is too long for its room."""
    return name.replace("..", "..\n", 1) if extent(name) > inches else name


def _fits(names: list[str], width: float) -> bool:
    """Whether the names, broken where they can be, stand side by side below axes of that many inches."""
    inches = width / max(1, len(names))
    return all(extent(text) <= inches - BESIDE for name in names for text in (_halved(name, inches - BESIDE), "(n=15,625)"))


def describe(frame: "pd.DataFrame") -> str:
    """What is to be seen."""
    shown = frame[frame["connected"]]
    medians = shown.groupby(["part", "kind"], sort=False)["accuracy"].median().unstack().reindex(columns=list(WORDS))
    said = [f"{part}: " + " and ".join(f"{word} {row[kind]:.1f} %" for kind, word in WORDS.items() if row[kind] == row[kind])
            for part, row in medians.iterrows()]
    return (f"Violins of the accuracies of the connected architectures in each part ({frame['title'].iloc[0]}). Medians by "
            f"{frame['meaning'].iloc[0]}: {'; '.join(said)}.")


def _meaning(scores: Scores | None) -> str:
    if scores is None:
        return "part"
    return scores.meaning + (f" ({scores.unit})" if scores.unit else "")


KIND = Kind("parts", "true and estimated accuracies per part of one run", COLUMNS, frame, draw, describe, TEXTS,
            types={"kind": one_of("truth", "estimate"), "index": COUNT, "accuracy": NUMBER, "connected": FLAG})
