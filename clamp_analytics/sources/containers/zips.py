"""Read zip files (PKWARE APPNOTE 6.3) by their directory, which is checked as a whole before any member is read.

Every byte belongs to exactly one member or to the directory. So no two members share data, nothing is hidden between
or around them, and a program that reads the local headers one after another finds the same members.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from array import array
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

from clamp_analytics.sources.containers.codecs import Raw, read_fully
from clamp_analytics.sources.containers.limits import Budget, DamagedError, RefusedError
from clamp_analytics.sources.names import MemberFilter, MemberKind

_END, _END_64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_ENTRY, LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_UNIX = 3
_ENCRYPTED = 0x1 | 0x40 | 0x2000
SIZES_FOLLOW = 0x8
STORED, DEFLATED = 0, 8
_NEWEST_VERSION = 63
"""Version 6.3 of the format, the newest one that a member may need."""

_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd"}
_WINDOW = 1 << 20
_TAIL = _END.size + 0xFFFF


class ZipEntry(NamedTuple):
    """A member as the directory describes it.

    Attributes:
        name: its name without ``.`` and empty parts.
        kind: what it is according to its name.
        reason: why it is skipped, or cannot be read.
        refused: whether it is a session or container that cannot be read.
        raw_name: the bytes of its name.
        method: how it is compressed.
        crc: the CRC-32 of its content.
        packed: its compressed size in bytes.
        size: its size in bytes.
        offset: the offset of its local header.
        end: the offset of the next member or of the directory; the lowest one at which it can end until that is known.
    """

    name: str
    kind: MemberKind
    reason: str
    refused: bool
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    end: int


class RandomAccess(Protocol):
    """Bytes that can be read at any offset."""

    size: int

    def at(self, offset: int, size: int) -> bytes:
        """The bytes at an offset; fewer at the end."""


class RandomAccessFile:
    """An open file or bytes in memory, read at any offset."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self.size = raw.seek(0, os.SEEK_END)

    def at(self, offset: int, size: int) -> bytes:
        """The bytes at an offset; fewer at the end."""
        if offset >= self.size:
            # A false offset may be too large for the operating system.
            return b""
        self._raw.seek(offset)
        return read_fully(self._raw, size)


def directory(file: RandomAccess, member_filter: MemberFilter, budget: Budget) -> list[ZipEntry]:
    """All members except folders, sorted by name, after checking the whole directory.

    Raises:
        UnreadableError: it is cut, damaged, deceptive, or holds too much.
    """
    count, start, size = _find_directory(file)
    budget.count_member(count)
    starts, ends = array("Q"), array("Q")
    found = []
    cursor = _Cursor(file, start, size)
    for _ in range(count):
        member = _next_entry(cursor, member_filter)
        if member.end > start:
            raise DamagedError("a member lies outside of the archive")
        starts.append(member.offset)
        ends.append(member.end)
        found.append(member)
    if cursor.left:
        raise DamagedError("its directory has more entries than it says")
    bounds = _bounds(starts, ends, start)
    for member in found:
        _check_local_header(file, member, bounds[member.offset])
    asked = [member._replace(end=bounds[member.offset]) for member in found if member.kind is not MemberKind.NOT_ASKED]
    for member in asked:
        if member.kind is not MemberKind.OTHER and not member.refused:
            budget.check_member(member.name, member.size)
            budget.take(member.size)
    return sorted(asked, key=lambda member: member.name)


def _find_directory(file: RandomAccess) -> tuple[int, int, int]:
    """Entries, offset and size of the directory."""
    begin = max(file.size - _TAIL, 0)
    tail = file.at(begin, _TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise DamagedError("it has no directory at its end: it is cut, or other data follows")
    if len(tail) - at < _END.size:
        raise DamagedError("it is cut inside of its directory")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment > len(tail):
        raise DamagedError("it is cut inside of its comment")
    if at + _END.size + comment < len(tail):
        raise DamagedError("its directory is not at its end: it is cut, or other data follows")
    end = begin + at
    located = file.at(end - _LOCATOR.size, _LOCATOR.size) if end >= _LOCATOR.size else b""
    if located.startswith(b"PK\x06\x07"):
        _, disk, offset, _ = _LOCATOR.unpack(located)
        record = file.at(offset, _END_64.size)
        if len(record) < _END_64.size or not record.startswith(b"PK\x06\x06"):
            raise DamagedError("its zip64 directory is missing")
        _, length, _, _, _, first_disk, here, count, size, start = _END_64.unpack(record)
        if offset + 12 + length != end - _LOCATOR.size:
            raise DamagedError("its zip64 directory is not where it says")
        end = offset
    if disk or first_disk or here != count:
        raise RefusedError("it is one part of an archive on several disks")
    if start + size != end:
        raise RefusedError("its directory is not where it says: data was put before it or into it")
    if size < count * _ENTRY.size:
        raise DamagedError("its directory has fewer entries than it says")
    return count, start, size


class _Cursor:
    """Reads a directory forward through a window, because it may be large."""

    def __init__(self, file: RandomAccess, start: int, size: int) -> None:
        self._file = file
        self._next = start
        self._unread = size
        self._window = b""
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes until the end of the directory."""
        return self._unread + len(self._window) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self._at + size > len(self._window):
            more = self._file.at(self._next, min(max(_WINDOW, size), self._unread))
            self._next += len(more)
            self._unread -= len(more)
            self._window, self._at = self._window[self._at :] + more, 0
        part = self._window[self._at : self._at + size]
        if len(part) < size:
            raise DamagedError("it is cut inside of its directory")
        self._at += size
        return part


def _next_entry(cursor: _Cursor, member_filter: MemberFilter) -> ZipEntry:
    """The next member of a directory."""
    # The fields are those of the specification, in its order.
    (signature, made_by, needed, flags, method, _, _, crc, packed, size, name_length, extra_length, comment_length,
     disk, _, attributes, offset) = _ENTRY.unpack(cursor.take(_ENTRY.size))  # fmt: skip
    if signature != b"PK\x01\x02":
        raise DamagedError("its directory is damaged")
    raw_name = cursor.take(name_length)
    extra = cursor.take(extra_length)
    cursor.take(comment_length)
    size, packed, offset = large_sizes(extra, size, packed, offset)
    if disk not in (0, 0xFFFF):
        raise RefusedError("it is one part of an archive on several disks")
    name, kind, reason = member_filter.classify(name_of(raw_name))
    end = offset + LOCAL.size + name_length + packed
    mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
    if raw_name.endswith(b"/"):
        kind = MemberKind.NOT_ASKED
    why = refusal_of(mode, needed, flags, method)
    if kind is MemberKind.OTHER and _is_special(mode):
        reason = "not a regular file"
    refused = bool(why) and kind not in (MemberKind.OTHER, MemberKind.NOT_ASKED)
    return ZipEntry(name, kind, why if refused else reason, refused, raw_name, method, crc, packed, size, offset, end)


def _is_special(mode: int) -> bool:
    return stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)


def refusal_of(mode: int, needed: int, flags: int, method: int) -> str:
    """Why a member that is asked for cannot be read; empty where it can.

    Args:
        mode: the kind of file and its permissions, as in Unix.
        needed: the version of the format that a program needs to read it; the high byte is not used.
        flags: its general purpose flags.
        method: how it is compressed.
    """
    if _is_special(mode):
        return "it is a link" if stat.S_ISLNK(mode) else "it is not a regular file"
    if flags & _ENCRYPTED or method == 99:
        return "it is encrypted"
    if method not in (STORED, DEFLATED):
        return f"it is compressed by {_METHODS.get(method, f'method {method}')}, which is not read"
    version = needed & 0xFF
    if version > _NEWEST_VERSION:
        return f"it needs version {version // 10}.{version % 10} of the format, which is not read"
    return ""


def name_of(raw_name: bytes) -> str:
    """A name as text: UTF-8, which most programs write, flagged or not, or else what PKZIP wrote."""
    try:
        return raw_name.decode()
    except UnicodeDecodeError:
        return raw_name.decode("cp437")


def large_sizes(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Size, packed size and offset, from the zip64 field where they are too large for 32 bits."""
    values = [size, packed, offset]
    if 0xFFFFFFFF not in values:
        return size, packed, offset
    at = 0
    while at + _EXTRA.size <= len(extra):
        tag, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if tag == 1:
            field = extra[at : at + length]
            for position, value in enumerate(values):
                if value == 0xFFFFFFFF:
                    if len(field) < 8:
                        raise DamagedError("the zip64 sizes of a member are missing")
                    values[position], field = int.from_bytes(field[:8], "little"), field[8:]
            return values[0], values[1], values[2]
        at += length
    return size, packed, offset


def _bounds(starts: array[int], ends: array[int], directory_start: int) -> dict[int, int]:
    """The offset at which each member has to end, by the offset of the member."""
    order = sorted(range(len(starts)), key=starts.__getitem__)
    bounds: dict[int, int] = {}
    if directory_start and (not order or starts[order[0]] != 0):
        raise RefusedError("other data precedes its first member")
    for index, following in pairwise([*order, -1]):
        end = directory_start if following < 0 else starts[following]
        if ends[index] > end:
            raise RefusedError("its members overlap")
        bounds[starts[index]] = end
    return bounds


def _check_local_header(file: RandomAccess, member: ZipEntry, end: int) -> None:
    """Check that a program that reads local headers one after another finds the next member at ``end`` as well.

    A header that is missing or reaches too far is a fault of its member alone, which reading it reports.

    Raises:
        RefusedError: the header gives another size, or other data follows the member.
    """
    header = file.at(member.offset, LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(b"PK\x03\x04"):
        return
    _, _, flags, _, _, _, _, packed, size, name_length, extra_length = LOCAL.unpack(header)
    data_start = member.offset + LOCAL.size + name_length + extra_length
    if data_start + member.packed > end:
        if member.kind in (MemberKind.OTHER, MemberKind.NOT_ASKED) or member.refused:
            raise RefusedError("its members overlap")
        return
    if 0xFFFFFFFF in (packed, size):
        extra = file.at(data_start - extra_length, extra_length)
        size, packed, _ = large_sizes(extra, size, packed, 0)
    sizes_follow = bool(flags & SIZES_FOLLOW)
    if (packed, size) != (member.packed, member.size) and not (sizes_follow and packed == 0):
        raise RefusedError("the header of a member contradicts the size in the directory")
    rest = file.at(data_start + member.packed, end - data_start - member.packed)
    if rest and not (sizes_follow and rest in _data_descriptors(member)):
        raise RefusedError("there is other data between its members")
    if not rest and sizes_follow and member.packed:
        raise RefusedError("the sizes of a member do not follow its data")


def _data_descriptors(member: ZipEntry) -> Iterator[bytes]:
    """The forms in which the sizes of a member may follow its data."""
    for form in ("<L2L", "<L2Q"):
        if max(member.packed, member.size) > 0xFFFFFFFF and form == "<L2L":
            continue
        descriptor = struct.pack(form, member.crc, member.packed, member.size)
        yield from (descriptor, b"PK\x07\x08" + descriptor)


def read_member(file: RandomAccess, member: ZipEntry) -> bytes:
    """The content of a member.

    Raises:
        DamagedError: its bytes contradict the directory.
    """
    header = file.at(member.offset, LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise DamagedError("its header is missing")
    _, _, flags, method, _, _, crc, _, _, name_length, extra_length = LOCAL.unpack(header)
    start = member.offset + LOCAL.size + name_length + extra_length
    is_same = method == member.method and not flags & _ENCRYPTED and (crc == member.crc or flags & SIZES_FOLLOW)
    if not is_same or file.at(member.offset + LOCAL.size, name_length) != member.raw_name:
        raise DamagedError("its header contradicts the directory")
    if start + member.packed > member.end:
        raise RefusedError("it overlaps with what follows")
    # Deflate adds a few bytes per block to data that does not shrink; more than that is a false size.
    if member.packed > 2 * member.size + 1024:
        raise DamagedError("its two sizes contradict each other")
    return unpacked(file.at(start, member.packed), member)


def unpacked(data: bytes, member: ZipEntry) -> bytes:
    """The content of a member, checked against its size and checksum.

    Raises:
        DamagedError: the content contradicts them.
    """
    if member.method == DEFLATED:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = engine.decompress(data, member.size + 1)
        except zlib.error as error:
            raise DamagedError(f"its compressed data is damaged: {error}") from error
        if not engine.eof or engine.unused_data or engine.unconsumed_tail:
            raise DamagedError("its size is not what the directory says")
    if len(data) != member.size:
        raise DamagedError("its size is not what the directory says")
    if zlib.crc32(data) != member.crc:
        raise DamagedError("its checksum is wrong")
    return data
