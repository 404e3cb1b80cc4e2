"""Official files and folders of NAS-Bench-201 and NATS-Bench as arrays of trials, read where they can do no harm."""

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray

from benchmarks.convert.confinement import Numbers, confined, shown
from benchmarks.errors import DataError
from benchmarks.pickles.official import GENUINE
from benchmarks.pickles.record import DATASETS

# Files per process: enough that starting it (0.2 s) does not count, few enough that all cores have work to the end.
SLICE = 128

NATS_FILE = re.compile(r"[0-9]{1,6}\.pickle\.pbz2")
NASBENCH201_FILE = re.compile(r"[0-9]{1,6}-(?:FULL|SIMPLE)\.pth")
META = "meta.pickle.pbz2"
ORDER = ("index", "epochs", "dataset", "seed")


@dataclass(frozen=True, eq=False)
class Official:
    """Everything an official source says about trainings.

    source: "v1_0", "v1_1" or "nats". format: "nasbench201" or "nats" for a file, with "-folder" for a folder of them. trials:
    structured [n_trial] with the fields index, epochs, dataset (position in DATASETS), seed and those of FIELDS (double; NaN =
    missing), ascending in the first four. size: bytes. sha256: of the file; of a folder: of its lines "name sha256", by name.
    """

    source: str
    format: str
    trials: NDArray[np.void]
    size: int
    sha256: str


def read_official(path: Path, jobs: int = 1, report: Callable[[int, int], None] | None = None) -> Official:
    """The trials of an official file or folder of NAS-Bench-201 or NATS-Bench (topology), any of their forms.

    jobs: processes that read a folder (-1 = one per core); the result does not depend on it. report: hears (done, total), bytes
    of a file, files of a folder. Layouts: `benchmarks.pickles.official`. Raises DataError when the source cannot be read, is
    none of those, asks for anything but numbers, needs more memory or time than a genuine one, or contradicts itself.
    """
    folder = path.is_dir()
    paths = _members(path) if folder else [path]
    files = _Reading(paths, folder, report).run(jobs)
    if folder:
        _check_names(files)
    elif files[0].kind == "meta":
        raise DataError(f"{shown(path)} holds only the list of architectures; give its folder, with 000000.pickle.pbz2 ... "
                        "in it.")
    family = files[0].family
    trials = np.concatenate([file.trials for file in files])
    trials = trials[np.lexsort([trials[name] for name in reversed(ORDER)])]
    digest = sha256("".join(f"{file.path.name} {file.sha256}\n" for file in files).encode()).hexdigest()
    return Official(_source(path, family, trials), family + "-folder" * folder, trials, sum(file.size for file in files),
                    digest if folder else files[0].sha256)


def _members(folder: Path) -> list[Path]:
    """The files of a folder that are read, by name: of one architecture each, and the list of all where it is there."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise DataError(f"{shown(folder)} cannot be read ({error.strerror}); make it readable.") from None
    nats = sorted(name for name in names if NATS_FILE.fullmatch(name))
    # A FULL file holds what the SIMPLE one holds, and weights.
    others = sorted(name for name in names if NASBENCH201_FILE.fullmatch(name)
                    and ("-FULL" not in name or name.replace("-FULL", "-SIMPLE") not in names))
    if bool(nats) == bool(others):
        what = "both" if nats else "neither"
        raise DataError(f"{shown(folder)} holds {what} 000000.pickle.pbz2 ... {'and' if nats else 'nor'} 000000-SIMPLE.pth "
                        "...; give the unpacked folder of NATS-tss-v1_0-3ffb9-simple or of NAS-Bench-201-v1_1-archive.")
    return [folder / name for name in (nats or others) + ([META] if nats and META in names else [])]


def _size(path: Path) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
        reason = "not a regular file" if path.exists() else "no such file"
    except OSError as error:
        reason = str(error.strerror)
    raise DataError(f"{shown(path)} cannot be read ({reason}); give the path of an official file or folder.")


def _check_names(files: Sequence[Numbers]) -> None:
    """A folder must be of one family and hold under each name the architecture of that number, once."""
    named: dict[int, Path] = {}
    for file in files:
        if file.path.name == META:
            if file.kind != "meta":
                raise DataError(f"{shown(file.path)} does not hold the list of architectures, as its name says; {GENUINE}.")
            continue
        index = int(file.path.name.partition(".")[0].partition("-")[0])
        if file.kind != "one" or (file.trials["index"] != index).any():
            raise DataError(f"{shown(file.path)} does not hold architecture {index}, as its name says; {GENUINE}.")
        if index in named:
            raise DataError(f"{shown(file.path)} and {named[index].name} are both architecture {index}; remove one of them.")
        if file.family != files[0].family:
            raise DataError(f"{shown(file.path)} is not of the same benchmark as {files[0].path.name}; give a folder of one of "
                            "them.")
        named[index] = file.path


def _source(path: Path, family: str, trials: NDArray[np.void]) -> str:
    """v1_0 or v1_1 of NAS-Bench-201, or nats: v1_0 has no results of 12 epochs but those of cifar10-valid, v1_1 has all."""
    if family == "nats":
        return family
    architectures = np.unique(trials["index"])
    later = np.unique(trials["index"][(trials["epochs"] == 12) & (trials["dataset"] != DATASETS.index("cifar10-valid"))])
    if len(later) not in (0, len(architectures)):
        raise DataError(f"{shown(path)} mixes files v1_0 and v1_1 of NAS-Bench-201, for results of 12 epochs where only v1_1 has "
                        f"any are there for {len(later)} of {len(architectures)} architectures; give one of them.")
    return "v1_1" if len(later) else "v1_0"


class _Reading:
    """Files read slice by slice, each slice in a confined process. The first failure in their order is the one that is raised."""

    def __init__(self, paths: Sequence[Path], folder: bool, report: Callable[[int, int], None] | None) -> None:
        self._paths = paths
        self._sizes = [_size(path) for path in paths]
        self._folder = folder
        self._report = report
        self._total = len(paths) if folder else self._sizes[0]
        self._done = 0
        self._lock = threading.Lock()
        self._failed: tuple[int, DataError] | None = None

    def run(self, jobs: int) -> list[Numbers]:
        """All files, in their order."""
        starts = range(0, len(self._paths), SLICE)
        parts = joblib.Parallel(n_jobs=jobs, prefer="threads")(joblib.delayed(self._slice)(start) for start in starts)
        if self._failed is not None:
            raise self._failed[1]
        return [file for part in parts for file in part]

    def _slice(self, start: int) -> list[Numbers]:
        paths, sizes = self._paths[start:start + SLICE], self._sizes[start:start + SLICE]
        files: list[Numbers] = []
        try:
            with closing(confined(paths, sizes)) as messages:
                for message in messages:
                    if self._failed is not None and self._failed[0] < start:
                        break
                    if isinstance(message, Numbers):
                        files.append(message)
                    self._tell(message)
        except DataError as error:
            with self._lock:
                if self._failed is None or start < self._failed[0]:
                    self._failed = start, error
        return files

    def _tell(self, message: Numbers | int) -> None:
        """Progress: files of a folder, bytes of a file."""
        with self._lock:
            if self._folder:
                self._done += isinstance(message, Numbers)
            else:
                self._done = message if isinstance(message, int) else self._total
            if self._report is not None and self._folder == isinstance(message, Numbers):
                self._report(self._done, self._total)
