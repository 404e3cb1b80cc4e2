"""All kinds of figures alike: names fit and differ, others' data are refused, what is drawn is saved as it looks."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import harness
from frames import NAMES, extreme, made_up, plugins, several_parts

from benchmarks.errors import DataError
from harness.figures import agreement, budget, scatter
from harness.figures.column import COUNT, FLAG, MAYBE, NUMBER, one_of
from harness.figures.gallery import FIGURES
from harness.figures.kind import PAGE, Kind
from harness.figures.lettering import another, broken, extent, fitted, shortened
from harness.figures.panels import MOST_LINES, head, name_parts, part_names
from harness.figures.sheet import entitle, note, room, sheet
from harness.runs.collection import collect

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
OPERATIONS = [f"1<-0 {name}" for name in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")]


def shown(ax: Any) -> str:
    """The title of axes without the numbers below it."""
    return str(ax.get_label() or ax.get_title("left"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_sticks_out_and_names_stay_different(name: str) -> None:
    for frame, columns in ((plugins()[name], 1), (extreme().get(name, several_parts(["$x_{$ " * 9, "2", "None", ""])), 2)):
        if name in ("violins", "costs", "scatter", "exposure") and columns == 2:
            continue  # see test_figures.py
        drawn = FIGURES[name].draw(frame, columns)
        drawn.canvas.draw()  # type: ignore[attr-defined]
        box, whole = drawn.get_tightbbox(), drawn.bbox_inches
        assert box.x0 > -0.03
        assert box.x1 < whole.x1 + 0.03
        assert box.y0 > -0.03
        assert box.y1 < whole.y1 + 0.03
        titles = [title for ax in drawn.axes if (title := shown(ax))]
        assert len(set(titles)) == len(titles)
        if columns == 1 and name in ("agreement", "curve"):
            beside = [tick.get_text() for tick in drawn.axes[-1].get_yticklabels()]
            assert len({*beside}) == len(beside) == 4
        if columns == 1 and name == "budget":
            legend = drawn.axes[0].get_legend()
            assert legend is not None
            assert len({text.get_text() for text in legend.get_texts()}) == 4


# ---- texts


def test_texts_are_measured_and_cut_in_their_middle() -> None:
    for text in (NAMES[0], "W" * 60, "i" * 300, "nonlinear, sbs, all"):
        for most in (1, 2, 3):
            lines = broken(text, 1.2, most).split("\n")
            assert len(lines) <= most
            assert max(map(extent, lines)) <= 1.2
    assert shortened("nonlinear", 2) == "nonlinear"
    assert shortened(NAMES[3], 1.5).endswith("gamma=3")
    assert shortened(NAMES[3], 1.5).startswith("./MY")
    assert broken("k\n = 3", 2) == "k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}3"
    assert extent("WWWW", 14) == pytest.approx(2 * extent("WWWW"), rel=0.05)


@pytest.mark.parametrize("names", [
    NAMES, [f"{'a' * 40}{i}{'b' * 40}" for i in range(3)], [f"{'a' * 20}{i}{'a' * 40}" + "b" * i + "c" * 30 for i in range(3)],
    ["x" * 50 + "y" * i for i in range(5)], ["a", "a", "", "b" * 99]], ids=range(5))
def test_names_that_differ_stay_different(names: list[str]) -> None:
    for most in (1, 2):
        made = fitted(names, 0.8, most)
        assert len(set(made)) == len(set(names))
        assert all(max(map(extent, name.split("\n"))) <= 0.8 for name in made)
    taken: list[str] = []
    for name in dict.fromkeys(names):
        taken.append(another(name, taken, 0.8))
    assert len(set(taken)) == len(set(names))


def test_a_title_is_no_other_title_of_its_figure() -> None:
    left, right = sheet(1, 2).subplots(1, 2)
    for ax, name in ((left, "a" * 50 + "b" + "a" * 50), (right, "a" * 50 + "c" + "a" * 50)):
        entitle(ax, name, room(ax) - 0.3, 1, "tau-b 0.5")
        assert ax.get_title("left").endswith("\ntau-b 0.5")
    assert left.get_title("left") != right.get_title("left")


# ---- parts


def test_the_words_that_all_parts_begin_with_can_be_left_out() -> None:
    assert part_names(OPERATIONS, 9) == OPERATIONS
    assert part_names(OPERATIONS, 0.8) == [name.removeprefix("1<-0 ") for name in OPERATIONS]
    assert part_names(OPERATIONS, 0.3) == [f"#{i}" for i in range(5)]


@pytest.mark.parametrize("k", [1, 5, 8, 60])
def test_every_part_has_its_size_and_a_key(k: int) -> None:
    ax, other, *_ = sheet(2, 2).subplots(1, 4, sharey=True)
    names = OPERATIONS[:k] if k < 8 else [f"n{i}/n{i + 1} of a long name that is a set" for i in range(k)]
    name_parts(ax, names, [100 + i for i in range(k)])
    labels = [tick.get_text() for tick in ax.get_xticklabels()]
    assert all(re.search(r"\d{3}$", text) for text in labels)
    assert len(labels) == min(k, len(labels)) >= min(k, 8)
    head(other, "title", "", names)
    legend = other.get_legend()
    key = [text.get_text() for text in legend.get_texts()]
    assert key == ["#0 to", "#59"] if k == 60 else len(set(key)) == k
    assert -(-len(key) // legend._ncols) <= MOST_LINES
    if k == 5:
        assert labels[0] == "none: 100"
        assert "none" in key


# ---- drawn from Python


def test_what_is_drawn_is_saved_in_our_style_whatever_the_user_has_set() -> None:
    frame = extreme()["leaves"].assign(split="$x_{$")
    drawn = FIGURES["leaves"].draw(frame, 1)
    assert drawn.axes[0].title.get_fontsize() == 7
    content = BytesIO()
    drawn.savefig(content, format="pdf")
    assert b"/Type3" not in content.getvalue()
    assert b"TrueType" in content.getvalue() or b"CIDFontType2" in content.getvalue()
    drawn.savefig(content, format="png")
    assert drawn._repr_png_().startswith(b"\x89PNG")  # what a notebook shows


def test_axes_of_anybody_are_drawn_on() -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8))
    for module, frame in ((agreement, plugins()["agreement"]), (budget, plugins()["budget"]),
                          (scatter, made_up(scatter.KIND, 1, 2, 5))):
        ax = figure.add_axes((0.3, 0.3, 0.6, 0.6))
        assert module.axes(frame, ax) is ax
        assert room(ax) == pytest.approx(4.8)
        with pytest.raises(DataError, match="Axes hold one panel"):
            module.axes(pd.concat([frame, frame.assign(panel="another")]), ax)


def test_a_note_takes_the_lines_that_it_needs() -> None:
    figure = sheet(1, 1)
    note(figure, "word " * 40 + "\nlast")
    lines = figure.get_supxlabel().split("\n")
    assert lines[-1] == "last"
    assert "…" not in figure.get_supxlabel()
    assert max(extent(line, 6.5) for line in lines) < figure.get_figwidth()


# ---- data of others


def test_every_column_has_a_type() -> None:
    for kind in FIGURES.values():
        assert set(kind.texts) | set(kind.types) == set(kind.columns), kind.name
        assert {name for name in kind.texts if name in kind.types} == {name for name, each in kind.types.items()
                                                                       if each.words and each != FLAG}


HOSTILE = [
    ("curve", "seeds", ""), ("curve", "picks", "0.5"), ("leaves", "count", ""), ("leaves", "low", "inf"),
    ("leaves", "high", "-1"), ("effects", "n_seed", ""), ("effects", "high", "0"), ("effects", "kind", "mode"),
    ("budget", "sd", "-1"), ("budget", "passes", ""), ("training", "supernet", ""), ("training", "epoch", "x"),
    ("agreement", "architectures", "-1"), ("parts", "connected", "1"), ("parts", "kind", "other"), ("violins", "part", ""),
    ("violins", "part", "0.5"), ("violins", "part", "1000000000"), ("costs", "part", "inf"), ("costs", "flops", "0"),
    ("widths", "index", "1e300"), ("scatter", "part", "-2"), ("exposure", "uniform", "-1")]


@pytest.mark.parametrize(("name", "column", "value"), HOSTILE)
def test_numbers_that_cannot_be_are_refused(name: str, column: str, value: str, tmp_path: Path) -> None:
    frame = plugins()[name].iloc[:2]
    frame = frame.assign(connected=1).astype(str) if name == "exposure" else frame.astype(str).replace("nan", "")
    frame.to_csv(tmp_path / "good.csv", index=False)
    assert len(FIGURES[name].read(tmp_path / "good.csv")) == len(frame)
    frame.loc[frame.index[0], column] = value
    frame.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(DataError, match=f"'{column}'"):
        FIGURES[name].read(tmp_path / "bad.csv")


def test_columns_say_what_they_hold() -> None:
    assert COUNT.values(["1", "20"]).tolist() == [1, 20]
    assert FLAG.values(["False", "True"]).tolist() == [False, True]
    assert np.isnan(MAYBE.values(["", "2.5"])[0])
    assert one_of("a", "b").values(["b"]).tolist() == ["b"]
    for column, text, said in ((COUNT, "2.5", "a whole number of at least 0"), (NUMBER, "nan", "a finite number"),
                               (FLAG, "yes", "one of True, False")):
        with pytest.raises(ValueError, match=f"'{text}' is not {said}"):
            column.values([text])


def test_a_split_that_is_only_compared_with_others_is_drawn() -> None:
    frame = pd.DataFrame([("p", "a", "b", 0.5, 3)], columns=list(agreement.COLUMNS))
    assert [tick.get_text() for tick in agreement.axes(frame).get_yticklabels()] == ["a", "b"]


# ---- what is not shown


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "nothing"))
    runs = [PUBLISHED / "digits201-controls", PUBLISHED / "cifar10-cpu"]
    records = collect(runs).records
    cifar = sum(record.spec.dataset == "cifar10" for record in records)
    for name in ("violins", "scatter", "leaves", "curve", "widths"):
        [said] = FIGURES[name].left_out(records)
        assert said.startswith(f"Left out are {cifar} of {len(records)} runs (")
        assert "nasbench201" in said
    smoke = collect([PUBLISHED / "efs-nas-table1-smoke"]).records
    assert ["6 of 12 runs" in said for said in FIGURES["exposure"].left_out(smoke)] == [True]
    single, _ = FIGURES["budget"].left_out(smoke), FIGURES["parts"].left_out(smoke)
    assert all("differs in its subnet passes alone" in said for said in single)
    answer = harness(f"figure leaves {' '.join(map(str, runs))} --out {tmp_path}/leaves --json")
    assert answer.json["notes"] == FIGURES["leaves"].left_out(records)
    assert answer.json["notes"][0] in answer.err


def test_a_figure_that_is_higher_than_a_page_is_said(tmp_path: Path) -> None:
    kind: Kind = FIGURES["leaves"]
    frame = pd.concat([extreme()["leaves"].assign(split=f"split {i}") for i in range(8)])
    frame.to_csv(tmp_path / "high.csv", index=False)
    drawn = kind.draw(frame, 1)
    assert drawn.get_figheight() > PAGE
    said = harness(f"figure leaves --csv {tmp_path}/high.csv --columns 1 --json")
    assert said.json["notes"] == [f"The figure is {drawn.get_figheight():.1f} inches high, more than a page has (9); give fewer "
                                  "runs, or --columns 2."]
    assert said.json["notes"][0] in said.err
    frame[frame["split"] == "split 0"].to_csv(tmp_path / "low.csv", index=False)
    assert harness(f"figure leaves --csv {tmp_path}/low.csv --json").json["notes"] == []
