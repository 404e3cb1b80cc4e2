"""The command line as tests call it: in this process, or in one of its own that can be killed."""

import json
import os
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from harness.cli import main

# A whole run in about a second.
TINY = ("--set recipe.passes=60 --set estimation.images=64 --set estimation.batch=64 --set estimation.architectures=12 "
        "--device cpu --jobs 1")


@dataclass(frozen=True)
class Answer:
    """What a command said and the code it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def harness(line: str) -> Answer:
    """`harness LINE` in this process."""
    out, err, code = StringIO(), StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(shlex.split(line))
        except SystemExit as end:
            code = int(end.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


def started(line: str) -> subprocess.Popen[str]:
    """`harness LINE` in a process and a session of its own, which Ctrl-C interrupts even when the tests run in the background."""
    code = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from harness.cli import main; main()")
    return subprocess.Popen([sys.executable, "-c", code, *shlex.split(line)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})


def times(folder: Path) -> dict[str, int]:
    """When each file below a folder was last written, by relative path."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}
