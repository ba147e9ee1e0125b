"""Recover the members of a zip without a usable directory through their local headers, up to the first damaged one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from clamp_analytics.sources.containers.limits import Budget, DamagedError
from clamp_analytics.sources.containers.zips import (
    LOCAL,
    SIZES_FOLLOW,
    STORED,
    RandomAccess,
    ZipEntry,
    large_sizes,
    name_of,
    refusal_of,
    unpacked,
)
from clamp_analytics.sources.names import MemberFilter, MemberKind


def intact_members(
    file: RandomAccess, member_filter: MemberFilter, budget: Budget
) -> Iterator[tuple[ZipEntry, bytes | None]]:
    """The members of a zip without a usable directory, from its beginning to the first damaged one.

    The data is None where a member is not to be read, or cannot be.

    Raises:
        RefusedError: a name leads out of the container, or occurs twice.
        LimitError: there is too much.
    """
    offset = 0
    while (header := file.at(offset, LOCAL.size)).startswith(b"PK\x03\x04") and len(header) == LOCAL.size:
        budget.count_member()
        _, needed, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(header)
        raw_name = file.at(offset + LOCAL.size, name_length)
        extra = file.at(offset + LOCAL.size + name_length, extra_length)
        start = offset + LOCAL.size + name_length + extra_length
        name, kind, reason = member_filter.classify(name_of(raw_name))
        why = refusal_of(0, needed, flags, method)
        sizes_follow = bool(flags & SIZES_FOLLOW) and not packed
        if len(raw_name) < name_length or len(extra) < extra_length or (sizes_follow and (why or method == STORED)):
            return
        try:
            if sizes_follow:
                packed, size, crc, offset = _measured(file, start, name, budget)
            else:
                size, packed, _ = large_sizes(extra, size, packed, 0)
                offset = start + packed
            if offset > file.size:
                return
            is_asked = kind not in (MemberKind.OTHER, MemberKind.NOT_ASKED)
            member = ZipEntry(name, kind, why if is_asked else reason, bool(why) and is_asked,
                            raw_name, method, crc, packed, size, start, offset)  # fmt: skip
            if raw_name.endswith(b"/"):
                continue
            data = None
            if is_asked and not why:
                budget.check_member(name, size)
                budget.take(size)
                data = unpacked(file.at(start, packed), member)
        except DamagedError:
            return
        yield member, data


def _measured(file: RandomAccess, start: int, name: str, budget: Budget) -> tuple[int, int, int, int]:
    """Packed size, size, CRC-32 and end of a deflated member whose sizes follow it."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    crc = size = 0
    at, data = start, b""
    while not engine.eof:
        if not data:
            data = file.at(at, 1 << 16)
            at += len(data)
            if not data:
                raise DamagedError("it is cut")
        try:
            piece = engine.decompress(data, 1 << 18)
        except zlib.error as error:
            raise DamagedError(str(error)) from error
        data = engine.unconsumed_tail
        size += len(piece)
        budget.check_member(name, size)
        crc = zlib.crc32(piece, crc)
    end = at - len(engine.unused_data)
    packed = end - start
    trailer = file.at(end, 24)
    signature = 4 if trailer.startswith(b"PK\x07\x08") else 0
    for form in ("<L2L", "<L2Q"):
        layout = struct.Struct(form)
        if len(trailer) >= signature + layout.size and layout.unpack_from(trailer, signature) == (crc, packed, size):
            return packed, size, crc, end + signature + layout.size
    raise DamagedError("it is cut")
