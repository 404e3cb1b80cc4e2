"""What a long command says while it works, on standard error: bars on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

# Without a terminal a log should grow slowly, however short the epochs are.
LINE_SECONDS = 10.0


class Reporter:
    """Bars or lines, one for each named piece of work; use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        self._bars: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                   TimeRemainingColumn(), TextColumn("{task.fields[detail]}"))
        self._progress = Progress(*columns, console=self.console, transient=True) if self.console.is_terminal else None

    def __enter__(self) -> "Reporter":
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress:
            self._progress.stop()

    def say(self, text: str) -> None:
        """One line, now."""
        self.console.print(text, markup=False, emoji=False)  # ./file.py:Leaves: is a name

    def step(self, name: str, done: float, total: float, detail: str = "") -> None:
        """So much of a piece of work is done."""
        if self._progress:
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(name, total=total, detail=detail)
            self._progress.update(self._bars[name], completed=done, total=total, detail=detail)
        elif done >= total or time.monotonic() - self._said.get(name, -LINE_SECONDS) >= LINE_SECONDS:
            self._said[name] = time.monotonic()
            self.say(f"{name}: {done:.0f}/{total:.0f} {detail}".rstrip())


def silent() -> Reporter:
    """A reporter that says nothing."""
    return Reporter(Console(file=sys.stderr, quiet=True, force_terminal=False))
