"""What a sweep will cost: counted exactly where it can be, measured once, and added up over workers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command import TINY, harness
from crew_work import here

from harness.commands.sweep import swept
from harness.experiments import calibration
from harness.experiments import plan as module
from harness.experiments.plan import cost_of, lineage, makespan, parts_of
from harness.presets import resolve
from harness.progress import silent
from harness.report.sweep import design_lines
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
    monkeypatch.setattr(calibration, "crew", here)


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
    monkeypatch.setattr(calibration, "_measure", None)
    before = file.stat().st_mtime_ns
    longer = harness(f"plan {SMALL} --share all --vary sampler=uniform,sbs --set recipe.passes=6000 --json").json
    assert file.stat().st_mtime_ns == before
    assert longer["runs"][0]["seconds"] > found["runs"][0]["seconds"]


@pytest.mark.parametrize("content", [
    "{}", '{"paces": 3}', '{"paces": {"0123": 3}}', '{"paces": {"0123": {"pass_seconds": 1, "member_seconds": 1}}}',
    '{"paces": {"0123": {"pass_seconds": 1, "member_seconds": 1, "memory": 1, "other": 1}}}',
    '{"paces": {"0123": {"pass_seconds": 1, "member_seconds": "1", "memory": 1}}}'])
def test_damaged_paces_are_said(content: str, results_home: Path) -> None:
    results_home.mkdir()
    file = results_home / "calibration.json"
    file.write_text(json.dumps({"schema": "calibration/1", **json.loads(content)}))
    answer = harness(f"plan {SMALL} --share all --vary seed=0")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.splitlines()[-1].startswith(f"Error: {file} is not what a plan of this version writes (")
    assert answer.err.endswith("); delete it and run the same command again, which measures anew.\n")


def test_unequal_budgets_and_unknown_parts_are_said() -> None:
    line = SMALL.replace("--set recipe.passes=60", "--vary recipe.passes=60,120")
    found = harness(f"plan {line} --share all --vary criterion=nonlinear,naswot")
    assert "subnet passes" not in found.err  # they are the question
    assert "Budgets are unequal: FLOPs run from " in found.err
    assert "The parts of naswot are not known before networks are measured" in found.err
    assert "recipe.passes=120 criterion=naswot" in found.out
    assert "predicted time" in found.out


PLUGS = """
import time
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from criteria.base import Scorer, Scores
from harness.training.sampling import Sampler

@dataclass(frozen=True)
class Noted(Scorer):
    def score(self, ctx):
        with open(Path(__file__).with_name("asked"), "a") as file:
            file.write("?")
        return Scores(np.arange(len(ctx.space), dtype=float), "index", "")

@dataclass(frozen=True)
class Sleeps(Scorer):
    def score(self, ctx):
        time.sleep(60)

@dataclass(frozen=True)
class Raises(Sampler):
    def passes_per_step(self, k):
        return 1

    def draw(self, pool, seed, step):
        raise IndexError("nothing left")
"""


def test_a_cell_that_cannot_be_planned_is_named_and_the_others_are_planned(tmp_path: Path) -> None:
    plug = tmp_path / "plug.py"
    plug.write_text(PLUGS)
    found = plan(f"--share all --vary 'criterion={plug}:Sleeps,{plug}:Noted' --vary 'sampler=uniform,{plug}:Raises,strict' "
                 "--vary gamma=1,2 --set k=3 --time-limit 0.3")
    assert len(found["runs"]) == 4
    reasons = {(each["varied"]["criterion"].rpartition(":")[2], each["varied"]["sampler"].rpartition(":")[2]): each["reason"]
               for each in found["failed"]}
    assert len(found["failed"]) == 8
    assert all("took longer than 0.3 s" in reason for (criterion, _), reason in reasons.items() if criterion == "Sleeps")
    assert reasons["Noted", "Raises"] == "IndexError: nothing left"
    first = f"criterion={plug}:Noted sampler={plug}:Raises gamma=1"
    assert f"Cannot run {first} and 1 more: IndexError: nothing left" in found["said"]
    assert (tmp_path / "asked").read_text() == "?"  # six cells divide alike
    with pytest.raises(AssertionError, match=r"Nothing of this sweep can be planned \(first: .*nothing left"):
        plan(f"--share all --vary 'sampler={plug}:Raises'")


def test_looks_are_passes_wherever_they_are_counted() -> None:
    sweep = swept(("sampler=uniform,greedy", "recipe.passes=600,1200"), None, {"share": "all"})
    runs = [Run.prepare(cell.spec) for cell in sweep.cells]
    costs = [cost_of(run, parts_of(run, 60)) for run in runs]
    assert [cost.passes for cost in costs] == [600, 1200, 600, 1200]
    assert not any("unequal" in line for line in design_lines(sweep, 0.01))
    # A look at an architecture costs as much of a pass whatever is trained of it.
    assert costs[2].flops == pytest.approx(costs[0].flops, rel=0.1)
    short = swept(("sampler=uniform,greedy", "preset=efs-nas,spos"), None, {"share": "all"})
    longer = replace(short.cells[0], spec=replace(short.cells[0].spec, recipe=replace(short.cells[0].spec.recipe, passes=9000)))
    said = design_lines(replace(short, cells=(longer, *short.cells[1:])), 0.01)
    assert said[1].startswith("Budgets are unequal: subnet passes run from 6 k (sampler=uniform preset=spos) to 9 k (")


def test_parents_are_trained_once_for_all_children() -> None:
    runs = plan("--preset fs-nas --vary estimator=accuracy,loss --vary sampler=sbs,balanced --vary seed=0")["runs"]
    parents = [run for run in runs if run["supernets"] == 1]
    assert (len(parents), len(runs)) == (1, 3)
    spec = resolve({"preset": "fs-nas"})
    assert [run.spec.k for run in lineage(Run.prepare(spec))] == [1, 5]


def test_long_trainings_are_counted_by_their_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.prepare(resolve({"share": "all", "recipe": {"passes": 9_000}}))
    parts = parts_of(run, 60)
    exact = cost_of(run, parts)
    monkeypatch.setattr(module, "STEPS", 300)
    short = cost_of(run, parts)
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
    kind = calibration._kind
    assert kind(spec, "cpu") == kind(replace(spec, seed=4, recipe=replace(spec.recipe, passes=7)), "cpu")
    assert kind(spec, "cpu") != kind(replace(spec, sampler="uniform"), "cpu")
