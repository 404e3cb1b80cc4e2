"""Figures are functions of their CSV, tables say every number, names are never markup."""

import json
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.benchmark import Population, benchmark
from benchmarks.errors import DataError, RunError
from benchmarks.truth import GroundTruth, TruthKey
from criteria.base import Context
from criteria.guard import partition
from harness.figures import style
from harness.figures.parts import KIND, axes, fitting, part_frame
from harness.measures.measure import measure
from harness.report.summary import MISSING, as_text, clock, measures_table, scaled, summary
from harness.runs.comparison import compare, control_labels
from harness.store import write_json

BENCH = benchmark("nasbench201")
SPACE = BENCH.space
CONTEXT = Context(SPACE, BENCH.skeleton_for("cifar10"))
PARTS = partition("nonlinear", CONTEXT, 3)
NAN = float("nan")


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def accuracies(seed: int = 0, known: float = 0.1) -> NDArray[np.float64]:
    """Made up: disconnected cells at chance, the others between 40 and 95 %, most of them missing."""
    rng = np.random.default_rng(seed)
    made = np.where(SPACE.connected, 40 + 55 * rng.beta(5, 1, len(SPACE)), 10.0)
    return np.where(rng.random(len(SPACE)) < known, made, np.nan)


def truth_of(accuracy: NDArray[np.float64]) -> GroundTruth:
    return GroundTruth(TruthKey.parse("v1_0/cifar10/test/200/full"), accuracy[:, None], ("mean",), "", "made by a test")


# ---- the figure


def test_frame_holds_the_same_architectures_on_both_sides() -> None:
    true, estimates = accuracies(0), accuracies(1, 0.5)
    frame = part_frame(PARTS.label, PARTS.names, SPACE, true, estimates)
    both = np.flatnonzero(np.isfinite(true) & np.isfinite(estimates))
    for kind, values in (("truth", true), ("estimate", estimates)):
        rows = frame[frame["kind"] == kind]
        assert sorted(rows["index"]) == both.tolist()
        np.testing.assert_array_equal(rows["accuracy"], values[rows["index"]])
        assert rows["part"].tolist() == [PARTS.names[part] for part in sorted(PARTS.label[both])]
    assert len(part_frame(PARTS.label, PARTS.names, SPACE, true)) == np.isfinite(true).sum()
    assert set(part_frame(PARTS.label, PARTS.names, SPACE, true, None, both[:7])["index"]) == set(both[:7])


def test_architectures_in_no_part_and_parts_of_one_name() -> None:
    label = np.where(np.arange(len(SPACE)) % 3 == 2, -1, np.arange(len(SPACE)) % 3).astype(np.int16)
    frame = part_frame(label, ("a", "a"), SPACE, accuracies())
    assert set(frame["part"]) == {"a #0", "a #1"}
    assert (frame["index"] % 3 < 2).all()


def test_what_the_axes_say() -> None:
    frame = part_frame(PARTS.label, PARTS.names, SPACE, accuracies(0), accuracies(1, 0.5), None, "nonlinear", "convolutions")
    ax = axes(frame)
    drawn = frame[frame["connected"] & (frame["kind"] == "truth")]
    sizes = [int((drawn["part"] == name).sum()) for name in PARTS.names]
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        f"{name}\n(n={size:,})" for name, size in zip(PARTS.names, sizes, strict=True)]
    left_out = int((~frame["connected"] & (frame["kind"] == "truth")).sum())
    assert ax.get_xlabel() == f"convolutions\n({left_out} disconnected cells left out)"
    assert (ax.get_title(loc="left"), ax.get_ylabel()) == ("nonlinear", "accuracy (%)")
    assert ax.get_ylim()[0] > 15  # the disconnected ones at 10 % would squash it
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["true", "estimated"]


@pytest.mark.parametrize(("names", "label", "true"), [
    (("all",), np.zeros(len(SPACE)), accuracies(0, 0.02)),
    (("few", "many"), np.arange(len(SPACE)) > 200, accuracies(0, 0.05)),
    (("dead", "live"), SPACE.connected, accuracies(0, 0.05)),
    (("equal",), np.zeros(len(SPACE)), np.full(len(SPACE), 50.0)),
    (tuple(f"{i}0000000..{i}9999999" for i in range(15)), np.arange(len(SPACE)) % 15, accuracies(0, 0.05)),
    (("$x_{$", "<b>%&#\\ a name that is much too long for its place"), np.arange(len(SPACE)) % 2, accuracies(0, 0.02)),
])
def test_it_draws(names: tuple[str, ...], label: NDArray[Any], true: NDArray[np.float64], tmp_path: Path) -> None:
    title = "random[like=nonlinear], a title that is much too long for one column of a paper"
    frame = part_frame(label.astype(np.int16), names, SPACE, true, title=title)
    paths = KIND.write(frame, tmp_path / "figure", fitting(frame))
    assert [path.name for path in paths] == ["figure.png", "figure.pdf", "figure.csv"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["figure.csv", "figure.pdf", "figure.png"]


def test_figure_comes_from_its_csv_alone(tmp_path: Path) -> None:
    from PIL import Image

    frame = part_frame(PARTS.label, ("None", "2", ""), SPACE, accuracies(0), accuracies(1, 0.5))
    png, pdf, csv = KIND.write(frame, tmp_path / "a.b", 1)
    again = KIND.write(KIND.read(csv), tmp_path / "again", 1)
    assert [path.read_bytes() for path in again] == [png.read_bytes(), pdf.read_bytes(), csv.read_bytes()]
    with Image.open(png) as image:
        assert image.width == round(style.ONE_COLUMN * style.DPI)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert b"/FontType 42" in pdf.read_bytes() or b"/CIDFontType2" in pdf.read_bytes()


def test_many_parts_take_two_columns() -> None:
    label = (np.arange(len(SPACE)) % 8).astype(np.int16)
    ax = axes(part_frame(label, tuple("abcdefgh"), SPACE, accuracies()))
    assert ax.get_figure(root=True).get_figwidth() == style.TWO_COLUMNS  # type: ignore[union-attr]


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    dead = np.where(SPACE.connected, np.nan, 10.0)
    for true in (dead, np.full(len(SPACE), np.nan)):
        with pytest.raises(DataError, match="no accuracy of a connected"):
            KIND.write(part_frame(PARTS.label, PARTS.names, SPACE, true), tmp_path / "figure")
    (tmp_path / "x.csv").write_text("part,kind\na,truth\n")
    for name in ("x.csv", "absent.csv"):
        with pytest.raises(DataError):
            KIND.read(tmp_path / name)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError):
        KIND.write(part_frame(PARTS.label, PARTS.names, SPACE, accuracies()), tmp_path / "file" / "figure")
    assert not list(tmp_path.glob("figure*"))


# ---- tables


@cache
def metrics() -> dict[str, Any]:
    """Made as the runner makes them, of made-up accuracies."""
    truth, estimates = truth_of(accuracies(0)), accuracies(1, 1.0)
    estimates[::50] = np.nan
    members = np.flatnonzero(np.isfinite(truth.mean()))
    judged = [Population("all", members), Population("top [b] 20", members[:20])]
    found = compare([estimates[each.members] for each in judged], truth, SPACE, PARTS, judged,
                    control_labels(PARTS, CONTEXT, truth))
    return {"schema": "metrics/1", "key": "k", "run": "r", "truth": truth.label, "truth_key": str(truth.key),
            "images": "valid", "estimator": "accuracy", "seed": 0,
            "parts": list(PARTS.sizes), "part_names": ["0..1", "[red]2[/red]", "3"],
            "budget": {"supernets": 3, "parameters": 1_264_998, "passes": 60_000, "images": 3_840_000, "flops": 1.234e15},
            **found.to_json()}


def test_summary_says_every_number(tmp_path: Path) -> None:
    found = json.loads(json.dumps(metrics(), allow_nan=False))
    write_json(tmp_path / "provenance.json", {"schema": "provenance/1", "supernet-0": {"process_seconds": 100.4, "device": "cpu"},
                                              "supernet-1": {"process_seconds": 25.0, "device": "cpu"},
                                              "estimates-1": {"seconds": 7.26, "architectures": 950}})
    text = as_text(summary(found, tmp_path))
    for population in found["populations"].values():
        for value in (population["tau"]["value"], population["tau"]["low"], population["spearman"],
                      population["decomposition"]["within"], population["tau_top"]["0.1"]["value"]):
            assert f"{value:.3f}" in text
        assert f"{population['regret']['10']['mean']:.2f}" in text
    for label in found["labels"].values():
        assert f"{label['value']:.3f}" in text
    for words in ("9,105", "5,520", "1,000", "top [b] 20", "[red]2[/red]", "valid images", "seed 0", "v1_0/cifar10/test/200/full",
                  "undefined estimates (37) are ranked last", "random parts of the same sizes", "oracle", "60,000 subnet passes",
                  "1,264,998 parameters", "3,840,000 images", "1.23 PFLOPs", "2 min 05 s", "7.3 s"):
        assert words in text, words


def test_tables_keep_their_digits_and_have_no_lines() -> None:
    wide, narrow = as_text(summary(metrics()), 160), as_text(summary(metrics()), 40)
    rows = [line for line in wide.splitlines() if line.startswith(("population ", "all ", "top [b] 20 "))]
    assert len(rows) == 3
    assert set(rows) <= set(narrow.splitlines())
    assert not set(wide) & set("│┃─━┏└╭…")
    assert all(line == line.rstrip() for line in wide.splitlines())


def test_what_is_not_defined_is_a_dash() -> None:
    flat = measure(np.zeros(4), np.arange(4.0), population="four").to_json()
    text = as_text(measures_table({"four": flat}, "file.csv against a truth"))
    assert f"{MISSING} [{MISSING}, {MISSING}]" in text
    assert "nan" not in text.lower()
    assert "None" not in text
    assert "within" not in text  # there are no parts to be within


@pytest.mark.parametrize(("value", "text"), [(0, "0 "), (999, "999 "), (1000, "1 k"), (1.234e15, "1.23 P"), (999_999, "1 M"),
                                             (5e21, "5e+03 E")])
def test_scaled(value: float, text: str) -> None:
    assert scaled(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"),
                                               (7620, "2 h 07 min")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
