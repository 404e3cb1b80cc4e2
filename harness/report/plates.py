"""The figures of a report: every kind that the runs of a table have something for, as files and as a page needs them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.errors import Absent, DataError, UsageError
from harness.figures.gallery import FIGURES
from harness.report.rows import Group
from harness.runs.collection import Record

if TYPE_CHECKING:
    import pandas as pd

# Below so many figures a process to draw, each process takes longer to begin than to draw.
WORTHWHILE = 4
# Kinds that compare runs of several tables; they are drawn of all runs of a dataset.
ACROSS = ("budget",)


@dataclass(frozen=True)
class Plate:
    """A figure of the runs of one table, or of all of a dataset.

    runs: the slug of the table's question, "" for all runs. kind: its name; words: what is to be seen, and what is left out.
    files: png, pdf and csv. svgs: across two columns and in one, where they were asked for. why: the reason where there is none;
    absent: it is only that a truth is missing.
    """

    dataset: str
    runs: str
    kind: str
    words: str = ""
    files: tuple[Path, ...] = ()
    svgs: tuple[str, ...] = ()
    why: str = ""
    absent: bool = False

    @property
    def about(self) -> str:
        """One line on what it shows."""
        return FIGURES[self.kind].about


def dataset_of(record: Record) -> str:
    """Whose runs are drawn together: benchmark and dataset."""
    return f"{record.spec.benchmark} {record.spec.dataset}"


def plates(tables: Sequence[Group], folder: Path, svg: bool, jobs: int, report: Callable[..., None]) -> list[Plate]:
    """Draw and write the figures of tables, one after another in the order of the gallery; `report` gets (name, done, all).

    jobs: processes at once, 0 = one a core. Figures that the runs have nothing for are left out. Raises RunError when a file
    cannot be written.
    """
    from joblib import cpu_count

    from harness.parallel import spread

    datasets: dict[str, list[Record]] = {}
    asked: list[tuple[Plate, Sequence[Record]]] = []
    for each in tables:
        records = [record for row in each.rows for record in row.records.values()]
        dataset = dataset_of(records[0])
        datasets.setdefault(dataset, []).extend(records)
        asked += [(Plate(dataset, each.question.slug, kind), records) for kind in FIGURES if kind not in ACROSS]
    asked += [(Plate(dataset, "", kind), every) for dataset, every in datasets.items() for kind in FIGURES if kind in ACROSS]
    found = [made for plate, records in asked if (made := _frame(plate, records)) is not None]
    tasks = [(plate, frame, folder, svg) for plate, frame in found if frame is not None]
    done = 0

    def count(kind: str) -> None:
        nonlocal done
        done += 1
        report("figures", done, len(tasks), kind)

    drawn = iter(spread(_draw, tasks, jobs or min(cpu_count(), len(tasks) // WORTHWHILE), count))
    return [plate if frame is None else next(drawn) for plate, frame in found]


def _frame(plate: Plate, records: Sequence[Record]) -> "tuple[Plate, pd.DataFrame | None] | None":
    try:
        frame = FIGURES[plate.kind].frame(records)
        return replace(plate, words=" ".join(FIGURES[plate.kind].left_out(records))), frame
    except UsageError:
        return None
    except DataError as error:
        return replace(plate, why=str(error), absent=isinstance(error, Absent)), None


def _draw(task: "tuple[Plate, pd.DataFrame, Path, bool]", report: Callable[..., None]) -> Plate:
    plate, frame, folder, svg = task
    kind = FIGURES[plate.kind]
    try:
        files = kind.write(frame, folder / file_name(f"{plate.kind}-{plate.runs or plate.dataset}"))
        svgs = (kind.svg(frame, 2), kind.svg(frame, 1)) if svg else ()
        return replace(plate, words=f"{kind.describe(frame)} {plate.words}".strip(), files=files, svgs=svgs)
    except DataError as error:
        return replace(plate, why=str(error))
    finally:
        report(plate.kind)


def file_name(text: str) -> str:
    """A text as the name of a file that needs no quoting anywhere; several texts can share one."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip(".")[:120] or "-"
