"""Pickled batches of images as official archives hold them, read without calling anything that they name.

A batch is a dictionary with an array 'data', written by Python 2 (CIFAR) or 3 (ImageNet16) with the numpy of its time.
"""

from collections.abc import Callable
from io import BytesIO
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.images import Images
from benchmarks.pickles.machine import Call, Refused, inert, load


def _latin(text: object, encoding: object) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise ValueError("bytes in an unknown encoding")
    return text.encode("latin-1")


# What an array of the numpy of that time asks for.
ALLOWED: MappingProxyType[tuple[str, str], Callable[..., object]] = MappingProxyType({
    ("numpy.core.multiarray", "_reconstruct"): inert("array"),
    ("numpy", "ndarray"): inert("ndarray"),
    ("numpy", "dtype"): inert("dtype"),
    ("_codecs", "encode"): _latin,
})


def read_pickled(content: bytes, labels: str, shape: tuple[int, int, int]) -> Images:
    """The images of this shape in one pickled dictionary: 'data' uint8 [n, channels * height * width] and the list of
    whole numbers under the key `labels`.

    Raises ValueError when it is anything else, or asks for anything but arrays.
    """
    try:
        found = load(BytesIO(content), ALLOWED, size=len(content))
    except Refused as refused:
        raise ValueError(f"its pickle {refused}") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no dictionary")
    pixels, numbers = _array(_entry(found, "data")), _entry(found, labels)
    if not isinstance(numbers, list) or not all(type(number) is int and abs(number) < 1 << 31 for number in numbers):
        raise ValueError(f"its '{labels}' are no list of whole numbers")
    if pixels.shape != (len(numbers), np.prod(shape)):
        raise ValueError(f"its 'data' has the shape {pixels.shape} for {len(numbers):,} '{labels}' and images of {shape}")
    return Images(pixels.reshape(-1, *shape), np.array(numbers, dtype=np.int64))


def _entry(found: dict[Any, Any], key: str) -> Any:
    """The value of a key, which Python 2 wrote as bytes."""
    for name in (key.encode(), key):
        if name in found:
            return found[name]
    raise ValueError(f"it has no '{key}'")


def _array(value: object) -> NDArray[np.uint8]:
    """uint8 [n, m] from what numpy notes of an array: version, shape, dtype, whether columns come first, and the bytes."""
    match value:
        case Call(name="array", state=(_, (int(n), int(m)), Call(name="dtype", args=("u1" | b"u1", *_)), by_column, bytes(raw))):
            if n < 0 or m < 0 or len(raw) != n * m:
                raise ValueError(f"its 'data' has {len(raw):,} bytes for the shape ({n}, {m})")
            return np.frombuffer(raw, np.uint8).reshape(n, m, order="F" if by_column else "C")
    raise ValueError("its 'data' is no array of bytes with two axes")
