"""What every test may ask for: a data folder of its own, a results folder of its own, the real data where it is at hand."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more about what else runs on the machine than about the code.
settings.register_profile("harness", deadline=None)
settings.load_profile("harness")


@pytest.fixture(autouse=True)
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HARNESS_DATA, so that no test reads or writes the user's."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_DATA", str(folder))
    return folder


@pytest.fixture(autouse=True)
def results_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HARNESS_RESULTS."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("HARNESS_RESULTS", str(folder))
    return folder


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data (ground truth, published scores, CIFAR-10), named by HARNESS_SHARED_DATA."""
    folder = os.environ.get("HARNESS_SHARED_DATA", "")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CI") == "true":
        pytest.fail("HARNESS_SHARED_DATA names no folder, and CI must run the tests on real data")
    pytest.skip("needs real data: set HARNESS_SHARED_DATA to its folder")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"needs the right to mount a file system: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
