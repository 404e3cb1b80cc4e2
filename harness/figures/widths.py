"""The figure of rankings by supernets of two widths: the best by truth, with all channels and with fewer (EFS-NAS, Fig. 4)."""

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Population
from benchmarks.errors import DataError, UsageError
from benchmarks.truth import GroundTruth
from harness.estimation.estimators import ESTIMATED, SIGN, kept_values
from harness.figures.column import COUNT, MAYBE, NUMBER, SOME, SPREAD, WHOLE
from harness.figures.configurations import Configuration, configurations, few
from harness.figures.frames import apart, single
from harness.figures.kind import Kind
from harness.figures.omission import NO_TRUTH
from harness.figures.sheet import SERIES, entitle, grid, note, room
from harness.figures.split import estimates_of, truth_name, truths_of
from harness.figures.style import style
from harness.measures.statistics import Spread, spread
from harness.measures.tau import tau_b
from harness.report.rows import Row
from harness.report.summary import three
from harness.report.tables import spread_text
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP = 150
GAMMA = "network.gamma"
COLUMNS = ("panel", "method", "wide", "narrow", "seed", "index", "rank_wide", "rank_narrow", "candidates", "tau", "tau_mean",
           "tau_sd", "all_mean", "all_sd", "seeds")
# What a panel has one of.
ONE = ("panel", "method", "wide", "narrow")
# Methods in a figure.
MOST = 24
# In inches: a panel with its title, and what a title cannot use of it.
SIZE, ASIDE = 2.3, 0.55


def frame(records: Sequence[Record]) -> "pd.DataFrame":
    """One row an architecture: its ranks (1 = highest estimate, ties share the mean) by the runs of two gammas, `wide` and
    `narrow`, of the lowest seed that both have.

    Shown are the TOP of the highest truth among the `candidates`, which both runs estimated. tau: tau-b between the two
    rankings of this seed; tau_mean, tau_sd: over the `seeds` that both have; all_mean, all_sd: the same of all candidates. A
    sum by ranks has no value outside of what it was ranked among, so such runs are in it only where they estimated the whole
    space. Raises UsageError where no two runs differ in gamma alone.
    """
    import pandas as pd

    kept = [record for record in records if record.spec.estimator in SIGN or not record.spec.estimation.architectures]
    pairs = [(each, wide, narrow) for each in few(configurations(kept, (GAMMA,), 2), MOST) for wide, narrow in _pairs(each.rows)]
    if not pairs:
        raise UsageError("No two of these runs differ in network.gamma alone, so no ranking can be compared with that of a "
                         "narrower supernet; run one of them again with another --gamma.")
    known = truths_of([each.first for each, _, _ in pairs])
    found = [_frame(each, wide, narrow, known[name]) for each, wide, narrow in pairs if (name := truth_name(each.first)) in known]
    return pd.concat(found, ignore_index=True)[list(COLUMNS)]


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The widest against each narrower one that has a seed in common with it."""
    wide, *others = sorted(rows, key=lambda row: row.first.spec.network.gamma)
    return [(wide, row) for row in others if set(wide.records) & set(row.records)]


def _frame(each: Configuration, wide: Row, narrow: Row, truth: GroundTruth) -> "pd.DataFrame":
    import pandas as pd

    seeds = sorted(set(wide.records) & set(narrow.records))
    made = [_ranking(wide.records[seed], narrow.records[seed], truth.mean()) for seed in seeds]
    best, whole = (spread([found[name] for found in made]) for name in ("tau", "all"))
    gammas = [row.first.spec.network.gamma for row in (wide, narrow)]
    return pd.DataFrame({**made[0], "panel": each.panel, "method": each.name, "wide": gammas[0], "narrow": gammas[1],
                         "seed": seeds[0], "tau_mean": best.mean, "tau_sd": best.sd, "all_mean": whole.mean, "all_sd": whole.sd,
                         "seeds": best.n})


def _ranking(wide: Record, narrow: Record, true: NDArray[np.float64]) -> Mapping[str, Any]:
    """Ranks [m] of the best m architectures that both estimated, and how alike they are, and those of all candidates."""
    from scipy.stats import rankdata

    both = [np.nan_to_num(_values(record, len(true)), nan=-np.inf) for record in (wide, narrow)]
    candidates = np.intersect1d(estimates_of(wide)["index"], estimates_of(narrow)["index"])
    candidates = candidates[np.isfinite(true[candidates])]
    chosen = np.sort(candidates[np.argsort(-true[candidates], kind="stable")[:TOP]])
    one, other = (rankdata(-values[chosen]) for values in both)
    whole = tau_b(*(rankdata(-values[candidates]) for values in both))
    return {"index": chosen, "rank_wide": one, "rank_narrow": other, "candidates": len(candidates), "tau": tau_b(one, other),
            "all": whole}


def _values(record: Record, size: int) -> NDArray[np.float64]:
    """float64 [n_arch]: what a run ranks by, higher = better; NaN = not estimated or undefined."""
    columns, values = estimates_of(record), np.full(size, np.nan)
    index = columns["index"]
    values[index] = kept_values(record.folder, record.key, record.spec.estimator, columns, Population(ESTIMATED, index))
    return values


def draw(frame: "pd.DataFrame", columns: int = 2) -> "Figure":
    """A panel for each method and pair of widths."""
    panels = apart(frame, *ONE)
    if not panels:
        raise DataError("There is no ranking to draw; give runs that differ in network.gamma alone.")
    figure, made = grid(len(panels), columns, SIZE, 4)
    several = {name for name in ONE if frame[name].nunique() > 1}
    for found, ax in zip(panels, made, strict=True):
        _panel(found, ax, several)
    note(figure, f"the {TOP} of the highest truth (all where fewer are known) by the lowest seed that both have; rank 1: the "
                 "highest estimate; gamma: what the channels are divided by, so 1 is the full width")
    return figure


@style()
def axes(frame: "pd.DataFrame", ax: "Axes | None" = None) -> "Axes":
    """The ranks of one method by two widths, alone or on given axes; DataError unless the frame has one of each."""
    ax = grid(1, 1, SIZE, 1)[1][0] if ax is None else ax
    _panel(single(frame, *ONE), ax, {"panel"})
    return ax


def _panel(found: "pd.DataFrame", ax: "Axes", several: Set[str]) -> None:
    first, last = found.iloc[0], len(found)
    ax.plot((1, last), (1, last), color="#999999", linewidth=0.6, zorder=1)
    ax.plot(found["rank_wide"], found["rank_narrow"], "o", color=SERIES[0][0], markersize=2.6, alpha=0.7, markeredgewidth=0)
    ax.set(xlim=(1 - 0.04 * last, last * 1.04), ylim=(1 - 0.04 * last, last * 1.04), aspect="equal")
    ax.set_xlabel(f"rank, gamma {first['wide']}")
    ax.set_ylabel(f"rank, gamma {first['narrow']}")
    title = [first["panel"]] * ("panel" in several) + [first["method"]]
    if several & {"wide", "narrow"}:
        title.append(f"gamma {first['wide']} and {first['narrow']}")
    over = f"\n{first['seeds']} seeds: {_over(first)}" if first["seeds"] > 1 else ""
    entitle(ax, ", ".join(title), room(ax) - ASIDE, 1 + len(title), f"tau-b {three(first['tau'])}{over}")


def _over(first: "pd.Series[Any]") -> str:
    return spread_text(Spread(first["tau_mean"], first["tau_sd"], first["seeds"]), three)


def describe(frame: "pd.DataFrame") -> str:
    """Each method's tau-b between the two rankings."""
    said = []
    for (_, method, wide, narrow), found in frame.groupby(list(ONE), sort=False):
        first = found.iloc[0]
        over = f" (over {first['seeds']} seeds {_over(first)})" if first["seeds"] > 1 else ""
        said.append(f"{method}, gamma {wide} against {narrow}: tau-b {three(first['tau'])}{over}, the {len(found)} best of "
                    f"{first['candidates']:,}, of which all have {three(first['all_mean'])}")
    return ("Scatter plots of the ranks that the architectures of the highest truth have by supernets of two widths, one panel a "
            f"method. {'; '.join(said)}.")


KIND = Kind("widths", "the top 150 by truth, ranked by wide and by narrow supernets (EFS-NAS, Fig. 4)", COLUMNS, frame, draw,
            describe, ("panel", "method"), types={"wide": SOME, "narrow": SOME, "seed": WHOLE, "index": COUNT,
                   "rank_wide": NUMBER, "rank_narrow": NUMBER, "candidates": COUNT, "tau": MAYBE, "tau_mean": MAYBE,
                   "tau_sd": SPREAD, "all_mean": MAYBE, "all_sd": SPREAD, "seeds": SOME}, left_out=NO_TRUTH)
