"""Runs as records, and which of them may stand in one table."""

import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from math import isnan
from pathlib import Path

import pytest
from command import harness
from records import SOURCES, finished, measures, tau

from benchmarks.errors import DataError, RunError, UsageError
from harness.report.configuration import placeless
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
    before = path.read_text()
    for changed in (before.replace("0.6", "0.61"), before.replace('"flops": 1000000000.0', '"flops": 1.0'),
                    before.replace('"digits201/digits/test/60/full (means)"', '"another"')):
        assert changed != before
        path.write_text(changed)
        with pytest.raises(DataError, match="disagree"):
            collect([tmp_path])


def test_what_is_still_being_packed_is_no_run(results_home: Path) -> None:
    folder = finished(results_home, 0.6)
    finished(results_home / f".{folder.name}.1.tmp", 0.5)
    assert folders_of() == [folder]
    assert [each["name"] for each in harness("list runs --json").json["runs"]] == [folder.name]


@pytest.mark.parametrize(("name", "value", "said"), [
    ("spec", {"benchmark": "digits201", "colour": "red"}, "colour"), ("spec", {"share": "nothing"}, "Unknown share"),
    ("populations", {"all": {"tau": {}}}, "it has no 'tau_finite'"), ("population", "another", "it has no 'another'"),
    ("budget", {}, "supernets"),
    ("populations", {"all": 3}, "subscriptable"), ("schema", "metrics/9", "metrics/1"), ("part_names", None, "NoneType"),
    ("spec", {"benchmark": "../../x"}, "Unknown benchmark"),
    ("spec", {"benchmark": "digits201\0"}, "Unknown benchmark"), ("spec", {"dataset": "../x"}, "no dataset"),
    ("spec", {"seed": [1]}, "seed="), ("spec", {"criterion": 5}, "criterion="), ("spec", {"estimator": {}}, "estimator="),
    ("spec", {"recipe": {"passes": 10**400}}, "passes="), ("spec", [], "no RunSpec"),
    ("spec", {"criterion": "\ud800"}, "surrogates"),
    ("spec", {"parent": {"parent": {"criterion": 5}}}, "criterion="), ("tau", float("inf"), "float"), ("key", 5, "no text"),
    ("budget", {"supernets": 1, "parameters": 1, "passes": -5, "images": 1, "flops": 1.0}, "'-5' counts nothing"),
    ("budget", {"supernets": 1, "parameters": 1, "passes": 5, "images": 1, "flops": "inf"}, "'inf' is no amount"),
    ("budget", {"supernets": 1, "parameters": 1, "passes": 5, "images": 1, "flops": 10**400}, "no amount"),
    ("populations", {"all": {**measures(0.5), "tau": {**tau(0.5), "value": "abc"}}}, "value='abc' is no number"),
    ("populations", {"all": {**measures(0.5), "spearman": {"x": []}, "regret": {"10": 3}}}, "int"),
    ("labels", {}, "it has no 'criterion'"), ("data_sha256", None, "NoneType"), ("data_sha256", {"images": 5}, "no text"),
    ("needs", {"criterion": 5}, "iterable"), ("seed", None, "no seed"), ("parts", [1, 2], "2 parts and 3 names")])
def test_what_no_run_writes_is_refused_in_a_sentence(name: str, value: object, said: str, tmp_path: Path) -> None:
    path = next(finished(tmp_path, 0.6).glob("metrics-*"))
    edit(path, **{name: value})
    with pytest.raises(DataError, match=said) as error:
        read_record(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("name", "content"), [
    ("metrics", '{"schema": "metrics/1"}'), ("spec", '{"schema": "spec/1"}'), ("metrics", "[" * 100_000), ("spec", "[" * 100_000),
    ("spec", '{"schema": "spec/1", "spec": {"recipe": {"passes": 1e999}}}'), 
    ("metrics", '{"schema": "metrics/1", "tau": Infinity}'),
    ("spec", '{"schema": "spec/1", "spec": ' + '{"parent": ' * 300 + "{}" + "}" * 301),
    ("provenance", '{"schema": "provenance/1", "data_sha256": null}'),
    ("provenance", '{"schema": "provenance/1", "data_sha256": {"images": 5}}'),
    ("provenance", '{"schema": "provenance/1", "supernet-0": {"process_seconds": []}}')])
def test_a_damaged_file_is_one_sentence_and_the_end_of_no_other_run(name: str, content: str, results_home: Path) -> None:
    bad, good = finished(results_home, 0.6), finished(results_home, 0.5, seed=1)
    path = next(bad.glob(f"{name}*.json"))
    path.write_text(content)
    shown = harness(f"show {bad}")
    assert (shown.code, shown.err.count("\n")) == (DataError.exit_code, 1)
    assert str(path) in shown.err
    for command in () if "seconds" in content else ("list runs", "report"):
        said = harness(command)
        assert (said.code, str(path) in said.err) == (DataError.exit_code, True), (command, said)
    verified = harness(f"verify {results_home}")
    assert (verified.code, verified.out.count("different")) == (RunError.exit_code, 2)
    assert good.name in verified.out


def test_reporting_imports_no_torch(tmp_path: Path) -> None:
    run = min((PUBLISHED / "digits201-controls").iterdir())
    code = (f"import sys\nfrom harness.cli import main\nmain(['report', '{run}', '--out', "
            f"'{tmp_path}/out'])\nsys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=300).returncode == 0
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
    ({"share": "all", "sources": {**SOURCES, "truth": "9" * 64}}, "the truth's values"),
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
    assert "600 to 606 subnet passes, 38,400 to 38,784 training images (equal within 1%)" in table(found[0]).caption


def test_budgets_are_rounded_among_the_rows_of_one_table_only(tmp_path: Path) -> None:
    for passes in (605, 610):
        finished(tmp_path, 0.5, passes=passes)
    finished(tmp_path, 0.5, passes=600, population="connected", populations=("connected",))
    found = groups(collect([tmp_path]).records)
    assert [(each.question.population, each.question.passes, len(each.rows)) for each in found] == [
        ("all", 605, 2), ("connected", 600, 1)]
    assert "605 to 610 subnet passes" in table(found[0]).caption
    assert "Budget of every row: 600 subnet passes, 38,400 training images;" in table(found[1]).caption


def test_file_names_of_tables_are_names(tmp_path: Path) -> None:
    finished(tmp_path, 0.6)
    question = rows_of(tmp_path).question
    assert re.fullmatch(r"digits201-digits-[0-9a-f]{6}", question.slug)
    assert re.fullmatch(r"[\w-]+", replace(question, benchmark="../../x", dataset="a/b\0").slug)


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


def test_a_second_truth_in_a_folder_is_not_the_one_that_its_provenance_names(tmp_path: Path) -> None:
    folder = finished(tmp_path, 0.6)
    path = next(folder.glob("metrics-*"))
    other = {"truth": "v1_0/digits/test/60/full"}
    copy = folder / "metrics-bbbbbbbbbbbb.json"
    copy.write_text(path.read_text())
    edit(copy, key="bbbbbbbbbbbb", spec={**json.loads(path.read_text())["spec"], **other})
    assert read_record(path).sources == SOURCES
    assert set(read_record(copy).sources) == {"images", "criterion", "sampler"}
    edit(copy, data_sha256={**SOURCES, "truth": "8" * 64})  # later metrics say it themselves
    assert read_record(copy).sources["truth"] == "8" * 64


def test_no_runs_are_no_table() -> None:
    with pytest.raises(UsageError, match="no finished run"):
        group(())


@pytest.mark.parametrize(("fields", "role"), [
    ({"criterion": "none", "k": 1, "sampler": "uniform"}, "one-shot"), ({"share": "all", "sampler": "uniform"}, "one-shot"),
    ({"share": "all"}, "method"), ({"criterion": "none", "k": 1, "sampler": "sbs"}, "method"), ({}, "method"),
    ({"criterion": "none", "k": 1, "sampler": "uniform", "share": "mixture", "network": Network(copies=3)}, "method"),
    ({"criterion": "random[like=nonlinear]"}, "random"), ({"criterion": "oracle"}, "oracle"),
    ({"criterion": "./oracle.py:Oracle"}, "method"), ({"criterion": "oracle[rule=equal]", "k": 50}, "oracle"),
    ({"criterion": "ensemble[params+oracle]"}, "oracle"), ({"criterion": "random[like=oracle]"}, "random"),
    ({"parent": RunSpec(criterion="oracle"), "sources": {**SOURCES, "parent": "p"}}, "oracle")])
def test_controls_are_known_by_what_they_do(fields: dict[str, object], role: str, tmp_path: Path) -> None:
    finished(tmp_path, 0.6, **fields)  # type: ignore[arg-type]
    assert rows_of(tmp_path).rows[0].role == role


def test_what_a_plug_in_says_that_it_needs_makes_it_an_oracle(tmp_path: Path) -> None:
    path = next(finished(tmp_path, 0.6, criterion="./mine.py:Mine").glob("metrics-*"))
    edit(path, needs={"criterion": ["truth"], "parent": [], "estimator": []})
    assert rows_of(tmp_path).rows[0].role == "oracle"


def test_an_estimator_that_uses_the_truth_is_named_in_the_caption(tmp_path: Path) -> None:
    finished(tmp_path, 0.6, estimator="accuracy+oracle")
    assert "The estimator uses the truth itself" in table(rows_of(tmp_path)).caption
    finished(tmp_path / "other", 0.6)
    assert "The estimator uses" not in table(rows_of(tmp_path / "other")).caption


def test_two_versions_of_an_estimator_are_two_tables_and_its_folder_is_no_version(tmp_path: Path) -> None:
    for seed, folder, code in ((0, "/home/ann", "a"), (1, "./work", "a"), (2, "./work", "b")):
        finished(tmp_path, 0.6, seed=seed, estimator=f"accuracy+{folder}/mine.py:Mine",
                 sources={**SOURCES, "estimator": code * 64})
    found = groups(collect([tmp_path]).records)
    assert [(each.question.estimator, list(each.rows[0].records)) for each in found] == [
        ("accuracy+mine.py:Mine (aaaaaaaa)", [0, 1]), ("accuracy+mine.py:Mine (bbbbbbbb)", [2])]


def test_one_experiment_by_two_specs_is_one_row(tmp_path: Path) -> None:
    def whole(value: float, **fields: object) -> None:
        path = next(finished(tmp_path, value, sampler="uniform", **fields).glob("metrics-*"))  # type: ignore[arg-type]
        parts = json.loads(path.read_text())["parts"]
        edit(path, parts=[15_625 - len(parts) + 1, *[1] * (len(parts) - 1)])

    for seed in range(2):
        whole(0.6 + seed / 10, seed=seed, criterion="none", k=1)
    for seed in range(1, 3):
        whole(0.6 + seed / 10, seed=seed, share="all")
    row, = rows_of(tmp_path).rows
    assert (row.name, list(row.records)) == ("one-shot", [0, 1, 2])
    whole(0.9, seed=0, share="all", criterion="flops")  # a number that is another
    assert [row.name for row in rows_of(tmp_path).rows] == ["one-shot", "one-shot (flops)", "one-shot (nonlinear)"]


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
    parent = replace(parent, recipe=replace(parent.recipe, passes=200))
    finished(tmp_path, 0.6, sources={**SOURCES, "parent": "p"}, parent=parent, passes=400)
    finished(tmp_path, 0.5)
    assert rows_of(tmp_path).varying == ("recipe.passes", "parent.criterion")
    finished(tmp_path, 0.4, sources={**SOURCES, "parent": "q"}, passes=400,
             parent=replace(parent, seed=5, truth="v1_0/digits/test/60/full", recipe=replace(parent.recipe, lr=0.5)))
    assert rows_of(tmp_path).varying == ("recipe.passes", "parent.criterion", "parent.recipe.lr")
    assert len(rows_of(tmp_path).rows) == 3


@pytest.mark.parametrize(("selector", "shown"), [
    ("/home/a/p.py:X[file=/data/a/scores.csv]", "p.py:X[file=/data/a/scores.csv]"), ("./p.py:X", "p.py:X"),
    ("random[like=../deep/er/p.py:X[k=2]]", "random[like=p.py:X[k=2]]"),
    ("ensemble[params+/x/p.py:X]", "ensemble[params+p.py:X]"), ("nonlinear", "nonlinear")])
def test_only_the_folders_of_plug_ins_are_left_out(selector: str, shown: str) -> None:
    assert placeless(selector) == shown
