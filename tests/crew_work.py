"""Work for a crew, in a module of its own, because each worker imports it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import parent_process
from typing import Any

from benchmarks.errors import RunError
from harness.experiments.crew import attempted, crew
from harness.parallel import Send, spread
from harness.scoring import deadline
from harness.store import results_home


def here(work: Callable[..., Any], items: Sequence[Any], workers: int, receive: Callable[..., None]) -> Iterator[tuple[int, Any]]:
    """A crew in this process, which takes no seconds to begin."""
    assert workers >= 1
    for position, item in enumerate(items):
        yield position, attempted(work, item, partial(receive, 0, position))


def behave(item: str, send: Send) -> str:
    """Whatever the item says."""
    send("begun", item)
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "refuse":
        raise RunError("it cannot be.")
    if item == "share":
        return "".join(spread(meet, ["a", "b"], 2, send))
    if item == "linger":
        time.sleep(600)
    if item == "leave":
        sys.exit(0)
    if item == "swallow":
        deadline.GRACE = 0.2
        with deadline.deadline("slow", 0.2):
            while True:
                try:
                    time.sleep(1)
                except BaseException:
                    continue
    return f"{item} {os.environ['HARNESS_RESULTS']} {parent_process() is not None}"


def meet(item: str, send: Send) -> str:
    """In upper case, once the other of "a" and "b" has begun, too, in another process."""
    home = results_home()
    home.mkdir(exist_ok=True)
    (home / item).touch()
    while not all((home / name).exists() for name in "ab"):
        time.sleep(0.05)
    return item.upper()


def lingering() -> None:
    """A process whose crew says that it has begun and does not end by itself."""
    for _ in crew(behave, ["linger", "linger"], 2, lambda *report: print(*report, flush=True)):
        pass
