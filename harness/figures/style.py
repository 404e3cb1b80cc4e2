"""How figures look: sizes and fonts for the columns of a paper, colours that the colour-blind can tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.folder import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Widths in inches of a figure in one column and across two.
ONE_COLUMN, TWO_COLUMNS = 3.25, 6.75
DPI = 300
INK = "#222222"
# Of Okabe and Ito, "Color universal design" (2008), by meaning, so that one thing has one colour in every figure; these two
# differ in grey, too, and dark lines show on both.
TRUTH, ESTIMATE = "#56B4E9", "#D55E00"

SETTINGS: dict[str, Any] = {
    # It comes with matplotlib, so that figures are the same wherever they are drawn.
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 7,
    "axes.titlesize": 7, "axes.labelsize": 7, "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "legend.fontsize": 6.5,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5, "ytick.major.size": 2.5,
    "lines.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "grid.color": "#E3E3E3", "grid.linewidth": 0.5, "legend.frameon": False, "figure.facecolor": "white",
    "savefig.facecolor": "white", "savefig.dpi": DPI,
    # TrueType, which publishers ask for and which keeps text selectable.
    "pdf.fonttype": 42, "ps.fonttype": 42, "text.usetex": False,
    # A dollar sign in somebody's name for a part is a dollar sign.
    "text.parse_math": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Figures made and saved in this block look like ours; what the user set is back afterwards."""
    from matplotlib import rc_context

    with rc_context(SETTINGS):  # type: ignore[arg-type]
        yield


def save(figure: "Figure", out: Path) -> tuple[Path, Path]:
    """Write a figure as out.png (300 dpi) and out.pdf, each whole or not at all; the same figure gives the same bytes."""
    paths = []
    for kind, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None, "Producer": None, "Creator": None})):
        content = BytesIO()
        figure.savefig(content, format=kind, metadata=metadata)
        paths.append(beside(out, kind))
        write_atomically(paths[-1], content.getvalue())
    return paths[0], paths[1]


def beside(out: Path, kind: str) -> Path:
    """The file `out` with one more suffix: a dot in its name belongs to the name."""
    return out.with_name(f"{out.name}.{kind}")
