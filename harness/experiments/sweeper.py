"""Running a sweep: every unfinished cell as an ordinary run, several at once; one that fails is named and the others go on."""

from dataclasses import dataclass, replace

from joblib import cpu_count

from benchmarks.errors import HarnessError, RunError
from harness.device import devices
from harness.experiments.crew import attempted, crew
from harness.experiments.sweep import Cell, Failure, Sweep
from harness.parallel import Send
from harness.progress import Reporter
from harness.runs.run import Run
from harness.runs.runner import execute
from harness.scoring.world import Machine
from harness.store import Held, wait_for


@dataclass(frozen=True)
class _Chain:
    """Cells of one folder, which are done one after another in one process, and where."""

    cells: tuple[Cell, ...]
    machine: Machine


def suitable(device: str) -> int:
    """How many runs at once suit this machine: one a core, or one where there is a GPU."""
    return cpu_count() if devices(device) == ("cpu",) else 1


def run_all(sweep: Sweep, machine: Machine, workers: int, reporter: Reporter) -> list[Failure]:
    """Do what is not yet done of a sweep, `workers` runs at once; gives the cells that failed or cannot be read.

    The table is written anew as cells finish. A run of which another process does a part is waited for. Each run has a process of
    its own; one at a time has all cores, in that one and those it starts; of several each has one.
    """
    sweep.write()
    sweep.write_table()
    alone = workers == 1
    machine = replace(machine, jobs=0 if alone else 1)
    folders: dict[str, list[Cell]] = {}
    for cell in sweep.cells:
        if not cell.finished:
            folders.setdefault(cell.run, []).append(cell)
    chains = [_Chain(tuple(cells), machine) for cells in folders.values()]
    failures, total = list(sweep.refused), len(sweep.cells)

    def show(worker: int, position: int, kind: str, *said: str | float) -> None:
        if kind == "say":
            reporter.say(*said)  # type: ignore[arg-type]
            return
        name, done, of, detail = said
        bar, rest = (str(name), detail) if alone else (f"worker {worker + 1}", f"{name} {detail}")
        reporter.step(bar, float(done), float(of), f"{rest} ({chains[position].cells[0].name})")

    def progress() -> None:
        reporter.step("sweep", sum(cell.finished for cell in sweep.cells), total, "cells")

    progress()
    for position, outcome in crew(_work, chains, workers, show):
        cells = chains[position].cells
        reasons = [str(outcome)] * len(cells) if isinstance(outcome, HarnessError) else outcome
        for cell, reason in zip(cells, reasons, strict=True):
            if not cell.finished:
                failures.append(Failure(cell.varied, reason))
                reporter.say(f"Failed: {cell.name}: {reason}")
        sweep.write_table()
        progress()
    return [*failures, *sweep.results()[1]]


def _work(chain: _Chain, send: Send) -> list[str]:
    """Why each cell failed; empty for those that did not."""
    outcomes = [attempted(_finish, cell, chain.machine, _Relay(send)) for cell in chain.cells]
    return [str(outcome or "") for outcome in outcomes]


def _finish(cell: Cell, machine: Machine, reporter: Reporter) -> None:
    """Run a cell to its end. RunError where it is not the run that the sweep asked for any more."""
    prepared = Run.prepare(cell.spec)
    if (prepared.folder.name, prepared.keys.metrics) != (cell.run, cell.key):
        raise RunError("The plug-in or truth changed since the sweep began; run the same command again.")
    while not prepared.finished:
        try:
            execute(prepared, machine, reporter)
        except Held as held:
            reporter.say(f"{cell.name} waits for {held.folder.name}, which another process works on")
            wait_for(held.folder)


class _Relay(Reporter):
    """Sends what a run says to the process that shows it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def say(self, text: str) -> None:
        self._send("say", text)

    def step(self, name: str, done: float, total: float, detail: str = "") -> None:
        self._send("step", name, done, total, detail)
