"""A run that is killed, interrupted or raced goes on where it stopped and ends with the bytes of one that was left alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from command import harness, started

from benchmarks.errors import RunError
from harness.parallel import Send, spread

# Long enough for a kill in the middle of each stage: a second or more of training and of estimating, and a moment of comparing.
LINE = ("run --criterion nonlinear --k 3 --set recipe.passes=400 --set estimation.images=418 --set estimation.batch=209 "
        "--set estimation.architectures=400 --device cpu")
PATIENCE = 120.0
# What a run says about itself and not about its question.
NOTES = {"provenance.json", ".lock"}
FIGURES = {".png", ".pdf"}

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for left-over processes in /proc")


def results(home: Path) -> dict[str, bytes]:
    """The content of every result file of the one run in a results folder, by relative path."""
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*"))
            if path.is_file() and path.name not in NOTES and path.suffix not in FIGURES}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The result files of the run that nobody disturbed, made in one process."""
    home = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home))
        assert harness(f"{LINE} --jobs 1").code == 0
    found = results(home)
    kinds = {Path(name).name.partition("-")[0].partition(".")[0] for name in found}
    assert kinds == {"spec", "partition", "supernet", "training", "estimates", "metrics", "accuracy"}
    return found


def wait_until(there: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Until something holds; fails when the process ends before, or after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, f"ended too early: {process.communicate()[1]}"
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def in_session(session: int) -> list[int]:
    """The living processes of a session, without zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def kill(process: "subprocess.Popen[str]") -> None:
    """SIGKILL to the process alone; its workers end by themselves."""
    process.kill()
    process.wait()
    end = time.monotonic() + 30
    while left := in_session(process.pid):
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"workers outlive the run: {left}")
        time.sleep(0.05)
    process.communicate(timeout=PATIENCE)


def training(home: Path) -> bool:
    """Some of the training is done and some is not."""
    return any(home.glob("*/supernet-*.checkpoint"))


def estimating(home: Path) -> bool:
    """Some of the estimates are there."""
    return any(home.glob("*/estimates-*.partial/*.safetensors"))


def writing(home: Path) -> bool:
    """All the estimates are there, and the metrics are not."""
    return any(home.glob("*/estimates-*.parquet"))


def test_three_kills_change_no_byte(expected: dict[str, bytes], results_home: Path) -> None:
    rng = np.random.default_rng(20)
    for stage, jobs, longest in ((training, 2, 0.6), (estimating, 1, 0.2), (writing, 1, 0.02)):
        process = started(f"{LINE} --jobs {jobs}")
        wait_until(partial(stage, results_home), process)
        time.sleep(rng.uniform(0, longest))
        kill(process)
        assert process.returncode == -signal.SIGKILL
        assert not any(results_home.glob("*/metrics-*")), f"the kill while {stage.__name__} came too late"
        if stage is training:
            assert not any(results_home.glob("*/estimates-*"))
        if stage is estimating:
            assert not writing(results_home)
    assert harness(f"{LINE} --jobs 1").code == 0
    assert results(results_home) == expected


def test_a_second_writer_is_refused_and_an_interrupted_run_goes_on(expected: dict[str, bytes], results_home: Path) -> None:
    process = started(f"{LINE} --jobs 2")
    wait_until(partial(training, results_home), process)
    os.killpg(process.pid, signal.SIGSTOP)  # however long the second one takes to see it, the first has not ended
    second = harness(f"{LINE} --jobs 1")
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith("Error: Another process is working on nonlinear-k3-digits201-digits-s0-")
    assert second.err.count("\n") == 1
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the run and its workers
    os.killpg(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "Error: Interrupted; run the same command again to go on where it stopped."
    assert "Traceback" not in err
    assert training(results_home)
    assert harness(f"{LINE} --jobs 1").code == 0
    assert results(results_home) == expected


def test_workers_end_with_a_run_that_is_killed_while_they_start(results_home: Path) -> None:
    for wait in (0.0, 1.0):  # they begin to import, their tasks are being handed over
        process = started(f"{LINE} --jobs 2")
        wait_until(lambda process=process: len(in_session(process.pid)) >= 5, process)  # two of them are joblib's trackers
        time.sleep(wait)
        kill(process)


@pytest.mark.slow
def test_twenty_kills_at_any_moment_change_no_byte(expected: dict[str, bytes], tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / "timed"))
    start = time.monotonic()
    assert started(f"{LINE} --jobs 2").wait(timeout=PATIENCE) == 0
    whole = time.monotonic() - start
    for i in range(20):
        home = tmp_path / f"run-{i}"
        monkeypatch.setenv("HARNESS_RESULTS", str(home))
        process = started(f"{LINE} --jobs {1 + i % 2}")
        time.sleep(rng.uniform(0, whole))
        kill(process)
        done = started(f"{LINE} --jobs {1 + i // 2 % 2}")
        assert done.communicate(timeout=PATIENCE)[1].count("Error") == 0
        assert results(home) == expected, f"kill {i}"


# ---- workers


def echo(item: int, send: Send) -> int:
    for i in range(3):
        send(item, i)
    return item


def fall(item: int, send: Send) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(item: int, send: Send) -> None:
    raise RunError(f"item {item} cannot be.")


def test_workers_results_keep_their_order_and_every_report_arrives() -> None:
    heard: list[tuple[int, int]] = []
    assert spread(echo, range(5), 2, lambda *report: heard.append(report)) == [0, 1, 2, 3, 4]
    assert sorted(heard) == [(item, i) for item in range(5) for i in range(3)]
    assert all([i for item, i in heard if item == each] == [0, 1, 2] for each in range(5))


def test_a_killed_worker_is_an_error_in_one_sentence() -> None:
    with pytest.raises(RunError, match=r"^A worker process was killed, .* run the same command again"):
        spread(fall, range(2), 2, print)


def test_an_error_of_a_worker_reaches_the_run() -> None:
    with pytest.raises(RunError, match="cannot be"):
        spread(refuse, range(2), 2, print)
