"""The instructions of a pickle, as methods over a stack, its marks and a memo.

Source: the documentation of the protocols 0 to 5 in CPython's `pickletools`. POP, DUP and everything that makes objects (INST,
OBJ, NEWOBJ, EXT) or asks the reader for them (PERSID, out-of-band buffers) is not here: no file of numbers needs it.
"""

from codecs import escape_decode
from collections.abc import Callable
from typing import Any

from benchmarks.pickles.values import REDUCED, Call, Functions, Global, check_keys, shown
from benchmarks.pickles.window import CUT, Refused, Window

# Official files nest about twelve deep and put down at most 2,000 values (a batch of 1,000 pairs) before they collect them.
MOST_MARKS = 1_000
MOST_VALUES = 100_000
# Picklers number their memo 0, 1, 2, ... (Python 2 from 1); a number far beyond is an attempt to fill memory.
MEMO_SLACK = 16
LONGEST_INTEGER = 1_024
LAST_PROTOCOL = 5

FORBIDDEN = dict(zip(b"012io\x81\x92\x82\x83\x84P\x96\x97\x98", (
    "POP", "POP_MARK", "DUP", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BYTEARRAY8",
    "NEXT_BUFFER", "READONLY_BUFFER"), strict=True))
# A place of the memo that nothing was put into.
_NOTHING = object()
# What can change after it was made. A pickler fills a value before it uses it, and never changes what it takes from the memo;
# a file that did could say one thing while it is read and another when it is whole.
_CHANGEABLE = frozenset({dict, list, set, Call})


class Instructions:
    """The state of the machine and everything that can be done to it; see `Machine` for the arguments."""

    def __init__(self, window: Window, functions: Functions, condense: Callable[[dict[Any, Any]], None] | None,
                 persistent: Callable[[object], object] | None, keep: int | None) -> None:
        self.window = window
        self._functions = functions
        self._condense = condense
        self._persistent = persistent
        self._keep = keep
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        # Position on the stack -> the value that was taken from the memo to it. A position that holds something else by now is
        # out of date, which shows in that it is another value.
        self.fetched: dict[int, Any] = {}

    # ---- memo

    def put(self, index: int) -> None:
        """The value on top of the stack gets a number."""
        memo = self.memo
        if index > len(memo) + MEMO_SLACK:
            raise Refused(f"numbers its memo {index} after {len(memo)} entries")
        memo.extend([_NOTHING] * (index + 1 - len(memo)))
        memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        """The value of that number once more."""
        if not 0 <= index < len(self.memo) or (value := self.memo[index]) is _NOTHING:
            raise Refused(f"asks for entry {index} of its memo, which was never put")
        if type(value) in _CHANGEABLE:
            self.fetched[len(self.stack)] = value
        self.stack.append(value)

    # ---- numbers and strings

    def size(self, width: int) -> int:
        """The unsigned integer in the next `width` bytes."""
        return int.from_bytes(self.window.take(width), "little")

    def integer_line(self) -> int:
        line = self.window.line()
        if len(line) > LONGEST_INTEGER:
            raise Refused(f"has an integer of {len(line)} digits")
        return int(line.removesuffix(b"L"))

    def int_line(self) -> int:
        # Protocol 0 writes False and True as 00 and 01.
        if self.window.ahead(3) in (b"00\n", b"01\n"):
            return self.window.line() == b"01"
        return self.integer_line()

    def integer(self, length: int) -> int:
        if length > LONGEST_INTEGER:
            raise Refused(f"has an integer of {length} bytes")
        return int.from_bytes(self.window.take(length), "little", signed=True)

    def string_line(self) -> bytes:
        line = self.window.line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Refused("has a string without its quotes")
        string, _ = escape_decode(line[1:-1])
        return bytes(string)

    def text(self, length: int) -> str:
        return str(self.window.take(length), "utf-8", "surrogatepass")

    def byte_string(self, length: int) -> bytes:
        if self._keep is None or length <= self._keep:
            return self.window.take(length)
        self.window.skip(length)
        return b""

    # ---- containers

    def check_height(self) -> None:
        """Refused when more values wait on the stack than any genuine file leaves there."""
        if len(self.stack) > MOST_VALUES:
            raise Refused(f"piles up more than {MOST_VALUES:,} values")

    def empty(self, container: object) -> object:
        self.check_height()
        return container

    def mark(self) -> None:
        self.check_height()
        self.marks.append(len(self.stack))
        if len(self.marks) > MOST_MARKS:
            raise Refused(f"is nested more than {MOST_MARKS:,} deep")

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def last(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        if len(items) < count:
            raise Refused("takes values that it has not given")
        del self.stack[-count:]
        return items

    def extend(self, items: list[Any]) -> None:
        self._target(list).extend(items)

    def add(self, items: list[Any]) -> None:
        check_keys(items)
        self._target(set).update(items)

    def frozen(self, items: list[Any]) -> frozenset[Any]:
        check_keys(items)
        return frozenset(items)

    def update(self, items: list[Any]) -> None:
        self._fill(self._target(dict), items)

    def dictionary(self, items: list[Any]) -> dict[Any, Any]:
        target: dict[Any, Any] = {}
        self._fill(target, items)
        return target

    def _fill(self, target: dict[Any, Any], items: list[Any]) -> None:
        if REDUCED in target:
            raise Refused("adds to a dictionary of results that was complete")
        keys = items[::2]
        if len(items) % 2:
            raise Refused("has a key without a value")
        check_keys(keys)
        expected = len(target) + len(keys)
        target.update(zip(keys, items[1::2], strict=True))
        if len(target) != expected:
            raise Refused("has a dictionary with a key that stands twice")
        if self._condense is not None:
            self._condense(target)

    def _target(self, kind: type) -> Any:
        target = self.stack[-1]
        if type(target) is not kind:
            raise Refused(f"adds to a {type(target).__name__} as if it were a {kind.__name__}")
        self._refuse_fetched(target, len(self.stack) - 1)
        return target

    def _refuse_fetched(self, target: object, position: int) -> None:
        if self.fetched.get(position) is target:
            raise Refused(f"changes a {type(target).__name__} that it has used before")

    # ---- names

    def name(self, module: object, name: object) -> Global:
        if type(module) is not str or type(name) is not str:
            raise Refused("asks for a name that is no string")
        if (module, name) not in self._functions:
            raise Refused(f"asks for {shown(f'{module}.{name}')}, which no file of this kind needs")
        return Global((module, name))

    def name_lines(self) -> Global:
        module, name = str(self.window.line(), "utf-8"), str(self.window.line(), "utf-8")
        return self.name(module, name)

    def reduce(self, function: object, arguments: object) -> object:
        if type(function) is not Global or type(arguments) is not tuple:
            raise Refused("calls what is not a function")
        return self._functions[function.name](*arguments)

    def build(self, target: object, state: object) -> object:
        # Attributes of a dictionary (`_metadata` of weights) are passed over.
        if type(target) is not dict and not (type(target) is Call and target.state is None):
            raise Refused(f"uses BUILD on a {type(target).__name__}")
        self._refuse_fetched(target, len(self.stack))
        if type(target) is Call:
            target.state = state
        return target

    def persistent(self, identity: object) -> object:
        if self._persistent is None:
            raise Refused("uses BINPERSID, which only weights need")
        return self._persistent(identity)

    def check_protocol(self, version: int) -> None:
        if version > LAST_PROTOCOL:
            raise Refused(f"is a pickle of protocol {version}; there are 0 to {LAST_PROTOCOL}")

    def unknown(self) -> None:
        if self.window.pos > self.window.end:
            raise Refused(CUT)
        code = self.window.data[self.window.pos - 1]
        name = FORBIDDEN.get(code, f"the unknown instruction 0x{code:02x}")
        raise Refused(f"uses {name}, which no file of this kind needs")
