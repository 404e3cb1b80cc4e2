"""A stream seen through a window of a few hundred kilobytes, so that a file of gigabytes is never held."""

from typing import Protocol

BLOCK = 1 << 18
# The longest fixed-size instruction and what follows it in one step of the machine fit into this many bytes.
MARGIN = 16
# What one length field may ask for where the length of the stream is unknown (inside bz2): official strings have tens of
# bytes, weights less than a megabyte.
LONGEST_UNSIZED = 1 << 24
LONGEST_LINE = 1 << 16
CUT = "ends in the middle of its data"


class Refused(Exception):
    """The file is not read on. `reason`: what it does, as a sentence without its subject, "asks for os.system"; `remedy`: what
    to do about it, where that is something else than to get the file again."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class Readable(Protocol):
    """Anything with the `read` of a binary file; b"" at the end."""

    def read(self, most: int, /) -> bytes: ...


class Window:
    """The bytes of `stream`, read in order.

    data[pos:end] are read ahead. `limit` is the last position from which MARGIN bytes can be taken without `fill`; at the end
    of the stream zeros are appended, which are no instruction, so that a file cut anywhere runs into them.
    size: the bytes of the whole stream, where known; no length field may ask for more than is left.
    """

    def __init__(self, stream: Readable, size: int | None = None) -> None:
        self._stream = stream
        self._size = size
        self._before = 0
        self._final = False
        self.data = b""
        self.pos = 0
        self.end = 0
        self.limit = -MARGIN

    @property
    def offset(self) -> int:
        """Bytes of the stream that were used."""
        return self._before + self.pos

    def fill(self) -> None:
        """Read on until MARGIN bytes are there, or the end; Refused when the end was passed."""
        while self.pos > self.limit:
            if self._final:
                raise Refused(CUT)
            self._extend()

    def require(self, length: int) -> None:
        """Refused when `length` bytes are more than a genuine file can have from here on."""
        left = LONGEST_UNSIZED if self._size is None else self._size - self.offset
        if not 0 <= length <= left:
            raise Refused(f"is cut or damaged: it asks for {length} bytes at once where at most {max(left, 0)} can follow")

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        stop = self.pos + length
        if length >= 0 and stop <= self.end:
            taken = self.data[self.pos:stop]
            self.pos = stop
            return taken
        self.require(length)
        parts = [self.data[self.pos:self.end]]
        missing = length - len(parts[0])
        self._leave()
        while missing:
            block = self._read(missing)
            parts.append(block)
            missing -= len(block)
        return b"".join(parts)

    def skip(self, length: int) -> None:
        """Pass over `length` bytes without keeping them."""
        self.require(length)
        if self.pos + length <= self.end:
            self.pos += length
            return
        missing = length - (self.end - self.pos)
        self._leave()
        while missing:
            missing -= len(self._read(missing))

    def line(self) -> bytes:
        """The bytes up to the next line feed, which is passed over."""
        while (stop := self.data.find(b"\n", self.pos, self.end)) < 0:
            if self.end - self.pos > LONGEST_LINE:
                raise Refused(f"has a line of more than {LONGEST_LINE} bytes")
            if self._final:
                raise Refused(CUT)
            self._extend()
        return self.take(stop + 1 - self.pos)[:-1]

    def ahead(self, length: int) -> bytes:
        """The next `length` bytes without using them; fewer at the end."""
        while self.pos + length > self.end and not self._final:
            self._extend()
        return self.data[self.pos:min(self.pos + length, self.end)]

    def ended(self) -> bool:
        """Whether every byte of the stream was used."""
        if self.pos == self.end and not self._final:
            self._extend()
        return self._final and self.pos == self.end

    def _extend(self) -> None:
        """Forget what was used and append one block."""
        rest, block = self.data[self.pos:self.end], self._stream.read(BLOCK)
        self._before += self.pos
        self._final = not block
        self.data = rest + (block or bytes(MARGIN))
        self.pos, self.end = 0, len(rest) + len(block)
        self.limit = self.end if self._final else self.end - MARGIN

    def _leave(self) -> None:
        """Forget all that was read ahead; what follows is read past it."""
        self._before += self.end
        self.data, self.pos, self.end, self.limit = b"", 0, 0, -MARGIN

    def _read(self, most: int) -> bytes:
        block = self._stream.read(min(most, BLOCK))
        if not block:
            raise Refused(CUT)
        self._before += len(block)
        return block
