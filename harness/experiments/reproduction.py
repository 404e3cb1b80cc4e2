"""Tables of papers: what they print, the runs that stand for their rows, and whether what was measured agrees.

A table is data, harness/papers/<paper>.toml: for each row the preset and the fields to run, what the paper prints, how many
images its training saw (with repetition), and how far means may lie apart.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan
from pathlib import Path

from benchmarks.benchmark import Benchmark, benchmark
from benchmarks.errors import Absent, UsageError
from benchmarks.suggestion import suggestion
from benchmarks.truth import load_truth
from harness.experiments.sweep import Cell, Failure, Sweep, Value
from harness.measures.statistics import Spread, spread
from harness.presets import Fields, merge
from harness.presets import budget as fields_of_budget
from harness.runs.collection import read_record
from harness.runs.spec import RunSpec
from harness.search.found import judgeable, searches, truths_at_hand, world_of

FOLDER = Path(__file__).parents[1] / "papers"
# Where a budget runs: the smoke budget on the benchmark that comes with the harness, judged where its truth is a uniform sample.
BUDGETS: dict[str, Fields] = {
    "smoke": {"benchmark": "digits201", "estimation": {"architectures": 638}},
    "cpu": {"benchmark": "nasbench201", "dataset": "cifar10"},
    "full": {"benchmark": "nasbench201", "dataset": "cifar10"},
}
# Where the papers measured, and the truth that they used, where it is at hand.
PLACE = ("nasbench201", "cifar10")
TRUTH = "v1_0/cifar10/test/200/full"
# Training must have seen about as many images as the paper's.
LEAST, MOST = 0.9, 1.1


@dataclass(frozen=True)
class Row:
    """A row of a table. expected: what the paper prints, by measure: tau, or a dataset's accuracy in per cent. images: that the
    paper's training saw; None = unknown."""

    name: str
    preset: str
    expected: Mapping[str, float]
    tolerance: float
    variant: str = ""
    images: float | None = None
    set: Fields = field(default_factory=dict)
    smoke: Fields = field(default_factory=dict)

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
    """One number of a paper beside ours. measured: over the seeds that are done; ratio: of images seen to the paper's; verdict:
    reproduced, not reproduced, not comparable, or missing; why: in words."""

    row: str
    measure: str
    expected: float
    measured: Spread
    ratio: float | None
    tolerance: float
    verdict: str
    why: str = ""


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
    """The runs of a table, one for each row and seed; `given` beats what table and budget say."""
    place = merge(BUDGETS[budget], {name: given[name] for name in ("benchmark", "dataset") if name in given})
    bench = benchmark(str(place["benchmark"]))
    dataset = str(place.get("dataset", bench.datasets[0]))
    truth = {"truth": TRUTH} if (bench.name, dataset) == PLACE and _at_hand(TRUTH, bench) else {}
    asked: list[tuple[Mapping[str, Value], Sequence[Fields]]] = []
    for seed in range(seeds):
        for row in table.rows:
            own: Fields = row.smoke if budget == "smoke" else {}
            if budget == "full" and row.images:  # as long as the paper's own
                own = {"recipe": {"passes": round(row.images / fields_of_budget(bench.name, "full")["recipe"]["batch"])}}
            layers = (place, table.common, {"preset": row.preset, "budget": budget, "seed": seed, **truth}, row.set, own, given)
            asked.append(({"row": row.name, "variant": row.variant, "seed": seed}, layers))
    return Sweep.of(("row", "variant", "seed"), asked)


def verdicts(table: Table, sweep: Sweep, budget: str, failed: Sequence[Failure] = ()) -> list[Verdict]:
    """Each number of the table beside what its finished runs found, and why rows are missing."""
    made = []
    for row in table.rows:
        mine = {"row": row.name, "variant": row.variant}
        done = [cell for cell in sweep.cells if mine.items() <= cell.varied.items() and cell.finished]
        reasons = [each.reason for each in (*sweep.refused, *failed) if mine.items() <= each.varied.items()]
        values = [_measured(table, cell) for cell in done]
        ratio = read_record(done[0].metrics_file).budget.images / row.images if done and row.images else None
        # On another benchmark the paper's datasets are not there, and there is something else to see.
        elsewhere = dict.fromkeys(values[0], nan) if values and not set(row.expected) & set(values[0]) else {}
        for measure, expected in (elsewhere or row.expected).items():
            found = spread([each[measure] for each in values if not isnan(each.get(measure, nan))])
            if found.n:
                verdict, why = _judged(found.mean - expected, row.tolerance, ratio, done[0].spec, budget)
            else:
                verdict, why = "missing", reasons[0] if reasons else f"no truth of {measure}" if done else "not run"
            made.append(Verdict(row.title, measure, expected, found, ratio, row.tolerance, verdict, why))
    return made


def _judged(difference: float, tolerance: float, ratio: float | None, spec: RunSpec, budget: str) -> tuple[str, str]:
    """The verdict and what it is about."""
    if (spec.benchmark, spec.dataset) != PLACE:
        return "not comparable", f"on {spec.dataset}"
    if budget != "full" if ratio is None else not LEAST <= ratio <= MOST:
        return "not comparable", "at this budget"
    return ("reproduced" if abs(difference) <= tolerance else "not reproduced"), ""


def _measured(table: Table, cell: Cell) -> dict[str, float]:
    """What one run found, by measure."""
    record = read_record(cell.metrics_file)
    if table.measure == "tau":
        return {"tau": record.value("tau", "value")}
    truths = truths_at_hand(record.spec)
    [found] = searches(judgeable(world_of(record, None), truths), "evolution", [record.spec.seed], truths)
    return dict(found.accuracy)


def _at_hand(key: str, bench: Benchmark) -> bool:
    try:
        load_truth(key, bench.table)
    except (Absent, UsageError):
        return False
    return True
