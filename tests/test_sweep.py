"""Sweeps: what is varied, what is run, and that failures, kills and interruptions cost nothing but themselves."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from command import TINY, harness, started, times
from crew_work import behave, here

from benchmarks.errors import DataError, HarnessError, UsageError
from harness.commands.sweep import swept
from harness.experiments import sweeper
from harness.experiments.crew import crew
from harness.experiments.power import detectable_between
from harness.experiments.reproduction import chosen, read_table, sweep_of
from harness.experiments.sweep import Sweep, find_sweep
from harness.experiments.sweeper import run_all
from harness.progress import Reporter, silent
from harness.report.sweep import detectable_lines
from harness.runs import forecast
from harness.scoring.world import Machine
from harness.store import read_frame, sole_writer

SMALL = TINY.replace(" --jobs 1", "").replace("passes=60", "passes=12")
# One supernet each, so that a run is one process.
LINE = f"sweep {SMALL} --share all --vary sampler=uniform,sbs --vary seed=0..1"
# What is harder to interrupt: runs of several processes, two of which begin with one parent, and two cells a folder.
FAMILY = f"sweep {SMALL} --vary preset=spos,fs-nas --vary sampler=uniform,sbs --vary estimator=accuracy,loss"
BAD = '''
import sys
from dataclasses import dataclass
from criteria.base import Scorer
from harness.training.sampling import Sampler

@dataclass(frozen=True)
class Bad(Scorer):
    """Fails when it is asked."""

    def score(self, ctx):
        raise ValueError("no scores today")

@dataclass(frozen=True)
class Leaves(Sampler):
    """Ends the process that asks it."""

    def passes_per_step(self, k):
        return 1

    def draw(self, pool, seed, step):
        sys.exit(0)
'''
PATIENCE = 120.0
IN_PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in /proc")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process, without forecasts, which take longer than they."""
    monkeypatch.setattr(forecast, "TRIAL_SECONDS", 0.01)
    monkeypatch.setattr(sweeper, "crew", here)


def made(line: str, home: Path) -> tuple[Path, Any]:
    """The results folder of a sweep that nobody disturbed, made in this process, and what it said."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home))
        patch.setenv("HARNESS_DATA", str(home / "data"))
        patch.setattr(forecast, "TRIAL_SECONDS", 0.01)
        patch.setattr(sweeper, "crew", here)
        return home, harness(f"{line} --workers 2 --json")  # of which each has one core, so that it starts no process


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Of a sweep whose runs have nothing in common."""
    return made(LINE, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a sweep whose runs share parents and folders."""
    home, answer = made(FAMILY, tmp_path_factory.mktemp("family"))
    assert [row["estimator"] for row in answer.json["rows"]] == ["accuracy", "loss"] * 4
    assert (finished(home), len(list(home.glob("*/spec.json")))) == (8, 5)
    return home


def tables(home: Path) -> dict[str, bytes]:
    """The content of every file of the one sweep."""
    return {path.name: path.read_bytes() for path in (home / "sweeps").glob("*/*")}


# ---- what is varied


def varied_by(*varied: str, config: Path | None = None, **given: Any) -> list[dict[str, Any]]:
    return [dict(cell.varied) for cell in swept(varied, config, given).cells]


def test_every_combination_is_a_cell() -> None:
    found = varied_by("share=all,part", "gamma=1,2", "seed=-1..0")
    assert found == [{"share": share, "gamma": gamma, "seed": seed}
                     for share in ("all", "part") for gamma in (1, 2) for seed in (-1, 0)]


def test_values_are_read_as_what_they_are() -> None:
    sweep = swept(("criterion=nonlinear,random[like=flops[rule=equal,live=true]]", "recipe.lr=0.1,0.05"), None, {})
    assert [cell.spec.criterion for cell in sweep.cells[::2]] == ["nonlinear", "random[like=flops[live=true,rule=equal]]"]
    assert [cell.spec.recipe.lr for cell in sweep.cells[:2]] == [0.1, 0.05]


def test_lists_are_values(results_home: Path, tmp_path: Path) -> None:
    found = swept(("network.thresholds=[15,20],[10,20]",), None, {"share": "layers"})
    assert [cell.spec.network.thresholds for cell in found.cells] == [(15, 20), (10, 20)]
    assert found.cells[1].name == "network.thresholds=[10,20]"
    found.write()
    assert Sweep.read(found.folder) == found
    config = tmp_path / "sweep.toml"
    config.write_text('share = "layers"\n[vary]\nnetwork.thresholds = [[15, 20], [10, 20]]\n')
    assert swept((), config, {}) == found


def test_flags_beat_the_config_file(tmp_path: Path) -> None:
    config = tmp_path / "sweep.toml"
    config.write_text('share = "all"\nk = 2\n[vary]\nseed = "0..2"\nsampler = ["uniform", "sbs"]\nrecipe.lr = [0.1]\n')
    assert len(varied_by(config=config)) == 6
    found = swept(("seed=7",), config, {"k": 4})
    specs = [cell.spec for cell in found.cells]
    assert [(spec.seed, spec.k, spec.share, spec.recipe.lr) for spec in specs] == [(7, 4, "all", 0.1)] * 2


@pytest.mark.parametrize(("varied", "given", "says"), [
    (("share",), {}, "--vary takes field=value,value"), (("share=",), {}, "cannot be varied over"),
    (("share=all,,part",), {}, "--vary takes"), (("seed=4..0",), {}, "give the smaller end first"),
    (("seed=0,1", "seed=2"), {}, ""), (("gamma=1,2", "network.gamma=4"), {}, "varied twice"),
    (("gamma=1,2",), {"network": {"gamma": 2}}, "'gamma' is both varied and set to 2"),
    (("recipe.passes=12,24",), {"recipe": {"epochs": 2}}, "'recipe.passes' is both varied and set, by recipe.epochs, to 2"),
    (("recipe.epochs=1,2", "recipe.passes=12"), {}, "'recipe.passes' is varied twice"),
    (("shrae=all",), {}, "no field 'shrae'; did you mean 'share'"), (("k=3.5",), {}, "'k' takes int")])
def test_sweeps_that_cannot_be_are_refused(varied: tuple[str, ...], given: dict[str, Any], says: str) -> None:
    if not says:
        assert len(swept(varied, None, given).cells) == 1  # the last of one name counts, as with any flag
        return
    with pytest.raises(UsageError, match=says):
        swept(varied, None, given)


@pytest.mark.parametrize("command", ["sweep", "plan"])
@pytest.mark.parametrize(("flags", "says"), [
    ("", "A sweep without values runs nothing; give --vary FIELD=VALUE,VALUE, or use `harness run` for one run."),
    ("--vary seed=0,1 --sd nan", "--sd takes a number above 0, not nan; give one such as 0.01."),
    ("--vary seed=0,1 --sd inf", "--sd takes a number above 0, not inf; give one such as 0.01.")])
def test_what_says_nothing_is_refused(command: str, flags: str, says: str, results_home: Path) -> None:
    answer = harness(f"{command} {flags}")
    assert (answer.code, answer.out, answer.err) == (2, "", f"Error: {says}\n")
    assert not results_home.exists()


def test_cells_that_cannot_be_are_named_and_the_others_are_there() -> None:
    found = swept(("gamma=1,3", "seed=0,1"), None, {})
    assert [cell.varied["gamma"] for cell in found.cells] == [1, 1]
    assert [dict(each.varied) for each in found.refused] == [{"gamma": 3, "seed": 0}, {"gamma": 3, "seed": 1}]
    assert "cannot be divided by gamma=3" in found.refused[0].reason


def test_one_run_that_is_meant_twice_is_done_once() -> None:
    found = swept(("criterion=nonlinear,nonlinear[count=path],nonlinear", "estimator=accuracy,loss"), None, {})
    assert len(found.cells) == 4
    assert len({cell.key for cell in found.cells}) == 2
    assert len({cell.run for cell in found.cells}) == 1


def test_a_sweep_is_read_as_it_was_written(results_home: Path) -> None:
    found = swept(("share=all,part", "gamma=2,3", "seed=0,1"), None, {})
    found.write()
    again = Sweep.read(found.folder)
    assert again == found
    assert list(again.cells[0].varied) == ["share", "gamma", "seed"]
    assert find_sweep(found.name[-12:-4]) == find_sweep("share-gamma") == find_sweep(str(found.folder)) == found.folder
    assert find_sweep("seed") is None


# ---- what is run


def test_a_sweep_runs_its_cells_and_writes_one_table(undisturbed: tuple[Path, Any]) -> None:
    home, answer = undisturbed
    rows = answer.json["rows"]
    assert [(row["sampler"], row["seed"], row["passes"], row["supernets"]) for row in rows] == [
        ("uniform", 0, 12, 1), ("uniform", 1, 12, 1), ("sbs", 0, 12, 1), ("sbs", 1, 12, 1)]
    assert all(-1 <= row["low"] <= row["tau"] <= row["high"] <= 1 for row in rows)
    assert sorted(row["run"] for row in rows) == sorted(path.parent.name for path in home.glob("*/spec.json"))
    assert answer.json["failed"] == []
    folder = Path(answer.json["sweep"])
    columns, said = read_frame(folder / "table.parquet", {"schema": "sweep-table/1"})
    assert columns["tau"].tolist() == [row["tau"] for row in rows]
    assert columns["seed"].dtype == np.int64
    lines = (folder / "table.csv").read_text().splitlines()
    assert lines[0].startswith("sampler,seed,tau,low,high,n,ceiling,population,")
    assert len(lines) == 5
    assert said["sweep"] == folder.name


def test_what_it_can_show_is_said_before_it_starts(undisturbed: tuple[Path, Any]) -> None:
    lines = undisturbed[1].err.splitlines()
    assert lines[0] == "4 cells, 0 of them finished: sampler x seed"
    assert "standard deviations over seeds; no finished runs of this budget" in lines[1]
    assert lines[2] == "sweep: 0/4 cells"


def test_main_effects_are_those_of_a_full_product() -> None:
    full = swept(("sampler=uniform,sbs", "criterion=flops,none,nonlinear", "seed=0..2"), None, {})
    [one] = detectable_lines(replace(full, cells=full.cells[1:]), 0.01)
    assert one.endswith("between two cells.")
    of_one = tuple(cell for cell in full.cells if cell.varied["criterion"] == "none")
    assert detectable_lines(replace(full, cells=of_one), 0.01) == [one]
    both, holm = detectable_lines(full, 0.01)
    assert re.search(r": (0\.\d{3}) between two cells; 0\.\d{3} of sampler \(mean of 3 cells a level\); "
                     r"0\.\d{3} of criterion \(mean of 2 cells a level\)\.$", both)
    # As `attribute` has it: one contrast of the samplers, three of the criteria.
    of_sampler, of_criterion = (f"{detectable_between(0.01, n, 3, 0.05 / 4):.3f}" for n in (3, 2))
    assert holm == ("At Holm's first threshold for 4 main effects, alpha / 4, which `attribute` judges by: "
                    f"{of_sampler} of sampler; {of_criterion} of criterion.")
    table = detectable_lines(sweep_of(chosen(read_table("efs-nas:table1"), "spos,efs-flops"), "smoke", 3, {}), 0.01)
    assert table == [one]  # rows with variants of their own
    # Two seeds and hundreds of contrasts are still within what SciPy's series reach.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert detectable_between(1.0, 2, 2, 0.05 / 500) == pytest.approx(5769.0, rel=1e-4)


def test_a_second_call_runs_nothing(undisturbed: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    home, answer = undisturbed
    monkeypatch.setenv("HARNESS_RESULTS", str(home))
    before = {name: when for name, when in times(home).items() if not name.startswith("sweeps")}
    again = harness(f"{LINE} --json")
    assert again.json == answer.json
    assert {name: when for name, when in times(home).items() if not name.startswith("sweeps")} == before
    assert "pooled over 4 runs in 2 groups" in again.err
    shown = harness(LINE).out
    assert "sampler=sbs seed=1" in shown
    assert harness("attribute sampler-seed --json").json["factors"] == {"sampler": ["uniform", "sbs"]}


def test_cells_that_fail_are_the_only_ones_missing(tmp_path: Path, results_home: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    bad = f"--vary 'criterion={tmp_path}/bad.py:Bad,nonlinear' --vary 'sampler={tmp_path}/bad.py:Leaves,uniform'"
    answer = harness(f"sweep {SMALL} --share all {bad} --workers 1 --json")
    assert answer.code == 1
    assert answer.err.endswith("; the others are done, and the same command tries these again.\n")
    assert answer.err.splitlines()[-1].startswith("Error: 3 of 4 cells failed (first: The criterion ")
    assert f"Failed: criterion={tmp_path}/bad.py:Bad sampler=uniform: The criterion" in answer.err
    assert "no scores today" in answer.err
    assert f"Failed: criterion=nonlinear sampler={tmp_path}/bad.py:Leaves: SystemExit: 0" in answer.err
    [table] = results_home.glob("sweeps/*/table.csv")
    assert [line.split(",")[:2] for line in table.read_text().splitlines()] == [["criterion", "sampler"],
                                                                                ["nonlinear", "uniform"]]


def test_where_all_cells_fail_no_others_are_done() -> None:
    answer = harness(f"sweep {SMALL} --vary k=0,1 --vary share=layers --workers 1")
    assert answer.err.splitlines()[-1].startswith("Error: 2 of 2 cells failed (first: k=0 makes no part; ")
    assert answer.err.endswith("); the same command tries these again.\n")


def test_a_cell_whose_plug_in_changes_meanwhile_fails(tmp_path: Path, results_home: Path) -> None:
    plug = tmp_path / "plug.py"
    plug.write_text(BAD)
    sweep = swept((f"criterion={plug}:Bad",), None, {"share": "all"})
    plug.write_text(BAD.replace("no scores today", "nor tomorrow"))
    [failure] = run_all(sweep, Machine("cpu"), 1, silent())
    assert failure.reason == "The plug-in or truth changed since the sweep began; run the same command again."


def test_damaged_files_cost_nothing_but_themselves(undisturbed: tuple[Path, Any], results_home: Path) -> None:
    shutil.copytree(undisturbed[0], results_home)
    rows = undisturbed[1].json["rows"]
    [mine] = (results_home / rows[1]["run"]).glob("metrics-*.json")
    mine.write_text('{"schema": "metrics/1"}')
    other = results_home / "none-k1-digits201-digits-s7-0123456789ab"
    other.mkdir()
    shutil.copy(mine.parent / "spec.json", other)
    (other / "metrics-0123456789ab.json").write_text('{"schema": "metri')
    answer = harness(LINE)
    assert answer.code == 1
    assert "Left out of the spread over seeds, 2 in all: " in answer.err
    assert answer.err.splitlines()[-1].startswith(f"Error: 1 of 4 cells failed (first: {mine} is not what a run of this version")
    assert "sampler=sbs seed=1" in answer.out
    assert "sampler=uniform seed=1" not in answer.out
    [file] = results_home.glob("sweeps/*/sweep.json")
    for content in ('{"schema": "sweep/1", "factors": ["x"]}', file.read_text().replace('"run"', '"walk"'),
                    file.read_text().replace('"network": {', '"network": 3, "": {', 1)):
        file.write_text(content)
        with pytest.raises(DataError, match="is not what a sweep of this version writes"):
            Sweep.read(file.parent)
    assert harness(f"attribute {file.parent}").code == 3


def test_a_sweep_given_by_its_path_is_looked_up_beside_it(undisturbed: tuple[Path, Any], results_home: Path) -> None:
    folder = undisturbed[1].json["sweep"]
    assert harness(f"attribute {folder} --json").json["factors"] == {"sampler": ["uniform", "sbs"]}
    assert Sweep.read(Path(folder)).folder == Path(folder)


def test_a_run_that_another_process_holds_is_waited_for(results_home: Path) -> None:
    sweep = swept(("seed=3",), None, {"share": "all", "sampler": "uniform", "recipe": {"passes": 4},
                                      "estimation": {"images": 64, "batch": 64, "architectures": 4}})
    folder, said = results_home / sweep.cells[0].run, []

    class Listener(Reporter):
        def __init__(self) -> None:
            pass

        def say(self, text: str) -> None:
            said.append(text)

        def step(self, name: str, done: float, total: float, detail: str = "") -> None:
            pass

    def hold() -> None:
        with sole_writer(folder):
            while not any("waits for" in line for line in said):
                time.sleep(0.01)

    holder = Thread(target=hold)
    holder.start()
    while not (folder / ".lock").exists():
        time.sleep(0.01)
    assert run_all(sweep, Machine("cpu"), 1, Listener()) == []
    holder.join()
    assert sweep.cells[0].finished


# ---- processes


def test_a_process_that_dies_takes_no_other_along(results_home: Path) -> None:
    heard: list[tuple[Any, ...]] = []
    items = ["one", "die", "refuse", "two", "leave", "swallow"]
    found = dict(crew(behave, items, 2, lambda *report: heard.append(report)))
    assert found[0] == f"one {results_home} True"
    assert found[3] == f"two {results_home} True"
    assert isinstance(found[1], HarnessError)
    assert "killed by SIGKILL, perhaps because memory ran out" in str(found[1])
    assert str(found[2]) == "it cannot be."
    assert str(found[4]) == "SystemExit: 0"
    assert str(found[5]).startswith("The criterion 'slow' took longer than 0.2 s and cannot be interrupted, so its process ends")
    assert sorted(report[1:] for report in heard) == [(i, "begun", item) for i, item in enumerate(items)]
    assert {report[0] for report in heard} == {0, 1}


def test_workers_of_a_run_do_not_hold_up_the_next(results_home: Path) -> None:
    began = time.monotonic()
    found = dict(crew(behave, ["share"], 1, lambda *report: None))
    assert found == {0: "AB"}
    assert time.monotonic() - began < 100  # joblib's idle workers would stay for 300


def living(session: int) -> Iterator[int]:
    """The processes of a session, without zombies."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            yield int(stat.parent.name)


def kill(process: "subprocess.Popen[str]") -> None:
    """SIGKILL to the process alone; the others of its session end by themselves."""
    process.kill()
    process.wait()
    end = time.monotonic() + PATIENCE
    while left := list(living(process.pid)):
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"processes outlive the one that started them: {left}")
        time.sleep(0.05)
    process.communicate()


def finished(home: Path) -> int:
    """How many cells are."""
    return len(list(home.glob("*/metrics-*")))


@IN_PROC
def test_no_process_outlives_a_crew_that_is_killed() -> None:
    code = "from crew_work import lingering; lingering()"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    assert process.stdout is not None
    assert [process.stdout.readline().split()[-1] for _ in range(2)] == ["linger", "linger"]
    kill(process)


@IN_PROC
def test_a_sweep_that_is_interrupted_and_killed_ends_with_the_same_tables(
        undisturbed: tuple[Path, Any], results_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, interrupted = Reporter.step, []

    def interrupt(self: Reporter, name: str, done: float, total: float, detail: str = "") -> None:
        if name == "sweep" and done >= 1 and not interrupted:
            interrupted.append(done)
            raise KeyboardInterrupt
        step(self, name, done, total, detail)

    monkeypatch.setattr(Reporter, "step", interrupt)
    answer = harness(f"{LINE} --workers 1")
    assert (answer.code, answer.out) == (130, "")
    assert answer.err.splitlines()[-1] == "Error: Interrupted; run the same command again to go on where it stopped."
    assert finished(results_home) == 1
    process, end = started(f"{LINE} --workers 2"), time.monotonic() + PATIENCE
    while finished(results_home) < 2:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)
    kill(process)
    assert finished(results_home) < 4
    assert harness(f"{LINE} --workers 1").code == 0
    assert tables(results_home) == tables(undisturbed[0])


@pytest.mark.slow
@IN_PROC
def test_ten_kills_at_any_moment_change_no_table(family: Path, results_home: Path) -> None:
    rng = np.random.default_rng(3)
    for i in range(10):
        process = started(f"{FAMILY} --workers {1 + i % 2}")
        time.sleep(rng.uniform(0, 12))
        kill(process)
    process = started(f"{FAMILY} --workers 2")
    said = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, said
    assert tables(results_home) == tables(family)


@pytest.mark.slow
def test_two_sweeps_at_once_share_their_work(family: Path, results_home: Path) -> None:
    both = [started(f"{FAMILY} --workers {workers}") for workers in (1, 2)]
    said = [process.communicate(timeout=PATIENCE)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert any("which another process works on" in text for text in said)
    assert tables(results_home) == tables(family)
