"""A run as it is printed: its measures on each population, the labels alone, its parts, budget and time.

No table has lines around it, so terminals and log files show the same; names are text and never markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.errors import DataError, printable
from harness.store import read_json

MISSING = "\N{EN DASH}"
WITHIN = "within / across: tau-b over pairs inside one part / of two parts; "
MEASURES = ("tau-b: Kendall's, of estimates against truth; interval: over architectures, of this one training; ceiling: the "
            f"tau-b that noise in the truth leaves reachable; {WITHIN}top 10 %: tau-b among the tenth of the highest truth; "
            "regret@10: best true accuracy minus the best among the 10 highest estimates, in percentage points.")
LABELS = {"criterion": "the parts of this run", "random": "random parts of the same sizes",
          "oracle": "oracle: equal parts by the truth"}
PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def summary(metrics: Mapping[str, Any], folder: Path | None = None) -> RenderableType:
    """What a run found, from its metrics (the content of its metrics file); its times from the provenance in its folder."""
    title = (f"Estimates ({metrics['estimator']}) on {metrics['images']} images against the truth {metrics['truth']}, "
             f"seed {metrics['seed']}")
    judged = measures_table(metrics["populations"], title)
    own = metrics["labels"]["criterion"]
    found = [name for name in LABELS if name in metrics["labels"]]
    labels = table((f"part numbers alone, on {own['population']} (n = {own['n']:,})", "tau-b [95 % interval]"),
                   [(LABELS[name], interval(metrics["labels"][name])) for name in found])
    sizes = zip(metrics["part_names"], metrics["parts"], strict=True)
    parts = table(("part", "architectures"), [(name, f"{size:,}") for name, size in sizes])
    lines = [line(budget_line(metrics["budget"]))]
    if folder is not None and (took := time_line(folder)):
        lines.append(line(took))
    return Group(judged, Text(), labels, Text(), parts, Text(), *lines)


def measures_table(populations: Mapping[str, Mapping[str, Any]], title: str) -> RenderableType:
    """The measures of each population (name -> `Measures.to_json()`), under a title, with what they mean below."""
    split = any(measures["decomposition"] for measures in populations.values())
    heads = ("population", "n", "tau-b\n[95 % interval]", "ceil-\ning", "Spear-\nman",
             *(("within /\nacross parts",) if split else ()), "top\n10 %", "regret\n@10")
    rows, lines = [], []
    for name, found in populations.items():
        parts = found["decomposition"] or {"within": None, "across": None}
        pair = (f"{three(parts['within'])} / {three(parts['across'])}",) if split else ()
        whole, top, regret = found["tau"], found["tau_top"]["0.1"], found["regret"]["10"]
        rows.append((name, f"{whole['n']:,}", interval(whole), three(whole["ceiling"]), three(found["spearman"]), *pair,
                     three(top["value"]), two(regret["mean"])))
        if found["n_undefined"]:
            finite = found["tau_finite"]
            lines.append(line(f"{name}: undefined estimates ({found['n_undefined']:,}) are ranked last; without them tau-b is "
                              f"{interval(finite)} (n = {finite['n']:,})."))
    lines.append(line(MEASURES if split else MEASURES.replace(WITHIN, ""), style="dim"))
    return Group(line(title, style="bold"), Text(), table(heads, rows), *lines)


def table(heads: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Text in aligned columns without lines: the first to the left, the others, which are numbers, to the right.

    As wide as it needs to be, since a terminal that is too narrow had better fold a line than lose a digit.
    """
    cells = [tuple(cell if isinstance(cell, Text) else line(cell) for cell in row) for row in rows]
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    needed = 0
    for i, head in enumerate(map(line, heads)):
        width = max(cell_len(each) for text in (head, *(row[i] for row in cells)) for each in text.plain.split("\n"))
        made.add_column(head, justify="right" if i else "left", width=width, no_wrap=True, vertical="top")
        needed += width + 2 * (i < len(heads) - 1)
    made.width = needed
    for row in cells:
        made.add_row(*row)
    return made


def as_text(renderable: RenderableType, width: int = 120) -> str:
    """The same without colours, for files and logs: sentences are folded, tables are not, no line ends in spaces."""
    sink = StringIO()
    console = Console(file=sink, width=width, color_system=None, force_terminal=False, highlight=False, markup=False)
    console.print(renderable, crop=False)
    return "".join(each.rstrip() + "\n" for each in sink.getvalue().splitlines())


def line(text: str, style: str = "") -> Text:
    """Text as it may be printed, whoever wrote it: neither markup nor an order to the terminal."""
    return Text(printable(text), style=style)


# ---- numbers as text


def three(value: float | None) -> str:
    """Three decimals."""
    return MISSING if value is None or value != value else f"{value:.3f}"


def two(value: float | None) -> str:
    """Two decimals."""
    return MISSING if value is None or value != value else f"{value:.2f}"


def interval(tau: Mapping[str, Any] | None) -> str:
    """A tau (`Tau.to_json()`) with its interval."""
    return MISSING if tau is None else f"{three(tau['value'])} [{three(tau['low'])}, {three(tau['high'])}]"


def scaled(value: float) -> str:
    """A large count with three digits and a prefix: 1.23 P."""
    power = 0
    while value >= 999.5 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {PREFIXES[power]}"


def budget_line(budget: Mapping[str, Any]) -> str:
    """What the training cost, as counted."""
    supernets, parameters = budget["supernets"], budget["parameters"]
    used = budget.get("parameters_used", parameters)  # older metrics do not say
    of_used = f" ({used:,} of operations that their parts have)" if used < parameters else ""
    of_inherited = f" (of which {budget['inherited']['passes']:,} inherited)" if "inherited" in budget else ""
    return (f"Budget: {supernets} supernet{'s' * (supernets > 1)} with {parameters:,} parameters in all{of_used}, "
            f"{budget['passes']:,} subnet passes{of_inherited}, {budget['images']:,} images, {scaled(budget['flops'])}FLOPs "
            "(a multiply-add is one).")


def time_line(folder: Path) -> str:
    """What a run took, from its provenance; empty where that says nothing."""
    path = folder / "provenance.json"
    stages = read_json(path, "provenance/1") if path.exists() else {}
    found = []
    trained = [facts for stage, facts in sorted(stages.items()) if stage.startswith("supernet-")]
    try:
        if trained:
            found.append(f"training {clock(sum(facts['process_seconds'] for facts in trained))} on "
                         f"{trained[0]['device']}, summed over {len(trained)} process{'es' if len(trained) > 1 else ''}")
        found += [f"estimates {clock(facts['seconds'])} for {facts['architectures']:,} architectures"
                  for stage, facts in sorted(stages.items()) if stage.startswith("estimates") and "seconds" in facts]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is not what a run writes ({error}); delete it.") from error
    return f"Time: {', '.join(found)}." if found else ""


def clock(seconds: float) -> str:
    """Seconds as 12.3 s, 4 min 05 s or 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
