"""A table as Markdown, as CSV with all digits, and as LaTeX for booktabs. Names are text in each, whatever they are made of."""

import csv
import re
from functools import cache
from io import StringIO
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from benchmarks.errors import printable
from benchmarks.folder import write_atomically
from harness.figures.style import beside
from harness.report.summary import line, table
from harness.report.tables import DETAILS, Table

if TYPE_CHECKING:
    from jinja2 import Template

STYLES = {"best": "bold", "second": "underline", "": ""}
TEMPLATE = Path(__file__).parent / "table.tex.jinja"
# What LaTeX would take for an order, or print as another character; also a bracket or a star after the end of a row.
TEX = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
       "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
       "[": "{[}", "]": "{]}", "*": "{*}", "`": r"\textasciigrave{}", '"': "{''}",
       "±": r"$\pm$", "\N{EN DASH}": "--", "\u200b": "{}"}
# In every LaTeX font.
LETTERS = re.compile("[ -~À-ÖØ-öø-ÿ](?<![ÐÞðþ])")
# Of text that a browser or GitHub would take for an order.
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~#$&!])")


def table_text(made: Table) -> RenderableType:
    """As it is printed in a terminal."""
    rows = [[line(cell, style=STYLES[made.mark(i)] if column == made.marked else "") for column, cell in enumerate(cells)]
            for i, cells in enumerate(made.cells)]
    marked = {made.mark(i): made.describe(i) for i in range(len(made.rows))}
    said = [f"{words}: {marked[mark]}" for mark, words in (("best", "Bold"), ("second", "Underlined")) if mark in marked]
    lines = [line(f"{'; '.join(said)}.")] if said else []
    return Group(table(made.heads, rows), *lines, line(made.caption, style="dim"))


def write_table(made: Table, folder: Path) -> tuple[Path, ...]:
    """Write a table into a folder as .md, .csv and .tex; RunError when one cannot be written."""
    paths = []
    for kind, text in (("md", markdown(made)), ("csv", csv_text(made)), ("tex", latex(made))):
        paths.append(beside(folder / f"table-{made.question.slug}", kind))
        write_atomically(paths[-1], text.encode())
    return tuple(paths)


# ---- Markdown


def markdown(made: Table) -> str:
    """A GitHub table: bold by asterisks, the second underlined, the caption below."""
    signs = {"best": ("**", "**"), "second": ("<u>", "</u>"), "": ("", "")}
    lines = [_line(map(plain, made.heads)), _line("---" if i < 1 + len(made.settings) else "--:" for i in range(len(made.heads)))]
    for position, cells in enumerate(made.cells):
        before, after = signs[made.mark(position)]
        lines.append(_line(f"{before}{plain(cell)}{after}" if i == made.marked else plain(cell) for i, cell in enumerate(cells)))
    return "\n".join((*lines, "", plain(made.caption), ""))


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return MARKDOWN.sub(r"\\\1", printable(" ".join(text.split())))


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


# ---- CSV


def csv_text(made: Table) -> str:
    """A row each with every digit: what it is, its budget, mean and standard deviation of each measure, and its difference to the
    best row: best minus it, the 95 % interval of this pair alone, and p corrected for all pairs. An undefined number is empty."""
    sink, measures = StringIO(), (*made.measures, *DETAILS)
    writer = csv.writer(sink, lineterminator="\n")
    lines: list[tuple[Any, ...]] = [(
        "role", "criterion", *made.settings, "seeds", "supernets", "parameters", "passes", "images", "flops",
        *(f"{each.name}{part}" for each in measures for part in ("", "_sd")), "ceiling", "mark", "best_minus_it", "low",
        "high", "p_corrected")]
    for position, row in enumerate(made.rows):
        budget, found = row.first.budget, [row.spread(each.of) for each in measures]
        gap = made.standing.differences.get(position)
        numbers = (gap.mean, gap.low, gap.high, made.standing.adjusted[position]) if gap else (float("nan"),) * 4
        lines.append((
            row.role, row.settings["criterion"], *(row.settings.get(name, "") for name in made.settings),
            " ".join(map(str, row.records)), budget.supernets, budget.parameters, budget.passes, budget.images, row.flops,
            *(_digits(value) for each in found for value in (each.mean, each.sd)), _digits(row.first.value("tau", "ceiling")),
            made.mark(position), *map(_digits, numbers)))
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in cells] for cells in lines)
    return sink.getvalue()


def harmless(text: str) -> str:
    """A cell of text that is neither an order to a terminal nor, to a spreadsheet, a formula."""
    return "'" * text.startswith(("=", "+", "-", "@")) + printable(text)


def _digits(value: float) -> float | str:
    return "" if isnan(value) else value


# ---- LaTeX


def latex(made: Table) -> str:
    """A table* for \\usepackage{booktabs,graphicx}; the label is that of the file. Columns that are alike in all rows are in the
    caption instead, as a page is narrow."""
    marks = {"best": "textbf", "second": "underline", "": ""}
    alike = [] if len(made.rows) == 1 else [i for i in range(1, len(made.heads))
                                            if i != made.marked and len({cells[i] for cells in made.cells}) == 1]
    kept = [i for i in range(len(made.heads)) if i not in alike]
    rows = [{"cells": [cells[i] for i in kept], "mark": marks[made.mark(position)], "control": 0 < position == made.methods}
            for position, cells in enumerate(made.cells)]
    said = ", ".join(f"{made.heads[i]} {made.cells[0][i]}" for i in alike)
    text: str = _template().render(heads=[made.heads[i] for i in kept], rows=rows, marked=kept.index(made.marked),
                                   left=1 + len(made.settings), made=made,
                                   caption=f"{made.caption}{f' In all rows: {said}.' if said else ''}")
    return text


def escaped(value: Any) -> str:
    """Text that LaTeX prints as it is; a character that its standard fonts lack is named by its code."""
    text = re.sub("-(?=-)", "-\u200b", " ".join(str(value).split()))  # two would be printed as one dash
    known = [TEX.get(each) or (each if LETTERS.match(each) else "") for each in text]
    return "".join(tex or f"{{[}}U+{ord(each):04X}{{]}}" for tex, each in zip(known, text, strict=True))


def _printed(value: Any) -> str:
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped(value)).replace("tau-b", r"$\tau_b$")


@cache
def _template() -> "Template":
    from jinja2 import Environment

    # Every value that the template prints goes through `escaped`; LaTeX's own braces and percent signs stay free.
    return Environment(block_start_string="<%", block_end_string="%>", variable_start_string="<<", variable_end_string=">>",
                       comment_start_string="<#", comment_end_string="#>", trim_blocks=True, lstrip_blocks=True,
                       keep_trailing_newline=True, finalize=_printed).from_string(TEMPLATE.read_text())
