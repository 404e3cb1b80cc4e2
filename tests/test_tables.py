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
from harness.report.rows import group, groups
from harness.report.summary import as_text
from harness.report.tables import TAU, Table, table
from harness.report.verification import verification_table
from harness.runs.check import DIFFERENT, UNCHECKED, Check
from harness.runs.collection import collect
from harness.runs.spec import Network, RunSpec
from harness.runs.verification import Verification
from harness.store import write_json

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
    assert "No row is bold: nonlinear (gamma 1) is not told from nonlinear (gamma 2) (corrected p = 0." in found.caption


def test_a_best_mean_that_is_behind_on_the_common_seeds_is_said_to_be(tmp_path: Path) -> None:
    for seed, value in enumerate((0.50, 0.51, 0.49, 0.9, 0.9)):
        finished(tmp_path, value, seed=seed)
    rows(tmp_path, 0.6, sampler="balanced", shift=1)
    found = made(tmp_path)
    assert found.mark(0) == ""
    assert ("No row is bold: nonlinear (sampler sbs, gamma 2), the best by its own seeds, is behind nonlinear (sampler balanced, "
            "gamma 1) on the common seeds (corrected p = 0.0") in found.caption


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
    assert "have no two seeds in common, which no test can judge" in found.caption
    assert "over the seeds 0, 1, 2, of which not every row has all." in found.caption


def test_the_caption_says_why_no_row_is_bold(tmp_path: Path) -> None:
    for name, values, more, says in (
            ("alone", (0.6,), {}, "there is no other row to compare with"),
            ("undefined", (None, None), {}, "no tau-b is defined"),
            ("oracle", (0.6,), {"criterion": "oracle"}, "there is no other row but the oracle to compare with")):
        for gamma, value in enumerate(values):
            for seed in range(3):
                finished(tmp_path / name, value and value + NOISE[seed], seed=seed, network=Network(gamma=2 ** gamma))
        if more:
            rows(tmp_path / name, 0.7, **more)
        assert f"No row is bold: {says}." in made(tmp_path / name).caption, name
    for seed in range(3):
        for gamma in (1, 2):
            finished(tmp_path / "alike", 0.5 + 0.01 * seed, seed=seed, network=Network(gamma=gamma))
    found = made(tmp_path / "alike")
    assert "nonlinear (gamma 1) and nonlinear (gamma 2) differ alike in all seeds, which no test can judge." in found.caption
    assert [found.mark(i) for i in range(2)] == ["", ""]  # none of two equal rows is the second


def test_a_row_of_one_seed_is_not_underlined(tmp_path: Path) -> None:
    rows(tmp_path, 0.6, 0.4)
    rows(tmp_path, 0.55, seeds=1, sampler="balanced")
    assert "second" not in map(made(tmp_path).mark, range(3))


def test_nothing_is_marked_where_the_estimator_is_the_truth(tmp_path: Path) -> None:
    rows(tmp_path, 0.6, 0.5, 0.4, estimator="accuracy+oracle")
    found = made(tmp_path)
    assert [found.mark(i) for i in range(3)] == ["", "", ""]
    assert "so no row is a method. " in found.caption
    assert found.caption.count("Nothing is marked.") == 1


def test_runs_judged_on_other_architectures_stand_apart(tmp_path: Path) -> None:
    for gamma, (n, ceiling) in enumerate(((100, 0.8), (37, 0.8), (37, 0.3))):
        file = next(finished(tmp_path, 0.5, network=Network(gamma=2 ** gamma)).glob("metrics-*"))
        content = json.loads(file.read_text())
        content["populations"]["all"]["tau"] |= {"n": n, "ceiling": ceiling}
        write_json(file, content)
    found = groups(collect([tmp_path]).records)
    assert [(each.question.n, each.question.ceiling) for each in found] == [(37, "0.300"), (37, "0.800"), (100, "0.800")]


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
                           "ceiling of tau-b")


def test_looks_of_a_sampler_are_of_its_budget(tmp_path: Path) -> None:
    for sampler, trained in (("uniform", 600), ("greedy", 360)):
        file = next(finished(tmp_path, 0.5, criterion="none", k=1, sampler=sampler).glob("metrics-*"))
        content = json.loads(file.read_text())
        content["budget"] |= {"passes": trained, "images": 64 * trained}
        write_json(file, content)
    found = made(tmp_path)
    assert {row.settings["sampler"]: row.first.budget.passes for row in found.rows} == {"uniform": 600, "greedy": 360}
    assert "600 subnet passes" in found.caption


def test_two_columns_never_have_one_head(tmp_path: Path) -> None:
    one = RunSpec(criterion="none", k=1, sampler="uniform")
    for i, passes in enumerate((100, 200)):
        parent = replace(one, recipe=replace(one.recipe, passes=passes))
        finished(tmp_path, 0.5, sources={**SOURCES, "parent": str(i)}, parent=parent, passes=300 - passes)
    found = made(tmp_path)
    assert found.settings == ("recipe.passes", "parent.recipe.passes")
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


ORDERS = "\x1b]52;c;aGk=\x07\x1b[2J\u202e=1+1"


def test_orders_to_a_terminal_are_text_wherever_they_are_written(results_home: Path) -> None:
    folder = finished(results_home, 0.5, ("all", f"-{ORDERS}"), criterion=f"=x{ORDERS}")
    path = next(folder.glob("metrics-*"))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "truth": ORDERS, "part_names": [ORDERS, "b", "c"], "estimator": ORDERS}))
    found = made(results_home)
    wild = finished(results_home / "wild", 0.5, seed=1, sampler=ORDERS)
    verified = Verification(wild, (Check("files", DIFFERENT, why=ORDERS), Check("x", UNCHECKED, why=ORDERS)))
    for text in (markdown(found), csv_text(found), as_text(table_text(found), 10), as_text(verification_table([verified])),
                 *(harness(command).out for command in (f"show {folder}", f"show {wild}", "list runs", f"report {wild}"))):
        assert text
        assert all(each.isprintable() or each == "\n" for each in text)


def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    for criterion in ("=cmd()", "+1", "@x", "-2", "params"):
        finished(tmp_path / criterion, -0.5, criterion=criterion, populations=("all", "=top"))
    cells = [cell for line in csv.reader(StringIO(csv_text(made(tmp_path)))) for cell in line]
    assert {"'=cmd()", "'+1", "'@x", "'-2", "params", "-0.5"} <= set(cells)
    assert not [cell for cell in cells if cell[:1] in "=+@" and cell]


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


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are tested in test_page.py."""
    monkeypatch.setattr("harness.report.plates.FIGURES", {})


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
    for words in ("0.601 ± 0.006 (3)", "Bold: nonlinear (gamma 1)", "2 tables", unfinished.name, "differ in subnet passes"):
        assert words in said


def test_git_does_not_see_a_report_with_a_truth_that_is_the_user_s(results_home: Path, tmp_path: Path) -> None:
    rows(results_home, 0.6)
    harness(f"report --out {tmp_path}/ours")
    assert not (tmp_path / "ours" / ".gitignore").exists()
    finished(results_home, 0.5, benchmark="nasbench201", dataset="cifar10", truth="nats/cifar10/test/200/full")
    harness(f"report --out {tmp_path}/theirs")
    assert (tmp_path / "theirs" / ".gitignore").read_text() == "*\n"


def test_report_goes_where_it_is_told(results_home: Path, tmp_path: Path) -> None:
    rows(results_home, 0.6)
    assert harness(f"report {results_home} --out {tmp_path}/tables").code == 0
    assert len(list((tmp_path / "tables").glob("table-*"))) == 3
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
        ("nonlinear", "all", "sbs"): "0.628", ("nonlinear", "part", "sbs"): "0.541", ("nonlinear", "part", "uniform"): "0.217",
        ("one-shot (nonlinear)", "all", "uniform"): "0.560", ("random[like=nonlinear]", "part", "sbs"): "0.457",
        ("oracle", "part", "sbs"): "0.512"}
    assert found.mark(0) == "best"
