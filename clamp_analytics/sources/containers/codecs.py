"""Compressed streams, decompressed in pieces of bounded size and checked to their end."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from clamp_analytics.sources.containers.limits import Budget, DamagedError
from clamp_analytics.sources.names import Codec

PIECE_BYTES = 1 << 18
"""The most that is decompressed at once."""

_INPUT_BYTES = 1 << 14
"""Small, because each of many tiny streams in a row copies what follows it."""

_ZSTD_PIECE_BYTES = 1 << 14
"""Small, because the piece that a cut falls into is lost with all of its bytes."""

_XZ_MEMORY = 128 << 20
"""Memory that a decoder of xz may take; its strongest preset takes 65 MiB."""

_CUT = "it ends inside of its compressed data"
_FOLLOWS = "other data follows its compressed data"

Raw = io.FileIO | io.BytesIO


class Stream(Protocol):
    """A stream of bytes that is read once, from its beginning to its end."""

    def upto(self, size: int) -> bytes:
        """The next bytes; fewer than asked for only at the end."""

    def skip(self, size: int) -> int:
        """Skip bytes, and return how many there were."""


def stream_of(raw: Raw, codec: Codec, budget: Budget) -> Stream:
    """The decompressed bytes of a file from its beginning; what is decompressed is counted.

    Its methods raise ``DamagedError`` where the compressed data is cut, wrong, or followed by something else,
    and ``LimitError`` where there is too much of it.
    """
    raw.seek(0)
    return _Plain(raw, budget) if codec is Codec.NONE else _Pieces(_DECODERS[codec](raw), budget)


class _Plain:
    """A file that is not compressed: what is passed over is not read."""

    def __init__(self, raw: Raw, budget: Budget) -> None:
        self._raw = raw
        self._budget = budget
        self._left = raw.seek(0, io.SEEK_END)
        raw.seek(0)

    def upto(self, size: int) -> bytes:
        data = read_fully(self._raw, min(size, self._left))
        self._left -= len(data)
        self._budget.take(len(data))
        return data

    def skip(self, size: int) -> int:
        size = min(size, self._left)
        self._raw.seek(size, io.SEEK_CUR)
        self._left -= size
        self._budget.take(size)
        return size


class _Pieces:
    """Decompressed pieces as one stream."""

    def __init__(self, pieces: Iterator[bytes], budget: Budget) -> None:
        self._pieces = pieces
        self._budget = budget
        self._rest = memoryview(b"")

    def _next(self, size: int) -> memoryview:
        """At most ``size`` bytes; none at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        part, self._rest = self._rest[:size], self._rest[size:]
        self._budget.take(len(part))
        return part

    def upto(self, size: int) -> bytes:
        if 0 < size <= len(self._rest):
            # Headers and small members, of which there may be many.
            return bytes(self._next(size))
        parts = []
        while size and (part := self._next(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> int:
        left = size
        while left and (part := self._next(left)):
            left -= len(part)
        return size - left


def read_fully(raw: Raw, size: int) -> bytes:
    """As many bytes as asked for, or all that are left; one call of the system may give fewer."""
    data = raw.read(size) or b""
    if len(data) == size:
        return data
    parts = [data]
    missing = size - len(data)
    while missing and (part := raw.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _gzip(raw: Raw) -> Iterator[bytes]:
    """The content of one or more gzip members; zeros may follow them, as on a tape."""
    data = raw.read(_INPUT_BYTES) or b""
    while data:
        engine = zlib.decompressobj(zlib.MAX_WBITS | 16)
        while not engine.eof:
            data = data or raw.read(_INPUT_BYTES) or b""
            try:
                piece = engine.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise DamagedError(f"its gzip data is damaged: {_detail(error)}") from error
            if not (data or piece or engine.eof):
                raise DamagedError(_CUT)
            data = engine.unconsumed_tail
            if piece:
                yield piece
        data = _after(engine.unused_data, raw, b"\x1f\x8b")


def _after(unused: bytes, raw: Raw, magic: bytes) -> bytes:
    """The bytes from the next stream on; none where there is none.

    Raises:
        DamagedError: something else follows.
    """
    data = unused
    while True:
        data = data.lstrip(b"\0") if not data.startswith(magic[:1]) else data
        if len(data) >= len(magic):
            break
        more = raw.read(_INPUT_BYTES)
        if not more:
            break
        data += more
    if data and not data.startswith(magic):
        raise DamagedError(_FOLLOWS)
    return data


def _xz(raw: Raw) -> Iterator[bytes]:
    data = raw.read(_INPUT_BYTES) or b""
    while data:
        engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        while not engine.eof:
            if engine.needs_input:
                data = data or raw.read(_INPUT_BYTES) or b""
                if not data:
                    raise DamagedError(_CUT)
            try:
                piece = engine.decompress(data, PIECE_BYTES)
            except lzma.LZMAError as error:
                raise DamagedError(f"its xz data is damaged: {_detail(error)}") from error
            data = b""
            if piece:
                yield piece
        data = _after(engine.unused_data, raw, b"\xfd7zXZ\0")


def _zstd(raw: Raw) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(_Open(raw), mode="r"), "zstd")
    try:
        while piece := stream.read(_ZSTD_PIECE_BYTES):
            yield piece
    except (OSError, pa.ArrowException) as error:
        cut = "truncated" in str(error).lower()
        raise DamagedError(_CUT if cut else f"its zstd data is damaged: {_detail(error)}") from error


class _Open:
    """A file whose reader may not close it, because it is read once more."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        return self._raw.read(size) or b""

    def close(self) -> None:
        self.closed = True


def _detail(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


_DECODERS: dict[Codec, Callable[[Raw], Iterator[bytes]]] = {Codec.GZIP: _gzip, Codec.XZ: _xz, Codec.ZSTD: _zstd}
