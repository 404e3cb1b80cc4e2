"""The time limit of a criterion: what hangs is stopped and named, what is quick notices nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from command import harness

from benchmarks.errors import RunError
from harness.scoring.deadline import deadline

HANGING = """
import time
from dataclasses import dataclass
from criteria import Scorer

@dataclass(frozen=True)
class Spins(Scorer):
    def score(self, ctx):
        while True:
            pass

@dataclass(frozen=True)
class Sleeps(Scorer):
    def score(self, ctx):
        time.sleep(1000)

@dataclass(frozen=True)
class Swallows(Scorer):
    def score(self, ctx):
        while True:
            try:
                time.sleep(1)
            except BaseException:
                pass
"""


@pytest.fixture
def plug(tmp_path: Path) -> Path:
    (tmp_path / "plug.py").write_text(HANGING)
    return tmp_path / "plug.py"


def interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)


def test_quick_work_notices_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deadline("quick", 30):
        done = sum(range(1000))
    assert done == 499_500
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("hang", [lambda: time.sleep(60), lambda: [None for _ in iter(int, 1)]])
def test_what_hangs_is_interrupted(hang: object) -> None:
    before, start = signal.getsignal(signal.SIGINT), time.monotonic()
    said = r"criterion 'slow' took longer than 0.2 s and was stopped; .* --time-limit"
    with pytest.raises(RunError, match=said), deadline("slow", 0.2):
        hang()  # type: ignore[operator]
    assert time.monotonic() - start < 5
    assert signal.getsignal(signal.SIGINT) is before


def test_errors_and_the_users_own_interruption_pass() -> None:
    with pytest.raises(ZeroDivisionError), deadline("x", 30):
        _ = 1 / 0
    with pytest.raises(KeyboardInterrupt), deadline("x", 30):
        interrupted()


def test_no_interruption_comes_late() -> None:
    for _ in range(30):
        try:
            with deadline("close", 0.01):
                time.sleep(0.0099)
        except RunError:
            continue
    time.sleep(0.05)


def test_in_other_threads_there_is_no_limit() -> None:
    done = []

    def work() -> None:
        with deadline("elsewhere", 0.05):
            time.sleep(0.2)
            done.append(True)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.mark.parametrize("command", ["score --criterion {}", "diagnose --criterion {}", "compare-splits flops {}",
                                     "run --criterion {}"])
@pytest.mark.parametrize("name", ["Spins", "Sleeps"])
def test_commands_name_what_hangs(command: str, name: str, plug: Path) -> None:
    said = harness(command.format(f"{plug}:{name}") + " --time-limit 0.5")
    assert said.code == 1
    assert "took longer than 0.5 s" in said.out + said.err
    assert said.err.splitlines()[-1].startswith("Error: ")


def test_what_swallows_the_interruption_ends_the_process(plug: Path) -> None:
    code = ("import harness.scoring.deadline, sys; harness.scoring.deadline.GRACE = 1.0\n"
            f"from harness.cli import main; main(['score', '--criterion', '{plug}:Swallows', '--time-limit', '0.5'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"Error: The criterion '{plug}:Swallows' took longer than 0.5 s and cannot be")


def test_a_command_in_the_background_is_stopped_too(plug: Path) -> None:
    code = ("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            f"from harness.cli import main; main(['score', '--criterion', '{plug}:Sleeps', '--time-limit', '0.5'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "and was stopped" in done.stderr
