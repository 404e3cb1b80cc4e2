"""Tables of papers: what they print, the runs that stand for their rows, and whether what was measured agrees.

A table is data, harness/papers/<paper>.toml: for each row the preset and the fields to run, what the paper prints, how many
images its training saw (with repetition), and how far means may lie apart.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import isnan, nan
from pathlib import Path

from benchmarks.benchmark import Benchmark, benchmark
from benchmarks.errors import Absent, DataError, UsageError
from benchmarks.suggestion import suggestion
from benchmarks.truth import load_truth
from harness.experiments.sweep import Failure, Sweep, unseeded
from harness.measures.statistics import Spread, spread
from harness.presets import Fields, merge, resolve
from harness.presets import budget as fields_of_budget
from harness.runs.collection import Record, read_record
from harness.runs.spec import RunSpec
from harness.search.found import judgeable, searches, truths_at_hand, world_of

FOLDER = Path(__file__).parents[1] / "papers"
# Where a budget runs: the smoke budget on the benchmark that comes with the harness, judged where its truth is a uniform sample.
BUDGETS: dict[str, Fields] = {
    "smoke": {"benchmark": "digits201", "estimation": {"architectures": 638}},
    "cpu": {"benchmark": "nasbench201", "dataset": "cifar10"},
    "full": {"benchmark": "nasbench201", "dataset": "cifar10"},
}
# Where the papers measured, and the truth behind the expected numbers; FS-NAS's are those of its released estimates against it.
PLACE = ("nasbench201", "cifar10")
TRUTH = "v1_0/cifar10/test/200/full"
# Fields by which a table tells its runs apart, and the option that chooses them.
OWN = {"seed": "--seeds", "budget": "--budget", "preset": "--rows"}
# What a search may find, see `judgeable`.
FOUND = "connected"


@dataclass(frozen=True)
class Row:
    """A row of a table. expected: what the paper prints, by measure: tau, or a dataset's accuracy in per cent. tolerance: NaN =
    what is printed is shown and not judged. images: that the paper's training saw; None = unknown. set: fields of its runs, smoke
    and full: those of that budget only.
    """

    name: str
    preset: str
    expected: Mapping[str, float]
    tolerance: float
    variant: str = ""
    images: float | None = None
    set: Fields = field(default_factory=dict)
    smoke: Fields = field(default_factory=dict)
    full: Fields = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name} ({self.variant})" if self.variant else self.name


@dataclass(frozen=True)
class Table:
    """measure: "tau", or "accuracy" of what evolutionary search finds by the estimates. common: fields of all rows."""

    paper: str
    name: str
    title: str
    measure: str
    common: Fields
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Verdict:
    """One number of a paper beside ours. measured: over the seeds that are done, of so many that were asked for; ratio: of images
    seen to the paper's; verdict: reproduced, not reproduced, not comparable, missing, or empty where nothing is judged; why: in
    words; population, n: the architectures that it is about, and how many they are."""

    row: str
    measure: str
    expected: float
    measured: Spread
    ratio: float | None
    tolerance: float
    verdict: str
    why: str
    asked: int
    population: str
    n: int

    @property
    def complete(self) -> bool:
        """Every seed is there."""
        return self.measured.n == self.asked


@dataclass(frozen=True)
class Finding:
    """What one run found, by measure; the architectures that it is about, and how many they are."""

    values: Mapping[str, float]
    population: str
    n: int


def read_table(text: str) -> Table:
    """The table called PAPER:TABLE, or PAPER where it has one; UsageError when there is none."""
    paper, _, name = text.partition(":")
    papers = {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}
    if paper not in papers:
        hint = suggestion(paper, papers) or ";"
        raise UsageError(f"There is no paper '{paper}'{hint} choose one of {', '.join(papers)}.")
    tables = tomllib.loads(papers[paper].read_text())
    name = name or (next(iter(tables)) if len(tables) == 1 else "")
    if name not in tables:
        raise UsageError(f"'{text}' names no table; choose one of {', '.join(f'{paper}:{table}' for table in tables)}.")
    content = tables[name]
    rows = tuple(Row(**{"tolerance": content["tolerance"], **row}) for row in content.pop("rows"))
    common = {key: value for key, value in content.items() if key not in ("title", "measure", "tolerance")}
    return Table(paper, name, content["title"], content["measure"], common, rows)


def chosen(table: Table, names: str | None) -> Table:
    """The table with the rows of these names only, joined by commas; UsageError for an unknown one."""
    if names is None:
        return table
    wanted, known = [name.strip() for name in names.split(",")], [row.name for row in table.rows]
    for name in wanted:
        if name not in known:
            raise UsageError(f"{table.paper}:{table.name} has no row '{name}'{suggestion(name, known) or ';'} choose from "
                             f"{', '.join(dict.fromkeys(known))}.")
    return replace(table, rows=tuple(row for row in table.rows if row.name in wanted))


def sweep_of(table: Table, budget: str, seeds: int, given: Fields) -> Sweep:
    """The runs of a table, one for each row and seed; `given` beats what table and budget say, but for OWN (UsageError)."""
    _check(given)
    return Sweep.of(("row", "variant", "seed"), [
        ({"row": row.name, "variant": row.variant, "seed": seed}, _layers(table, row, budget, seed, given))
        for seed in range(seeds) for row in table.rows])


def paper_spec(table: Table, row: Row) -> RunSpec:
    """The one run, but for its seed, whose numbers are compared with those of a row."""
    return unseeded(resolve(*_layers(table, row, "full", 0, {"truth": TRUTH})))


def _check(given: Fields, where: str = "") -> None:
    """UsageError where a field of OWN is given, of an ancestor as well."""
    if own := [name for name in OWN if name in given]:
        raise UsageError(f"'{where}{own[0]}' cannot be set, as the runs of a table have their own; use {OWN[own[0]]} instead.")
    if isinstance(parent := given.get("parent"), Mapping):
        _check(dict(parent), f"{where}parent.")


def _layers(table: Table, row: Row, budget: str, seed: int, given: Fields) -> tuple[Fields, ...]:
    """The fields of one run of a row, later ones beating earlier ones."""
    place = BUDGETS[budget]
    if "benchmark" in given:  # whose datasets are others
        place = {name: value for name, value in place.items() if name != "dataset"}
    place = merge(place, {name: given[name] for name in ("benchmark", "dataset") if name in given})
    bench = benchmark(str(place["benchmark"]))
    dataset = str(place.get("dataset", bench.datasets[0]))
    truth = {"truth": TRUTH} if (bench.name, dataset) == PLACE and _at_hand(TRUTH, bench) else {}
    own = {"smoke": row.smoke, "full": row.full}.get(budget, {})
    if budget == "full" and row.images:  # as long as the paper's own
        own = merge(own, {"recipe": {"passes": round(row.images / fields_of_budget(bench.name, "full")["recipe"]["batch"])}})
    return (place, table.common, {"preset": row.preset, "budget": budget, "seed": seed, **truth}, row.set, own, given)


def verdicts(table: Table, sweep: Sweep, failed: Sequence[Failure] = ()) -> list[Verdict]:
    """Each number of the table beside what its finished runs found, and why rows or seeds of them are missing."""
    made = []
    for row in table.rows:
        mine = {"row": row.name, "variant": row.variant}
        cells = [cell for cell in sweep.cells if mine.items() <= cell.varied.items()]
        refused = [each.reason for each in sweep.refused if mine.items() <= each.varied.items()]
        reasons = refused + [each.reason for each in failed if mine.items() <= each.varied.items()]
        records, findings = [], []
        for cell in (cell for cell in cells if cell.finished):
            try:
                record = read_record(cell.metrics_file)
                findings.append(_finding(table, record))
                records.append(record)
            except DataError as error:
                reasons.append(str(error))
        first = findings[0] if findings else Finding({}, "", 0)
        ratio = records[0].budget.images / row.images if records and row.images else None
        # On another benchmark the paper's datasets are not there, and there is something else to see.
        elsewhere = dict.fromkeys(first.values, nan) if findings and not set(row.expected) & set(first.values) else {}
        for measure, expected in (elsewhere or row.expected).items():
            found = spread([value for each in findings if not isnan(value := each.values.get(measure, nan))])
            verdict, why, asked = "missing", "", len(cells) + len(refused)
            if found.n:
                verdict, why = _judged(found.mean - expected, row.tolerance, records[0].spec, paper_spec(table, row))
            if found.n < asked:
                lacking = reasons[0] if reasons else f"no value of {measure}" if len(findings) > found.n else "not run"
                why = f"{why}{'; ' if why else ''}{f'{found.n} of {asked} seeds: ' if found.n else ''}{lacking}"
            made.append(Verdict(row.title, measure, expected, found, ratio, row.tolerance, verdict, why, asked,
                                first.population, first.n))
    return made


def _judged(difference: float, tolerance: float, spec: RunSpec, paper: RunSpec) -> tuple[str, str]:
    """The verdict and what it is about; nothing but the paper's own run, of any seed, is compared with its number."""
    if (spec.benchmark, spec.dataset) != PLACE:
        return "not comparable", f"on {spec.dataset}"
    mine = unseeded(spec)
    if other := [each.name for each in fields(RunSpec) if getattr(mine, each.name) != getattr(paper, each.name)]:
        return "not comparable", f"other than the paper in {', '.join(other)}"
    if isnan(tolerance):
        return "", ""
    return ("reproduced" if abs(difference) <= tolerance else "not reproduced"), ""


def _finding(table: Table, record: Record) -> Finding:
    """What one run found. DataError where its estimates are missing."""
    if table.measure == "tau":
        judged = record.populations[record.population]["tau"]
        return Finding({"tau": record.value("tau", "value")}, record.population, judged["n"])
    truths = truths_at_hand(record.spec)
    world = judgeable(world_of(record, None), truths)
    [found] = searches(world, "evolution", [record.spec.seed], truths)
    return Finding(found.accuracy, FOUND, len(world.members))


def _at_hand(key: str, bench: Benchmark) -> bool:
    try:
        load_truth(key, bench.table)
    except (Absent, UsageError):
        return False
    return True
