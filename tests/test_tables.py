"""Tables: what is marked, what the caption says, and that names are text in Markdown, CSV and LaTeX whatever they are made of."""

import csv
import json
import os
import shutil
import subprocess
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command import harness
from records import SOURCES, finished

from benchmarks.errors import UsageError
from harness.measures.statistics import difference
from harness.report.formats import csv_text, escaped, latex, markdown, plain, table_text, write_table
from harness.report.rows import group
from harness.report.summary import as_text
from harness.report.tables import TAU, Table, table
from harness.runs.collection import collect
from harness.runs.spec import Network, RunSpec

HOSTILE = r"_ % & # $ { } \ ~ ^ [x] * | <b> `c` 'q' -- é ± 中 \input{x} %s {{ 7*7 }} << 1 >>"
NOISE = (0.0, 0.007, -0.004)


def rows(home: Path, *values: float, seeds: int = 3, shift: int = 0, **fields: Any) -> None:
    """A row for each value, told apart by gamma, with noise over the seeds that differs from one `shift` to the next."""
    for i, value in enumerate(values):
        for seed in range(seeds):
            finished(home, value + NOISE[(seed + i + shift) % 3], seed=seed, network=Network(gamma=2 ** i), **fields)


def made(home: Path) -> Table:
    return table(group(collect([home]).records))


def cells(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]


# ---- marks


def test_the_best_is_bold_where_the_seeds_carry_it_and_the_second_underlined(tmp_path: Path) -> None:
    rows(tmp_path, 0.6, 0.5, 0.4)
    found = made(tmp_path)
    assert [found.mark(i) for i in range(3)] == ["best", "second", ""]
    shown = cells(markdown(found))
    assert shown[2][found.marked] == "**0.601 ± 0.006 (3)**"
    assert shown[3][found.marked].startswith("<u>0.501")
    assert r"\textbf{0.601 $\pm$ 0.006 (3)}" in latex(found)
    assert r"\underline{0.501 $\pm$ 0.006 (3)}" in latex(found)
    assert "**" not in "".join("".join(row[:found.marked] + row[found.marked + 1:]) for row in shown)  # nothing else is tested
    assert "No row is bold" not in found.caption


def test_what_chance_could_have_done_is_not_bold_and_the_caption_says_against_whom(tmp_path: Path) -> None:
    rows(tmp_path, 0.6, 0.599, 0.4)
    found = made(tmp_path)
    assert [found.mark(i) for i in range(3)] == ["", "second", ""]
    assert "No row is bold: nonlinear (1) is not told from nonlinear (2) (corrected p = 0." in found.caption


def test_a_table_of_one_seed_has_no_marks(tmp_path: Path) -> None:
    rows(tmp_path, 0.9, 0.1, seeds=1)
    found = made(tmp_path)
    assert [found.mark(i) for i in range(2)] == ["", ""]
    assert "One seed (0), so there is no spread." in found.caption
    assert "nothing is marked" in found.caption
    assert cells(markdown(found))[2][found.marked] == "0.900 (1)"


def test_a_row_of_one_seed_keeps_the_best_from_being_bold(tmp_path: Path) -> None:
    rows(tmp_path, 0.6, 0.4)
    rows(tmp_path, 0.1, seeds=1, sampler="balanced")
    found = made(tmp_path)
    assert "best" not in map(found.mark, range(3))
    assert "not every other one has two seeds in common" in found.caption
    assert "over the seeds 0, 1, 2, of which not every row has all." in found.caption


def test_controls_stand_below_and_only_the_oracle_does_not_compete(tmp_path: Path) -> None:
    rows(tmp_path, 0.5)
    rows(tmp_path, 0.4, criterion="random[like=nonlinear]", shift=1)
    rows(tmp_path, 0.45, share="all", sampler="uniform", shift=2)
    rows(tmp_path, 0.9, criterion="oracle")
    found = made(tmp_path)
    assert [row.name for row in found.rows] == ["nonlinear", "one-shot (nonlinear)", "random[like=nonlinear]", "oracle"]
    assert [found.mark(i) for i in range(4)] == ["best", "second", "", ""]
    assert "that of every other row but the oracle" in found.caption
    assert latex(found).count(r"\midrule") == 2
    for seed in range(3):
        finished(tmp_path, 0.7 + 0.01 * seed, seed=seed, criterion="none", k=1, sampler="uniform")
    found = made(tmp_path)
    assert {found.rows[i].name: found.mark(i) for i in range(5)}["one-shot"] == "best"  # so no method is


def test_undefined_numbers_are_dashes_and_never_best(tmp_path: Path) -> None:
    rows(tmp_path, 0.5)
    for seed in range(3):
        finished(tmp_path, None, seed=seed, sampler="balanced")
    found = made(tmp_path)
    assert found.rows[1].settings["sampler"] == "balanced"
    assert found.cells[1][found.marked] == "\N{EN DASH}"
    assert "nan" not in (markdown(found) + csv_text(found) + json.dumps(found.to_json())).lower()


# ---- captions and cells


def test_the_caption_is_written_from_the_runs(tmp_path: Path) -> None:
    for seed in (4, 7):
        finished(tmp_path, 0.5, ("sample of 100 connected", "top 150"), seed=seed, passes=1200)
    found = made(tmp_path)
    for words in ("tau-b", "digits201/digits/test/60/full", "sample of 100 connected", "accuracy on all valid images", "4, 7",
                  "1,200 subnet passes", "76,800 training images", "top 150: tau-b among", "ceiling 0.800"):
        assert words in found.caption, words
    assert found.heads == ("criterion", "supernets", "parameters", "passes", "FLOPs", "tau-b", "top 150", "top 10 %", "regret@10",
                           "ceiling")


def test_two_columns_never_have_one_head(tmp_path: Path) -> None:
    one = RunSpec(criterion="none", k=1, sampler="uniform")
    for i, passes in enumerate((100, 200)):
        parent = replace(one, recipe=replace(one.recipe, passes=passes))
        finished(tmp_path, 0.5, sources={**SOURCES, "parent": str(i)}, parent=parent)
    found = made(tmp_path)
    assert found.settings == ("parent.recipe.passes",)
    assert len(set(found.heads)) == len(found.heads)


def test_the_csv_has_every_digit(tmp_path: Path) -> None:
    rows(tmp_path, 1 / 3, 0.2)
    found = made(tmp_path)
    best, other = csv.DictReader(StringIO(csv_text(found)))
    values = [1 / 3 + NOISE[seed] for seed in range(3)]
    assert float(best["tau"]) == pytest.approx(sum(values) / 3, rel=1e-12)
    assert best["seeds"] == "0 1 2"
    assert best["mark"] == "best"
    assert best["best_minus_it"] == best["p_corrected"] == ""
    gap = difference(dict(enumerate(values)), {seed: 0.2 + NOISE[(seed + 1) % 3] for seed in range(3)})
    assert [float(other[name]) for name in ("best_minus_it", "low", "high", "p_corrected")] == pytest.approx(
        [gap.mean, gap.low, gap.high, gap.p])


# ---- names that are no names


@pytest.fixture
def hostile(tmp_path: Path) -> Table:
    home = tmp_path / "runs"
    for seed in range(3):
        for criterion in (HOSTILE, f"[{HOSTILE}", f"*{HOSTILE}"):
            finished(home / str(len(criterion)) / criterion[0].replace("*", "x"), 0.5, seed=seed, criterion=criterion)
    return made(home)


def test_names_are_text_in_markdown(hostile: Table) -> None:
    text = markdown(hostile)
    assert len({line.replace(r"\|", "").count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert "<b>" not in text
    assert r"\<b\>" in text
    assert plain("a\nb | *c*") == r"a b \| \*c\*"


def test_names_are_text_in_csv(hostile: Table) -> None:
    assert HOSTILE in {row["criterion"] for row in csv.DictReader(StringIO(csv_text(hostile)))}


def test_names_are_text_in_a_terminal(hostile: Table) -> None:
    assert HOSTILE in as_text(table_text(hostile), 10)


@pytest.mark.parametrize(("text", "tex"), [
    ("_%&#${}", r"\_\%\&\#\$\{\}"), ("\\~^", r"\textbackslash{}\textasciitilde{}\textasciicircum{}"), ("[a]*", "{[}a{]}{*}"),
    ("a--b---c", "a-{}-b-{}-{}-c"), ("é±\N{EN DASH}", r"é$\pm$--"), ("中\x07þ", "{[}U+4E2D{]}{[}U+0007{]}{[}U+00FE{]}"),
    ("a\n\nb\\", r"a b\textbackslash{}")])
def test_latex_prints_every_character(text: str, tex: str) -> None:
    assert escaped(text) == tex


@pytest.mark.skipif(shutil.which("pdflatex") is None and os.environ.get("CI") != "true", reason="needs pdflatex")
def test_latex_compiles_with_hostile_names(hostile: Table, tmp_path: Path) -> None:
    """In CI texlive must be there."""
    written = write_table(hostile, tmp_path)[2]
    (tmp_path / "paper.tex").write_text("\\documentclass[twocolumn]{article}\n\\usepackage{booktabs,graphicx}\n"
                                        f"\\begin{{document}}\n\\input{{{written.name}}}\n\\end{{document}}\n")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path, timeout=60,
                          capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "paper.log").read_text(errors="replace")
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000


# ---- the command


def test_report_writes_and_prints_the_tables_of_the_results_folder(results_home: Path) -> None:
    rows(results_home, 0.6, 0.5)
    finished(results_home, 0.4, passes=1200)
    unfinished = finished(results_home, 0.4, seed=9)
    next(unfinished.glob("metrics-*")).unlink()
    found = harness("report --json").json
    assert {len(each["rows"]) for each in found["tables"]} == {1, 2}
    for each in found["tables"]:
        assert [Path(name).suffix for name in each["files"]] == [".md", ".csv", ".tex"]
        assert all(Path(name).parent == results_home / "report" and Path(name).is_file() for name in each["files"])
    assert found["unfinished"] == [str(unfinished)]
    assert found["said"][0] == ("There are 2 tables, since the runs differ in subnet passes (600 / 1,200) and images trained on "
                                "(38,400 / 76,800).")
    best = next(row for each in found["tables"] for row in each["rows"] if row["mark"] == "best")
    assert (best["tau"]["n"], sorted(best["runs"])) == (3, ["0", "1", "2"])
    said = harness("report").out
    for words in ("0.601 ± 0.006 (3)", "Bold: nonlinear (1)", "2 tables", unfinished.name, "differ in subnet passes"):
        assert words in said


def test_report_goes_where_it_is_told(results_home: Path, tmp_path: Path) -> None:
    rows(results_home, 0.6)
    assert harness(f"report {results_home} --out {tmp_path}/tables").code == 0
    assert len(list((tmp_path / "tables").iterdir())) == 3
    (tmp_path / "file").write_text("")
    refused = harness(f"report --out {tmp_path}/file/below")
    assert (refused.code, refused.err.count("\n")) == (1, 1)


def test_report_without_a_finished_run_says_so(results_home: Path) -> None:
    next(finished(results_home, 0.5).glob("metrics-*")).unlink()
    assert harness("report").code == UsageError.exit_code
    assert "no finished run" in harness("report").err


def test_the_published_table_is_the_one_of_the_readme() -> None:
    published = Path(__file__).parents[1] / "results" / "published" / "digits201-controls"
    found = made(published)
    means = {(row.name, row.settings["share"], row.settings["sampler"]): f"{row.spread(TAU.of).mean:.3f}" for row in found.rows}
    assert means == {
        ("nonlinear", "all", "sbs"): "0.642", ("nonlinear", "part", "sbs"): "0.549", ("nonlinear", "part", "uniform"): "0.208",
        ("one-shot (nonlinear)", "all", "uniform"): "0.573", ("random[like=nonlinear]", "part", "sbs"): "0.454",
        ("oracle", "part", "sbs"): "0.538"}
    assert found.mark(0) == "best"
