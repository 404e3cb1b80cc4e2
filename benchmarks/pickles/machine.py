"""Pickles read as what they are, a list of instructions for a stack machine; nothing that they name is ever called.

The machine builds dict, list, tuple, set, str, bytes, int, float, bool and None, and hands what a file wants to have called to
the functions that its user allows by name. It never recurses, so depth costs memory only.
"""

import struct
from collections.abc import Callable
from itertools import chain
from typing import Any, BinaryIO

from benchmarks.pickles.instructions import Instructions
from benchmarks.pickles.opcodes import RARE
from benchmarks.pickles.values import Call, Functions, Global, inert, shown
from benchmarks.pickles.window import Refused, Window

__all__ = ["Call", "Functions", "Global", "Machine", "Refused", "Window", "inert", "load"]

# Short texts repeat millions of times; each is kept once.
SHORT, MOST_SHORT = 64, 1 << 16

BINFLOAT, BININT1, BINUNICODE, SHORT_BINUNICODE = b"GKX\x8c"
MEMOIZE, LONG_BINPUT, BINPUT, BINGET, LONG_BINGET, STOP = b"\x94rqhj."

_double = struct.Struct(">d").unpack_from
_uint32 = struct.Struct("<I").unpack_from
# BININT1 BINFLOAT: one epoch and its value, as they stand by the hundred in the curves of a training.
_pair = struct.Struct(">xBxd")
_PAIR_BLOCK = 256 * _pair.size


def load(stream: BinaryIO, globals_: Functions, *, size: int | None, condense: Callable[[dict[Any, Any]], None] | None = None,
         ) -> Any:
    """The one pickle that `stream` holds.

    globals_: (module, name) -> the pure function that stands for it; every other name is refused. size: bytes of the stream,
    where known. condense: called with each dictionary after it received items; may empty it. Strings of Python 2 stay bytes.
    Raises Refused for anything else than plain values and allowed names, and for a stream that is cut, damaged or goes on.
    """
    window = Window(stream, size)
    value = Machine(window, globals_, condense=condense).run()
    if not window.ended():
        raise Refused("goes on after its end")
    return value


class Machine(Instructions):
    """Runs one pickle after the other from a window.

    persistent: called with the tuple that stands for a storage of weights; None = refused. keep: byte strings longer than
    this are passed over and stand as b"".
    """

    def __init__(self, window: Window, functions: Functions, *, condense: Callable[[dict[Any, Any]], None] | None = None,
                 persistent: Callable[[object], object] | None = None, keep: int | None = None) -> None:
        super().__init__(window, functions, condense, persistent, keep)
        self._texts: dict[bytes, str] = {}

    def run(self) -> Any:
        """The value of the next pickle, up to its STOP."""
        self.stack, self.marks, self.memo, self.fetched = [], [], [], {}
        try:
            self._run()
        except (IndexError, ValueError, TypeError, OverflowError, struct.error) as error:
            raise Refused(f"is damaged near byte {self.window.offset} ({shown(str(error))})") from None
        if len(self.stack) != 1 or self.marks:
            raise Refused("does not end with one value")
        return self.stack[0]

    def _run(self) -> None:
        """The loop. Frequent instructions are in it, most frequent first; the others are methods in RARE."""
        window, stack, memo, texts = self.window, self.stack, self.memo, self._texts
        push, remember, known = stack.append, memo.append, texts.get
        data, pos, limit = window.data, window.pos, window.limit
        while True:
            if pos > limit:
                window.pos = pos
                window.fill()
                data, pos, limit = window.data, window.pos, window.limit
                self.check_height()
            op = data[pos]
            pos += 1
            if op in (SHORT_BINUNICODE, BINUNICODE):
                if op == SHORT_BINUNICODE:
                    start = pos + 1
                    stop = start + data[pos]
                else:
                    start = pos + 4
                    stop = start + _uint32(data, pos)[0]
                if stop <= limit and stop - start <= SHORT:
                    raw = data[start:stop]
                    text = known(raw) or self._short(raw)
                    pos = stop
                else:
                    window.pos = start
                    text = str(window.take(stop - start), "utf-8", "surrogatepass")
                    data, pos, limit = window.data, window.pos, window.limit
                    if pos > limit:
                        push(text)
                        continue
                # What almost always follows, in the same step: its place in the memo, and the value of the key.
                op = data[pos]
                if op == MEMOIZE:
                    remember(text)
                    pos += 1
                elif op == LONG_BINPUT and _uint32(data, pos + 1)[0] == len(memo):
                    remember(text)
                    pos += 5
                push(text)
                if data[pos] == BINFLOAT:
                    push(_double(data, pos + 1)[0])
                    pos += 9
            elif op == BINFLOAT:
                push(_double(data, pos)[0])
                pos += 8
            elif op == BININT1:
                if data[pos + 1] == BINFLOAT and (n := _pairs(data, pos - 1, limit)):
                    stop = pos - 1 + n * _pair.size
                    stack.extend(chain.from_iterable(_pair.iter_unpack(data[pos - 1:stop])))
                    pos = stop
                else:
                    push(data[pos])
                    pos += 1
            elif op == MEMOIZE:
                remember(stack[-1])
            elif op == LONG_BINPUT:
                self.put(_uint32(data, pos)[0])
                pos += 4
            elif op == BINPUT:
                self.put(data[pos])
                pos += 1
            elif op == BINGET:
                self.get(data[pos])
                pos += 1
            elif op == LONG_BINGET:
                self.get(_uint32(data, pos)[0])
                pos += 4
            else:
                window.pos = pos
                if op == STOP:
                    return
                RARE.get(op, Instructions.unknown)(self)
                data, pos, limit = window.data, window.pos, window.limit

    def _short(self, raw: bytes) -> str:
        text = str(raw, "utf-8", "surrogatepass")
        if len(self._texts) < MOST_SHORT:
            self._texts[raw] = text
        return text


def _pairs(data: bytes, start: int, limit: int) -> int:
    """How many instruction pairs BININT1 BINFLOAT follow each other from `start`, at most 256."""
    stop = min(limit, start + _PAIR_BLOCK)
    first, second = data[start:stop:_pair.size], data[start + 2:stop:_pair.size]
    return min(len(first) - len(first.lstrip(b"K")), len(second) - len(second.lstrip(b"G")))
