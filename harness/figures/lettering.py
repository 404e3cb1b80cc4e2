"""Texts in the room that they have: measured as they are drawn, cut in the middle, and told apart where they are cut."""

from collections.abc import Collection, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain, count, product
from typing import TYPE_CHECKING, Any

from harness.figures.style import DPI, SETTINGS

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

# In points, of titles and labels.
SIZE: float = SETTINGS["font.size"]
# How much of what a cut text keeps stands before the cut: both ends tell texts apart, the end rather more often.
SHARES = (0.5, 0.3, 0.7, 0.1, 0.9)
# Letters on few pixels are so much wider, as each begins on a pixel of its own.
ROUNDED = 1.03
# Characters of the beginning that all names share which are kept when the rest of it is dropped.
AROUND = 3
# Of the narrowest characters no more stand on an inch.
NARROWEST = 60
# After these a long word is broken first.
JOINTS = "/:,;+=[(-|"
NO_BREAK = "\N{NO-BREAK SPACE}"


@lru_cache(maxsize=20_000)
def extent(text: str, size: float = SIZE) -> float:
    """Inches that the longest line of a text takes in the font of figures, of `size` points."""
    renderer, font = _pen(size)
    widths = [renderer.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.split("\n") if line]
    return ROUNDED * max(widths, default=0.0) / DPI


def shortened(text: str, inches: float, size: float = SIZE) -> str:
    """As much of a text as there is room for on one line, of its beginning and of its end."""
    return broken(text, inches, 1, size)


def broken(text: str, inches: float, most: int = 2, size: float = SIZE) -> str:
    """A text on at most `most` lines of so many inches; what is too long for them is cut in its middle."""
    return _broken(text, inches, most, size, SHARES[0])


def fitted(names: Sequence[str], inches: float, most: int = 1, size: float = SIZE) -> list[str]:
    """The same of each of several names that stand beside each other; those that differ stay different."""
    alike = max(common(names) - AROUND, 0)
    for begin, share in product((0, alike) if alike else (0,), SHARES):
        shown = {name: _broken("…" * bool(begin) + name[begin:], inches, most, size, share) for name in names}
        if len(set(shown.values())) == len(shown):
            return [shown[name] for name in names]
    return [_numbered(name, list(shown).index(name) + 1, inches, most, size) for name in names]


def common(names: Sequence[str]) -> int:
    """How many characters of their beginning different names share."""
    different = set(names)
    return next((place for place, each in enumerate(zip(*different, strict=False)) if len(set(each)) > 1),
                min(map(len, different), default=0))


def another(text: str, taken: Collection[str], inches: float, most: int = 1, size: float = SIZE) -> str:
    """The same of a text that must not look like those that are taken."""
    ways = (_broken(text, inches, most, size, share) for share in SHARES)
    numbered = (_numbered(text, number, inches, most, size) for number in count(2))
    return next(way for way in chain(ways, numbered) if way not in taken)


def _numbered(text: str, number: int, inches: float, most: int, size: float) -> str:
    head = f"#{number} "
    return head + _broken(text, max(inches - extent(head, size), 0.0), most, size, SHARES[0])


def _broken(text: str, inches: float, most: int, size: float, share: float) -> str:
    # What stands around an equals sign stays on its line.
    text = " ".join(text.split()).replace(" = ", f"{NO_BREAK}={NO_BREAK}")
    longest = int(inches * most * NARROWEST) + most
    if len(text) <= longest and (lines := _lines(text, inches, most, size)) is not None:
        return "\n".join(lines)
    best, low, high = "…", 0, min(longest, len(text) - 1)  # characters that are kept: `low` of them fit, more than `high` do not
    while low < high:
        middle = (low + high + 1) // 2
        front = round(share * middle)
        if (lines := _lines(f"{text[:front].rstrip()}…{text[len(text) - middle + front:].lstrip()}", inches, most, size)) is None:
            high = middle - 1
        else:
            best, low = "\n".join(lines), middle
    return best


def _lines(text: str, inches: float, most: int, size: float) -> list[str] | None:
    """The text on lines, None where they are too few for it."""
    if most == 1:
        return [text] if extent(text, size) <= inches else None
    lines = [""]
    for word in text.split(" "):
        for piece in _pieces(word, inches, size):
            longer = f"{lines[-1]} {piece}" if lines[-1] else piece
            if extent(longer, size) <= inches:
                lines[-1] = longer
            elif len(lines) == most or not lines[-1]:
                return None
            else:
                lines.append(piece)
    return lines


def _pieces(word: str, inches: float, size: float) -> Iterator[str]:
    """A word, broken where it is longer than a line: after a joint in the second half of the line, else anywhere."""
    while extent(word, size) > inches and len(word) > 1:
        end = next(end for end in range(1, len(word)) if end == len(word) - 1 or extent(word[:end + 1], size) > inches)
        joint = max(word.rfind(each, 0, end) + 1 for each in JOINTS)
        end = joint if joint > end // 2 else end
        yield word[:end]
        word = word[end:]
    yield word


@cache
def _pen(size: float) -> "tuple[Any, FontProperties]":
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    draw: Any = RendererAgg
    return draw(1, 1, DPI), FontProperties(family=SETTINGS["font.sans-serif"], size=size)
