"""The opcodes of a pickle: which instruction each of them stands for.

Source: the documentation of the protocols 0 to 5 in CPython's `pickletools`.
"""

from collections.abc import Callable

from benchmarks.pickles.instructions import Instructions

# Opcode -> the value that it puts on the stack.
_VALUES: dict[bytes, Callable[[Instructions], object]] = {
    b"N": lambda machine: None,
    b"\x88": lambda machine: True,
    b"\x89": lambda machine: False,
    b"I": Instructions.int_line,
    b"L": Instructions.integer_line,
    b"J": lambda machine: int.from_bytes(machine.window.take(4), "little", signed=True),
    b"M": lambda machine: machine.size(2),
    b"\x8a": lambda machine: machine.integer(machine.size(1)),
    b"\x8b": lambda machine: machine.integer(machine.size(4)),
    b"F": lambda machine: float(machine.window.line()),
    b"S": Instructions.string_line,
    b"V": lambda machine: str(machine.window.line(), "raw-unicode-escape"),
    b"\x8d": lambda machine: machine.text(machine.size(8)),
    b"T": lambda machine: machine.byte_string(machine.size(4)),
    b"U": lambda machine: machine.byte_string(machine.size(1)),
    b"B": lambda machine: machine.byte_string(machine.size(4)),
    b"C": lambda machine: machine.byte_string(machine.size(1)),
    b"\x8e": lambda machine: machine.byte_string(machine.size(8)),
    b")": lambda machine: (),
    b"]": lambda machine: machine.empty([]),
    b"}": lambda machine: machine.empty({}),
    b"\x8f": lambda machine: machine.empty(set()),
    b"\x85": lambda machine: tuple(machine.last(1)),
    b"\x86": lambda machine: tuple(machine.last(2)),
    b"\x87": lambda machine: tuple(machine.last(3)),
    b"t": lambda machine: tuple(machine.since_mark()),
    b"l": Instructions.since_mark,
    b"d": lambda machine: machine.dictionary(machine.since_mark()),
    b"\x91": lambda machine: machine.frozen(machine.since_mark()),
    b"c": Instructions.name_lines,
    b"\x93": lambda machine: machine.name(*machine.last(2)),
    b"R": lambda machine: machine.reduce(*machine.last(2)),
    b"b": lambda machine: machine.build(*machine.last(2)),
    b"Q": lambda machine: machine.persistent(*machine.last(1)),
}


def _pushed(value: Callable[[Instructions], object]) -> Callable[[Instructions], None]:
    def push(machine: Instructions) -> None:
        made = value(machine)
        machine.stack.append(made)

    return push


# Opcode -> what it does to the machine. Missing here: what the loop of the machine does itself.
RARE: dict[int, Callable[[Instructions], None]] = {opcode[0]: do for opcode, do in ({
    b"\x80": lambda machine: machine.check_protocol(machine.size(1)),
    b"\x95": lambda machine: machine.window.require(machine.size(8)),
    b"(": Instructions.mark,
    b"p": lambda machine: machine.put(machine.integer_line()),
    b"g": lambda machine: machine.get(machine.integer_line()),
    b"a": lambda machine: machine.extend(machine.last(1)),
    b"e": lambda machine: machine.extend(machine.since_mark()),
    b"s": lambda machine: machine.update(machine.last(2)),
    b"u": lambda machine: machine.update(machine.since_mark()),
    b"\x90": lambda machine: machine.add(machine.since_mark()),
} | {opcode: _pushed(value) for opcode, value in _VALUES.items()}).items()}
