"""The table of runs that answer one question: a row a configuration, the controls below, bold only what seeds can carry."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import isnan
from typing import Any

from harness.measures.statistics import LEVEL, Spread, Standing, standing
from harness.measures.tau import number
from harness.report.rows import ROLES, ROUNDING, Group, Question, Row
from harness.report.summary import MISSING, scaled, three, two
from harness.runs.collection import Record

CONTROLS = {"one-shot": "one-shot: a single supernet that no partition steers", "random": "random: parts drawn by chance",
            "oracle": "oracle: made by the truth itself"}


@dataclass(frozen=True)
class Measure:
    """A column of measured numbers: name in files, head in tables, decimals as text, and the number itself."""

    name: str
    head: str
    text: Callable[[float | None], str]
    of: Callable[[Record], float]


# The one that rows are ordered and tested by.
TAU = Measure("tau", "tau-b", three, lambda record: record.value("tau", "value"))
TOP = Measure("tau_top_10", "top 10 %", three, lambda record: record.value("tau_top", "0.1", "value"))
REGRET = Measure("regret_10", "regret@10", two, lambda record: record.value("regret", "10", "mean"))
# Of pairs inside one part and of two parts; in files only, as not every run has parts.
DETAILS = (Measure("tau_within", "within", three, lambda record: record.value("decomposition", "within")),
           Measure("tau_across", "across", three, lambda record: record.value("decomposition", "across")))


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in their order: methods by falling tau-b, then the controls.

    settings: dotted names of what the rows differ in, besides the criterion. standing: of the rows but the oracle, which is no
    method; its positions are those of `rows`.
    """

    question: Question
    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    measures: tuple[Measure, ...]
    standing: Standing

    @property
    def methods(self) -> int:
        """How many rows stand above the controls."""
        return sum(row.role == "method" for row in self.rows)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of any row."""
        return tuple(sorted({seed for row in self.rows for seed in row.records}))

    @property
    def judged_by_truth(self) -> bool:
        """Whether the estimator ranks by the truth itself."""
        return any(record.uses_truth("estimator") for row in self.rows for record in row.records.values())

    @property
    def tested(self) -> bool:
        """Whether some row has several seeds, without which nothing is marked."""
        return any(len(row.records) > 1 for row in self.rows)

    def mark(self, position: int) -> str:
        """ "best" (better than every other row), "second" or "", of a row's tau-b."""
        if self.judged_by_truth:
            return ""
        if position == self.standing.best and self.standing.significant:
            return "best"
        return "second" if position == self.standing.second and self._stands_out(position) else ""

    def _stands_out(self, position: int) -> bool:
        """Whether a second row has several seeds, and a mean between those of the best and of all others."""
        means = [row.spread(TAU.of).mean for row in self.rows if row.role != "oracle"]
        own = self.rows[position].spread(TAU.of)
        return own.n > 1 and means.count(own.mean) == 1

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Of the columns of `cells`."""
        others = ("supernets", "parameters", "passes", "FLOPs", *(each.head for each in self.measures), f"ceiling of {TAU.head}")
        last = ["criterion", *others, *(name.rpartition(".")[2] for name in self.settings)]
        names = ((name if last.count(short := name.rpartition(".")[2]) > 1 else short) for name in self.settings)
        return ("criterion", *names, *others)

    @cached_property
    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The text of each row, without marks."""
        return tuple(self._cells(row) for row in self.rows)

    @property
    def marked(self) -> int:
        """The column whose cells are marked."""
        return self.heads.index(TAU.head)

    def to_json(self) -> dict[str, Any]:
        """Question, caption and rows with all digits; NaN is null."""
        rows = [self._row_json(position) for position in range(len(self.rows))]
        return {"question": asdict(self.question), "caption": self.caption, "rows": rows}

    def _row_json(self, position: int) -> dict[str, Any]:
        row, gap = self.rows[position], self.standing.differences.get(position)
        measured = {each.name: row.spread(each.of) for each in self.measures}
        return {"name": row.name, "role": row.role, "mark": self.mark(position), "settings": dict(row.settings),
                "runs": {str(seed): str(record.folder) for seed, record in row.records.items()},
                "budget": {**asdict(row.first.budget), "flops": row.flops}, "ceiling": number(row.first.value("tau", "ceiling")),
                **{name: {"mean": number(each.mean), "sd": number(each.sd), "n": each.n} for name, each in measured.items()},
                "best_minus_it": None if gap is None else {
                    "mean": number(gap.mean), "low": number(gap.low), "high": number(gap.high), "p": number(gap.p), "n": gap.n,
                    "p_corrected": number(self.standing.adjusted[position])}}

    def _cells(self, row: Row) -> tuple[str, ...]:
        budget = row.first.budget
        measured = [spread_text(row.spread(each.of), each.text, count=each is TAU) for each in self.measures]
        return (row.name, *(setting_text(row.settings.get(name)) for name in self.settings), f"{budget.supernets:,}",
                f"{budget.parameters:,}", f"{budget.passes:,}", scaled(row.flops).rstrip(), *measured,
                three(row.first.value("tau", "ceiling")))

    @cached_property
    def caption(self) -> str:
        """All that a reader must know about the numbers, said by the runs themselves."""
        return " ".join((*self._asked(), *self._meaning(), *self._tests(), *self._controls()))

    def _asked(self) -> list[str]:
        asked, seeds = self.question, self.seeds
        n = f"{self.rows[0].first.value('tau', 'n'):,.0f}"
        judged = asked.population if n in asked.population else f"{asked.population} ({n} architectures)"
        uneven = ", of which not every row has all" if any(len(row.records) < len(seeds) for row in self.rows) else ""
        over = f"Mean ± standard deviation (number of seeds) over the seeds {', '.join(map(str, seeds))}{uneven}."
        if len(seeds) == 1:
            over = f"One seed ({seeds[0]}), so there is no spread."
        budgets = [record.budget for row in self.rows for record in row.records.values()]
        passes, images = ({getattr(each, name) for each in budgets} for name in ("passes", "images"))
        about = f" (equal within {ROUNDING:.0%})" if len(passes) > 1 or len(images) > 1 else ""
        uses = " The estimator uses the truth itself, so no row is a method." if self.judged_by_truth else ""
        return [f"Kendall's tau-b of estimates with the truth {asked.truth}, population: {judged}; estimates: {asked.estimator} "
                f"on {asked.images}.{uses}", over,
                f"Budget of every row: {extent(passes)} subnet passes, {extent(images)} training images{about}; FLOPs: a "
                "multiply-add is one; parameters: of all supernets."]

    def _meaning(self) -> list[str]:
        said = [f"{TOP.head}: tau-b among the tenth of the highest truth; {REGRET.head}: best true accuracy minus the best among "
                "the 10 highest estimates, in percentage points; ceiling: the tau-b that noise in the truth leaves reachable."]
        for name in other_populations(self.rows):
            ceiling = self.rows[0].first.value("tau", "ceiling", population=name)
            said.append(f"{name}: tau-b among those of the highest truth{'' if isnan(ceiling) else f', ceiling {ceiling:.3f}'}.")
        if any(record.value("n_undefined") for row in self.rows for record in row.records.values()):
            said.append("Undefined estimates are ranked last.")
        return said

    def _tests(self) -> list[str]:
        stand = self.standing
        if self.judged_by_truth:
            return ["Nothing is marked."]
        if not self.tested:
            return ["One seed cannot tell rows apart, so nothing is marked."]
        oracle = " but the oracle" if any(row.role == "oracle" for row in self.rows) else ""
        said = [f"Bold: a tau-b better than that of every other row{oracle} in two-sided paired t tests over common seeds, "
                f"Holm-corrected, at {LEVEL:.0%}; underlined: the second; other columns are not tested."]
        return said if stand.significant else [*said, f"No row is bold: {self._doubt()}."]

    def _doubt(self) -> str:
        """Why no row is bold."""
        best, found = self.standing.best, self.standing.differences
        if best is None:
            return "no tau-b is defined"
        if not found:
            return f"there is no other row{' but the oracle' if len(self.rows) > 1 else ''} to compare with"
        if (other := self.standing.ahead) is not None:
            return (f"{self.describe(best, other)}, the best by its own seeds, is behind {self.describe(other, best)} on the "
                    f"common seeds (corrected p = {self.standing.adjusted[other]:.2g})")
        if (other := self.standing.closest) is not None:
            return (f"{self.describe(best, other)} is not told from {self.describe(other, best)} (corrected p = "
                    f"{self.standing.adjusted[other]:.2g})")
        other = next(i for i, gap in found.items() if isnan(gap.p))
        why = "differ alike in all seeds" if found[other].n > 1 else "have no two seeds in common"
        return f"{self.describe(best, other)} and {self.describe(other, best)} {why}, which no test can judge"

    def _controls(self) -> list[str]:
        found = [text for role, text in CONTROLS.items() if any(row.role == role for row in self.rows)]
        return [f"Controls: {'; '.join(found)}."] if found else []

    def describe(self, position: int, other: int | None = None) -> str:
        """A row in words: its name and settings; only those in which it differs from another one, where that is given."""
        row, heads = self.rows[position], self.heads[1:]
        against = {} if other is None else self.rows[other].settings
        said = [f"{head} {setting_text(row.settings[name])}" for head, name in zip(heads, self.settings, strict=False)
                if row.settings.get(name) is not None and (other is None or row.settings[name] != against.get(name))]
        return f"{row.name} ({', '.join(said)})" if said else row.name


def table(found: Group) -> Table:
    """The table of a group."""
    rows = tuple(sorted(found.rows, key=_order))
    competing = [i for i, row in enumerate(rows) if row.role != "oracle"]
    relative = standing([rows[i].values(TAU.of) for i in competing])
    best, second = (None if i is None else competing[i] for i in (relative.best, relative.second))
    stand = replace(relative, best=best, second=second,
                    differences={competing[i]: each for i, each in relative.differences.items()},
                    adjusted={competing[i]: p for i, p in relative.adjusted.items()})
    others = tuple(Measure(f"tau_{name.replace(' ', '_')}", name, three, _tau_of(name)) for name in other_populations(rows))
    return Table(found.question, rows, found.varying, (TAU, *others, TOP, REGRET), stand)


def other_populations(rows: Sequence[Row]) -> tuple[str, ...]:
    """Those that every run was judged on besides the one that it counts by, such as the top 150."""
    records = [record for row in rows for record in row.records.values()]
    first = records[0]
    return tuple(name for name in first.populations
                 if name != first.population and all(name in record.populations for record in records))


def _tau_of(population: str) -> Callable[[Record], float]:
    return lambda record: record.value("tau", "value", population=population)


def _order(row: Row) -> tuple[Any, ...]:
    mean = row.spread(TAU.of).mean
    return ROLES.index(row.role), isnan(mean), -mean, row.name, str(row.settings)


# ---- numbers as text


def spread_text(found: Spread, number: Callable[[float | None], str], count: bool = False) -> str:
    """0.642 ± 0.007 (3): mean, standard deviation, and how many values where `count` says so."""
    text = number(found.mean) if isnan(found.sd) else f"{number(found.mean)} ± {number(found.sd)}"
    return f"{text} ({found.n})" if count and not isnan(found.mean) else text


def extent(values: set[int]) -> str:
    """600, or 600 to 606."""
    return " to ".join(f"{value:,}" for value in sorted({min(values), max(values)}))


def setting_text(value: Any) -> str:
    """A field of a spec as a cell."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or MISSING
    return f"{value:,}" if isinstance(value, int) else str(value)
