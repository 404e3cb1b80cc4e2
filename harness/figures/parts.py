"""The figure of accuracy per part: the true accuracies of a part's architectures, beside what its supernet estimates."""

import json
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError
from benchmarks.folder import write_atomically
from benchmarks.space import Space
from benchmarks.truth import GroundTruth
from harness.figures.style import ESTIMATE, INK, ONE_COLUMN, TRUTH, TWO_COLUMNS, beside, canvas, save, style
from harness.store import SPEC_SCHEMA, read_frame, read_json

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NAME = "accuracy-per-part"
COLUMNS = ("part", "kind", "index", "accuracy", "connected")
COLOURS = {"truth": TRUTH, "estimate": ESTIMATE}
# A smooth shape drawn from fewer accuracies would be invented; they are drawn as points.
FEWEST_FOR_VIOLIN = 15
# In inches; tilted names need more of them.
HEIGHT, TILTED, LEGEND_WIDTH = 2.2, 0.6, 1.6
# Of the tick labels' font, on average; and the longest line that a label may have.
CHARACTERS_PER_INCH, LONGEST = 17, 24
WORDS = {"truth": "true", "estimate": "estimated"}


def part_frame(label: NDArray[np.int16], names: tuple[str, ...], space: Space, true: NDArray[np.float64],
               estimates: NDArray[np.float64] | None = None, members: NDArray[np.int64] | None = None) -> "pd.DataFrame":
    """What the figure shows, one row an accuracy (per cent), sorted by part: part, kind (truth, estimate), index, accuracy,
    connected.

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
                                    "connected": space.connected[chosen]}) for kind, values in sides.items()], ignore_index=True)


def accuracy_per_part(frame: "pd.DataFrame", ax: "Axes | None" = None, title: str = "", by: str = "part") -> "Axes":
    """Violins of a frame of `part_frame`, with quartiles; points where a part has few architectures.

    by: what the names of the parts are values of. All violins are equally wide, whatever the size of the part. Disconnected
    cells, which are at chance, would squash the axis: they are counted below it, not drawn. Raises DataError when nothing is
    left to draw.
    """
    import seaborn as sns

    names, kinds = list(dict.fromkeys(frame["part"])), list(dict.fromkeys(frame["kind"]))
    drawn = frame[frame["connected"]]
    if drawn.empty:
        raise DataError("There is no accuracy of a connected architecture to draw; give a truth that has some of them.")
    sizes = drawn.loc[drawn["kind"] == kinds[0], "part"].value_counts().reindex(names, fill_value=0)
    many = drawn["part"].map(sizes) >= FEWEST_FOR_VIOLIN
    with style():
        ax = ax if ax is not None else _axes(names)
        shared: dict[str, Any] = {"x": "part", "y": "accuracy", "hue": "kind", "order": names, "hue_order": kinds,
                                  "palette": COLOURS, "legend": False, "ax": ax}
        ax.grid(axis="y")
        if many.any():
            sns.violinplot(drawn[many], cut=0, inner="quart", density_norm="width", width=0.85, gap=0.1, linewidth=0.6,
                           linecolor=INK, saturation=1, **shared)
        if not many.all():
            sns.stripplot(drawn[~many], dodge=len(kinds) > 1, jitter=False, size=2.5, linewidth=0.3, edgecolor=INK, **shared)
        _name_parts(ax, names, sizes.tolist())
        left_out = int((frame["kind"] == kinds[0]).sum() - sizes.sum())
        note = f"\n({left_out:,} disconnected cell{'s' * (left_out > 1)} left out)" if left_out else ""
        ax.set_xlabel(fill(by, int(_width(ax) * CHARACTERS_PER_INCH)) + note)
        ax.set_ylabel("accuracy (%)" if len(kinds) > 1 else f"{WORDS[kinds[0]]} accuracy (%)")
        width = _width(ax)
        above = len(kinds) > 1 and len(title) > (width - LEGEND_WIDTH) * CHARACTERS_PER_INCH
        ax.set_title(_cut(title, int(width * CHARACTERS_PER_INCH)), loc="left", pad=14 if above else 4)
        if len(kinds) > 1:
            _legend(ax, kinds)
    return ax


def _axes(names: list[str]) -> "Axes":
    width = ONE_COLUMN if _fits(names, ONE_COLUMN) else TWO_COLUMNS
    return canvas(width, HEIGHT if _fits(names, width) else HEIGHT + TILTED)


def _width(ax: "Axes") -> float:
    return ax.get_figure(root=True).get_figwidth()  # type: ignore[union-attr]


def _name_parts(ax: "Axes", names: list[str], sizes: list[int]) -> None:
    """Names and sizes below the axis: on two lines, or on one and tilted where there are too many."""
    width = _width(ax)
    upright = _fits(names, width)
    shown = [f"{_broken(name, width / len(names))}\n" if upright else f"{_cut(name)} " for name in names]
    ax.set_xticks(range(len(names)), [f"{name}(n={size:,})" for name, size in zip(shown, sizes, strict=True)])
    if not upright:
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.tick_params(axis="x", length=0)


def _legend(ax: "Axes", kinds: list[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=COLOURS[kind], edgecolor=INK, linewidth=0.5, label=WORDS[kind]) for kind in kinds]
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, ncols=len(kinds), handlelength=1,
              columnspacing=1)


def _broken(name: str, inches: float) -> str:
    """The name of a part in the room that it has: a range is broken before its end, what is still too long is cut."""
    if len(name) > inches * CHARACTERS_PER_INCH and ".." in name:
        name = name.replace("..", "..\n", 1)
    return "\n".join(map(_cut, name.split("\n")))


def _cut(line: str, longest: int = LONGEST) -> str:
    return line if len(line) <= longest else line[:longest - 1] + "…"


def _fits(names: list[str], width: float) -> bool:
    """Whether the names, broken where they can be, stand side by side below a figure of that many inches."""
    room = width / len(names)
    longest = max(len(line) for name in names for line in [*_broken(name, room).split("\n"), "(n=15,625)"])
    return longest <= room * CHARACTERS_PER_INCH


# ---- files


def read_part_frame(path: Path) -> "pd.DataFrame":
    """The frame of a CSV that `draw` wrote; DataError when it is none."""
    import pandas as pd

    try:
        # Part names stay what they are: '2' is text, and so is 'None'.
        frame = pd.read_csv(path, dtype={"part": str, "kind": str}, na_filter=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); draw the figure again.") from error
    if tuple(frame.columns) != COLUMNS or frame["connected"].dtype != bool or frame["accuracy"].dtype != float:
        raise DataError(f"{path} is not the data of this figure, which has the columns {', '.join(COLUMNS)}; draw it again.")
    return frame


def draw(frame: "pd.DataFrame", out: Path, title: str = "", by: str = "part") -> tuple[Path, Path, Path]:
    """Write out.png, out.pdf and out.csv, the data of the figure, from which `read_part_frame` and this draw it again.

    Raises DataError when there is nothing to draw, RunError when a file cannot be written.
    """
    ax = accuracy_per_part(frame, title=title, by=by)
    with style():
        png, pdf = save(ax.get_figure(root=True), out)  # type: ignore[arg-type]
    csv = beside(out, "csv")
    write_atomically(csv, frame.to_csv(index=False, lineterminator="\n").encode())
    return png, pdf, csv


def draw_run(folder: Path, truth: GroundTruth, estimates: Path | None = None, members: NDArray[np.int64] | None = None,
             name: str = NAME, images: str = "valid") -> tuple[Path, Path, Path]:
    """Write the figure of a run into its folder, as `name` with .png, .pdf and .csv.

    estimates: the file of estimates to show; the newest in the folder by default, none where there is none. members: as
    for `part_frame`; the estimates of a sample come with the truth's best, so there name the sample.
    """
    spec = read_json(folder / "spec.json", SPEC_SCHEMA)["spec"]
    columns, words = read_frame(folder / "partition.parquet", {"schema": "partition/1"})
    label, names = columns["part"], tuple(json.loads(words["names"]))
    found = sorted(folder.glob("estimates-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    estimated = None
    if source := estimates or (found[-1] if found else None):
        known, _ = read_frame(source, {"schema": "estimates/1"})
        estimated = np.full(len(label), np.nan)
        estimated[known["index"]] = known["accuracy"]
    frame = part_frame(label, names, benchmark(spec["benchmark"]).space, truth.mean(), estimated, members)
    title = f"{spec['criterion']}, {spec['dataset']}" + (f", {images} images" if estimated is not None else "")
    return draw(frame, folder / name, title, _by(words))


def _by(words: dict[str, str]) -> str:
    unit = words.get("unit")
    return words.get("meaning", "part") + (f" ({unit})" if unit else "")
