"""Work for several processes: joblib's workers, whose reports come back to the one process that shows them."""

from collections.abc import Callable, Sequence
from multiprocessing import Manager
from queue import Empty
from threading import Event, Thread
from typing import Any, TypeVar

from joblib import Parallel, delayed

Item = TypeVar("Item")
Result = TypeVar("Result")
# A worker calls it with whatever the receiver takes.
Send = Callable[..., None]


def spread(work: Callable[[Item, Send], Result], items: Sequence[Item], jobs: int, receive: Send) -> list[Result]:
    """[work(item, send) for item in items] over `jobs` processes, in order of the items; `receive` gets what is sent.

    With one job everything happens in this process. An exception of one item ends all.
    """
    if jobs <= 1 or len(items) <= 1:
        return [work(item, receive) for item in items]
    with Manager() as manager:
        mail = manager.Queue()
        done = Event()

        def read() -> None:
            while not (done.is_set() and mail.empty()):
                try:
                    receive(*mail.get(timeout=0.2))
                except Empty:
                    continue

        reader = Thread(target=read, daemon=True)
        reader.start()
        try:
            send = Sender(mail)
            results: list[Result] = Parallel(n_jobs=min(jobs, len(items)))(delayed(work)(item, send) for item in items)
        finally:
            done.set()
            reader.join()
        return results


class Sender:
    """Puts a worker's reports into the queue."""

    def __init__(self, mail: Any) -> None:
        self._mail = mail

    def __call__(self, *report: Any) -> None:
        self._mail.put(report)
