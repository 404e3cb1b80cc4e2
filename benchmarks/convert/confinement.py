"""A process that reads official files with limits on memory and time and hands back numbers.

The files are pickles of strangers. `benchmarks.pickles` reads them without executing anything; should a file still bring it to
do something else, it does so in a process that cannot write a file and that ends when it takes more than a genuine file needs.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError
from benchmarks.pickles.official import GENUINE
from benchmarks.pickles.record import DATASETS, FIELDS
from benchmarks.space import nasbench201

# Measured on files of the genuine layout (tests/test_pickles.py): reading a file of torch.save takes 0.3 bytes of memory for each
# byte of it, one packed by bz2 1.6, for their weights are passed over; never more than a tenth of the official API's 28 GB.
MEMORY_START, MEMORY_PER_BYTE, MEMORY_MOST = 128 << 20, 2, 2_800_000_000
# Seconds of computing: four times what a slow core takes for bz2, the slowest form, 0.5 microseconds a byte.
SECONDS_START, SECONDS_PER_BYTE = 30, 2e-6
START = "import sys; sys.path.append(sys.argv.pop(1)); from benchmarks.pickles.__main__ import main; main()"
ROOT = Path(__file__).resolve().parents[2]
REFUSED = 3
LONGEST_REASON = 200
# The bytes of `pickles.record.RECORD`.
TRIAL = np.dtype([("index", "<u2"), ("epochs", "<u2"), ("dataset", "<u2"), ("seed", "<i4"),
                  *((field, "<f8") for field in FIELDS)])


@dataclass(frozen=True, eq=False)
class Numbers:
    """What one file holds. kind: "all", "one" or "meta", as in `pickles.official.Found`. trials: structured [n_trial], TRIAL."""

    path: Path
    kind: str
    family: str
    trials: NDArray[np.void]
    size: int
    sha256: str


def confined(paths: Sequence[Path], sizes: Sequence[int]) -> Generator[Numbers | int, None, None]:
    """What a confined process says while it reads the files: how many bytes of one it has used, and each file's content.

    The process ends with this generator; should this process die, it ends within a second.
    """
    memory = min(MEMORY_START + MEMORY_PER_BYTE * max(sizes), MEMORY_MOST)
    seconds = SECONDS_START + round(SECONDS_PER_BYTE * sum(sizes))
    # -I, -S: no startup files, no packages and nothing from the current folder; the standard library and our own code.
    command = [sys.executable, "-I", "-S", "-c", START, str(ROOT), str(memory), str(seconds), str(os.getpid())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    job = {"paths": [str(path) for path in paths], "architectures": nasbench201().strings}
    try:
        # A process that ends before it was told everything says why on its standard error.
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job).encode())
            process.stdin.close()
        read = 0
        while line := process.stdout.readline():
            # A process that ends amid a line or its records says in its exit code why.
            if not line.endswith(b"\n"):
                break
            message = json.loads(line)
            if "done" in message:
                yield int(message["done"])
            elif len(records := process.stdout.read(message["bytes"])) == message["bytes"]:
                yield _numbers(paths[read], message, records)
                read += 1
        said = process.stderr.read().decode("utf-8", "replace")
        code = process.wait()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                pipe.close()
    if code or read != len(paths):
        raise DataError(_reason(paths[min(read, len(paths) - 1)], code, said, seconds))


def shown(path: Path) -> str:
    """The name of a file as one line of text; names on the disk may hold line feeds and bytes that are no text."""
    name = str(path)
    return name if name.isprintable() else ascii(name)


def _numbers(path: Path, message: dict[str, Any], records: bytes) -> Numbers:
    trials = np.frombuffer(records, TRIAL)
    if (trials["index"] >= len(nasbench201())).any() or (trials["dataset"] >= len(DATASETS)).any():
        raise DataError(f"{shown(path)} holds trials of architectures or data sets that there are not; {GENUINE}.")
    return Numbers(path, message["kind"], message["family"], trials, message["size"], message["sha256"])


def _reason(path: Path, code: int, said: str, seconds: int) -> str:
    """Why a confined process failed."""
    if code == REFUSED and said:
        return f"{shown(path)} {said}"
    if code == -signal.SIGXCPU:
        return f"{shown(path)} takes more than {seconds} seconds of computing, which no genuine file of its size does; {GENUINE}."
    why = f" ({lines[-1][-LONGEST_REASON:]!a})" if (lines := said.splitlines()) else ""
    cause = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"failed with exit code {code}"
    return f"{shown(path)} cannot be read: the process that read it {cause}{why}; {GENUINE}."
