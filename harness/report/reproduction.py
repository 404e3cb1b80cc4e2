"""A paper's table beside ours, as it is printed and written."""

from collections.abc import Sequence
from csv import writer
from io import StringIO
from math import isnan
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.folder import write_atomically
from harness.experiments.reproduction import Table, Verdict
from harness.figures.style import beside
from harness.measures.tau import number
from harness.report.summary import MISSING, table, three, two
from harness.runs.spec import RunSpec

COLUMNS = ("row", "measure", "expected", "mean", "sd", "seeds", "seeds_asked", "budget_ratio", "tolerance", "verdict", "why",
           "population", "n")


def reproduction_table(paper: Table, spec: RunSpec, budget: str, rows: Sequence[Verdict],
                       free: Sequence[Verdict]) -> RenderableType:
    """The paper's rows and ours, and below them the baselines that need no training."""
    several = paper.measure != "tau"
    heads = ("row", *(("dataset",) if several else ()), "paper", "measured", "seeds", "budget\nratio", "tolerance", "verdict")
    lines = [_line(each, several) for each in rows]
    trivial = [_line(each, several) for each in free]
    images = f"{spec.estimation.split} images"
    judged = dict.fromkeys(f"{each.population} (n = {each.n:,})" for each in (*rows, *free) if each.n)
    return Group(
        Text(f"{paper.paper}:{paper.name}  {paper.title}", style="bold"), Text(),
        table(heads, [*lines, *([("no training:", *[""] * (len(heads) - 1))] if trivial else []), *trivial]), Text(),
        Text(f"Measured on {spec.dataset} of {spec.benchmark} at the budget {budget}: estimates on {images}, truth {spec.truth}; "
             "mean ± standard deviation over seeds. Budget ratio: images that the training saw (passes x batch, all supernets), "
             "ours to the paper's. Nothing is compared but the paper's run itself, as --budget full has it. Judged on "
             f"{' and '.join(judged)}.", style="dim"))


def verdict_json(each: Verdict) -> dict[str, object]:
    """One number, with null for what is not known."""
    return {"row": each.row, "measure": each.measure, "expected": number(each.expected), "mean": number(each.measured.mean),
            "sd": number(each.measured.sd), "seeds": each.measured.n, "seeds_asked": each.asked,
            "budget_ratio": number(each.ratio), "tolerance": number(each.tolerance), "verdict": each.verdict, "why": each.why,
            "population": each.population, "n": each.n}


def reproduction_csv(rows: Sequence[Verdict], out: Path) -> Path:
    """Write the numbers as out.csv."""
    sink = StringIO()
    lines = writer(sink, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows([verdict_json(each)[name] for name in COLUMNS] for each in rows)
    path = beside(out, "csv")
    write_atomically(path, sink.getvalue().encode())
    return path


def _line(each: Verdict, several: bool) -> tuple[str, ...]:
    form = two if several else three
    measured = MISSING if not each.measured.n else form(each.measured.mean) + (
        "" if isnan(each.measured.sd) else f" ± {form(each.measured.sd)}")
    verdict = f"{each.verdict} ({each.why})" if each.why and each.verdict != "missing" else each.verdict
    seeds = str(each.asked) if each.complete else f"{each.measured.n} of {each.asked}"
    return (each.row, *((each.measure,) if several else ()), form(each.expected), measured, seeds,
            MISSING if each.ratio is None else f"{each.ratio:.2g}",
            form(each.tolerance), verdict)
