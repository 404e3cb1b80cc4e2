"""Tables of papers: their rows can be run, verdicts say what can be said, and nothing is invented."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import TINY, Answer, harness

from benchmarks.convert.importer import import_table
from benchmarks.errors import UsageError
from harness.experiments import reproduction
from harness.experiments.baselines import baselines
from harness.experiments.reproduction import FOLDER, chosen, read_table, sweep_of, verdicts
from harness.presets import resolve
from harness.runs import forecast

SMALL = TINY.replace(" --jobs 1", "").replace("passes=60", "passes=12")
LINE = f"reproduce efs-nas:table1 {SMALL} --rows spos,angle --workers 1"
TABLES = ("efs-nas:table1", "efs-nas:table2", "fs-nas", "gm-nas", "angle")
# Kendall's tau of EFS-NAS's table 1, as printed.
PRINTED = {"spos": 0.554, "angle": 0.575, "fs-nas": 0.653, "gm-nas": 0.656, "k-shot": 0.626, "efs-flops": 0.711,
           "efs-linear-regions": 0.712, "efs-isotropy": 0.693, "efs-nonlinear": 0.735}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Answer]]:
    """The results folder of two rows that were run, and what the command said."""
    home = tmp_path_factory.mktemp("reproduced")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home))
        patch.setenv("HARNESS_DATA", str(home / "data"))
        patch.setattr(forecast, "TRIAL_SECONDS", 0.01)
        yield home, harness(f"{LINE} --json")


@pytest.fixture
def reproduced(original: tuple[Path, Answer], results_home: Path) -> Answer:
    """A copy of them in this test's own results folder."""
    shutil.copytree(original[0], results_home)
    return original[1]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_can_be_run(name: str) -> None:
    table = read_table(name)
    sweep = sweep_of(table, "smoke", 1, {})
    assert sweep.refused == ()
    assert len(sweep.cells) == len(table.rows)
    assert {cell.spec.benchmark for cell in sweep.cells} == {"digits201"}
    assert len({cell.spec.passes for cell in sweep.cells}) == 1
    split = "valid" if table.measure == "accuracy" else "test"
    assert {cell.spec.estimation.split for cell in sweep.cells} == {split}


def test_the_first_table_is_the_printed_one_and_runs_cuts_that_are_not_printed() -> None:
    table = read_table("efs-nas:table1")
    assert {row.name: row.expected["tau"] for row in table.rows} == PRINTED
    assert [row.title for row in table.rows].count("efs-flops (sizes)") == 1
    assert len(table.rows) == len(PRINTED) + 3
    cells = {cell.name: cell.spec for cell in sweep_of(chosen(table, "efs-flops,efs-nonlinear"), "smoke", 2, {}).cells}
    assert cells["row=efs-flops variant=sizes seed=1"].criterion == "flops[sizes=9105+5520+1000]"
    assert cells["row=efs-flops variant=terciles seed=0"].criterion == "flops"
    # Full length: 200 epochs of half the images, a pass of each part for each batch.
    [full] = (row for row in table.rows if row.name == "efs-nonlinear")
    assert full.images == 200 * 25_000 * 3


def test_papers_and_rows_are_named_in_errors() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == {name.partition(":")[0] for name in TABLES}
    for text, says in (("efs-nsa:table1", "no paper 'efs-nsa'; did you mean 'efs-nas'"), ("efs-nas", "choose one of efs-nas:"),
                       ("efs-nas:table3", "names no table")):
        with pytest.raises(UsageError, match=says):
            read_table(text)
    with pytest.raises(UsageError, match=r"no row 'sops'; did you mean 'spos'"):
        chosen(read_table("angle"), "angle,sops")


# ---- verdicts


def judged(difference: float, ratio: float | None, budget: str = "full", **spec: Any) -> tuple[str, str]:
    place = {"benchmark": "nasbench201", "dataset": "cifar10", "recipe": {"passes": 60}, **spec}
    return reproduction._judged(difference, 0.03, ratio, resolve(place), budget)


def test_a_verdict_needs_the_papers_data_and_about_its_budget() -> None:
    assert judged(0.03, 1.0) == judged(-0.02, 1.1) == ("reproduced", "")
    assert judged(0.031, 0.95) == ("not reproduced", "")
    assert judged(0.0, 0.5) == judged(0.0, 3.0) == ("not comparable", "at this budget")
    assert judged(0.0, 1.0, benchmark="digits201", dataset="digits") == ("not comparable", "on digits")
    # Where the paper's budget is unknown, only runs as long as the papers' are compared.
    assert judged(0.0, None) == ("reproduced", "")
    assert judged(0.0, None, "cpu") == ("not comparable", "at this budget")


def test_rows_are_measured_and_nothing_is_invented(reproduced: Answer) -> None:
    found = reproduced.json
    assert [(row["row"], row["expected"], row["seeds"], row["verdict"], row["why"]) for row in found["rows"]] == [
        ("spos", 0.554, 1, "not comparable", "on digits"), ("angle", 0.575, 1, "not comparable", "on digits")]
    assert all(-1 <= row["mean"] <= 1 and row["sd"] is None for row in found["rows"])
    assert found["rows"][0]["budget_ratio"] == pytest.approx(12 * 64 / 5e6)
    assert (found["benchmark"], found["images"]) == ("digits201", "test")
    whole = harness("reproduce efs-nas:table1 --only-finished " + SMALL + " --json").json
    assert {row["row"]: row["verdict"] for row in whole["rows"]} == {
        row.title: "not comparable" if row.name in ("spos", "angle") else "missing" for row in read_table("efs-nas:table1").rows}
    assert whole["rows"][:2] == found["rows"]
    assert whole["rows"][2]["mean"] is None
    assert whole["rows"][2]["why"] == "not run"


def test_spread_is_over_the_seeds_that_are_there(reproduced: Answer, tmp_path: Path) -> None:
    answer = harness(f"{LINE} --seeds 2 --rows spos --out {tmp_path}/table")
    assert answer.code == 0
    assert " ± " in answer.out
    assert "hand_rule" in answer.out
    assert "estimates on test images, truth digits201/digits/test/60/full" in answer.out
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["row"], row["seeds"]) for row in rows[:2]] == [("spos", "2"), ("flops[live=true]", "1")]
    assert float(rows[0]["sd"]) > 0


def test_a_row_that_fails_is_missing_with_its_reason(reproduced: Answer, results_home: Path) -> None:
    answer = harness(f"{LINE} --set network.gamma=3")
    assert answer.code == 2  # nothing can be run
    [folder] = results_home.glob("none-k1-*")
    for path in [*folder.glob("metrics-*"), *folder.glob("estimates-*")]:
        path.unlink()
    (folder / "supernet-0.safetensors").write_bytes(b"damaged")
    answer = harness(LINE)
    assert answer.code == 1
    assert "missing" in answer.out
    assert "Missing: spos, tau: " in answer.err
    assert answer.err.splitlines()[-1].startswith("Error: 2 of 2 numbers are missing or not reproduced (first: spos, missing: ")


def test_accuracies_are_of_what_a_search_finds(reproduced: Answer, original: tuple[Path, Answer]) -> None:
    table = chosen(read_table("efs-nas:table2"), "spos")
    given = {"recipe": {"passes": 12}, "estimation": {"images": 64, "batch": 64, "architectures": 12, "split": "test"}}
    sweep = sweep_of(table, "smoke", 1, given)
    [found] = verdicts(table, sweep, "smoke")
    assert (found.measure, found.verdict, found.measured.n) == ("digits", "not comparable", 1)
    assert 10 < found.measured.mean < 100
    best = [each for each in baselines(table, sweep.cells[0].spec) if each.row == "flops[live=true]"]
    assert [(each.measure, each.measured.n) for each in best] == [("digits", 20)]
    # The same without any finished run: what the paper prints, and that nothing is there.
    [*missing] = verdicts(read_table("efs-nas:table2"), sweep_of(read_table("efs-nas:table2"), "smoke", 1, {}), "smoke")
    assert {each.verdict for each in missing} == {"missing"}
    assert {each.measure for each in missing} == {"cifar10", "cifar100", "ImageNet16-120"}


@pytest.mark.real_data
def test_trivial_baselines_are_the_known_ones(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    spec = resolve({"benchmark": "nasbench201", "dataset": "cifar10", "truth": reproduction.TRUTH, "recipe": {"passes": 60}})
    found = {each.row: each for each in baselines(read_table("efs-nas:table1"), spec)}
    assert found["flops[live=true]"].measured.mean == pytest.approx(0.656, abs=1e-3)
    assert found["nonlinear[count=live]"].measured.mean == pytest.approx(0.613, abs=1e-3)
    # 0.690 with ties broken by the rounding of floats.
    assert found["hand_rule"].measured.mean == pytest.approx(0.692, abs=1e-3)
    assert {each.verdict for each in found.values()} == {"reproduced"}
    accuracies = baselines(read_table("efs-nas:table2"), spec)
    assert {each.measure for each in accuracies} == {"cifar10", "cifar100", "ImageNet16-120"}
