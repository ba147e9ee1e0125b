"""Tar archives (POSIX.1-1988 ustar, pax and GNU), read forward only and without trust in what a header says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from clamp_analytics.sources.containers.codecs import Stream
from clamp_analytics.sources.containers.limits import Budget, DamagedError, RefusedError
from clamp_analytics.sources.names import MemberFilter, MemberKind

BLOCK = 512
_LONG_NAME_BYTES = 1 << 16
_PAX_BYTES = 1 << 20

_PADDING_BYTES = 1 << 26
"""Zeros that fill the last record of a tape; records are some KB."""

_FILES = frozenset(b"0\x007")
_WITHOUT_DATA = {0x31: "a link", 0x32: "a link", 0x33: "a device", 0x34: "a device", 0x35: "", 0x36: "a FIFO"}
"""Types that no data follows, whatever their size says: links, devices, a folder, a FIFO."""

_LONG_NAME, _LONG_LINK, _SPARSE, _GLOBAL = ord("L"), ord("K"), ord("S"), ord("g")
_PAX = frozenset(b"xX")
_PAX_RECORD = re.compile(rb"([0-9]{1,9}) ([^=]+)=")


class TarEntry(NamedTuple):
    """A member of a tar file.

    Attributes:
        name: its name without ``.`` and empty parts.
        kind: what it is according to its name.
        reason: why it is skipped, or cannot be read.
        data: its bytes; None where they were skipped.
    """

    name: str
    kind: MemberKind
    reason: str = ""
    data: bytes | None = None
    refused: bool = False


def entries(
    stream: Stream, member_filter: MemberFilter, budget: Budget, has_room: Callable[[int], bool]
) -> Iterator[TarEntry]:
    """The members of an archive in their order, to its very end.

    Args:
        stream: the decompressed archive.
        member_filter: sorts the names.
        budget: what may still be read.
        has_room: whether the data of a member of this size is to be kept.

    Raises:
        UnreadableError: the archive is cut, damaged, deceptive, or holds too much.
    """
    pax: dict[str, str] = {}
    long_name: str | None = None
    while (header := _header(stream)) is not None:
        budget.count_member()
        kind_byte, size = header[156], _number(header[124:136])
        if kind_byte in (_LONG_NAME, _LONG_LINK):
            text = _text(_data(stream, _bounded(size, _LONG_NAME_BYTES)))
            long_name = text.partition("\0")[0] if kind_byte == _LONG_NAME else long_name
            continue
        if kind_byte in _PAX:
            pax = _pax(_data(stream, _bounded(size, _PAX_BYTES)))
            continue
        if kind_byte == _GLOBAL:
            _check_global(_pax(_data(stream, _bounded(size, _PAX_BYTES))))
            continue
        yield _entry(header, pax, long_name, stream, member_filter, budget, has_room)
        pax, long_name = {}, None


def _entry(
    header: bytes,
    pax: dict[str, str],
    long_name: str | None,
    stream: Stream,
    member_filter: MemberFilter,
    budget: Budget,
    has_room: Callable[[int], bool],
) -> TarEntry:
    kind_byte = header[156]
    raw_name = pax.get("GNU.sparse.name") or pax.get("path") or long_name or _name(header)
    size = _pax_size(pax["size"]) if "size" in pax else _number(header[124:136])
    is_sparse = kind_byte == _SPARSE or any(key.startswith("GNU.sparse.") for key in pax)
    # The first programs had no type for a folder, only this form of its name.
    is_folder = kind_byte == ord("5") or (kind_byte in _FILES and raw_name.endswith("/"))
    is_file = kind_byte in _FILES and not is_folder
    if kind_byte == _SPARSE:
        more = header[482]
        while more:
            more = _exactly(stream, BLOCK)[504]
    name, kind, reason = member_filter.classify(raw_name)
    stored = 0 if kind_byte in _WITHOUT_DATA else size
    budget.check_ahead(stored)
    data = None
    what = "a sparse file" if is_sparse else _WITHOUT_DATA.get(kind_byte, "")
    if kind in (MemberKind.OTHER, MemberKind.NOT_ASKED) or is_sparse or not is_file:
        _skip(stream, stored)
        if is_folder:
            return TarEntry(name, MemberKind.NOT_ASKED)
        if kind not in (MemberKind.OTHER, MemberKind.NOT_ASKED):
            return TarEntry(name, kind, f"it is {what or 'not a regular file'}", refused=True)
        return TarEntry(name, kind, reason if is_file else "not a regular file")
    budget.check_member(name, size)
    if has_room(size):
        data = _data(stream, size)
    else:
        _skip(stream, size)
    return TarEntry(name, kind, data=data)


def _header(stream: Stream) -> bytes | None:
    """The next header; None at the end of the archive, after which nothing but zeros may come."""
    header = _exactly(stream, BLOCK)
    if any(header):
        _check_sum(header)
        return header
    padding = 0
    while rest := stream.upto(1 << 16):
        padding += len(rest)
        if rest.count(0) != len(rest):
            raise DamagedError("other data follows the end of the archive")
        if padding > _PADDING_BYTES:
            raise RefusedError(f"more than {_PADDING_BYTES:,} zeros follow the end of the archive")
    return None


def _check_sum(header: bytes) -> None:
    stored = _number(header[148:156])
    # The field itself counts as blanks; old programs summed signed bytes.
    rest = header[:148] + b" " * 8 + header[156:]
    if stored != (unsigned := sum(rest)) and stored != unsigned - 256 * sum(byte > 127 for byte in rest):
        raise DamagedError("the header of a member is damaged: its checksum is wrong")


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or base 256 where it is too large for them."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if not re.fullmatch(rb"[0-7]*", digits):
        raise DamagedError("the header of a member is damaged: a field is not a number")
    return int(digits or b"0", 8)


def _name(header: bytes) -> str:
    name = _text(header[:100].partition(b"\0")[0])
    magic = header[257:263]
    if magic.startswith(b"ustar") and magic not in (b"ustar\0", b"ustar "):
        # Some programs read a prefix here, and others do not.
        raise DamagedError("the header of a member is damaged: its format is unknown")
    prefix = header[345:500].partition(b"\0")[0] if magic == b"ustar\0" else b""
    return f"{_text(prefix)}/{name}" if prefix else name


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _pax(data: bytes) -> dict[str, str]:
    """The values of a pax header: records of ``<length> <key>=<value>`` and a line end, all of it counted."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data):
        match = _PAX_RECORD.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise DamagedError("the extended header of a member is damaged")
        found[_text(match[2])] = _text(data[match.end() : end - 1])
        at = end
    return found


def _pax_size(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise DamagedError("the extended header of a member is damaged: its size is not a number")
    return int(text)


def _check_global(values: dict[str, str]) -> None:
    """Let a comment on the whole archive pass, but nothing that changes what its members are."""
    if changing := sorted(key for key in values if key in ("path", "size") or key.startswith("GNU.sparse.")):
        raise RefusedError(f"a global header sets the {changing[0]} of its members")


def _bounded(size: int, most: int) -> int:
    if size > most:
        raise RefusedError(f"an extended header has {size:,} bytes")
    return size


def _exactly(stream: Stream, size: int) -> bytes:
    data = stream.upto(size)
    if len(data) < size:
        raise DamagedError("it is cut: it ends before its end mark")
    return data


def _data(stream: Stream, size: int) -> bytes:
    data = _exactly(stream, size)
    _skip(stream, -size % BLOCK, padding=True)
    return data


def _skip(stream: Stream, size: int, *, padding: bool = False) -> None:
    whole = size if padding else size + -size % BLOCK
    if stream.skip(whole) < whole:
        raise DamagedError("it is cut: it ends before its end mark")
