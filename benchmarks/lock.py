"""One writer of a file at a time: what is read before it is written anew must not change in between."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from benchmarks.errors import RunError
from benchmarks.folder import reason

# Seconds to wait for another writer, and between two looks. A table is read, merged and written in a few seconds.
PATIENCE, PAUSE = 120.0, 0.05


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold `path` until the block, or the process, ends; nothing but `path` is left behind.

    Waits for another writer. Raises RunError when that one is not done within PATIENCE seconds or the folder is not writable.
    """
    lock = path.with_name(f".{path.name}.lock")
    deadline = time.monotonic() + PATIENCE
    try:
        while (held := _take(lock)) is None:
            if time.monotonic() > deadline:
                raise RunError(f"Another process has been writing {path} for {PATIENCE:g} seconds; wait for it, or stop it, and "
                               "run the same command again.")
            time.sleep(PAUSE)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {reason(error)}.") from error
    with held:
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()
                # Only a folder that is empty goes: then it was made for nothing.
                lock.parent.rmdir()


def _take(lock: Path) -> IO[str] | None:
    """The locked file, or None when another process holds it or has just taken it away."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open(lock, "w")  # noqa: SIM115 - the caller holds it
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it before took it away: then others make a new one, and this one keeps nobody out.
        if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    return None
