"""What the README shows is true: its criterion conforms and runs, and every command it names exists."""

import re
import shlex
from pathlib import Path

import click
import pytest
from command import harness as harness_

from harness.cli import harness, main
from harness.testing import check_criterion

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_criterion_conforms_and_is_diagnosed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    code = re.search(r"```python\n(# my_criterion\.py.*?)```", README, re.DOTALL)
    assert code is not None
    assert len(code[1].splitlines()) <= 21
    (tmp_path / "my_criterion.py").write_text(code[1])
    monkeypatch.chdir(tmp_path)
    check_criterion("./my_criterion.py:Thumb[pooling=-1]")
    main(["diagnose", "--criterion", "./my_criterion.py:Thumb", "--k", "3"])
    assert "Thumb" in capsys.readouterr().out


def test_every_command_exists_with_its_options() -> None:
    shown = re.findall(r"^    harness ([^#\n]*)", README, re.MULTILINE)
    assert len(shown) >= 5
    for line in shown:
        words = line.split()
        command: click.Command = harness
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_file_it_shows_is_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_names_of_the_tree_are_true() -> None:
    for folder in re.findall(r"^    (\w+)/  ", README, re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


@pytest.mark.real_data
def test_the_truths_are_explained_as_the_command_does(shared_data: Path) -> None:
    harness_("data import " + shlex.quote(str(shared_data / "nasbench201.parquet")) + " --as nasbench201")
    for source in ("v1_0", "v1_1", "nats"):
        answer = harness_(f"data explain {source}/cifar10/test/200/full")
        assert answer.code == 0
        assert "".join(f"    {line}".rstrip() + "\n" for line in answer.out.splitlines()) in README
