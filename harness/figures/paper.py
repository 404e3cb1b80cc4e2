"""What figures are drawn on."""

from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

from harness.figures.style import style

# Dots per inch on a screen.
SCREEN = 150


class Paper(Figure):
    """A figure that looks like ours whoever saves or shows it, under whatever settings.

    matplotlib reads some settings only then: the fonts of a PDF, and whether the dollar signs of ticks are markup.
    """

    def __init__(self, width: float, height: float) -> None:
        """Of so many inches; before anything is drawn its axes share all of it, which is the room that they have."""
        super().__init__(figsize=(width, height), layout="constrained")
        # Given to the constructor, they would be set back by it.
        self.subplotpars.update(left=0, right=1, bottom=0, top=1, wspace=0, hspace=0)

    def draw(self, renderer: Any) -> None:
        with style():
            super().draw(renderer)

    def savefig(self, *args: Any, **options: Any) -> None:
        with style():
            super().savefig(*args, **options)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        content = BytesIO()
        self.savefig(content, format="png", dpi=SCREEN)
        return content.getvalue()
