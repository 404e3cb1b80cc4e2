"""`python -m benchmarks.pickles MEMORY SECONDS PARENT`: reads official files in this process, which can do nothing else.

MEMORY: bytes of address space beyond those of the interpreter, SECONDS: of computing, both for the whole job; no file can be
written, few can be open. PARENT: the process that wants it; when that is gone, this one ends.

On standard input one JSON object {"paths": [...], "architectures": [the official strings by index]}.
On standard output lines of JSON: {"done": bytes of the current file} and, after each file, what is in it, followed by as many
bytes of records as it says. Exit code 3 for a file that is refused, and on standard error a sentence without its subject.
"""

import gc
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn

from benchmarks.pickles.allowlist import FUNCTIONS
from benchmarks.pickles.container import read
from benchmarks.pickles.official import GENUINE, Reduction
from benchmarks.pickles.window import Refused

OPEN_FILES = 16
REFUSED = 3
# Bytes given back when memory is short, so that this can still be said; more than one arena of Python's allocator.
RESERVE = 4 << 20
# How often the parent is looked for, in seconds.
WATCH = 1.0


def main() -> None:
    memory, seconds, parent = (int(argument) for argument in sys.argv[1:])
    _watch(parent)
    for limit, value in ((resource.RLIMIT_AS, memory + _own()), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, OPEN_FILES),
                         (resource.RLIMIT_CORE, 0)):
        _limit(limit, value, value)
    # At the first the process is told by SIGXCPU, at the second it is killed.
    _limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What a file builds has no cycles worth collecting, and looking for them takes a third of the time.
    gc.disable()
    job = json.load(sys.stdin.buffer)
    out = sys.stdout.buffer
    # Made here, for without memory no sentence can be made.
    exhausted = f"needs more than {memory >> 20} MiB of memory, which no genuine file of its size does; {GENUINE}.".encode()
    unforeseen = f"brings its reader to an error that no genuine file does; {GENUINE}.".encode()
    reserve = [bytes(RESERVE)]
    for path in job["paths"]:
        try:
            try:
                _send(Path(path), job["architectures"], out)
            except Refused as refusal:
                _end(f"{refusal.reason}; {refusal.remedy or GENUINE}.".encode("ascii", "backslashreplace"))
            except BrokenPipeError:
                # Nobody listens any more.
                os._exit(1)
            except OSError as error:
                _end(f"cannot be read ({error.strerror}); make it readable.".encode())
        # Where memory ends inside of C code, Python sometimes forgets to say why.
        except (MemoryError, SystemError):
            reserve.clear()
            _end(exhausted)
        except Exception:
            _end(unforeseen)


def _limit(limit: int, soft: int, hard: int) -> None:
    """Sets a limit, or leaves a lower one that is there."""
    most = resource.getrlimit(limit)[1]
    soft, hard = (value if most == resource.RLIM_INFINITY else min(value, most) for value in (soft, hard))
    resource.setrlimit(limit, (soft, hard))


def _watch(parent: int) -> None:
    """Ends this process within WATCH seconds of its parent; one that was killed cannot end it."""

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, WATCH, WATCH)


def _own() -> int:
    """Bytes of address space that the interpreter has taken (the locales alone can be 200 MB); 0 where it cannot be known."""
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[0]) * resource.getpagesize() if statistics.exists() else 0


def _send(path: Path, architectures: list[str], out: BinaryIO) -> None:
    """The numbers of one file."""

    def progress(used: int) -> None:
        out.write(b'{"done": %d}\n' % used)
        out.flush()

    reduction = Reduction(architectures)
    content = read(path, FUNCTIONS, reduction.condense, progress)
    found = reduction.found(content.value)
    out.write(json.dumps({"kind": found.kind, "family": found.family, "size": content.size,
                          "sha256": content.sha256, "bytes": len(found.records)}).encode() + b"\n" + found.records)
    out.flush()


def _end(sentence: bytes) -> NoReturn:
    os.write(2, sentence)
    os._exit(REFUSED)


if __name__ == "__main__":
    main()
