"""Damage: one random change to the bytes of a file, to the object that a file holds, or to a table."""

import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

ODD_TEXTS = ("", " ", "x", "\n", "\x1b[2J", "\ud800", "é", "nan", "-1", "a" * 200, "'", '"')
LONGEST_RUN = 16

Table = dict[str, list[Any]]


class Twice(dict[Any, Any]):
    """A dictionary whose first key stands twice once it is written as JSON."""

    def items(self) -> Any:
        pairs = list(super().items())
        return [*pairs, *pairs[:1]]


# ---- bytes

def damaged(content: bytes, random_: Random, start: int = 0) -> tuple[bytes, str]:
    """The bytes after one change, mostly from `start` on, and the name of the change."""
    low = start if random_.random() < 0.8 else 0
    # The last bytes of a file are the most interesting ones (tables of contents, footers).
    end = random_.random() < 0.15
    at = len(content) - random_.randint(1, min(200, len(content))) if end else random_.randrange(low, len(content))
    run = random_.randint(1, LONGEST_RUN)
    other = random_.randrange(low, len(content))
    head, tail = content[:at], content[at:]
    change, made = random_.choice((
        ("cut", lambda: head),
        ("bit", lambda: head + bytes([tail[0] ^ 1 << random_.randrange(8)]) + tail[1:]),
        ("bit", lambda: head + bytes([tail[0] ^ 1 << random_.randrange(8)]) + tail[1:]),
        ("byte", lambda: head + random_.randbytes(1) + tail[1:]),
        ("digit", lambda: head + str(random_.randrange(10)).encode() + tail[1:]),
        ("run", lambda: head + random_.randbytes(run) + tail[run:]),
        ("zeros", lambda: head + bytes(run) + tail[run:]),
        ("insert", lambda: head + random_.randbytes(run) + tail),
        ("delete", lambda: head + tail[run:]),
        ("repeat", lambda: head + tail[:run] + tail),
        ("overwrite", lambda: head + content[other:other + run] + tail[run:]),
        ("append", lambda: content + random_.randbytes(run)),
    ))
    return made(), f"{change} at {at}"


# ---- objects

def altered(value: Any, random_: Random, twice: bool = False) -> tuple[Any, str]:
    """A copy with one change somewhere, and the name of the change. twice: keys may stand twice (`Twice`)."""
    if isinstance(value, dict) and value:
        keys = list(value)
        key = keys[-1] if random_.random() < 0.3 else random_.choice(keys)
        if random_.random() < 0.85:
            inner, change = altered(value[key], random_, twice)
            return type(value)({**value, key: inner}), f"{key!r}/{change}"
        return _altered_dictionary(value, key, random_, twice)
    if isinstance(value, list | tuple) and value:
        at = random_.randrange(len(value))
        items = list(value)
        if random_.random() < 0.7:
            items[at], change = altered(items[at], random_, twice)
        else:
            other = random_.randrange(len(items))
            change = random_.choice(("delete", "repeat", "swap", "reverse", "empty"))
            if change == "swap":
                items[at], items[other] = items[other], items[at]
            else:
                items = {"delete": items[:at] + items[at + 1:], "repeat": [*items, items[at]], "reverse": items[::-1],
                         "empty": []}[change]
        return type(value)(items), f"{at}/{change}"
    return replaced(value, random_)


def _altered_dictionary(value: dict[Any, Any], key: Any, random_: Random, twice: bool) -> tuple[Any, str]:
    other = random_.choice(list(value))
    pairs = list(value.items())
    random_.shuffle(pairs)
    change, made = random_.choice((
        ("delete", lambda: {k: v for k, v in value.items() if k != key}),
        ("rename", lambda: {renamed(k, random_) if k == key else k: v for k, v in value.items()}),
        ("copy", lambda: {**value, renamed(key, random_): value[key]}),
        ("swap", lambda: {**value, key: value[other], other: value[key]}),
        ("reorder", lambda: dict(pairs)),
        ("replace", lambda: {**value, key: replaced(value[key], random_)[0]}),
        ("empty", lambda: {**value, key: type(value[key])()} if isinstance(value[key], dict | list) else {}),
        *([("twice", lambda: Twice(value))] if twice else []),
    ))
    return made(), f"{change} {key!r}"


def renamed(key: Any, random_: Random) -> Any:
    """Another key."""
    if isinstance(key, tuple):
        at = random_.randrange(len(key))
        return (*key[:at], renamed(key[at], random_), *key[at + 1:])
    if isinstance(key, str) and key and random_.random() < 0.7:
        at = random_.randrange(len(key))
        return random_.choice((key[:at] + chr(random_.randrange(32, 127)) + key[at + 1:], key[:at] + key[at + 1:], key.upper(),
                               f" {key}", key[::-1]))
    return random_.choice((*ODD_TEXTS, 0, 1, -1, 12, 2**70, *((key + 1, str(key)) if isinstance(key, int) else ())))


def replaced(value: Any, random_: Random) -> tuple[Any, str]:
    """Something in the place of a leaf: of another type, out of range, or near it."""
    choices: list[Callable[[], Any]] = [lambda constant=constant: constant for constant in (
        None, True, False, 0, 1, -1, 101.0, float("nan"), float("inf"), -float("inf"), 1e308, 1e-320, 10**400, [], {}, "", "x")]
    choices += [lambda: str(value), lambda: [value], lambda: {"x": value}]
    if isinstance(value, str):
        choices += [lambda: renamed(value, random_)] * 20
    elif isinstance(value, int | float) and value == value:
        near: list[Callable[[], Any]] = [
            lambda: value * (1 + 1e-12), lambda: value * (1 + 1e-7), lambda: value / 2, lambda: value + 0.01, lambda: value + 1,
            lambda: int(value), lambda: -value, lambda: np.float64(value), lambda: np.float32(value), lambda: round(value, 1)]
        choices += near * 3
    made = random_.choice(choices)()
    return made, f"{value!r:.40} -> {made!r:.40}"


def bit_of(value: float, random_: Random) -> float:
    """The number with one bit of its double flipped."""
    content = bytearray(struct.pack("<d", value))
    content[random_.randrange(8)] ^= 1 << random_.randrange(8)
    return float(struct.unpack("<d", content)[0])


# ---- tables

def altered_table(table: Table, random_: Random) -> tuple[Table, str]:
    """A copy of a table {column: cells} with one change."""
    names, n = list(table), len(next(iter(table.values())))
    name, other = random_.choice(names), random_.choice(names)
    row, second = random_.randrange(n), random_.randrange(n)
    order = random_.sample(range(n), n)
    cells = table[name]

    def rows(kept: list[int]) -> Table:
        return {column: [values[i] for i in kept] for column, values in table.items()}

    def swapped() -> Table:
        made = list(cells)
        made[row], made[second] = made[second], made[row]
        return {**table, name: made}

    change, made = random_.choice((
        *[("cell", lambda: {**table, name: [replaced(v, random_)[0] if i == row else v for i, v in enumerate(cells)]})] * 6,
        ("delete row", lambda: rows([i for i in range(n) if i != row])),
        ("repeat row", lambda: rows([*range(n), row])),
        ("reorder rows", lambda: rows(order)),
        ("swap cells", swapped),
        ("reorder columns", lambda: {column: table[column] for column in random_.sample(names, len(names))}),
        ("delete column", lambda: {column: values for column, values in table.items() if column != name}),
        ("rename column", lambda: {str(renamed(column, random_)) if column == name else column: values
                                   for column, values in table.items()}),
        ("copy column", lambda: {**table, str(renamed(name, random_)): cells}),
        ("swap columns", lambda: {**table, name: table[other], other: cells}),
        ("text column", lambda: {**table, name: [str(v) for v in cells]}),
        ("whole column", lambda: {**table, name: [int(v) if isinstance(v, float) and v == v else v for v in cells]}),
        ("empty column", lambda: {**table, name: [None] * n}),
        ("lists", lambda: {**table, name: [[v] for v in cells]}),
        ("other architecture", lambda: {**table, name: [cells[second] if i == row else v for i, v in enumerate(cells)]}),
    ))
    return made(), f"{change} {name!r} {row}"
