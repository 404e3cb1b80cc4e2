"""Kinds of figures: from runs to a frame, from a frame or its CSV to one picture, which nothing sticks out of."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from command import harness
from frames import made_up
from records import finished

from benchmarks.benchmark import benchmark
from benchmarks.errors import Absent, DataError, UsageError
from criteria.base import Context
from criteria.guard import partition
from harness.figures import costs, exposure, parts, scatter, style, violins
from harness.figures.gallery import FIGURES, figure
from harness.figures.kind import Kind
from harness.figures.split import judged, partition_of, splits, truth_of
from harness.measures.tau import tau
from harness.runs.collection import Record, collect
from harness.store import write_frame

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
DIGITS = PUBLISHED / "digits201-controls"
SPACE = benchmark("digits201").space
OWN = (parts, violins, costs, scatter, exposure)


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def of(text: str) -> tuple[Record, ...]:
    return tuple(record for record in collect([DIGITS]).records if record.name.startswith(text))


# ---- frames of runs


def test_each_partition_is_there_once_and_of_the_lowest_seed() -> None:
    records = of("")
    found = splits(records)
    assert [each.title for each in found] == ["nonlinear", "oracle", "random[like=nonlinear]"]
    assert {each.record.spec.seed for each in found} == {0}
    assert all(each.whole for each in found)
    for each in found:
        assert each.partition.sizes == each.record.parts
        assert each.partition.names == each.record.part_names


def test_what_the_estimates_know_stands_for_a_partition_that_cannot_be_made_again(tmp_path: Path) -> None:
    from dataclasses import replace

    record = of("nonlinear")[0]
    foreign = replace(record, spec=replace(record.spec, criterion="./proxy.py:Proxy"))
    known, whole = partition_of(foreign)
    made, _ = partition_of(record)
    estimated = known.label >= 0
    assert not whole
    assert 0 < estimated.sum() < len(SPACE)
    assert (known.label[estimated] == made.label[estimated]).all()
    kept = replace(foreign, folder=tmp_path)
    write_frame(tmp_path / "partition.parquet", {"index": np.arange(len(SPACE)), "part": made.label},
                {"schema": "partition/1", "names": '["a", "b", "c"]', "key": "1"})
    again, whole = partition_of(kept)
    assert whole
    assert again.names == ("a", "b", "c")
    with pytest.raises(UsageError, match="parts of all architectures"):
        exposure.frame([foreign])


def test_scatter_shows_what_the_run_was_judged_on_and_its_tau() -> None:
    records = of("nonlinear")
    frame = scatter.frame(records)
    assert frame["panel"].nunique() == 4
    record = records[0]
    truth = truth_of(record)
    mine = frame[frame["tau"].round(12) == round(record.value("tau", "value"), 12)]
    assert mine["panel"].nunique() == 1
    assert mine["index"].tolist() == judged(record, truth).members.tolist()
    assert tau(mine["estimate"].to_numpy(), mine["truth"].to_numpy(), population="").value == mine["tau"].iloc[0]


def test_violins_of_runs_are_those_of_the_truth() -> None:
    records = of("oracle")
    frame = violins.frame(records)
    true = truth_of(records[0]).mean()
    assert np.array_equal(frame["accuracy"], true[frame["index"]])
    ends = frame.groupby("part")["accuracy"].agg(["min", "max"])
    assert (ends["max"].to_numpy()[:-1] <= ends["min"].to_numpy()[1:]).all()
    assert frame["tau"].iloc[0] > 0.7


def test_sbs_passes_are_equal_and_uniform_ones_follow_the_sizes() -> None:
    frame = exposure.frame(of("nonlinear"))
    made = partition("nonlinear", Context(SPACE, benchmark("digits201").skeleton_for("digits")), 3)
    assert frame["architectures"].tolist() == list(made.sizes)
    assert frame["sbs"].tolist() == pytest.approx([1000 / 3] * 3)
    assert (frame["uniform"] / frame["connected"]).std() == pytest.approx(0)
    assert frame["uniform"].sum() == pytest.approx(1000)


def test_both_sides_of_a_run_and_only_of_one() -> None:
    record = of("nonlinear")[0]
    frame = parts.frame([record])
    assert set(frame["index"]) == set(judged(record, truth_of(record)).members)
    assert frame["kind"].value_counts().nunique() == 1
    with pytest.raises(UsageError, match="here are 2"):
        parts.frame(of("nonlinear")[:2])


def test_without_a_truth_it_is_said_and_the_rest_is_drawn(data_home: Path) -> None:
    cifar = collect([PUBLISHED / "cifar10-cpu"]).records[:1]
    for each in (parts, violins, scatter):
        with pytest.raises(Absent):
            each.frame(cifar)
    both = violins.frame([*cifar, *of("nonlinear")])
    assert set(both["panel"]) == {"nonlinear"}
    assert costs.frame([*cifar, *of("nonlinear")])["panel"].unique().tolist() == ["nonlinear, cifar10", "nonlinear, digits"]


def test_runs_without_estimates_are_left_out(tmp_path: Path) -> None:
    empty = collect([finished(tmp_path, 0.5)]).records
    with pytest.raises(UsageError, match="estimates behind"):
        scatter.frame(empty)
    for each in OWN:
        with pytest.raises(UsageError):
            each.frame([])
    assert scatter.frame([*empty, *of("oracle")])["panel"].nunique() == 1


# ---- drawings of frames


@pytest.mark.parametrize("module", OWN[1:], ids=lambda module: module.KIND.name)
@pytest.mark.parametrize(("panels", "k", "size", "columns"), [(1, 1, 1, 1), (5, 3, 1, 1), (3, 9, 2, 2)])
def test_nothing_sticks_out(module: object, panels: int, k: int, size: int, columns: int) -> None:
    kind: Kind = module.KIND  # type: ignore[attr-defined]
    frame = made_up(kind, panels, k, size)
    with style.style():
        drawn = kind.draw(frame, columns)
        drawn.canvas.draw()
    assert drawn.get_figwidth() == {1: style.ONE_COLUMN, 2: style.TWO_COLUMNS}[columns]
    box, whole = drawn.get_tightbbox(), drawn.bbox_inches
    assert box.x0 > -0.02
    assert box.x1 < whole.x1 + 0.02
    assert box.y0 > -0.02
    assert box.y1 < whole.y1 + 0.02
    assert sum(ax.get_visible() for ax in drawn.axes) == panels
    assert "nan" not in kind.describe(frame)


def test_every_own_kind_is_drawn_again_from_its_csv(tmp_path: Path) -> None:
    record, = of("nonlinear")[:1]
    for module in OWN:
        kind = module.KIND
        frame = kind.frame([record])
        assert tuple(frame.columns) == kind.columns
        frame.to_csv(tmp_path / "data.csv", index=False)
        assert kind.svg(kind.read(tmp_path / "data.csv"), 1) == kind.svg(frame, 1), kind.name


def test_costs_stand_where_they_are_and_their_slices_are_the_parts() -> None:
    rows = [("a", "d", part, str(part), flops, flops, count)
            for part, flops, count in ((0, 1e6, 30), (1, 1e6, 10), (1, 2e6, 10), (2, 4e6, 1))]
    frame = pd.DataFrame(rows, columns=list(costs.COLUMNS))
    drawn = costs.draw(pd.concat([frame, frame.assign(panel="b", architectures=frame["architectures"] * 100)]), 2)
    for ax, n in zip(drawn.axes, ("51", "5,100"), strict=True):
        slices, = ax.collections
        assert sorted(np.asarray(slices.get_offsets()).tolist()) == [[1, 1], [1, 1], [2, 2], [4, 4]]
        assert f"n = {n}" in ax.get_title("left")
        # Three quarters of a circle from its top, and the last quarter, which is left of it.
        assert [round(path.vertices[:, 0].max(), 2) for path in slices.get_paths()[:2]] == [0.5, 0]
    sizes = [ax.collections[0].get_sizes().tolist() for ax in drawn.axes]
    assert sizes[0] == sizes[1]
    assert sizes[0][0] == sizes[0][1] == pytest.approx(4 * sizes[0][2])


def test_a_sampler_that_cannot_work_is_said() -> None:
    frame = pd.DataFrame([("p", 0, "a", 5, 3, 1000.0, np.nan), ("p", 1, "b", 2, 0, 0.0, np.nan)], columns=list(exposure.COLUMNS))
    assert "SBS cannot work" in exposure.axes(frame).get_title("left")
    said = exposure.describe(frame)
    assert "a with 5 architectures 1000, b with 2 architectures 0; SBS cannot work, as a part has no connected" in said


def test_each_panel_of_estimates_says_what_they_are() -> None:
    frame = made_up(scatter.KIND, 2, 1, 3)
    other = frame["panel"] == frame["panel"].iloc[-1]
    labels = [ax.get_ylabel() for ax in scatter.draw(frame.assign(estimator=np.where(other, "angle", "accuracy")), 2).axes]
    assert labels == ["estimated accuracy (%)", "estimate (higher is better)"]
    assert [ax.get_ylabel() for ax in scatter.draw(frame.assign(estimator="accuracy"), 2).axes] == ["estimated accuracy (%)", ""]


def test_violins_say_how_many_of_a_part_lie_below() -> None:
    frame = made_up(violins.KIND, 1, 2, 100).assign(part=lambda each: each.index // 100, accuracy=np.linspace(50, 90, 200))
    below = frame.assign(accuracy=frame["accuracy"].where(frame.index > 0, 0.0))
    texts = [violins.draw(each, 2).get_supxlabel() for each in (frame, below)]
    assert ["1.0 % lie below the axis" in " ".join(text.split()) for text in texts] == [False, True]


@pytest.mark.parametrize("module", OWN[1:], ids=lambda module: module.KIND.name)
def test_axes_hold_one_panel(module: Any) -> None:
    from matplotlib.figure import Figure

    frame = made_up(module.KIND, 2, 2, 2)
    ax = Figure().subplots(2, 2)[0, 1]
    assert module.axes(frame[frame["panel"] == frame["panel"].iloc[0]], ax) is ax
    with pytest.raises(DataError, match="this frame has 2"):
        module.axes(frame)


def test_svg_is_text_whose_ids_are_its_own() -> None:
    made = [module.KIND.svg(made_up(module.KIND, 2, 2, 1), 2) for module in (costs, exposure)]
    assert made[0] == costs.KIND.svg(made_up(costs.KIND, 2, 2, 1), 2)
    ids = [{each.get("id") for each in ElementTree.fromstring(text).iter() if each.get("id")} for text in made]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert "&lt;b&gt;" in made[0]
    assert "<text" in made[0]


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("panel,part\nx,1\n")
    (tmp_path / "b.csv").write_text(",".join(exposure.COLUMNS) + "\nx,one,n,1,1,1,1\n")
    for name in ("a.csv", "b.csv", "absent.csv"):
        with pytest.raises(DataError, match="not the data of the figure 'exposure'"):
            exposure.KIND.read(tmp_path / name)


def test_nothing_to_draw_is_an_error() -> None:
    for module in OWN:
        types = {**dict.fromkeys(module.KIND.texts, object), "connected": bool}
        frame = pd.DataFrame({name: pd.Series(dtype=types.get(name, float)) for name in module.KIND.columns})
        with pytest.raises(DataError):
            module.KIND.draw(frame, 2)


# ---- by name


def test_kinds_have_their_names() -> None:
    assert {"parts", "violins", "costs", "scatter", "exposure"} <= set(FIGURES)
    assert all(name == kind.name and set(kind.texts) <= set(kind.columns) for name, kind in FIGURES.items())
    with pytest.raises(UsageError, match="did you mean 'violins'"):
        figure("violin")


def test_the_command(tmp_path: Path) -> None:
    said = harness(f"figure exposure {DIGITS} --columns 1 --out {tmp_path / 'e.x'} --json").json
    assert [Path(path).name for path in said["files"]] == ["e.x.png", "e.x.pdf", "e.x.csv"]
    assert "573 and 333" in said["says"]
    again = harness(f"figure exposure --csv {tmp_path / 'e.x.csv'} --columns 1 --out {tmp_path / 'again'} --json").json
    assert [Path(path).read_bytes() for path in said["files"]] == [Path(path).read_bytes() for path in again["files"]]
    names = [entry["name"] for entry in harness("list figures --json").json["figures"]]
    assert names == list(FIGURES)


@pytest.mark.parametrize(("line", "code", "word"), [
    ("scater", 2, "did you mean 'scatter'?"), ("parts RUNS", 2, "of one run"), ("scatter RUNS --csv x.csv", 2, "not from both"),
    ("scatter --csv absent.csv", 3, "absent.csv"), ("scatter --columns 3", 2, "columns")])
def test_wrong_questions(line: str, code: int, word: str) -> None:
    said = harness(f"figure {line.replace('RUNS', str(DIGITS))}")
    assert said.code == code
    assert word in said.err


def test_no_torch_and_no_libraries_until_something_is_drawn() -> None:
    code = ("import sys, harness.figures.gallery as gallery\n"
            "assert not {'torch', 'pandas', 'matplotlib', 'seaborn'} & set(sys.modules)\n"
            "from harness.runs.collection import collect\n"
            f"gallery.figure('costs').frame(collect([{str(DIGITS)!r}]).records); assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_children_of_several_parents_that_are_divided_alike_are_one_panel() -> None:
    records = collect([PUBLISHED / "digits201-factorial"]).records
    assert len({record.folder for record in records if record.spec.criterion == "edge"}) == 10
    assert [each.title for each in splits(records)] == ["edge, k = 5", "nonlinear, k = 3"]
