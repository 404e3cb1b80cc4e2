"""A time limit on code that somebody else wrote: a criterion that hangs is named, and what comes after it can go on."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread, current_thread, get_ident, main_thread

from benchmarks.errors import RunError

# Generous, as some criteria measure a network for every architecture.
SECONDS = 14_400.0
# So long an interrupted criterion may take to come back.
GRACE = 20.0


def last_words(sentence: str) -> None:
    """Why this process ends, for the user; a process that another one waits for puts its own in the place of this."""
    sys.stderr.write(f"Error: {sentence}\n")
    sys.stderr.flush()


@contextmanager
def deadline(criterion: str, seconds: float) -> Iterator[None]:
    """Interrupt the block, as Ctrl-C would, when it takes longer than that: RunError, naming the criterion.

    In the main thread; others cannot be interrupted, so there is no limit in them. Code that swallows the interruption, or does
    not come back from C within `GRACE` seconds, ends the process with exit code 1 and one sentence. Code that holds the
    interpreter lock for ever cannot be ended from here.
    """
    if current_thread() is not main_thread():
        yield
        return
    watch = _Watch(criterion, seconds)
    # A shell that starts a command in the background lets it ignore the interruption.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            watch.start()
            yield
        finally:
            watch.stop()
    except KeyboardInterrupt:
        if not watch.expired:
            raise
        raise RunError(f"{watch.sentence} and was stopped; make it faster or allow more with --time-limit.") from None
    finally:
        signal.signal(signal.SIGINT, before)


class _Watch:
    def __init__(self, criterion: str, seconds: float) -> None:
        self.sentence = f"The criterion '{criterion}' took longer than {seconds:g} s"
        self.expired = False
        self._seconds, self._watched = seconds, get_ident()
        self._over, self._lock = Event(), Lock()

    def start(self) -> None:
        Thread(target=self._wait, daemon=True).start()

    def stop(self) -> None:
        with self._lock:  # either the interruption has been sent, or it never will be
            self._over.set()

    def _wait(self) -> None:
        if self._over.wait(self._seconds):
            return
        with self._lock:
            if self._over.is_set():
                return
            self.expired = True
            signal.pthread_kill(self._watched, signal.SIGINT)
        if not self._over.wait(GRACE):
            last_words(f"{self.sentence} and cannot be interrupted, so its process ends; make it faster or allow more with "
                       "--time-limit.")
            os._exit(RunError.exit_code)
