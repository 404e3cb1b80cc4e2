"""Work that may fail piece by piece: each item in a process of its own, so that one that dies takes no other along.

`spread` of harness/parallel.py is for the parts of one run, which are nothing without each other; a crew is for several runs.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, TypeVar

from benchmarks.errors import HarnessError, RunError
from harness.parallel import Send, dismiss
from harness.scoring import deadline

Item = TypeVar("Item")
Result = TypeVar("Result")
# Called with the worker's number (0..workers-1), the item's position, and whatever the worker sent.
Receive = Callable[..., None]


def crew(work: Callable[[Item, Send], Result], items: Sequence[Item], workers: int,
         receive: Receive) -> Iterator[tuple[int, Result | HarnessError]]:
    """(position, work(item, send)) of each item as it ends, at most `workers` at once, begun in order.

    An error of an item is its result (see `attempted`), and so is a RunError where its process dies. No process outlives the
    iteration.
    """
    # Forked from a server that has no threads and has imported the work, which takes seconds.
    context = get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    waiting, free = list(enumerate(items))[::-1], list(range(workers))[::-1]
    running: dict[Connection, tuple[int, int, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and free:
                (position, item), worker = waiting.pop(), free.pop()
                mine, theirs = context.Pipe(duplex=False)
                begun = context.Process(target=_begin, args=(work, item, theirs, dict(os.environ)))
                begun.start()
                theirs.close()
                running[mine] = (worker, position, begun)
            for line in wait(list(running)):
                assert isinstance(line, Connection)
                worker, position, process = running[line]
                try:
                    is_result, content = line.recv()
                except (EOFError, OSError):
                    process.join()
                    is_result, content = True, RunError(_death(process.exitcode))
                if not is_result:
                    receive(worker, position, *content)
                    continue
                process.join()
                del running[line]
                free.append(worker)
                yield position, content
    finally:
        for _, _, process in running.values():
            process.terminate()
        for _, _, process in running.values():
            process.join()


def attempted(work: Callable[..., Result], *given: Any) -> Result | HarnessError:
    """What the work gives, or its error, so that a fault of one piece ends no other; a RunError for what is no HarnessError."""
    try:
        return work(*given)
    except HarnessError as error:
        return error
    except (Exception, SystemExit) as error:
        return RunError(f"{type(error).__name__}: {error}")


def _death(code: int | None) -> str:
    """Why a process may have ended without a result."""
    if code is not None and code < 0:
        return (f"Its process was killed by {signal.Signals(-code).name}, perhaps because memory ran out; run the same command "
                "again, with fewer --workers, to go on where it stopped.")
    return f"Its process ended with exit code {code}; run the same command again to go on where it stopped."


# ---- in a worker


def _begin(work: Callable[[Any, Send], Any], item: Any, line: Connection, environment: dict[str, str]) -> None:
    # The server's environment is that of its first call.
    os.environ.clear()
    os.environ.update(environment)
    # What one that is ended early leaves behind joblib clears away, and need not say so below our own last line.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    Thread(target=_end_with_parent, daemon=True).start()
    # A criterion that cannot be interrupted ends this process, and the other one has to know why.
    deadline.last_words = lambda sentence: line.send((True, RunError(sentence)))
    try:
        line.send((True, attempted(work, item, lambda *content: line.send((False, content)))))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(1)  # whoever started it was interrupted, too, and says so
    finally:
        if active_children():
            dismiss()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
