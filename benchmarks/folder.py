"""The user's data folder and the one way files are written: whole or not at all."""

import contextlib
import errno
import os
import threading
from pathlib import Path

from benchmarks.errors import RunError


def data_home() -> Path:
    """Where imported tables and images lie: $HARNESS_DATA, else split-harness in the user's data folder."""
    if folder := os.environ.get("HARNESS_DATA"):
        return Path(folder).expanduser()
    if folder := os.environ.get("XDG_DATA_HOME"):
        return Path(folder) / "split-harness"
    return Path.home() / ".local" / "share" / "split-harness"


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader, or a crash at any moment, finds the old file or the new one.

    Raises RunError when the disk is full or the folder is not writable; then nothing new is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        # The rename itself survives a power cut only once the folder is on disk.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RunError(f"Cannot write {path}: {reason(error)}.") from error


def reason(error: OSError) -> str:
    """Why a file could not be written, and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "the folder is not writable; change its permissions or choose another folder"
    return f"{error.strerror or error}; choose another folder"
