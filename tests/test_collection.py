"""Runs as records, and which of them may stand in one table."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from math import isnan
from pathlib import Path

import pytest
from records import SOURCES, finished

from benchmarks.errors import DataError, UsageError
from harness.report.rows import Group, differing, group, groups
from harness.report.tables import table
from harness.runs.collection import collect, folders_of, read_record
from harness.runs.spec import Estimation, Network, RunSpec

PUBLISHED = Path(__file__).parents[1] / "results" / "published"


def rows_of(home: Path) -> Group:
    return group(collect([home]).records)


def edit(path: Path, **changed: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


# ---- records


def test_a_record_says_what_the_files_say(tmp_path: Path) -> None:
    folder = finished(tmp_path, 0.6, ("sample of 100 connected", "top 150"), seed=2, sampler="uniform")
    record, = collect([tmp_path]).records
    assert (record.folder, record.name, record.spec.seed, record.spec.sampler) == (folder, folder.name, 2, "uniform")
    assert record.value("tau", "value") == 0.6
    assert record.value("regret", "10", "mean", population="top 150") == 1.0
    assert isnan(record.value("tau", "low"))
    assert isnan(record.value("no", "such", "number"))
    assert isnan(record.value("tau", "value", population="none"))
    assert record.budget.passes == 600
    assert record.sources == SOURCES
    with pytest.raises(FrozenInstanceError):
        record.key = "x"  # type: ignore[misc]


def test_published_runs_are_collected_at_any_depth() -> None:
    found = collect([PUBLISHED])
    assert len(found.records) == len(list(PUBLISHED.glob("*/*/metrics-*.json")))
    assert {record.spec.benchmark for record in found.records} == {"digits201", "nasbench201"}
    assert all(record.estimates_file is not None and record.estimates_file.exists() for record in found.records)
    assert not found.unfinished


def test_runs_are_found_by_folder_by_name_and_in_the_results_folder(results_home: Path) -> None:
    folder = finished(results_home, 0.6)
    for texts in ([], [folder], [results_home], [folder.name], [folder.name[-12:-4]], [folder, results_home]):
        assert folders_of(texts) == [folder]
    (results_home / "empty").mkdir()
    for text in ("empty", "no-such-run"):
        with pytest.raises(UsageError, match="There is no run"):
            folders_of([results_home / text if text == "empty" else text])


def test_no_results_folder_is_said_to_be_missing(results_home: Path) -> None:
    with pytest.raises(UsageError, match=f"There is no run in {results_home}"):
        collect()


def test_a_run_without_metrics_is_not_finished(tmp_path: Path) -> None:
    folder = finished(tmp_path, 0.6)
    next(folder.glob("metrics-*")).unlink()
    found = collect([tmp_path])
    assert (found.records, found.unfinished) == ((), (folder,))


def test_copies_of_a_run_count_once_and_may_not_disagree(tmp_path: Path) -> None:
    finished(tmp_path / "a", 0.6)
    copy = finished(tmp_path / "b", 0.6)
    assert len(collect([tmp_path]).records) == 1
    path = next(copy.glob("metrics-*"))
    path.write_text(path.read_text().replace("0.6", "0.61"))
    with pytest.raises(DataError, match="disagree"):
        collect([tmp_path])


@pytest.mark.parametrize(("name", "value", "said"), [
    ("spec", {"benchmark": "digits201", "colour": "red"}, "colour"), ("spec", {"share": "nothing"}, "Unknown share"),
    ("populations", {"all": {"tau": {}}}, "it has no 'n'"), ("population", "another", "it has no 'another'"),
    ("budget", {}, "supernets"),
    ("populations", {"all": 3}, "subscriptable"), ("schema", "metrics/9", "metrics/1"), ("part_names", None, "iterable")])
def test_what_no_run_writes_is_refused_in_a_sentence(name: str, value: object, said: str, tmp_path: Path) -> None:
    path = next(finished(tmp_path, 0.6).glob("metrics-*"))
    edit(path, **{name: value})
    with pytest.raises(DataError, match=said) as error:
        read_record(path)
    assert str(path) in str(error.value)


def test_reporting_imports_no_torch(tmp_path: Path) -> None:
    code = (f"import sys\nfrom harness.cli import main\nmain(['report', '{PUBLISHED}/digits201-controls', '--out', "
            f"'{tmp_path}/out'])\nsys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0
    assert list((tmp_path / "out").glob("*.tex"))


# ---- rows and tables


def test_seeds_of_one_configuration_are_a_row(tmp_path: Path) -> None:
    for seed in (2, 0, 10):
        finished(tmp_path, 0.6 + seed / 100, seed=seed)
        finished(tmp_path, 0.5 + seed / 100, seed=seed, share="all")
    found = rows_of(tmp_path)
    assert [list(row.records) for row in found.rows] == [[0, 2, 10], [0, 2, 10]]
    assert {row.settings["share"]: row.values(lambda r: r.value("tau", "value"))[2] for row in found.rows} == {
        "part": 0.62, "all": 0.52}
    assert found.varying == ("share",)


@pytest.mark.parametrize(("fields", "said"), [
    ({"passes": 1200}, r"subnet passes \(600 / 1,200\)"), ({"estimator": "loss"}, r"estimator \(accuracy / loss\)"),
    ({"truth": "v1_0/digits/test/60/full"}, "truth"), ({"population": "connected", "populations": ("connected",)}, "population"),
    ({"estimation": Estimation(split="test")}, r"images behind the estimates \(all test images / all valid"),
    ({"recipe": replace(RunSpec().recipe, batch=32)}, "images trained on"),
    ({"sources": {**SOURCES, "images": "9" * 64}}, "image data"),
    ({"benchmark": "nasbench201", "dataset": "cifar10"}, "dataset")])
def test_what_cannot_be_compared_is_split_or_refused_with_the_reason(fields: dict[str, object], said: str,
                                                                     tmp_path: Path) -> None:
    finished(tmp_path, 0.6)
    finished(tmp_path, 0.5, **fields)  # type: ignore[arg-type]
    records = collect([tmp_path]).records
    found = groups(records)
    assert [len(each.rows) for each in found] == [1, 1]
    with pytest.raises(UsageError, match=f"cannot stand in one table.*{said}"):
        group(records)
    assert len({each.question.slug for each in found}) == 2


def test_budgets_that_differ_by_rounding_are_one(tmp_path: Path) -> None:
    for passes in (600, 603, 606, 607):
        finished(tmp_path, 0.5, passes=passes)
    found = groups(collect([tmp_path]).records)
    assert [(each.question.passes, len(each.rows)) for each in found] == [(600, 3), (607, 1)]
    assert "600 subnet passes, 38,400 training images (equal within 1%)" in table(found[0]).caption


def test_many_differences_are_named_without_their_values(tmp_path: Path) -> None:
    finished(tmp_path, 0.6)
    finished(tmp_path, 0.5, passes=1200, estimator="loss", population="connected", populations=("connected",))
    assert differing(groups(collect([tmp_path]).records)) == "population, estimator, subnet passes and images trained on"


def test_a_run_that_does_not_name_its_data_joins_the_only_data_there_is(tmp_path: Path) -> None:
    finished(tmp_path, 0.6)
    edit(finished(tmp_path, 0.5, share="all") / "provenance.json", data_sha256={})
    assert len(rows_of(tmp_path).rows) == 2
    finished(tmp_path, 0.4, k=2, sources={**SOURCES, "images": "9" * 64})
    assert len(groups(collect([tmp_path]).records)) == 3


def test_no_runs_are_no_table() -> None:
    with pytest.raises(UsageError, match="no finished run"):
        group(())


@pytest.mark.parametrize(("fields", "role"), [
    ({"criterion": "none", "k": 1, "sampler": "uniform"}, "one-shot"), ({"share": "all", "sampler": "uniform"}, "one-shot"),
    ({"share": "all"}, "method"), ({"criterion": "none", "k": 1, "sampler": "sbs"}, "method"), ({}, "method"),
    ({"criterion": "none", "k": 1, "sampler": "uniform", "share": "mixture", "network": Network(copies=3)}, "method"),
    ({"criterion": "random[like=nonlinear]"}, "random"), ({"criterion": "oracle"}, "oracle"),
    ({"criterion": "./oracle.py:Oracle"}, "method")])
def test_controls_are_known_by_what_they_do(fields: dict[str, object], role: str, tmp_path: Path) -> None:
    finished(tmp_path, 0.6, **fields)  # type: ignore[arg-type]
    assert rows_of(tmp_path).rows[0].role == role


def test_a_plug_in_is_one_row_wherever_its_file_lay_and_two_when_its_code_differs(tmp_path: Path) -> None:
    def made(seed: int, folder: str, code: str) -> Path:
        return finished(tmp_path, 0.6, seed=seed, criterion=f"{folder}/mine.py:Mine", sources={**SOURCES, "criterion": code * 64})

    made(0, "/home/ann", "a")
    made(1, "./work", "a")
    found = rows_of(tmp_path)
    assert [row.name for row in found.rows] == ["mine.py:Mine"]
    assert found.varying == ()
    made(0, "/home/bob", "b")
    assert rows_of(tmp_path).varying == ("code",)


def test_two_versions_of_one_run_are_refused(tmp_path: Path) -> None:
    finished(tmp_path / "a", 0.6)
    edit(next(finished(tmp_path / "b", 0.6).glob("metrics-*")), key="abcdefabcdef")
    with pytest.raises(UsageError, match="two versions"):
        rows_of(tmp_path)


def test_of_parents_only_what_differs_is_said(tmp_path: Path) -> None:
    parent = RunSpec(criterion="none", k=1, sampler="uniform")
    finished(tmp_path, 0.6, sources={**SOURCES, "parent": "p"}, parent=parent)
    finished(tmp_path, 0.5)
    assert rows_of(tmp_path).varying == ("parent.criterion",)
    finished(tmp_path, 0.4, sources={**SOURCES, "parent": "q"},
             parent=replace(parent, seed=5, truth="v1_0/digits/test/60/full", recipe=replace(parent.recipe, lr=0.5)))
    assert rows_of(tmp_path).varying == ("parent.criterion", "parent.recipe.lr")
    assert len(rows_of(tmp_path).rows) == 3
