"""Figures of widths, leaves, budgets, effects, agreement, random search and training: what their frames say of runs."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import harness
from frames import extreme
from numpy.typing import NDArray
from records import finished
from safetensors.numpy import save_file
from scipy.stats import kendalltau

from benchmarks.benchmark import benchmark
from benchmarks.errors import Absent, DataError, UsageError
from criteria.guard import partition
from harness.figures import agreement, budget, curve, effects, leaves, training, widths
from harness.figures.configurations import configurations
from harness.figures.gallery import FIGURES
from harness.figures.split import truth_of
from harness.runs.collection import Record, collect
from harness.runs.spec import Network
from harness.search.random_curve import best_quantile, expected_best
from harness.splits.agreement import agreement as alike
from harness.store import write_frame

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
CONTROLS = PUBLISHED / "digits201-controls"
SPACE = benchmark("digits201").space
MINE = ("widths", "leaves", "budget", "effects", "agreement", "curve", "training")


@pytest.fixture(scope="module")
def controls() -> Sequence[Record]:
    return collect([CONTROLS]).records


def records(home: Path) -> Sequence[Record]:
    return collect([home]).records


def estimated(folder: Path, values: NDArray[np.float64], index: NDArray[np.int64]) -> None:
    """Give a made-up run estimates of these architectures."""
    write_frame(folder / "estimates-0.parquet",
                {"index": index, "architecture": [SPACE.strings[i] for i in index], "part": np.zeros(len(index), np.int16),
                 "accuracy": values, "loss": -values}, {"schema": "estimates/1", "key": "0"})


def members() -> NDArray[np.int64]:
    return np.flatnonzero(np.isfinite(digits()) & SPACE.connected)


def digits() -> NDArray[np.float64]:
    return truth_of(collect([next(CONTROLS.iterdir())]).records[0]).mean()


# ---- configurations


def test_configurations_are_named_by_what_tells_them_apart(controls: Sequence[Record]) -> None:
    assert {each.name for each in configurations(controls)} == {
        "one-shot (nonlinear), uniform, all", "nonlinear, sbs, all", "nonlinear, sbs, part", "nonlinear, uniform, part",
        "oracle, sbs, part", "random[like=nonlinear], sbs, part"}
    assert {each.panel for each in configurations(controls)} == {"digits201, digits"}
    assert [len(each.rows) for each in configurations(controls, ("sampler",), 2)] == [2, 2]


def test_configurations_stand_in_an_order_that_means_something(tmp_path: Path) -> None:
    for gamma in (16, 2, 1):
        for share, sampler in (("part", "uniform"), ("all", "sbs"), ("part", "sbs")):
            finished(tmp_path, 0.5, network=Network(gamma=gamma), share=share, sampler=sampler)
    finished(tmp_path, 0.5, criterion="flops", network=Network(gamma=16))
    finished(tmp_path, 0.5, criterion="none", k=1, sampler="uniform")
    found = [each.first.spec for each in configurations(records(tmp_path))]
    kinds = [("all", "sbs"), ("part", "sbs"), ("part", "uniform")]
    assert [(spec.criterion, spec.share, spec.sampler, spec.network.gamma) for spec in found] == [
        ("flops", "part", "sbs", 16), *(("nonlinear", *kind, gamma) for kind in kinds for gamma in (1, 2, 16)),
        ("none", "part", "uniform", 2)]


# ---- widths


def test_ranks_of_the_best_by_two_widths(tmp_path: Path) -> None:
    index, rng = members(), np.random.default_rng(0)
    made = {}
    for gamma in (1, 2):
        for seed in (3, 4):
            values = rng.integers(0, 60, len(index)).astype(float)
            made[gamma, seed] = values
            estimated(finished(tmp_path, 0.5, network=Network(gamma=gamma), seed=seed), values, index)
    finished(tmp_path, 0.5, network=Network(gamma=2), seed=5)  # no pair
    frame = widths.frame(records(tmp_path))
    assert tuple(frame.columns) == widths.COLUMNS
    chosen = np.sort(index[np.argsort(-digits()[index], kind="stable")[:150]])
    assert frame["index"].tolist() == chosen.tolist()
    rows = np.searchsorted(index, chosen)
    taus = [kendalltau(made[1, seed][rows], made[2, seed][rows]).statistic for seed in (3, 4)]
    first = frame.iloc[0]
    assert (first["seed"], first["wide"], first["narrow"], first["seeds"], first["candidates"]) == (3, 1, 2, 2, len(index))
    assert (first["tau"], first["tau_mean"], first["tau_sd"]) == pytest.approx((taus[0], np.mean(taus), np.std(taus, ddof=1)))
    best = frame.loc[frame["rank_wide"].idxmin(), "index"]
    assert made[1, 3][np.searchsorted(index, best)] == made[1, 3][rows].max()
    assert f"tau-b {taus[0]:.3f}" in widths.describe(frame)


def test_runs_that_begin_with_a_parent_are_pairs_though_the_parents_differ_in_width_too() -> None:
    records = collect([each.parent for each in (PUBLISHED / "digits201-factorial").glob("edge-*/spec.json")]).records
    found = widths.frame(records)
    assert set(found["method"]) == {"edge"}
    assert (found["wide"].unique().tolist(), found["narrow"].unique().tolist()) == ([1], [2])


def test_no_configuration_is_named_by_more_than_it_needs() -> None:
    records = collect([PUBLISHED / "efs-nas-table1-smoke"]).records
    names = [each.name for each in configurations([record for record in records if record.spec.estimator == "accuracy"])]
    assert sorted(names)[:3] == ["edge", "flops", "flops[sizes=9105+5520+1000]"]
    assert len(names) == len(set(names)) == 11
    assert "none, mixture" in names  # K-shot-NAS
    assert "one-shot" in names


def test_constant_estimates_have_no_nan_and_a_note_says_what_is_shown(tmp_path: Path) -> None:
    index = members()[:20]
    for gamma in (1, 2):
        for seed in (0, 1):
            estimated(finished(tmp_path, 0.5, network=Network(gamma=gamma), seed=seed), np.full(20, 50.0), index)
    frame = widths.frame(records(tmp_path))
    drawn = widths.draw(frame, 1)
    assert drawn.axes[0].get_title("left").endswith("2 seeds: \N{EN DASH}")
    assert "nan" not in widths.describe(frame)
    note = " ".join(drawn.get_supxlabel().split())
    assert all(word in note for word in ("the 150 of the highest truth", "the lowest seed", "rank 1: the highest", "full width"))


def test_widths_need_a_pair(controls: Sequence[Record]) -> None:
    with pytest.raises(UsageError, match=r"network\.gamma alone"):
        widths.frame(controls)


# ---- leaves


def test_histograms_count_every_architecture_of_a_part(controls: Sequence[Record]) -> None:
    frame = leaves.frame([record for record in controls if record.spec.criterion in ("nonlinear", "oracle")])
    true, label = digits(), partition("nonlinear", context(), 3).label
    parts = frame[frame["split"] == "nonlinear"].drop_duplicates("part")
    known = np.isfinite(true) & SPACE.connected
    sample = next(record for record in controls if record.spec.criterion == "nonlinear").value("tau", "n")
    assert parts["architectures"].sum() == sample <= known.sum()
    for part, found in frame[frame["split"] == "nonlinear"].groupby("part"):
        assert found["count"].sum() + found["below"].iloc[0] == found["architectures"].iloc[0] <= (known & (label == part)).sum()
        assert found["count_top"].sum() == found["top"].iloc[0]
    for _, found in frame.groupby("split"):
        tops = found.drop_duplicates("part")["top"]
        assert tops.sum() == round(0.01 * len(benchmark("digits201").population("all", truth_of(controls[0])).members))
    assert tops.tolist() == [0, 0, 7]  # the oracle's best part has all of them
    assert "7 of 296" in leaves.describe(frame)


def context() -> Any:
    from criteria.base import Context

    bench = benchmark("digits201")
    return Context(bench.space, bench.skeleton_for("digits"))


def test_leaves_without_a_truth_or_parts(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="nasbench201"):
        leaves.frame(collect([PUBLISHED / "cifar10-cpu"]).records)
    estimated(finished(tmp_path, 0.5, criterion="none", k=1, sampler="uniform"), np.zeros(len(members())), members())
    with pytest.raises(UsageError, match="splits the space"):
        leaves.frame(records(tmp_path))


# ---- budgets


def test_lines_over_budgets(tmp_path: Path) -> None:
    for seed, noise in enumerate((0.01, -0.01, 0.03)):
        for passes, value in ((600, 0.4), (1200, 0.5), (2400, 0.6)):
            finished(tmp_path, value + noise, seed=seed, passes=passes)
    finished(tmp_path, 0.9, criterion="flops")
    frame = budget.frame(records(tmp_path))
    assert frame["passes"].tolist() == [600, 1200, 2400]
    assert frame["mean"].to_numpy() == pytest.approx([0.41, 0.51, 0.61])
    assert frame["sd"].to_numpy() == pytest.approx([0.02] * 3)
    assert set(frame["configuration"]) == {"nonlinear"}
    assert "0.410 ± 0.020 (3) at 600" in budget.describe(frame)
    ax = budget.axes(frame)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["600", "1.2 k", "2.4 k"]
    with pytest.raises(UsageError, match="subnet passes alone"):
        budget.frame([record for record in records(tmp_path) if record.budget.passes == 600])


# ---- effects


def test_effects_of_published_runs_are_those_of_attribute(controls: Sequence[Record]) -> None:
    frame = effects.frame(controls)
    asked = harness(f"attribute {CONTROLS} --where criterion=nonlinear --json").json["effects"]
    assert frame["contrast"].tolist() == [effect["contrast"] for effect in asked]
    for name in ("value", "low", "high", "p_holm"):
        found = frame.loc[frame["kind"] != "mean", name].to_numpy()
        assert found == pytest.approx([effect[name] for effect in asked if effect["kind"] != "mean"])
    assert set(frame["panel"]) == {"digits201, digits, 9,000 passes, nonlinear"}
    with pytest.raises(UsageError, match="full factorial"):
        effects.frame([record for record in controls if record.spec.criterion == "oracle"])


def test_numbers_ascend_in_contrasts(tmp_path: Path) -> None:
    for gamma in (2, 1, 16):
        finished(tmp_path, gamma / 20, network=Network(gamma=gamma))
    frame = effects.frame(records(tmp_path))
    assert frame.loc[frame["kind"] == "main", "contrast"].tolist() == ["2 - 1", "16 - 1", "16 - 2"]


def test_effects_of_different_questions_are_panels_of_their_own(controls: Sequence[Record]) -> None:
    nonlinear = [record for record in controls if record.spec.criterion == "nonlinear"]
    others = [replace(record, spec=replace(record.spec, estimator="loss")) for record in nonlinear]
    frame = effects.frame([*nonlinear, *others])
    assert frame["panel"].unique().tolist() == [f"digits201, digits, 9,000 passes, {name}" for name in ("accuracy", "loss")]
    assert len(frame) == 2 * len(effects.frame(nonlinear))
    assert all(name in effects.draw(frame, 2).axes[i].get_title("left") for i, name in enumerate(("accuracy", "loss")))


# ---- agreement


def test_agreement_of_the_splits_behind_runs(tmp_path: Path) -> None:
    for criterion in ("nonlinear", "flops", "none"):
        k = 1 if criterion == "none" else 3
        folder = finished(tmp_path, 0.5, criterion=criterion, k=k, sampler="uniform" if k == 1 else "sbs")
        estimated(folder, np.zeros(5), np.arange(5))
    frame = agreement.frame(records(tmp_path))
    one, other = (partition(name, context(), 3).label for name in ("nonlinear", "flops"))
    pair = frame[frame["one"] != frame["other"]]
    assert len(pair) == 1
    assert len(frame) == 3
    assert pair["adjusted_rand"].iloc[0] == pytest.approx(alike(one, other).adjusted_rand)
    assert frame.loc[frame["one"] == frame["other"], "adjusted_rand"].tolist() == [1, 1]
    with pytest.raises(UsageError, match="no two splits"):
        agreement.frame([record for record in records(tmp_path) if record.spec.criterion == "flops"])


# ---- random search


def test_the_band_of_a_random_search_is_that_of_many(controls: Sequence[Record]) -> None:
    values, rng = np.random.default_rng(0).normal(size=50), np.random.default_rng(1)
    drawn = np.array([values[rng.permutation(50)[:7]].max() for _ in range(20_000)])
    for share in (0.05, 0.5, 0.95):
        assert (drawn <= best_quantile(values, 7, share)).mean() >= share - 0.01
        assert (drawn < best_quantile(values, 7, share)).mean() <= share + 0.01
    assert best_quantile(values, 50, 0.05) == expected_best(values, 50) == values.max()
    assert best_quantile(np.array([1.0, np.nan, 3.0, 2.0]), 1, 1 / 3) == 1.0


def test_methods_stand_where_a_random_search_is_as_good(controls: Sequence[Record]) -> None:
    frame = curve.frame(controls)
    line, methods = frame[frame["name"] == ""], frame[frame["name"] != ""]
    assert (line["low"] <= line["accuracy"]).all()
    assert (line["accuracy"] <= line["high"] + 1e-9).all()
    assert (np.diff(line["accuracy"]) > 0).all()
    assert len(methods) == 2 * 6
    upper, lower = curve.draw(frame, 2).axes
    drawn, marks = upper.lines[0], upper.containers[1][0]
    on_it = np.interp(np.log(marks.get_xdata().astype(float)), np.log(drawn.get_xdata()), drawn.get_ydata())
    assert on_it == pytest.approx(marks.get_ydata())
    ends = [segment[:, 1] for segment in upper.containers[1][2][0].get_segments()]
    assert np.array(ends) == pytest.approx(methods.loc[methods["picks"] == 10, ["low", "high"]].to_numpy())
    assert lower.get_yticklabels()[0].get_text() == "nonlinear, sbs, all (5)"
    assert "nonlinear, sbs, all (5 seeds): " in curve.describe(frame)
    mine = methods[(methods["name"] == "nonlinear, sbs, all") & (methods["picks"] == 10)].iloc[0]
    records_ = [record for record in controls if (record.spec.share, record.spec.sampler) == ("all", "sbs")]
    top = line["high"].max()
    assert mine["accuracy"] == pytest.approx(np.mean([top - record.value("regret", "10", "mean") for record in records_]))
    before, after = (line[line["trained"] < mine["trained"]].iloc[-1], line[line["trained"] >= mine["trained"]].iloc[0])
    assert before["accuracy"] < mine["accuracy"] <= after["accuracy"]
    with pytest.raises(Absent):
        curve.frame(collect([PUBLISHED / "cifar10-cpu"]).records)


# ---- training


def trained(folder: Path, supernet: int, sums: Any, passes: Any) -> None:
    save_file({"curve.sums": np.array(sums, float), "curve.passes": np.array(passes), "curve.flops": np.ones(1)},
              folder / f"training-{supernet}.safetensors")


def test_curves_are_means_over_the_passes_of_an_epoch(tmp_path: Path) -> None:
    for seed in (0, 1):
        folder = finished(tmp_path, 0.5, seed=seed)
        for supernet in range(3):
            trained(folder, supernet, [[6.0, 1.0], [0.0, 0.0], [2.0, 2.0]], [[1, 1, 0], [0, 0, 0], [0, 4, 0]])
    finished(tmp_path, 0.5, criterion="flops")  # without curves
    frame = training.frame(records(tmp_path))
    assert frame["name"].drop_duplicates().tolist() == ["0", "1", "2"]
    assert frame["run"].unique().tolist() == [record.name for record in records(tmp_path)
                                              if record.spec.criterion == "nonlinear" and record.spec.seed == 0]
    first = frame[frame["supernet"] == 0]
    assert first[["epoch", "passes", "loss", "accuracy"]].to_numpy().tolist() == [[1, 2, 3, 50], [3, 4, 0.5, 50]]
    assert "loss 0.500, accuracy 50.00 % in epoch 3" in training.describe(frame)
    (folder / "training-0.safetensors").write_bytes(b"x")
    with pytest.raises(DataError, match="truncated or damaged"):
        training.curves([folder / "training-0.safetensors"])
    with pytest.raises(UsageError, match="curves of its training"):
        training.frame([record for record in records(tmp_path) if record.spec.criterion == "flops"])


def test_an_epoch_that_was_only_begun_counts_with_the_one_before(tmp_path: Path) -> None:
    # Trained together: only the passes of both say how long an epoch is.
    trained(tmp_path, 0, [[4.0, 2.0], [1.0, 1.0], [3.0, 2.0]], [[4], [1], [1]])
    trained(tmp_path, 1, [[1.0, 0.0], [4.0, 2.0], [2.0, 0.0]], [[1], [4], [1]])
    one, other = training.curves([tmp_path / f"training-{i}.safetensors" for i in range(2)])
    assert [one[name].tolist() for name in ("epoch", "passes", "loss", "accuracy")] == [[1, 2], [4, 2], [1, 2], [50, 150]]
    assert other["passes"].tolist() == [1, 5]
    trained(tmp_path, 1, [[1.0, 0.0], [4.0, 2.0], [2.0, 0.0]], [[1], [4], [4]])
    assert training.curves([tmp_path / f"training-{i}.safetensors" for i in range(2)])[0]["epoch"].tolist() == [1, 2, 3]


# ---- all of them


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", MINE)
def test_a_figure_comes_from_its_csv_alone(name: str, tmp_path: Path) -> None:
    kind, frame = FIGURES[name], extreme()[name]
    frame.to_csv(tmp_path / "figure.csv", index=False)
    drawn = kind.svg(kind.read(tmp_path / "figure.csv"), 1)
    assert drawn == kind.svg(frame, 1)
    assert "$x_{$ | &lt;b&gt;%" in drawn
    assert "nan" not in kind.describe(frame).lower()
    with pytest.raises(DataError):
        kind.draw(frame.iloc[:0], 1)


@pytest.mark.parametrize("module", [widths, leaves, effects, curve, training], ids=lambda module: module.KIND.name)
def test_axes_hold_one_panel(module: Any) -> None:
    from matplotlib.figure import Figure

    frame = extreme()[module.KIND.name]
    panel = {"widths": "method", "leaves": "split"}.get(module.KIND.name, "panel")
    several = pd.concat([frame, frame.assign(**{panel: "another"})])
    ax = Figure().subplots(2, 2)[0, 1]
    assert module.axes(frame[frame[panel] == frame[panel].iloc[0]], ax) is ax
    with pytest.raises(DataError, match="Axes hold one panel"):
        module.axes(several)


@pytest.mark.parametrize("name", MINE)
def test_both_widths_are_those_of_a_paper(name: str) -> None:
    sizes = [FIGURES[name].draw(extreme()[name], columns).get_figwidth() for columns in (1, 2)]
    assert sizes == [3.25, 6.75]


def test_figures_do_not_import_torch() -> None:
    code = (f"import sys; from harness.figures.gallery import FIGURES; from harness.runs.collection import collect\n"
            f"records = collect([{str(PUBLISHED / 'digits201-controls')!r}]).records\n"
            "[FIGURES[name].frame(records) for name in ('leaves', 'effects', 'curve')]\n"
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
