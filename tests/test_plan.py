"""What a sweep will cost: counted exactly where it can be, measured once, and added up over workers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import TINY, harness

from harness.experiments import plan as module
from harness.experiments.crew import crew
from harness.experiments.plan import cost_of, lineage, makespan
from harness.presets import resolve
from harness.progress import silent
from harness.runs import forecast
from harness.runs.run import Run
from harness.runs.runner import execute
from harness.scoring.world import Machine

SMALL = TINY.replace(" --jobs 1", "")
FIELDS = {"recipe": {"passes": 60}, "estimation": {"images": 64, "batch": 64, "architectures": 12}}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements in this process, and short."""
    monkeypatch.setattr(forecast, "TRIAL_SECONDS", 0.01)
    monkeypatch.setattr(module, "crew", lambda work, items, workers, receive: crew(work, items, 0, receive))


def plan(line: str) -> Any:
    return harness(f"plan {SMALL} {line} --json").json


@pytest.mark.parametrize("fields", [{"share": "part"}, {"preset": "fs-nas"}])
def test_what_is_counted_is_what_a_run_costs(fields: dict[str, Any]) -> None:
    line = " ".join(f"--{name} {value}" for name, value in fields.items())
    runs = plan(f"{line} --vary seed=1")["runs"]
    run = Run.prepare(resolve(FIELDS, fields, {"seed": 1}))
    budget = execute(run, Machine("cpu", 1), silent())["budget"]
    assert sum(each["passes"] for each in runs) == budget["passes"]
    assert sum(each["flops"] for each in runs) == pytest.approx(budget["flops"])
    assert (runs[-1]["supernets"], runs[-1]["parameters"]) == (budget["supernets"], budget["parameters"])
    assert runs[-1]["run"] == run.folder.name
    used = sum(path.stat().st_size for path in run.folder.iterdir())
    assert used / 1.3 < runs[-1]["disk"] < 1.3 * used
    again = plan(f"{line} --vary seed=1")
    assert [each["seconds"] for each in again["runs"]] == [0.0] * len(runs)
    assert again["seconds"]["1"] == 0


def test_networks_that_cost_alike_are_measured_once(results_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan("--share all --vary sampler=uniform,sbs --vary seed=0..2 --vary recipe.lr=0.1,0.2 --workers 3")
    assert len(found["runs"]) == 12
    assert all(run["memory_mib"] > 10 and run["seconds"] > 0 for run in found["runs"])
    assert list(found["seconds"]) == ["1", "2", "3"]
    file = results_home / "calibration.json"
    assert len(json.loads(file.read_text())["paces"]) == 2
    monkeypatch.setattr(module, "_measure", None)
    before = file.stat().st_mtime_ns
    longer = harness(f"plan {SMALL} --share all --vary sampler=uniform,sbs --set recipe.passes=6000 --json").json
    assert file.stat().st_mtime_ns == before
    assert longer["runs"][0]["seconds"] > found["runs"][0]["seconds"]


def test_unequal_budgets_and_unknown_parts_are_said() -> None:
    line = SMALL.replace("--set recipe.passes=60", "--vary recipe.passes=60,120")
    found = harness(f"plan {line} --share all --vary criterion=nonlinear,naswot")
    assert "Budgets are unequal: from 60 to 120 subnet passes" in found.err
    assert "Budgets are unequal: FLOPs run from " in found.err
    assert "The parts of naswot are not known before networks are measured" in found.err
    assert "recipe.passes=120 criterion=naswot" in found.out
    assert "predicted time" in found.out


def test_parents_are_trained_once_for_all_children() -> None:
    runs = plan("--preset fs-nas --vary estimator=accuracy,loss --vary sampler=sbs,balanced --vary seed=0")["runs"]
    parents = [run for run in runs if run["supernets"] == 1]
    assert (len(parents), len(runs)) == (1, 3)
    spec = resolve({"preset": "fs-nas"})
    assert [run.spec.k for run in lineage(Run.prepare(spec))] == [1, 5]


def test_long_trainings_are_counted_by_their_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.prepare(resolve({"share": "all", "recipe": {"passes": 9_000}}))
    exact = cost_of(run)
    monkeypatch.setattr(module, "STEPS", 300)
    short = cost_of(run)
    assert short.flops == pytest.approx(exact.flops, rel=0.05)
    assert short.passes == exact.passes == 9_000


def test_runs_share_workers_and_cores() -> None:
    assert makespan([4, 3, 2, 1], 1, 8) == 10
    assert makespan([4, 3, 2, 1], 2, 8) == 5
    assert makespan([4, 3, 2, 1], 4, 8) == 4
    assert makespan([4, 3, 2, 1], 4, 2) == 5  # two cores give no more than two
    assert makespan([9, 1, 1], 2, 2) == 9
    assert makespan([], 3, 2) == 0


def test_a_pace_is_of_the_spec_and_not_of_its_seed_or_length() -> None:
    spec = resolve({})
    assert module._kind(spec, "cpu") == module._kind(replace(spec, seed=4, recipe=replace(spec.recipe, passes=7)), "cpu")
    assert module._kind(spec, "cpu") != module._kind(replace(spec, sampler="uniform"), "cpu")
