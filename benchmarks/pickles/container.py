"""Which bytes of a file are its pickle: bz2, the two forms of torch.save, or a plain pickle; bombs are refused.

Source of both forms of torch.save: `torch/serialization.py`. The legacy stream is five pickles (magic number, protocol, system,
the object, the keys of the storages) and the raw storages; the zip holds the object as FOLDER/data.pkl, never compressed.
"""

import bz2
import os
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from benchmarks.pickles.machine import Machine
from benchmarks.pickles.values import Functions, Global, inert, shown
from benchmarks.pickles.window import BLOCK, Readable, Refused, Window

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

Condense = Callable[[dict[Any, Any]], None]
Progress = Callable[[int], None]

# Genuine files unpack to 4 times their size, the list of architectures to 40 times.
MOST_UNPACKED, UNPACKED_START = 200, 1 << 20
# Longer byte strings are weights and are passed over.
KEEP = 4_096

BZ2_MAGIC, ZIP_MAGIC, ZIP_END = b"BZh", b"PK\x03\x04", b"PK\x05\x06"
ZIP_END_SIZE = 22
TORCH_MAGIC, TORCH_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
TORCH_HEAD = b"\x80\x02\x8a\x0a" + TORCH_MAGIC.to_bytes(10, "little") + b"."
PICKLE_HEADS = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
# Bytes per number of the storages that networks of the benchmark have.
STORAGES = {("torch", "FloatStorage"): 4, ("torch", "LongStorage"): 8,
            ("torch.cuda", "FloatStorage"): 4, ("torch.cuda", "LongStorage"): 8}


@dataclass(frozen=True)
class Content:
    """value: what the file holds. size: its bytes. sha256: of the file as it was read."""

    value: Any
    size: int
    sha256: str


def read(path: Path, functions: Functions, condense: Condense, progress: Progress) -> Content:
    """The content of one file of numbers; `progress` hears how many bytes were used, block by block.

    Raises Refused when the file is none of the known forms, is cut, damaged, goes on after its end or is a bomb, and for all
    that `Machine` refuses.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Refused("is no regular file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(len(TORCH_HEAD))
        file.seek(0)
        if head.startswith(ZIP_MAGIC):
            # The table of a zip stands at its end, so the file is hashed first and then read.
            source = _Source(file, lambda used: progress(used // 2))
            while source.read(BLOCK):
                pass
            value = _read_zip(file, size, functions, condense, lambda used: progress((size + used) // 2))
            return Content(value, size, source.digest())
        source = _Source(file, progress)
        if head.startswith(BZ2_MAGIC):
            value = _read_one(Window(_Unpacked(source)), functions, condense)
        elif head == TORCH_HEAD:
            value = _read_legacy(Window(source, size), functions, condense)
        elif head.startswith(PICKLE_HEADS):
            value = _read_one(Window(source, size), functions, condense)
        else:
            what = "is empty" if not size else "is neither bz2, nor a file of torch.save, nor a pickle of protocol 2 to 5"
            raise Refused(what)
        return Content(value, size, source.digest())


class _Counted:
    """A stream that says how much of it was read."""

    def __init__(self, stream: Readable, progress: Progress) -> None:
        self._stream = stream
        self._progress = progress
        self.used = 0

    def read(self, most: int, /) -> bytes:
        if block := self._stream.read(most):
            self.used += len(block)
            self._progress(self.used)
        return block


class _Source(_Counted):
    """A file read once from its start, hashed on the way."""

    def __init__(self, stream: Readable, progress: Progress) -> None:
        super().__init__(stream, progress)
        self._sha256 = sha256()

    def read(self, most: int, /) -> bytes:
        block = super().read(most)
        self._sha256.update(block)
        return block

    def digest(self) -> str:
        return self._sha256.hexdigest()


class _Unpacked:
    """The content of one bz2 stream, which must be all that `source` holds."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._bz2 = bz2.BZ2Decompressor()
        self._made = 0

    def read(self, most: int) -> bytes:
        while not self._bz2.eof:
            block = b""
            if self._bz2.needs_input and not (block := self._source.read(BLOCK)):
                raise Refused("ends in the middle of its bz2 data")
            try:
                unpacked = self._bz2.decompress(block, most)
            except (OSError, ValueError):
                raise Refused("has damaged bz2 data") from None
            self._made += len(unpacked)
            if self._made > UNPACKED_START + MOST_UNPACKED * self._source.used:
                raise Refused(f"unpacks to more than {MOST_UNPACKED} times its size")
            if unpacked:
                return unpacked
        if self._bz2.unused_data or self._source.read(1):
            raise Refused("goes on after the end of its bz2 data")
        return b""


def _read_one(window: Window, functions: Functions, condense: Condense,
              persistent: Callable[[object], object] | None = None) -> Any:
    value = Machine(window, functions, condense=condense, persistent=persistent, keep=KEEP).run()
    if not window.ended():
        raise Refused("goes on after the end of its pickle")
    return value


def _read_legacy(window: Window, functions: Functions, condense: Condense) -> Any:
    plain, storages = Machine(window, {}), _Storages()
    if plain.run() != TORCH_MAGIC or plain.run() != TORCH_PROTOCOL:
        raise Refused("is a file of torch.save of an unknown version")
    system = plain.run()
    if type(system) is not dict or system.get("little_endian") is not True:
        raise Refused("was not written on a little-endian machine")
    value = Machine(window, {**functions, **storages.functions}, condense=condense, persistent=storages, keep=KEEP).run()
    keys = plain.run()
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(storages.lengths):
        raise Refused("has other storages of weights than it says")
    for key in keys:
        count, (length, width) = int.from_bytes(window.take(8), "little"), storages.lengths[key]
        if count != length:
            raise Refused("has a storage of weights of another length than it says")
        window.skip(count * width)
    if not window.ended():
        raise Refused("goes on after the end of its storages")
    return value


class _Storages:
    """The storages of weights that a file of torch.save speaks of: key -> (numbers, bytes per number). None is read."""

    functions: Mapping[tuple[str, str], Callable[..., object]] = {name: inert(".".join(name)) for name in STORAGES}

    def __init__(self) -> None:
        self.lengths: dict[str, tuple[int, int]] = {}

    def __call__(self, identity: object) -> None:
        match identity:
            case ("storage", Global() as kind, str() as key, str(), int() as length, *_) if kind.name in STORAGES and length >= 0:
                self.lengths[key] = length, STORAGES[kind.name]
            case _:
                raise Refused("uses BINPERSID for something else than a storage of weights")


def _read_zip(file: BinaryIO, size: int, functions: Functions, condense: Condense, progress: Progress) -> Any:
    from zipfile import BadZipFile, LargeZipFile, ZipFile

    file.seek(-min(size, ZIP_END_SIZE), os.SEEK_END)
    if not (tail := file.read()).startswith(ZIP_END) or tail[-2:] != bytes(2):
        raise Refused("is a zip that is cut or goes on after its end")
    storages = _Storages()
    try:
        with ZipFile(file) as archive:
            member = _pickle_member(archive, size)
            with archive.open(member) as stream:
                window = Window(_Counted(stream, progress), member.file_size)
                return _read_one(window, {**functions, **storages.functions}, condense, storages)
    except (BadZipFile, LargeZipFile, EOFError, OSError, RuntimeError, ValueError, LookupError, struct.error) as error:
        raise Refused(f"is a damaged zip ({shown(str(error))})") from None


def _pickle_member(archive: "ZipFile", size: int) -> "ZipInfo":
    """The member FOLDER/data.pkl, once every member was found to lie in that folder, stored as it is."""
    members = archive.infolist()
    pickles = [member for member in members if member.filename.split("/")[-1] == "data.pkl"]
    if len(pickles) != 1:
        raise Refused(f"is a zip with {len(pickles)} members data.pkl; a file of torch.save has one")
    folder = pickles[0].filename.removesuffix("data.pkl")
    for member in members:
        name = member.filename
        if folder in ("", "/") or not name.startswith(folder) or ".." in name.split("/") or "\\" in name:
            raise Refused("is a zip with a member outside of its folder")
        if member.compress_type or not member.compress_size == member.file_size <= size:
            raise Refused("is a zip with a compressed member, which torch.save does not write")
    return pickles[0]
