"""Work for several processes: joblib's workers, whose reports come back to the one process that shows them.

Nothing outlives that process: it receives the reports in a thread of its own, and a worker whose parent is gone ends.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from threading import Thread
from typing import Any, TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from benchmarks.errors import RunError

Item = TypeVar("Item")
Result = TypeVar("Result")
# A worker calls it with whatever the receiver takes.
Send = Callable[..., None]

WATCH_SECONDS = 0.2
BACKLOG = 128


def spread(work: Callable[[Item, Send], Result], items: Sequence[Item], jobs: int, receive: Send) -> list[Result]:
    """[work(item, send) for item in items] over `jobs` processes, in order of the items; `receive` gets what is sent.

    With one job everything happens in this process. An exception of one item ends all; RunError when a worker is killed.
    """
    if jobs <= 1 or len(items) <= 1:
        return [work(item, receive) for item in items]
    with _mailbox(receive) as send:
        try:
            # The watch begins before the first task: a worker whose parent is killed while it hands one over would wait for ever.
            workers = Parallel(n_jobs=min(jobs, len(items)), initializer=_end_with, initargs=(os.getpid(),))
            results: list[Result] = workers(delayed(work)(item, send) for item in items)
        except BrokenProcessPool as error:
            raise RunError("A worker process was killed, perhaps because memory ran out; run the same command again, with fewer "
                           "--jobs, to go on where it stopped.") from error
        return results


def dismiss() -> None:
    """End the workers that wait for the next `spread`.

    They do so for five minutes, and the end of a process of multiprocessing, which is no main one, waits for them.
    """
    get_reusable_executor().shutdown()


def _end_with(parent: int) -> None:
    """End this process soon after its parent, however that ends; the next run would meet a writer that nobody waits for."""
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


class Sender:
    """Brings a worker's reports to the process that started it, one connection each, so that they arrive in order."""

    def __init__(self, address: Any, key: bytes) -> None:
        self._address, self._key = address, key

    def __call__(self, *report: Any) -> None:
        with Client(self._address, authkey=self._key) as line:
            line.send(report)


@contextmanager
def _mailbox(receive: Send) -> Iterator[Sender]:
    """A sender for workers; `receive` has had all that they sent when the block ends."""
    key = os.urandom(32)
    listener = Listener(("127.0.0.1", 0), backlog=BACKLOG, authkey=key)
    send = Sender(listener.address, key)
    reader = Thread(target=_read, args=(listener, receive), daemon=True)
    reader.start()
    try:
        yield send
    finally:
        with suppress(OSError, EOFError):  # nobody listens any more when `receive` raised
            send()
        reader.join()


def _read(listener: Listener, receive: Send) -> None:
    """Hand on each report until an empty one comes."""
    with listener:
        while True:
            try:
                with listener.accept() as line:
                    report = line.recv()
            except (OSError, EOFError, AuthenticationError):  # a worker that was killed while it spoke
                continue
            if not report:
                return
            receive(*report)
