"""What a pickle machine may build beside plain values, and what it takes as the key of a dictionary."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.pickles.window import Refused

# The size search space, the largest that any official file speaks of, has 32,768 architectures.
LARGEST_KEY = 2**15
LONGEST_SHOWN, DIGITS_SHOWN = 100, 20
# The key under which a dictionary that was condensed keeps what it was condensed to; no file can write it, or add to it.
REDUCED = object()

Functions = Mapping[tuple[str, str], Callable[..., object]]


class Global:
    """A name that the file asked for and that is allowed; only a marker."""

    __slots__ = ("name",)

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name


class Call:
    """What a file wanted: `name` called with `args`, then given `state`. Nothing is called."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name = name
        self.args = args
        self.state: Any = None


def inert(name: str) -> Callable[..., Call]:
    """An allowed function that only notes with what it would have been called."""
    return lambda *args: Call(name, args)


def check_keys(keys: list[Any]) -> None:
    """Refused unless all are str, bytes, int up to LARGEST_KEY or (str, int of 64 bits): what hashes in no time and cannot be
    chosen to collide. Python salts the hashes of str and bytes, and with them those of the pairs, but not those of int."""
    kinds = set(map(type, keys))
    if kinds <= {str, bytes}:
        return
    numbers = keys if kinds == {int} else [key for key in keys if type(key) is int]
    pairs = [key for key in keys if type(key) is tuple]
    if (not kinds <= {str, bytes, int, tuple} or (numbers and not -LARGEST_KEY <= min(numbers) <= max(numbers) <= LARGEST_KEY)
            or any(tuple(map(type, pair)) != (str, int) or not -2**63 <= pair[1] < 2**63 for pair in pairs)):
        raise Refused(f"has a dictionary key that is no string, no integer up to {LARGEST_KEY} and no pair of a string and an "
                      "integer")


def shown(value: object) -> str:
    """What a stranger wrote, short and safe to print; what was left out is marked."""
    if type(value) is str:
        plain = value.isascii() and value.isprintable() and len(value) <= LONGEST_SHOWN
        return value if plain else ascii(value[:LONGEST_SHOWN] + "..." * (len(value) > LONGEST_SHOWN))
    if type(value) is int:
        digits = str(value)
        return digits if len(digits) <= DIGITS_SHOWN else f"{digits[:DIGITS_SHOWN]}...({len(digits)} digits)"
    return f"a {type(value).__name__}"
