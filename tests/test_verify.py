"""`harness verify` finds whatever does not follow from a run's own files, and `submit` packs only what verifies."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import TINY, harness, times
from records import SOURCES, finished

from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from harness.measures import tau
from harness.runs import account, evidence, submission
from harness.runs.check import DIFFERENT, SAME, UNCHECKED
from harness.runs.collection import folders_of
from harness.runs.mismatch import mismatches
from harness.runs.spec import RunSpec
from harness.runs.verification import Verification, verify
from harness.store import read_frame, write_frame

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
POPULATION = "sample of 12 connected, drawn uniformly"
FEW = 4  # bootstrap resamples, which take most of the time of a comparison
DIGITS, CIFAR = (sorted((PUBLISHED / name).iterdir()) for name in ("digits201-controls", "cifar10-cpu"))


def state(found: Verification) -> dict[str, str]:
    return {check.what: check.state for check in found.checks}


def files(folder: Path, pattern: str) -> Path:
    return next(folder.glob(pattern))


def edit_json(path: Path, *names: str, value: Any) -> None:
    content = json.loads(path.read_text())
    inner = content
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = value
    path.write_text(json.dumps(content))


def edit_estimates(folder: Path, column: str, position: int | slice, value: object) -> None:
    """Change one value of the estimates and seal the file anew, as somebody would who knows how."""
    path = files(folder, "estimates-*")
    columns, about = read_frame(path, {})
    changed = columns[column].copy()
    changed[position] = value
    write_frame(path, {**columns, column: changed}, about)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was really made, with all its files, and with few resamples."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tau, "RESAMPLES", FEW)
        patch.setenv("HARNESS_RESULTS", str(home))
        patch.setenv("HARNESS_DATA", str(home / "data"))
        return Path(harness(f"run --criterion nonlinear --k 3 {TINY} --json").json["run"])


@pytest.fixture
def run(trained: Path, results_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in this test's results folder."""
    monkeypatch.setattr(tau, "RESAMPLES", FEW)
    return Path(shutil.copytree(trained, results_home / trained.name))


# ---- what verifies


def test_a_finished_run_verifies_in_every_part(run: Path) -> None:
    before = times(run)
    found = verify(run)
    assert found.state == SAME
    assert state(found) == dict.fromkeys(("weights", "spec", "keys", "estimates", "budget", "parts", "metrics"), SAME)
    assert [check.what for check in found.checks if check.why] == ["weights"]
    assert times(run) == before


@pytest.mark.parametrize("folder", [DIGITS[0], next(each for each in DIGITS if each.name.startswith("oracle"))],
                         ids=lambda folder: folder.name)
def test_published_digits_verify_in_a_fresh_clone(folder: Path) -> None:
    found = verify(folder)
    assert found.state == SAME
    assert {what for what, found in state(found).items() if found != SAME} == {"weights"}


@pytest.mark.slow
@pytest.mark.parametrize("folder", DIGITS, ids=lambda folder: folder.name)
def test_all_published_digits_verify(folder: Path) -> None:
    assert verify(folder).state == SAME


@pytest.mark.parametrize("folder", CIFAR, ids=lambda folder: folder.name)
def test_without_the_truth_metrics_are_not_checked_and_the_rest_is(folder: Path) -> None:
    found = verify(folder)
    assert found.state == UNCHECKED
    assert DIFFERENT not in state(found).values()
    assert state(found)["metrics"] == UNCHECKED
    assert state(found)["parts"] == SAME
    assert "harness data import" in found.checks[-1].why


def made_up_truth() -> GroundTruth:
    values = np.random.default_rng(0).uniform(10, 90, (15_625, 1)).round(2)
    return GroundTruth(TruthKey.parse("nats/cifar10/test/200/full"), values, ("mean",), "its hash", "made by a test")


def test_another_truth_of_that_name_is_not_the_one_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have taken in other seeds of it; that says nothing about the run."""
    monkeypatch.setattr(evidence, "load_truth", lambda key, table: made_up_truth())
    found = verify(CIFAR[0])
    assert found.state == UNCHECKED
    assert "has other values or seeds" in found.checks[-1].why


def test_a_second_truth_and_estimator_in_one_folder_verify(run: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("arch,x\n" + "".join(f"{arch},{i % 91}\n" for i, arch in enumerate(nasbench201().strings)))
    about = "--as mine --dataset digits --split test --epochs 60 --train-on full"
    assert harness(f"data import {tmp_path}/t.csv {about}").code == 0
    for flags in ("--truth x --estimator accuracy+flops", "--estimator loss"):
        assert harness(f"run --criterion nonlinear --k 3 {TINY} {flags}").code == 0
    found = verify(run)
    assert found.state == SAME, found
    assert [check.what for check in found.checks].count("metrics") == 3
    assert all(check.state == SAME and not check.why for check in found.checks if check.what in ("keys", "ranked"))
    _refuse_other_columns(run)
    _find_other_keys(run)


def metrics_of(run: Path, estimator: str) -> Path:
    return next(path for path in run.glob("metrics-*") if json.loads(path.read_text())["estimator"] == estimator)


def _refuse_other_columns(run: Path) -> None:
    """What metrics are made from are the terms of their estimator, and a column of the estimates is not written down twice."""
    path = files(run, "ranked-*")
    columns, about = read_frame(path, {})
    for wrong in ({**columns, "flops": columns["flops"][::-1].copy()}, {**columns, "more": columns["flops"]},
                  {name: values for name, values in columns.items() if name != "flops"}):
        write_frame(path, wrong, about)
        assert state(verify(run))["ranked"] == DIFFERENT
    write_frame(path, columns, about)
    plain = metrics_of(run, "accuracy").stem.partition("-")[2]
    copy = run / f"ranked-{plain}.parquet"
    write_frame(copy, {**columns, "accuracy": columns["flops"]}, {**about, "key": plain})
    assert state(verify(run))["ranked"] == DIFFERENT
    copy.unlink()


def _find_other_keys(run: Path) -> None:
    """Also those of metrics by a second estimator, made with other images than they say."""
    path = metrics_of(run, "loss")
    before = path.read_text()
    edit_json(path, "spec", "estimation", "images", value=32)
    assert [each.metric for check in verify(run).checks if check.what == "keys" for each in check.mismatches] == [
        "estimates", "metrics"]
    path.write_text(before)
    path.unlink()  # the provenance tells of it
    assert "metrics-" in next(check.why for check in verify(run).checks if check.what == "files")


@pytest.mark.slow
def test_a_child_verifies_with_the_key_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tau, "RESAMPLES", FEW)
    (tmp_path / "child.toml").write_text("[parent]\ncriterion = 'none'\nk = 1\nsampler = 'uniform'\n")
    child = Path(harness(f"run --criterion nonlinear --k 2 --config {tmp_path}/child.toml {TINY} --json").json["run"])
    found = verify(child)
    assert (found.state, state(found)["keys"], state(found)["budget"]) == (SAME, SAME, SAME)
    for path in (child / "spec.json", files(child, "metrics-*")):
        edit_json(path, "spec", "parent", "recipe", "lr", value=0.5)
    assert state(verify(child))["keys"] == DIFFERENT


# ---- what does not


def test_one_changed_estimate_is_named_with_run_metric_and_difference(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DIGITS[0], tmp_path / DIGITS[0].name))
    stored = json.loads(files(folder, "metrics-*").read_text())["tau"]["value"]
    edit_estimates(folder, "accuracy", 3, 0.0)
    said = harness(f"verify {folder} {CIFAR[0]} --json")
    assert said.code == RunError.exit_code
    error = said.err.splitlines()[-1]
    assert error.startswith(f"Error: 1 of 2 runs do not follow from their files, first {folder.name}: metrics: tau.value is "
                            f"stored as {stored:.6g} and comes out as ")
    assert "(difference " in error
    changed, other = json.loads(said.out)["runs"]
    assert (changed["state"], other["state"]) == (DIFFERENT, UNCHECKED)
    metrics = next(check for check in changed["checks"] if check["what"] == "metrics")
    first = metrics["differences"][0]
    assert (first["metric"], first["stored"]) == ("tau.value", stored)
    assert 0 < abs(first["computed"] - stored) < 0.05


def test_a_byte_of_the_estimates_breaks_their_seal(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DIGITS[0], tmp_path / "run"))
    path = files(folder, "estimates-*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = verify(folder)
    assert found.state == DIFFERENT
    assert found.checks[-1].what == "files"


@pytest.mark.parametrize(("names", "value", "check"), [
    (("tau", "value"), 0.7, "metrics"), (("populations", POPULATION, "regret", "1", "worst"), -1.0, "metrics"),
    (("labels", "random", "value"), 0.5, "metrics"), (("parts",), [1, 2, 3], "metrics"), (("truth",), "another", "metrics"),
    (("budget", "parameters"), 12, "budget"), (("budget", "images"), 12, "budget"), (("budget", "flops"), 1.0, "budget"),
    (("spec", "recipe", "lr"), 0.5, "spec"), (("key",), "0123456789ab", "spec")])
def test_a_changed_number_is_found(names: tuple[str, ...], value: object, check: str, run: Path) -> None:
    edit_json(files(run, "metrics-*"), *names, value=value)
    found = verify(run)
    assert found.state == DIFFERENT
    assert state(found)[check] == DIFFERENT


def test_a_spec_that_another_run_was_made_with_has_another_key(run: Path) -> None:
    for path in (run / "spec.json", files(run, "metrics-*")):
        edit_json(path, "spec", "recipe", "lr", value=0.5)
    found = verify(run)
    assert state(found)["keys"] == DIFFERENT
    assert state(found)["spec"] == state(found)["metrics"] == SAME


@pytest.mark.parametrize(("column", "value", "check"), [("part", 7, "parts"), ("architecture", "|none~0|", "estimates"),
                                                        ("index", 0, "estimates"), ("index", 99_999, "estimates")])
def test_estimates_of_other_architectures_or_parts_are_found(column: str, value: object, check: str, run: Path) -> None:
    edit_estimates(run, column, -1 if value == 99_999 else 5, value)
    assert state(verify(run))[check] == DIFFERENT


def test_without_curves_flops_are_not_checked(run: Path) -> None:
    for path in run.glob("training-*"):
        path.unlink()
    budget = next(check for check in verify(run).checks if check.what == "budget")
    assert (budget.state, budget.why[:5]) == (SAME, "FLOPs")


def test_files_that_no_run_writes_are_found_and_end_nothing(run: Path, tmp_path: Path) -> None:
    broken = [Path(shutil.copytree(run, tmp_path / str(i))) for i in range(6)]
    (broken[0] / "spec.json").write_text("[]")
    (broken[1] / "spec.json").write_text('{"schema": "spec/1"}')
    files(broken[2], "metrics-*").write_text('{"schema": "metrics/1"}')
    files(broken[3], "estimates-*").unlink()
    edit_json(files(broken[4], "metrics-*"), "labels", value=[])
    files(broken[5], "training-0*").write_bytes(b"")
    for folder in broken:
        assert verify(folder).state == DIFFERENT, folder
    said = harness(f"verify {tmp_path}")
    assert (said.code, said.out.count("different")) == (RunError.exit_code, 6)


def test_no_code_is_run_that_a_folder_names(run: Path, tmp_path: Path) -> None:
    """Neither a criterion nor an estimator nor a sampler of a run from a stranger, whose file lies beside it."""
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for path in (run / "spec.json", files(run, "metrics-*")):
        for name, value in (("criterion", ""), ("estimator", "accuracy+"), ("sampler", "")):
            edit_json(path, "spec", name, value=f"{value}{tmp_path}/evil.py:Evil")
    verify(run)
    for command in ("submit", "report"):
        harness(f"{command} {run} --out {tmp_path}/out")
    assert not (tmp_path / "ran").exists()


def test_parts_that_only_a_plug_in_could_make_are_taken_from_the_files(run: Path) -> None:
    for path in (run / "spec.json", files(run, "metrics-*")):
        edit_json(path, "spec", "criterion", value="./mine.py:Mine")
    edit_json(files(run, "metrics-*"), "needs", value={"criterion": ["network"], "parent": [], "estimator": []})
    found = verify(run)
    assert (state(found)["keys"], state(found)["metrics"]) == (DIFFERENT, SAME)  # it was made by another
    content = json.loads(files(run, "metrics-*").read_text())
    del content["needs"]
    files(run, "metrics-*").write_text(json.dumps(content))
    assert verify(run).state == SAME
    (run / "partition.parquet").unlink()
    found = verify(run)
    assert "those of weights" in next(check.why for check in found.checks if check.what == "keys")
    assert found.state == SAME  # the metrics do follow from the estimates
    assert "labels at random" in next(check for check in found.checks if check.what == "metrics").why
    edit_estimates(run, "part", slice(0, 6), [1, 0, 1, 0, 2, 0])
    assert verify(run).state == DIFFERENT


def swapped(folder: Path) -> None:
    """A file of the partition with two architectures in each other's parts, sealed anew."""
    columns, about = read_frame(folder / "partition.parquet", {})
    part = columns["part"].copy()
    part[[0, np.flatnonzero(part != part[0])[0]]] = part[[np.flatnonzero(part != part[0])[0], 0]]
    write_frame(folder / "partition.parquet", {**columns, "part": part}, about)


def without_sources(folder: Path) -> None:
    """Neither file names hashes any more, so that nobody would notice another learning rate."""
    edit_json(files(folder, "metrics-*"), "data_sha256", value={})
    edit_json(folder / "provenance.json", "data_sha256", value={})
    for path in (folder / "spec.json", files(folder, "metrics-*")):
        edit_json(path, "spec", "recipe", "lr", value=0.5)


def of_another_run(folder: Path) -> None:
    path = folder / "provenance.json"
    path.write_text(path.read_text().replace("estimates-", "estimates-0"))


def with_a_smaller_budget(folder: Path) -> None:
    for path in folder.glob("training-*"):
        path.unlink()
    edit_json(files(folder, "metrics-*"), "budget", "passes", value=54)
    edit_json(files(folder, "metrics-*"), "budget", "images", value=54 * 64)


def flipped(folder: Path) -> None:
    path = folder / "supernet-1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(("damage", "check"), [
    (lambda folder: (folder / "provenance.json").unlink(), "files"),
    (lambda folder: files(folder, "metrics-*").unlink(), "files"),
    (lambda folder: (folder / "spec.json").unlink(), "files"), (of_another_run, "files"),
    (lambda folder: (folder / "ranked-ffffffffffff.parquet").write_text("secret"), "files"),
    (lambda folder: edit_json(files(folder, "metrics-*"), "run", value="nonlinear-000000000000"), "spec"),
    (lambda folder: edit_json(files(folder, "metrics-*"), "needs", "criterion", value=["truth"]), "spec"),
    (lambda folder: edit_json(files(folder, "metrics-*"), "secret", value=[93.1, 94.2]), "spec"),
    (lambda folder: edit_json(folder / "provenance.json", "data_sha256", "images", value="0" * 64), "spec"),
    (without_sources, "keys"), (swapped, "parts"), (flipped, "weights"), (with_a_smaller_budget, "budget"),
    (lambda folder: edit_json(files(folder, "metrics-*"), "budget", "parameters_used", value=1), "budget"),
    (lambda folder: edit_json(files(folder, "metrics-*"), "budget", "inherited", value={"passes": 30, "images": 0, "flops": 0}),
     "budget")])
def test_what_is_taken_out_or_exchanged_is_found(damage: Any, check: str, run: Path) -> None:
    damage(run)
    found = verify(run)
    assert found.state == DIFFERENT
    assert check in {each.what for each in found.checks if each.state == DIFFERENT}
    assert folders_of([run]) == [run]  # and a run it still is


def test_a_folder_under_the_name_of_another_run_is_found(run: Path) -> None:
    renamed = run.rename(run.with_name("nonlinear-k3-digits201-digits-s0-000000000000"))
    assert "has another name" in verify(renamed).checks[0].why


def test_a_sampler_that_trains_on_a_share_of_its_passes_has_the_budget_of_its_recipe() -> None:
    for sampler, k, passes in (("greedy", 1, 36), ("strict", 3, 60), ("uniform", 3, 60), ("sbs", 7, 63)):
        spec = RunSpec(sampler=sampler, k=k, share="all")
        plan = account.planned([(replace(spec, recipe=replace(spec.recipe, passes=60)), k)])
        assert plan is not None
        assert plan.passes(passes) == passes
        assert plan.passes(passes + 20) != passes + 20
    assert account.planned([(RunSpec(sampler="./mine.py:Mine"), 3)]) is None


def test_mismatches_walk_everything() -> None:
    found = list(mismatches({"b": {"c": [1.0, float("nan")]}, "tau": {"value": 0.5}, "d": True, "e": "x", "f": [1]},
                            {"b": {"c": [1.0 + 1e-12, None]}, "tau": {"value": 0.25}, "d": 1.5, "e": None, "f": [1, 2]}))
    assert [each.metric for each in found] == ["tau.value", "d", "e", "f"]
    assert str(found[0]) == "tau.value is stored as 0.5 and comes out as 0.25 (difference -0.25)"
    assert str(found[2]) == "e is stored as x and comes out as nothing"


# ---- submit


def test_submit_packs_what_verify_needs_and_nothing_else(run: Path, tmp_path: Path) -> None:
    found = harness(f"submit {run.name} --out {tmp_path}/out --json").json
    packed = tmp_path / "out" / run.name
    assert (found["run"], found["state"]) == (str(packed), SAME)
    names = {path.name for path in packed.iterdir()}
    assert names == set(found["files"]) == {
        "spec.json", "provenance.json", files(run, "metrics-*").name, files(run, "estimates-*").name,
        *(f"training-{i}.safetensors" for i in range(3))}
    assert sum(path.stat().st_size for path in packed.iterdir()) < 100_000
    assert all((packed / name).read_bytes() == (run / name).read_bytes() for name in names)
    assert verify(packed).state == SAME
    assert [path.name for path in (tmp_path / "out").iterdir()] == [run.name]
    assert "Packed estimates-" in harness(f"submit {run.name} --out {tmp_path}/again").out


def test_what_is_not_finished_or_there_already_is_refused(run: Path, tmp_path: Path) -> None:
    submission.submit(run, tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        submission.submit(run, tmp_path / "out")
    files(run, "metrics-*").unlink()
    with pytest.raises(UsageError, match=r"not finished, as it has no metrics"):
        submission.submit(run, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_does_not_verify_is_not_packed(run: Path, tmp_path: Path) -> None:
    edit_json(files(run, "metrics-*"), "tau", "value", value=0.99)
    said = harness(f"submit {run} --out {tmp_path}/out")
    assert said.code == RunError.exit_code
    assert "does not verify, so it is not packed: metrics: tau.value is stored as 0.99" in said.err
    assert not list((tmp_path / "out").iterdir())


def test_large_files_are_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "MOST_BYTES", 1000)
    with pytest.raises(UsageError, match="KiB"):
        submission.submit(run, tmp_path / "out")


def test_only_what_metrics_name_is_packed_and_what_a_killed_submit_left_is_removed(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    left = Path(shutil.copytree(run, out / f".{run.name}.{2**22 + 1}.tmp" / run.name))
    assert left.exists()
    (run / "ranked-ffffffffffff.parquet").write_text("secret")
    (run / "estimates-ffffffffffff.parquet").write_text("secret")
    (run / "training-9.safetensors").write_text("secret")
    with pytest.raises(UsageError, match="There is no run"):
        folders_of([out])
    packed, _ = submission.submit(run, out)
    assert not [path.name for path in packed.iterdir() if "fff" in path.name or "9." in path.name]
    assert list(out.iterdir()) == [packed]


def made_up_table(tmp_path: Path) -> None:
    """The made-up truth as a table of this test's data folder."""
    values = made_up_truth().accuracy[:, 0]
    (tmp_path / "t.csv").write_text("arch,x\n" + "".join(f"{arch},{value}\n" for arch, value in zip(nasbench201().strings, values,
                                                                                                 strict=True)))
    about = "--as mine --dataset cifar10 --split test --epochs 200 --train-on full"
    assert harness(f"data import {tmp_path}/t.csv {about}").code == 0


@pytest.mark.parametrize(("column", "copy"), [("accuracy", np.log), ("loss", np.negative),
                                              ("part", lambda values: (values * 100).astype(np.int64))])
def test_no_truth_is_published_as_a_column_of_numbers(column: str, copy: Any, tmp_path: Path) -> None:
    """Whatever the order of the truth is written as; without that truth at hand the answer says what could not be looked at."""
    folder = Path(shutil.copytree(CIFAR[0], tmp_path / CIFAR[0].name))
    path = files(folder, "estimates-*")
    columns, about = read_frame(path, {})
    write_frame(path, {**columns, column: copy(made_up_truth().accuracy[columns["index"], 0])}, about)
    if column == "loss":
        said = harness(f"submit {folder} --out {tmp_path}/blind")
        assert said.code == 0
        assert "Not checked (1 of 1 runs): truth: whether a column of numbers is the truth nats/cifar10/test/200/full" in said.out
    made_up_table(tmp_path)
    with pytest.raises(UsageError, match=rf"The column {column} of estimates-\w+\.parquet is in the order of the truth mine"):
        submission.submit(folder, tmp_path / "out")
    submission.submit(CIFAR[0], tmp_path / "out")


@pytest.mark.parametrize(("fields", "what"), [
    ({"criterion": "oracle"}, "The criterion"), ({"criterion": "oracle[rule=equal]", "k": 50}, "The criterion"),
    ({"criterion": "ensemble[params+oracle]"}, "The criterion"), ({"criterion": "random[like=oracle]"}, "The criterion"),
    ({"estimator": "accuracy+oracle"}, "The estimator"), ({"criterion": "./mine.py:Mine"}, "whether the criterion"),
    ({"parent": RunSpec(benchmark="nasbench201", dataset="cifar10", criterion="oracle"), "start": "restart"}, "The parent")])
def test_runs_made_by_a_truth_that_is_not_ours_are_not_packed(fields: dict[str, Any], what: str, tmp_path: Path) -> None:
    """Their parts, and the names of these, tell it."""
    folder = finished(tmp_path, 0.5, benchmark="nasbench201", dataset="cifar10", truth="nats/cifar10/test/200/full",
                      sources={**SOURCES, "parent": "p"}, **fields)
    write_frame(folder / "estimates-aaaaaaaaaaaa.parquet", {"index": np.arange(3)}, {})
    with pytest.raises(UsageError, match=f"{what}.*not ours to publish"):
        submission.submit(folder, tmp_path / "out")
