"""`harness new-criterion`: files that work as they are, and the commands that it prints."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command import harness

from criteria.registry import criteria
from harness.scoring.template import class_name, write_criterion
from harness.testing import check_criterion


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """pytest by that line, leaving no cache behind."""
    return subprocess.run([sys.executable, *words, "-q", "-p", "no:cacheprovider"], capture_output=True, text=True)


def test_what_it_writes_is_short_and_conforms(tmp_path: Path) -> None:
    file, test = write_criterion("my_proxy", tmp_path)
    assert len(file.read_text().splitlines()) <= 25
    assert len(test.read_text().splitlines()) <= 12
    check_criterion(f"{file}:MyProxy")
    check_criterion(f"{file}:MyProxy[pooling=-1]", k=5)
    for each in (file, test):
        found = subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "130", str(each)])
        assert found.returncode == 0


def test_the_commands_that_it_prints_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = harness("new-criterion thumb2 --json").json
    assert content["criterion"] == "thumb2.py"
    score, compare, test = content["next"]
    assert harness(score.removeprefix("harness ")).code == 0
    said = harness(compare.removeprefix("harness "))
    assert said.code == 0
    assert "./thumb2.py:Thumb2" in said.out
    tested = run(*shlex.split(test)[1:])
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout


def test_its_test_fails_when_the_criterion_is_wrong(tmp_path: Path) -> None:
    file, test = write_criterion("mine", tmp_path)
    file.write_text(file.read_text().replace("return Scores(values,", "return Scores(values[:7],"))
    tested = run("-m", "pytest", str(test))
    assert tested.returncode == 1
    assert "7 scores for 15625 architectures" in tested.stdout


def test_one_line_edited_changes_the_scores(tmp_path: Path) -> None:
    file, _ = write_criterion("mine", tmp_path)
    before = harness(f"score --criterion {file}:Mine --json").json["truths"][0]["mean"]
    file.write_text(file.read_text().replace('"nor_conv_3x3": 1.3', '"nor_conv_3x3": -1.3'))
    after = harness(f"score --criterion {file}:Mine --json").json["truths"][0]["mean"]
    assert after < before


def test_a_folder_with_spaces_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = harness("new-criterion mine --folder 'my folder'")
    assert "--criterion './my folder/mine.py:Mine'" in said.out
    check_criterion("./my folder/mine.py:Mine")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    for name in ("mine.py", "test_mine.py"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("precious")
        said = harness(f"new-criterion mine --folder {folder}")
        assert said.code == 2
        assert "is not overwritten" in said.err
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "precious")]


@pytest.mark.parametrize(("name", "word"), [
    ("Mine", "words of a-z"), ("my-proxy", "words of a-z"), ("../mine", "words of a-z"), ("2fast", "words of a-z"),
    ("mine_", "words of a-z"), ("lambda", "words of a-z"), ("nonlinear", "There is a criterion 'nonlinear'"),
    ("numpy", "hide the module numpy"), ("criteria", "hide the module criteria"), ("statistics", "hide the module statistics")])
def test_names_that_would_not_work(name: str, word: str, tmp_path: Path) -> None:
    said = harness(f"new-criterion {name} --folder {tmp_path}")
    assert said.code == 2
    assert word in said.err
    assert list(tmp_path.rglob("*.py")) == []


def test_a_folder_that_cannot_be_written() -> None:
    said = harness("new-criterion mine --folder /proc/none")
    assert said.code == 1
    assert "Cannot write" in said.err


def test_class_names() -> None:
    assert class_name("my_2nd_proxy") == "My2ndProxy"
    assert "my_proxy" not in criteria.names()
