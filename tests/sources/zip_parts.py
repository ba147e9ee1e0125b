"""Builds zips field by field, honest and otherwise, and reads them (PKWARE APPNOTE 6.3, sections 4.3 and 4.4)."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

from clamp_analytics.sources.containers.limits import DEFAULT_LIMITS, Budget, ContainerLimits
from clamp_analytics.sources.containers.zips import RandomAccessFile, ZipEntry, directory, read_member
from clamp_analytics.sources.names import MemberFilter

LARGE = 0xFFFFFFFF
TEXT = b"The content of a member."


@dataclass(frozen=True)
class Part:
    """A member of a zip; the fields that are not given follow from its content."""

    name: bytes
    content: bytes = TEXT
    data: bytes | None = None
    method: int = 0
    flags: int = 0
    made_by: int = 0x031E
    needed: int = 20
    attributes: int = 0
    disk: int = 0
    comment: bytes = b""
    extra: bytes = b""
    local_extra: bytes = b""
    local_flags: int | None = None
    local_sizes: tuple[int, int] | None = None
    local_crc: int | None = None
    local_method: int | None = None
    local_name: bytes | None = None
    follows: bytes = b""
    size: int | None = None

    @property
    def stored(self) -> bytes:
        """Its data as it is in the zip."""
        return self.content if self.data is None else self.data

    @property
    def crc(self) -> int:
        """The CRC-32 of its content."""
        return zlib.crc32(self.content)

    def local(self) -> bytes:
        """Its local header, its data, and what follows them."""
        sizes = self.local_sizes or (len(self.stored), len(self.content) if self.size is None else self.size)
        name = self.name if self.local_name is None else self.local_name
        fields = (
            self.needed,
            self.flags if self.local_flags is None else self.local_flags,
            self.method if self.local_method is None else self.local_method,
            *(0, 0),
            self.crc if self.local_crc is None else self.local_crc,
            *sizes,
            len(name),
            len(self.local_extra),
        )
        header = struct.pack("<4s5H3L2H", b"PK\3\4", *fields)
        return header + name + self.local_extra + self.stored + self.follows

    def central(self, offset: int) -> bytes:
        """Its entry in the directory, with the offset of its local header."""
        fields = (
            *(self.made_by, self.needed, self.flags, self.method, 0, 0, self.crc),
            *(len(self.stored), len(self.content) if self.size is None else self.size),
            *(len(self.name), len(self.extra), len(self.comment), self.disk, 0, self.attributes, offset),
        )
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + self.name + self.extra + self.comment


def end_of(count: int, size: int, start: int, comment: bytes = b"", disks: tuple[int, int, int] | None = None) -> bytes:
    """The end of a directory; ``disks`` gives this disk, that of the directory, and its entries on this disk."""
    disk, first, here = disks or (0, 0, count)
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, first, here, count, size, start, len(comment)) + comment


def a_zip(*parts: Part, order: tuple[int, ...] | None = None, comment: bytes = b"") -> bytes:
    """A zip; ``order`` is that of the directory."""
    data, described = b"", []
    for part in parts:
        described.append(part.central(len(data)))
        data += part.local()
    entries = b"".join(described[index] for index in order or range(len(parts)))
    return data + entries + end_of(len(parts), len(entries), len(data), comment)


def listed(data: bytes, limits: ContainerLimits = DEFAULT_LIMITS, only: str = "") -> list[ZipEntry]:
    """The members that the directory of a zip lists."""
    return directory(RandomAccessFile(io.BytesIO(data)), MemberFilter(only), Budget(limits, len(data)))


def contents(data: bytes) -> dict[str, bytes]:
    """The content of each member, by its name."""
    file = RandomAccessFile(io.BytesIO(data))
    return {member.name: read_member(file, member) for member in listed(data)}


def deflated(content: bytes, flush: int = zlib.Z_FINISH) -> bytes:
    """Content as a deflate stream."""
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(content) + engine.flush(flush)


def zip64(
    *parts: Part,
    length: int = 44,
    shift: int = 0,
    signature: bytes = b"PK\6\6",
    disks: tuple[int, int, int] | None = None,
) -> bytes:
    """A zip whose end is in the zip64 format."""
    data, entries = b"", b""
    for part in parts:
        entries += part.central(len(data))
        data += part.local()
    at = len(data + entries)
    disk, first, here = disks or (0, 0, len(parts))
    counts = (length, 45, 45, 0, first, here, len(parts), len(entries), len(data))
    record = struct.pack("<4sQ2H2L4Q", signature, *counts)
    locator = struct.pack("<4sLQL", b"PK\6\7", disk, at + shift, 1)
    return data + entries + record + locator + end_of(0xFFFF, LARGE, LARGE)


def field(*values: int, tag: int = 1) -> bytes:
    """An extra field of 64-bit numbers, by default that of zip64."""
    return struct.pack(f"<2H{len(values)}Q", tag, 8 * len(values), *values)


A, B = Part(b"a.json", b"a" * 100), Part(b"b.json", b"bb")
"""Two stored members."""
