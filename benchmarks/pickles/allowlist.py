"""The names that official files may ask for, and the pure function that stands for each; nothing of numpy or torch is called."""

import struct
from typing import Any

from benchmarks.pickles.values import Call, Functions, Global, inert, shown
from benchmarks.pickles.window import Refused

# How numpy names the numbers that a scalar may be, and how their bytes are read; and the orders of those bytes that numpy writes.
SCALARS = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}
ORDERS = ("<", ">")


def _number(dtype: object, content: object) -> float | int:
    """The value of a numpy scalar from its dtype and its bytes."""
    if type(dtype) is not Call or type(content) is not bytes or type(name := dtype.args[0]) is not str or name not in SCALARS:
        raise Refused("holds a numpy scalar that is no number")
    order = dtype.state[1] if type(dtype.state) is tuple else None
    if type(order) is not str or order not in ORDERS:
        raise Refused("holds a numpy scalar that does not say the order of its bytes")
    value: float | int = struct.unpack(order + SCALARS[name], content)[0]
    return value


def _encoded(text: object, encoding: object) -> bytes:
    """How protocol 2 writes bytes: as text of one character per byte."""
    if type(encoding) is not str or encoding != "latin1":
        raise Refused(f"asks for the encoding {shown(encoding)}")
    if type(text) is not str:
        raise Refused(f"asks to encode a {type(text).__name__} as if it were text")
    return text.encode("latin1")


def _ordered(*items: object) -> dict[Any, Any]:
    """An OrderedDict is a dictionary; its items follow."""
    if items:
        raise Refused("makes an OrderedDict of something, where picklers make an empty one and fill it")
    return {}


def _defaults(*default: object) -> dict[Any, Any]:
    """A defaultdict is a dictionary; its items follow, the default value of a missing key is not kept."""
    if len(default) > 1 or (default and default[0] is not None and type(default[0]) is not Global):
        raise Refused("makes a defaultdict of something, where picklers make an empty one and fill it")
    return {}


def _weights(*_: object) -> None:
    """Weights are passed over."""


FUNCTIONS: Functions = {
    ("collections", "OrderedDict"): _ordered,
    ("collections", "defaultdict"): _defaults,
    ("numpy", "dtype"): inert("numpy.dtype"),
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,
    ("_codecs", "encode"): _encoded,
    ("torch._utils", "_rebuild_tensor_v2"): _weights,
    ("torch.storage", "_load_from_bytes"): _weights,
}
