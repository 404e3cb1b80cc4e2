"""Work for a crew, in a module of its own, because each worker imports it."""

import os
import signal
import time
from multiprocessing import parent_process

from benchmarks.errors import RunError
from harness.experiments.crew import crew
from harness.parallel import Send


def behave(item: str, send: Send) -> str:
    """Whatever the item says."""
    send("begun", item)
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "refuse":
        raise RunError("it cannot be.")
    if item == "linger":
        time.sleep(600)
    return f"{item} {os.environ['HARNESS_RESULTS']} {parent_process() is not None}"


def lingering() -> None:
    """A process whose crew says that it has begun and does not end by itself."""
    for _ in crew(behave, ["linger", "linger"], 2, lambda *report: print(*report, flush=True)):
        pass
