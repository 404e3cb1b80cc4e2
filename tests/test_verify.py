"""`harness verify` finds whatever does not follow from a run's own files, and `submit` packs only what verifies."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import TINY, harness, times

from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from harness.measures import tau
from harness.runs import submission, verification
from harness.runs.mismatch import mismatches
from harness.runs.verification import DIFFERENT, SAME, UNCHECKED, Verification, verify
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
    assert state(found) == dict.fromkeys(("spec", "keys", "estimates", "budget", "parts", "metrics"), SAME)
    assert not any(check.why for check in found.checks)
    assert times(run) == before


@pytest.mark.parametrize("folder", [DIGITS[0], next(each for each in DIGITS if each.name.startswith("oracle"))],
                         ids=lambda folder: folder.name)
def test_published_digits_verify_in_a_fresh_clone(folder: Path) -> None:
    found = verify(folder)
    assert found.state == SAME
    assert set(state(found).values()) == {SAME}


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
    monkeypatch.setattr(verification, "load_truth", lambda key, table: made_up_truth())
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


def test_without_curves_passes_and_flops_are_not_checked(run: Path) -> None:
    for path in run.glob("training-*"):
        path.unlink()
    budget = next(check for check in verify(run).checks if check.what == "budget")
    assert (budget.state, budget.why[:16]) == (SAME, "passes and FLOPs")


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
    assert verify(run).state == SAME
    (run / "partition.parquet").unlink()
    found = verify(run)
    assert state(found)["keys"] == UNCHECKED
    assert found.state == SAME  # the metrics do follow from the estimates
    assert "labels at random" in next(check for check in found.checks if check.what == "metrics").why
    edit_estimates(run, "part", slice(0, 6), [1, 0, 1, 0, 2, 0])
    assert verify(run).state == DIFFERENT


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
    with pytest.raises(UsageError, match=r"not finished, as it has no metrics\.json"):
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


def test_the_truth_is_not_published_as_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "load_truth", lambda key, table: made_up_truth())
    folder = Path(shutil.copytree(CIFAR[0], tmp_path / "run"))
    submission.submit(folder, tmp_path / "out")
    path = files(folder, "estimates-*")
    columns, about = read_frame(path, {})
    write_frame(path, {**columns, "loss": made_up_truth().accuracy[columns["index"], 0]}, about)
    with pytest.raises(UsageError, match=r"The column loss of estimates-\w+\.parquet is the truth nats/cifar10/test/200/full"):
        submission.submit(folder, tmp_path / "other")
