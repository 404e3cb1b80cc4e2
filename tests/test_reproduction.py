"""Tables of papers: their rows can be run, verdicts say what can be said, and nothing is invented."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest
from command import TINY, Answer, harness
from crew_work import here

from benchmarks.convert.importer import import_table
from benchmarks.errors import UsageError
from harness.experiments import reproduction, sweeper
from harness.experiments.baselines import baselines
from harness.experiments.reproduction import FOLDER, Row, Table, chosen, paper_spec, read_table, sweep_of, verdicts
from harness.presets import resolve
from harness.runs import forecast
from harness.runs.spec import RunSpec

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
        patch.setattr(sweeper, "crew", here)
        yield home, harness(f"{LINE} --json")


@pytest.fixture
def reproduced(original: tuple[Path, Answer], results_home: Path) -> Answer:
    """A copy of them in this test's own results folder."""
    shutil.copytree(original[0], results_home)
    return original[1]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_can_be_run(name: str) -> None:
    table = read_table(name)
    for row in table.rows:  # at the paper's length: as many images as its training saw
        full = paper_spec(table, row)
        assert (full.benchmark, full.dataset) == reproduction.PLACE
        assert full.passes * full.recipe.batch == pytest.approx(row.images, rel=1e-4)
    sweep = sweep_of(table, "smoke", 1, {})
    assert sweep.refused == ()
    assert len(sweep.cells) == len(table.rows)
    assert {cell.spec.benchmark for cell in sweep.cells} == {"digits201"}
    assert len({cell.spec.passes for cell in sweep.cells}) == 1
    split = "valid" if table.measure == "accuracy" else "test"
    assert {cell.spec.estimation.split for cell in sweep.cells} == {split}


# By row: what is printed (per measure), millions of images that the paper's training saw, how far ours may lie from it.
TABLE2 = {
    "spos": ({"cifar10": 93.67, "cifar100": 69.83, "ImageNet16-120": 44.71}, 5.0, 0.5),
    "angle": ({"cifar10": 94.01, "cifar100": 72.96, "ImageNet16-120": 45.83}, 6.25, 0.5),
    "fs-nas": ({"cifar10": 89.11, "cifar100": 58.69, "ImageNet16-120": 33.85}, 105.0, 0.5),
    "gm-nas": ({"cifar10": 92.70, "cifar100": 68.81, "ImageNet16-120": 43.47}, 13.5, 0.5),
    "k-shot": ({"cifar10": 94.19, "cifar100": 73.45, "ImageNet16-120": 46.53}, 5.0, 0.5),
    "efs-nonlinear": ({"cifar10": 94.30, "cifar100": 73.20, "ImageNet16-120": 46.60}, 15.0, 0.5)}
OTHERS = {
    "fs-nas": {"spos (of its released estimates)": (0.4855, 30.0, 0.05),
               "fs-nas (of its released estimates)": (0.5503, 105.0, 0.05),
               "fs-nas (as EFS-NAS quotes it)": (0.653, 105.0, nan)},
    "gm-nas": {"gm-nas (four supernets, as its code)": (0.656, 6.5, nan),
               "gm-nas (eight supernets, as quoted)": (0.656, 13.5, 0.03)},
    "angle": {"angle": (0.5748, 6.25, 0.03), "spos (recalibrated)": (0.5398, 6.25, 0.1),
              "spos (batch statistics)": (0.5398, 6.25, nan), "angle + accuracy": (0.6744, 6.25, nan)}}
IMAGES1 = {"spos": 5.0, "angle": 6.25, "fs-nas": 105.0, "gm-nas": 13.5, "k-shot": 5.0}


def test_tables_are_the_printed_ones() -> None:
    def content(name: str) -> dict[str, object]:
        return {row.title: (dict(row.expected), row.images, row.tolerance) for row in read_table(name).rows}

    assert content("efs-nas:table2") == {
        title: (expected, round(1e6 * millions), tolerance) for title, (expected, millions, tolerance) in TABLE2.items()}
    for row in read_table("efs-nas:table1").rows:
        assert (row.images, row.tolerance) == (round(1e6 * IMAGES1.get(row.name, 15.0)), 0.03)
    for name, rows in OTHERS.items():
        wanted = {title: ({"tau": tau}, round(1e6 * millions), tolerance) for title, (tau, millions, tolerance) in rows.items()}
        assert repr(content(name)) == repr(wanted)  # NaN equals itself there


def test_rows_are_run_as_their_papers_say_at_full_length() -> None:
    def spec(name: str, title: str) -> RunSpec:
        return paper_spec(*row_of(name, title))

    eight = ["gradient_matching[batches=100,levels=3]", "gradient_matching[batches=100]",
             "gradient_matching[batches=100,levels=1]", "none"]
    for name, title in (("gm-nas", "gm-nas (eight supernets, as quoted)"), ("efs-nas:table1", "gm-nas"),
                        ("efs-nas:table2", "gm-nas")):
        found: RunSpec | None = spec(name, title)
        criteria = []
        while found is not None:
            criteria.append(found.criterion)
            found = found.parent
        assert criteria == eight
    assert spec("fs-nas", "spos (of its released estimates)").recipe.weight_decay == 1e-4
    for title in ("angle", "spos (recalibrated)"):
        assert spec("angle", title).recipe.unsampled == "frozen"
    assert spec("angle", "spos (recalibrated)").estimation.calibration == 20_000


def test_the_first_table_is_the_printed_one_and_runs_cuts_that_are_not_printed() -> None:
    table = read_table("efs-nas:table1")
    assert {row.name: row.expected["tau"] for row in table.rows} == PRINTED
    assert [row.title for row in table.rows].count("efs-flops (sizes)") == 1
    assert len(table.rows) == len(PRINTED) + 3
    cells = {cell.name: cell.spec for cell in sweep_of(chosen(table, "efs-flops,efs-nonlinear"), "smoke", 2, {}).cells}
    assert cells["row=efs-flops variant=sizes seed=1"].criterion == "flops[sizes=9105+5520+1000]"
    assert cells["row=efs-flops variant=terciles seed=0"].criterion == "flops"
    # Full length: 200 epochs of half the images, a pass of each part for each batch; of AngleNet 250, as its released files.
    images = {row.name: row.images for row in table.rows}
    assert (images["efs-nonlinear"], images["angle"]) == (200 * 25_000 * 3, 250 * 25_000)
    assert {row.images for row in read_table("angle").rows} == {images["angle"]}


def test_papers_and_rows_are_named_in_errors() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == {name.partition(":")[0] for name in TABLES}
    for text, says in (("efs-nsa:table1", "no paper 'efs-nsa'; did you mean 'efs-nas'"), ("efs-nas", "choose one of efs-nas:"),
                       ("efs-nas:table3", "names no table")):
        with pytest.raises(UsageError, match=says):
            read_table(text)
    with pytest.raises(UsageError, match=r"no row 'sops'; did you mean 'spos'"):
        chosen(read_table("angle"), "angle,sops")


# ---- verdicts


def row_of(name: str, title: str) -> tuple[Table, Row]:
    """A table and its row of that title."""
    table = read_table(name)
    return table, next(row for row in table.rows if row.title == title)


def judged(difference: float, spec: RunSpec) -> tuple[str, str]:
    """The verdict on a run in the place of nonlinear's."""
    return reproduction._judged(difference, 0.03, spec, paper_spec(*row_of("efs-nas:table1", "efs-nonlinear")))


def test_nothing_but_the_papers_run_is_compared_with_the_paper() -> None:
    spec = replace(paper_spec(*row_of("efs-nas:table1", "efs-nonlinear")), seed=7)
    assert (spec.recipe.passes, spec.network.cells, spec.estimation.architectures) == (234_375, 5, 0)
    assert judged(0.03, spec) == judged(-0.02, spec) == ("reproduced", "")
    assert judged(0.031, spec) == ("not reproduced", "")
    assert judged(nan, spec)[0] == "not reproduced"
    short = replace(spec, recipe=replace(spec.recipe, passes=60_000))
    assert judged(0.0, short) == ("not comparable", "other than the paper in recipe")
    other = replace(spec, criterion="flops", network=replace(spec.network, cells=1))
    assert judged(0.0, other) == ("not comparable", "other than the paper in criterion, network")
    cpu = {"benchmark": "nasbench201", "dataset": "cifar10", "budget": "cpu", "recipe": {"passes": 234_375}}
    assert judged(0.0, resolve(cpu, {"truth": spec.truth})) == (
        "not comparable", "other than the paper in network, recipe, estimation")
    assert judged(0.0, resolve({})) == ("not comparable", "on digits")
    assert judged(0.0, replace(spec, truth="v1_1/cifar10/test/200/full")) == ("not comparable", "other than the paper in truth")
    # The generations before it count, and their seeds do not.
    full = paper_spec(*row_of("fs-nas", "fs-nas (of its released estimates)"))
    assert full.parent is not None
    again = replace(full, seed=3, parent=replace(full.parent, seed=3))
    assert reproduction._judged(0.0, 0.05, again, full) == ("reproduced", "")
    assert reproduction._judged(0.0, 0.05, replace(full, parent=replace(full.parent, sampler="sbs")), full) == (
        "not comparable", "other than the paper in parent")


def test_without_the_papers_truth_nothing_is_reproduced(monkeypatch: pytest.MonkeyPatch) -> None:
    table, row = row_of("efs-nas:table1", "efs-nonlinear")
    assert paper_spec(table, row).truth == reproduction.TRUTH
    asked = resolve(*reproduction._layers(table, row, "full", 0, {}))  # by the benchmark's own truth
    assert judged(0.0, asked) == ("not comparable", "other than the paper in truth")
    monkeypatch.setattr(reproduction, "_at_hand", lambda key, bench: True)
    assert judged(0.0, resolve(*reproduction._layers(table, row, "full", 0, {}))) == ("reproduced", "")


@pytest.mark.parametrize(("given", "instead"), [("seed=3", "--seeds"), ("parent.seed=3", "--seeds"), ("budget=cpu", "--budget"),
                                                ("preset=spos", "--rows")])
def test_what_tells_the_runs_of_a_table_apart_cannot_be_set(given: str, instead: str, results_home: Path) -> None:
    answer = harness(f"reproduce angle --seeds 3 --set {given}")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (f"Error: '{given.partition('=')[0]}' cannot be set, as the runs of a table have their own; use "
                          f"{instead} instead.\n")
    assert not results_home.exists()


def test_two_numbers_of_one_run_are_not_both_judged() -> None:
    table, quoted = row_of("fs-nas", "fs-nas (as EFS-NAS quotes it)")
    _, released = row_of("fs-nas", "fs-nas (of its released estimates)")
    assert paper_spec(table, quoted) == paper_spec(table, released)
    assert isnan(quoted.tolerance)
    assert reproduction._judged(0.0, quoted.tolerance, paper_spec(table, quoted), paper_spec(table, quoted)) == ("", "")
    for name in TABLES:
        rows = [(paper_spec(read_table(name), row), row) for row in read_table(name).rows if not isnan(row.tolerance)]
        for spec, row in rows:  # a run can meet all that is expected of it
            same = [other for found, other in rows if found == spec]
            assert all(abs(row.expected[key] - other.expected[key]) <= row.tolerance for other in same for key in row.expected)


def test_rows_have_the_recipes_of_their_papers() -> None:
    one_shot, few_shot = (paper_spec(*row_of("fs-nas", f"{name} (of its released estimates)")) for name in ("spos", "fs-nas"))
    assert one_shot.recipe.weight_decay == few_shot.recipe.weight_decay == 1e-4
    assert paper_spec(*row_of("efs-nas:table1", "spos")).recipe.weight_decay == 5e-4
    both = paper_spec(*row_of("angle", "angle + accuracy"))
    assert both.estimator == "rank_sum[angle+accuracy]"
    assert (both.estimation.norm, both.estimation.calibration) == ("recalibrated", 20_000)


def test_a_budget_runs_on_another_benchmark_too() -> None:
    table = chosen(read_table("efs-nas:table1"), "spos")
    [cell] = sweep_of(table, "cpu", 1, {"benchmark": "digits201"}).cells
    assert (cell.spec.benchmark, cell.spec.dataset, cell.spec.passes) == ("digits201", "digits", 36_000)


def test_rows_are_measured_and_nothing_is_invented(reproduced: Answer) -> None:
    found = reproduced.json
    assert [(row["row"], row["expected"], row["seeds"], row["verdict"], row["why"]) for row in found["rows"]] == [
        ("spos", 0.554, 1, "not comparable", "on digits"), ("angle", 0.575, 1, "not comparable", "on digits")]
    assert {(row["population"], row["n"]) for row in found["rows"] + found["baselines"]} == {
        ("sample of 12 connected, drawn uniformly", 12)}
    assert {row["verdict"] for row in found["baselines"]} == {"not comparable"}
    assert found["failed"] == []
    assert all(-1 <= row["mean"] <= 1 and row["sd"] is None for row in found["rows"])
    assert found["rows"][0]["budget_ratio"] == pytest.approx(12 * 64 / 5e6)
    assert (found["benchmark"], found["images"]) == ("digits201", "test")
    answer = harness("reproduce efs-nas:table1 --only-finished " + SMALL + " --json")
    # Twelve passes cannot be divided between the generations of GM-NAS.
    assert answer.code == 1
    assert "and 1 of 12 runs failed (first: row=gm-nas variant= seed=0: recipe.passes=12 cannot be divided " in answer.err
    whole = json.loads(answer.out)
    assert {row["row"]: row["verdict"] for row in whole["rows"]} == {
        row.title: "not comparable" if row.name in ("spos", "angle") else "missing" for row in read_table("efs-nas:table1").rows}
    assert whole["rows"][:2] == found["rows"]
    assert whole["rows"][2]["mean"] is None
    assert whole["rows"][2]["why"] == "not run"
    assert answer.err.splitlines()[-1].startswith("Error: 10 of 12 numbers are missing, ")
    assert answer.err.endswith("; the same command without --only-finished goes on with what is missing.\n")
    # What is merely not run yet is no failure.
    assert harness(f"reproduce efs-nas:table1 --only-finished {SMALL} --rows spos,k-shot --json").json["rows"][1]["seeds"] == 0


def test_spread_is_over_the_seeds_that_are_there(reproduced: Answer, tmp_path: Path, results_home: Path) -> None:
    answer = harness(f"{LINE} --seeds 2 --rows spos --out {tmp_path}/table")
    assert answer.code == 0
    assert " ± " in answer.out
    assert "hand_rule" in answer.out
    assert "estimates on test images, truth digits201/digits/test/60/full" in answer.out
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["row"], row["seeds"]) for row in rows[:2]] == [("spos", "2"), ("flops[live=true]", "1")]
    assert float(rows[0]["sd"]) > 0
    # A seed that fails is no smaller table.
    [folder] = {path.parent for path in results_home.glob("none-k1-*-s1-*/metrics-*")}
    for path in [*folder.glob("metrics-*"), *folder.glob("estimates-*")]:
        path.unlink()
    (folder / "supernet-0.safetensors").write_bytes(b"damaged")
    answer = harness(f"{LINE} --seeds 2 --rows spos --json")
    assert answer.code == 1
    content = json.loads(answer.out)
    [row] = content["rows"]
    assert (row["seeds"], row["seeds_asked"], row["sd"]) == (1, 2, None)
    [failed] = content["failed"]
    assert failed["varied"]["seed"] == 1
    assert row["why"] == f"on digits; 1 of 2 seeds: {failed['reason']}"
    assert "1 of 2" in harness(f"{LINE} --seeds 2 --rows spos --only-finished").out


def test_a_table_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path, results_home: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    answer = harness(f"{LINE} --out {tmp_path}/file/table")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"Error: Cannot write {tmp_path}/file/table: ")
    assert not results_home.exists()


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
    assert answer.err.splitlines()[-1].startswith(
        "Error: 2 of 2 numbers are missing, lack seeds or are not reproduced, and 2 of 2 runs failed (first: row=spos variant= "
        "seed=0: ")
    assert answer.err.endswith("; the same command goes on with what is missing.\n")


def test_accuracies_are_of_what_a_search_finds(reproduced: Answer, original: tuple[Path, Answer]) -> None:
    table = chosen(read_table("efs-nas:table2"), "spos")
    given = {"recipe": {"passes": 12}, "estimation": {"images": 64, "batch": 64, "architectures": 12, "split": "test"}}
    sweep = sweep_of(table, "smoke", 1, given)
    [found] = verdicts(table, sweep)
    assert (found.measure, found.verdict, found.measured.n) == ("digits", "not comparable", 1)
    assert 10 < found.measured.mean < 100
    best = [each for each in baselines(table, sweep.cells[0].spec) if each.row == "flops[live=true]"]
    assert [(each.measure, each.measured.n) for each in best] == [("digits", 20)]
    # The same without any finished run: what the paper prints, and that nothing is there.
    [*missing] = verdicts(read_table("efs-nas:table2"), sweep_of(read_table("efs-nas:table2"), "smoke", 1, {}))
    assert {each.verdict for each in missing} == {"missing"}
    assert {each.measure for each in missing} == {"cifar10", "cifar100", "ImageNet16-120"}


@pytest.mark.real_data
def test_trivial_baselines_are_the_known_ones(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    spec = resolve({"benchmark": "nasbench201", "dataset": "cifar10", "truth": reproduction.TRUTH, "budget": "full",
                    "recipe": {"passes": 60}})
    found = {each.row: each for each in baselines(read_table("efs-nas:table1"), spec)}
    assert found["flops[live=true]"].measured.mean == pytest.approx(0.656, abs=1e-3)
    assert found["nonlinear[count=live]"].measured.mean == pytest.approx(0.613, abs=1e-3)
    # 0.690 with ties broken by the rounding of floats.
    assert found["hand_rule"].measured.mean == pytest.approx(0.692, abs=1e-3)
    assert {each.verdict for each in found.values()} == {"reproduced"}
    assert {(each.population, each.n) for each in found.values()} == {("all", 15_625)}
    short = resolve({"benchmark": "nasbench201", "dataset": "cifar10", "truth": reproduction.TRUTH, "budget": "cpu"})
    sample = {(each.population, each.n, each.verdict) for each in baselines(read_table("efs-nas:table1"), short)}
    assert sample == {("sample of 800 connected", 800, "not comparable")}
    accuracies = baselines(read_table("efs-nas:table2"), spec)
    assert {each.measure for each in accuracies} == {"cifar10", "cifar100", "ImageNet16-120"}
