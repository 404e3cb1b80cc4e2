"""The HTML page of a report: its tables, its figures, and a page for each run, which the numbers lead to.

Every page stands alone: style, script and drawings are in it, and its own policy forbids it to ask the network for anything.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import printable
from benchmarks.folder import write_atomically
from harness.measures.statistics import Difference
from harness.measures.tau import number
from harness.report.page.drawing import inlined
from harness.report.page.sheet import JUDGED, STAGES, sheet
from harness.report.plates import Plate, dataset_of, file_name
from harness.report.rows import Row
from harness.report.summary import MEASURES, MISSING, scaled, three
from harness.report.tables import Table
from harness.runs.collection import Record

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).parent
FILTERS = ("benchmark", "criterion", "k")
# What was measured comes first, as it is what is looked for; then what rows differ in, and what their training cost.
KINDS = ("n", "set", "n cost")
IMPORT = {"nasbench201": "harness data import FILE --as nasbench201"}


@dataclass(frozen=True)
class Cell:
    """Text, and the number to sort by where it is one."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Run:
    """A run below its configuration, with the page that its numbers lead to."""

    seed: int
    page: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """A column behind the names. kind: its class, of KINDS; at: its place in the table's own order of columns."""

    head: str
    kind: str
    at: int


@dataclass(frozen=True)
class Configuration:
    """A row of a table with its runs. what: its settings in one line, for where there is no room for their columns.

    facts: by the names of FILTERS. gap: its difference to the best row, in words.
    """

    name: str
    what: str
    role: str
    mark: str
    facts: Mapping[str, str]
    cells: tuple[Cell, ...]
    runs: tuple[Run, ...]
    gap: str


@dataclass(frozen=True)
class Listing:
    """A table as the page shows it."""

    number: int
    made: Table
    files: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    rows: tuple[Configuration, ...]


@dataclass(frozen=True)
class Figure:
    """A plate as the page shows it; the drawing of one column is for telephones. table: whose runs it shows, 0 = of several."""

    number: int
    table: int
    plate: Plate
    drawings: tuple["Markup", ...]
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Part:
    """All about one dataset. absent: the figures that only wait for a truth, and the command that brings it."""

    anchor: str
    title: str
    tables: tuple[Listing, ...]
    figures: tuple[Figure, ...]
    absent: tuple[Plate, ...]
    how: str


def write_page(tables: Sequence[tuple[Table, Sequence[Path]]], plates: Sequence[Plate], said: Sequence[str],
               folder: Path) -> Path:
    """Write index.html and runs/<name>.html into a folder, and return the path of the first; RunError when one cannot be written.

    tables: with their files; said: sentences about all of it.
    """
    records = [record for made, _ in tables for row in made.rows for record in row.records.values()]
    pages = _pages(records)
    parts = _parts(tables, plates, pages, folder)
    said = [*said, *(f"The figure '{plate.kind}' of {plate.dataset} is left out: {plate.why}" for plate in plates
                     if plate.why and not plate.absent)]
    rows = [row for part in parts for made in part.tables for row in made.rows]
    choices = {name: sorted({row.facts[name] for row in rows}, key=lambda text: (len(text) if text.isdecimal() else 0, text))
               for name in FILTERS}
    about = {"runs": len(records), "configurations": len(rows), "tables": len(tables),
             "figures": sum(len(part.figures) for part in parts)}
    index = _render("index.html.jinja", parts=parts, said=said, choices=choices, about=about)
    made = {folder / pages[record.key]: _render("run.html.jinja", run=sheet(record), judged=JUDGED, stages=STAGES,
                                                meaning=MEASURES, up="../index.html") for record in records}
    # The index is the last one, so that none leads to pages that are not there.
    for path, content in {**made, folder / "index.html": index}.items():
        write_atomically(path, content)
    return folder / "index.html"


def _pages(records: Sequence[Record]) -> dict[str, str]:
    """The page of each record, by its key, relative to the index."""
    names = Counter(file_name(record.name) for record in records)
    return {record.key: f"runs/{name if names[name] == 1 else f'{name}.{file_name(record.key)}'}.html"
            for record in records for name in [file_name(record.name)]}


def _parts(tables: Sequence[tuple[Table, Sequence[Path]]], plates: Sequence[Plate], pages: Mapping[str, str],
           folder: Path) -> list[Part]:
    shown = [_listing(i, made, files, pages, folder) for i, (made, files) in enumerate(tables, 1)]
    numbers = {made.made.question.slug: made.number for made in shown}
    drawn = [_figure(i, plate, numbers.get(plate.runs, 0), folder)
             for i, plate in enumerate((plate for plate in plates if plate.files), 1)]
    parts = []
    for dataset in sorted({dataset_of(made.made.rows[0].first) for made in shown}):
        bench, _, name = dataset.partition(" ")
        parts.append(Part(
            file_name(dataset), f"{name} ({bench})",
            tuple(each for each in shown if dataset_of(each.made.rows[0].first) == dataset),
            tuple(each for each in drawn if each.plate.dataset == dataset),
            tuple({each.kind: each for each in plates if each.absent and each.dataset == dataset}.values()),
            IMPORT.get(bench, f"harness data build {bench}")))
    return parts


def _listing(position: int, made: Table, files: Sequence[Path], pages: Mapping[str, str], folder: Path) -> Listing:
    return Listing(position, made, _links(files, folder), _columns(made),
                   tuple(_configuration(made, i, pages) for i in range(len(made.rows))))


def _columns(made: Table) -> tuple[Column, ...]:
    """In the order of the page."""
    settings, measured = len(made.settings), len(made.measures) + 1
    kinds = ["set"] * settings + ["n cost"] * (len(made.heads) - 1 - settings - measured) + ["n"] * measured
    found = [Column(head, kind, at) for at, (head, kind) in enumerate(zip(made.heads[1:], kinds, strict=True), 1)]
    return tuple(sorted(found, key=lambda each: KINDS.index(each.kind)))


def _figure(position: int, plate: Plate, table: int, folder: Path) -> Figure:
    drawings = tuple(inlined(svg, f"f{position}{size}", plate.words) for svg, size in zip(plate.svgs, "wn", strict=False))
    return Figure(position, table, plate, drawings, _links(plate.files, folder))


def _links(files: Sequence[Path], folder: Path) -> tuple[tuple[str, str], ...]:
    """(address, kind) of files in the folder of the page."""
    return tuple((path.relative_to(folder).as_posix(), path.suffix[1:]) for path in files)


def _configuration(made: Table, position: int, pages: Mapping[str, str]) -> Configuration:
    row, spec = made.rows[position], made.rows[position].first.spec
    values = _values(made, row)
    cells = tuple(Cell(text, value) for text, value in zip(made.cells[position][1:], values, strict=True))
    runs = tuple(Run(seed, pages[record.key], _cells(made, record)) for seed, record in row.records.items())
    gap = made.standing.differences.get(position)
    facts = {"benchmark": spec.benchmark, "criterion": str(row.settings["criterion"]), "k": str(spec.k)}
    settings = list(zip(made.heads[1:], made.cells[position][1:], strict=True))[:len(made.settings)]
    what = ", ".join(f"{head} {text}" for head, text in settings if text != MISSING)
    return Configuration(row.name, what, row.role, made.mark(position), facts, cells, runs,
                         "" if gap is None else _gap(gap, made.standing.adjusted, position))


def _values(made: Table, row: Row) -> list[float | None]:
    """What the cells of a row behind its name are sorted by; None = by their text."""
    settings = [row.settings.get(name) for name in made.settings]
    budget = row.first.budget
    measured = [budget.supernets, budget.parameters, budget.passes, row.flops,
                *(row.spread(each.of).mean for each in made.measures), row.first.value("tau", "ceiling")]
    return [float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None for value in settings] + [
        number(value) for value in measured]


def _cells(made: Table, record: Record) -> tuple[Cell, ...]:
    """The measured numbers of one run, in the columns behind the settings."""
    budget = record.budget
    texts = [f"{budget.supernets:,}", f"{budget.parameters:,}", f"{budget.passes:,}", scaled(budget.flops).rstrip(),
             *(each.text(each.of(record)) for each in made.measures), three(record.value("tau", "ceiling"))]
    return tuple(map(Cell, texts))


def _gap(gap: Difference, adjusted: Mapping[int, float], position: int) -> str:
    """A difference to the best row; its p belongs to all comparisons, and its interval does not."""
    if isnan(gap.mean):
        return ""
    text = f"The best row minus this one, paired by seed: {gap.mean:+.3f}"
    if isnan(gap.p):
        return f"{text}."
    number = sum(not isnan(p) for p in adjusted.values())
    over = f"corrected for all {number} comparisons (Holm)" if number > 1 else "the only comparison"
    return f"{text}; 95 % interval of this pair alone [{gap.low:+.3f}, {gap.high:+.3f}]; p = {adjusted[position]:.2g}, {over}."


def _render(name: str, **content: Any) -> bytes:
    script = (HERE / "page.js").read_text()
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    text: str = _environment().get_template(name).render(
        style=(HERE / "style.css").read_text(), script=script, allowed=allowed, missing=MISSING, **content)
    return text.encode(errors="replace")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
                       undefined=StrictUndefined, finalize=_shown)


def _shown(value: Any) -> Any:
    """What a template prints: no text orders the page to print another one, such as from right to left."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
