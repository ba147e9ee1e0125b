"""The members of a zip, field by field: which cannot be read, and which contradict the directory."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace

import pytest

from clamp_analytics.sources.containers.limits import (
    DEFAULT_LIMITS,
    Budget,
    ContainerLimits,
    DamagedError,
    LimitError,
    RefusedError,
)
from clamp_analytics.sources.containers.zips import (
    RandomAccess,
    RandomAccessFile,
    directory,
    name_of,
    read_member,
    refusal_of,
)
from clamp_analytics.sources.names import MemberFilter
from tests.sources.zip_parts import LARGE, TEXT, A, B, Part, a_zip, contents, deflated, end_of, field, listed

START = len(A.local())

# What cannot be read


@pytest.mark.parametrize(
    ("mode", "needed", "flags", "method", "reason"),
    [
        (0, 20, 0, 0, ""),
        (0o100644, 63, 0x80E, 8, ""),
        (0o040755, 0xFF3F, 0, 0, ""),
        (0o120777, 20, 0, 0, "it is a link"),
        (0o010644, 20, 0, 0, "it is not a regular file"),
        (0, 20, 0x1, 0, "it is encrypted"),
        (0, 20, 0x40, 0, "it is encrypted"),
        (0, 20, 0x2000, 0, "it is encrypted"),
        (0, 20, 0, 99, "it is encrypted"),
        (0, 20, 0, 1, "it is compressed by method 1, which is not read"),
        (0, 20, 0, 9, "it is compressed by deflate64, which is not read"),
        (0, 20, 0, 12, "it is compressed by bzip2, which is not read"),
        (0, 20, 0, 14, "it is compressed by LZMA, which is not read"),
        (0, 20, 0, 93, "it is compressed by zstd, which is not read"),
        (0, 20, 0, 95, "it is compressed by xz, which is not read"),
        (0, 20, 0, 98, "it is compressed by PPMd, which is not read"),
        (0, 64, 0, 0, "it needs version 6.4 of the format, which is not read"),
        (0, 0x0140, 0, 0, "it needs version 6.4 of the format, which is not read"),
    ],
)
def test_a_member_that_cannot_be_read_has_a_reason(
    mode: int, needed: int, flags: int, method: int, reason: str
) -> None:
    assert refusal_of(mode, needed, flags, method) == reason


@pytest.mark.parametrize(
    ("made_by", "attributes", "reason"),
    [
        (0x031E, 0o120777 << 16, "it is a link"),
        (0x001E, 0o120777 << 16, ""),
        (0x041E, 0o120777 << 16, ""),
        (0x031E, 0o100644 << 16, ""),
        (0x031E, 0o120777, ""),
    ],
)
def test_only_unix_gives_the_kind_of_a_file(made_by: int, attributes: int, reason: str) -> None:
    (member,) = listed(a_zip(replace(A, made_by=made_by, attributes=attributes)))

    assert (member.reason, member.refused) == (reason, bool(reason))


def test_a_refused_member_does_not_count_against_the_limits() -> None:
    encrypted = Part(b"x.json", flags=1, content=b"x" * 1000)

    found = listed(a_zip(A, encrypted, Part(b"x.txt", b"x" * 1000)), ContainerLimits(max_member_bytes=100))

    assert [(member.name, member.refused) for member in found] == [
        ("a.json", False),
        ("x.json", True),
        ("x.txt", False),
    ]


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (ContainerLimits(max_member_bytes=99), "max_member_bytes"),
        (ContainerLimits(max_total_bytes=101), "max_total_bytes"),
        (ContainerLimits(max_members=1), "max_members"),
    ],
)
def test_more_than_the_limits_is_refused(limits: ContainerLimits, name: str) -> None:
    assert len(listed(a_zip(A, B), ContainerLimits(max_member_bytes=100, max_total_bytes=102, max_members=2))) == 2

    with pytest.raises(LimitError, match=name):
        listed(a_zip(A, B), limits)


@pytest.mark.parametrize(
    ("raw", "name"), [(b"a.json", "a.json"), ("é.json".encode(), "é.json"), (b"\x82.json", "é.json")]
)
def test_a_name_is_utf8_or_code_page_437(raw: bytes, name: str) -> None:
    assert name_of(raw) == name


# Members against the directory


def damaged(data: bytes) -> str:
    """The reason why the first member cannot be read."""
    member = listed(data)[0]
    with pytest.raises(DamagedError) as caught:
        read_member(RandomAccessFile(io.BytesIO(data)), member)
    return str(caught.value)


def test_a_member_beyond_the_directory_is_damage_of_the_zip() -> None:
    entry = replace(A, data=A.content + b"more", size=100).central(0)

    with pytest.raises(DamagedError, match="a member lies outside of the archive"):
        listed(A.local() + entry + end_of(1, len(entry), START))


def test_members_that_overlap_are_refused() -> None:
    entries = A.central(0) + B.central(START - 1)
    data = A.local() + B.local()

    with pytest.raises(RefusedError, match="its members overlap"):
        listed(data + entries + end_of(2, len(entries), len(data)))


@pytest.mark.parametrize("at", [0, 3])
def test_a_member_without_its_header_is_damaged_alone(at: int) -> None:
    data = bytearray(a_zip(A, B))
    data[at] ^= 1

    assert damaged(bytes(data)) == "its header is missing"


@pytest.mark.parametrize(
    "part",
    [
        replace(A, local_name=b"b.json"),
        replace(A, local_crc=1),
        replace(A, local_method=8),
        replace(A, local_flags=1),
    ],
)
def test_a_header_that_contradicts_the_directory_is_damaged(part: Part) -> None:
    assert damaged(a_zip(part, B)) == "its header contradicts the directory"


@pytest.mark.parametrize("kind", [Part(b"x.txt"), Part(b"x/"), Part(b"x.json", flags=1)])
def test_a_header_of_a_member_that_is_not_read_may_not_reach_into_the_next_one(kind: Part) -> None:
    honest = a_zip(kind, B)
    data = bytearray(honest)
    data[28:30] = struct.pack("<H", 1)

    assert len(listed(honest)) in (1, 2)
    with pytest.raises(RefusedError, match="its members overlap"):
        listed(bytes(data))


def test_a_header_of_a_session_that_reaches_into_the_next_member_is_refused_alone() -> None:
    data = bytearray(a_zip(A, B))
    data[28:30] = struct.pack("<H", 1)
    (member, other) = listed(bytes(data))
    file = RandomAccessFile(io.BytesIO(bytes(data)))

    with pytest.raises(RefusedError, match="it overlaps with what follows"):
        read_member(file, member)

    assert read_member(file, other) == b"bb"


@pytest.mark.parametrize("sizes", [(99, 100), (100, 99), (0, 0), (0, 100)])
def test_a_header_with_other_sizes_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(RefusedError, match="contradicts the size in the directory"):
        listed(a_zip(replace(A, local_sizes=sizes), B))


FORMS = {
    "32 bits": struct.pack("<3L", A.crc, 100, 100),
    "32 bits and a signature": struct.pack("<4s3L", b"PK\7\x08", A.crc, 100, 100),
    "64 bits": struct.pack("<L2Q", A.crc, 100, 100),
    "64 bits and a signature": struct.pack("<4sL2Q", b"PK\7\x08", A.crc, 100, 100),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sizes", [(0, 0), (100, 100)])
def test_the_sizes_of_a_member_may_follow_its_data(form: str, sizes: tuple[int, int]) -> None:
    part = replace(A, flags=8, local_sizes=sizes, local_crc=0, follows=FORMS[form])

    assert contents(a_zip(part, B)) == {"a.json": A.content, "b.json": b"bb"}


@pytest.mark.parametrize("sizes", [(100, 99), (99, 100)])
def test_sizes_in_the_header_may_not_differ_from_those_that_follow(sizes: tuple[int, int]) -> None:
    with pytest.raises(RefusedError, match="contradicts the size in the directory"):
        listed(a_zip(replace(A, flags=8, local_sizes=sizes, follows=FORMS["32 bits"]), B))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("flags", [0, 8])
def test_other_data_between_members_is_refused(form: str, flags: int) -> None:
    follows = bytearray(FORMS[form])
    follows[-1] ^= flags // 8

    with pytest.raises(RefusedError, match="there is other data between its members"):
        listed(a_zip(replace(A, flags=flags, follows=bytes(follows)), B))


def test_sizes_that_do_not_follow_are_refused_unless_there_is_no_data() -> None:
    with pytest.raises(RefusedError, match="the sizes of a member do not follow its data"):
        listed(a_zip(replace(A, flags=8), B))

    assert len(listed(a_zip(Part(b"a.txt", b"", flags=8), B))) == 2


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (Part(b"a.json", size=25), "its size is not what the directory says"),
        (Part(b"a.json", size=23), "its size is not what the directory says"),
        (Part(b"a.json", TEXT, deflated(TEXT), 8, size=23), "its size is not what the directory says"),
        (Part(b"a.json", TEXT, deflated(TEXT), 8, size=25), "its size is not what the directory says"),
        (Part(b"a.json", TEXT, deflated(TEXT) + b"x", 8), "its size is not what the directory says"),
        (Part(b"a.json", TEXT, deflated(TEXT, zlib.Z_SYNC_FLUSH), 8), "its size is not what the directory says"),
        (Part(b"a.json", TEXT, b"\7", 8), "its compressed data is damaged: "),
        (Part(b"a.json", TEXT, TEXT[::-1]), "its checksum is wrong"),
        (Part(b"a.json", b"12", b"x" * 1028), "its size is not what the directory says"),
        (Part(b"a.json", b"12", b"x" * 1029), "its two sizes contradict each other"),
    ],
)
def test_content_that_contradicts_the_directory_is_damaged(part: Part, reason: str) -> None:
    assert damaged(a_zip(part, B)).startswith(reason)


# Random access, and zips that are larger than memory


def test_bytes_are_read_at_any_offset() -> None:
    file = RandomAccessFile(io.BytesIO(b"0123456789"))

    assert file.size == 10
    assert [file.at(0, 3), file.at(7, 3), file.at(8, 5), file.at(10, 1), file.at(10**30, 1)] == [
        b"012",
        b"789",
        b"89",
        b"",
        b"",
    ]


class Sparse:
    """A file that is zeros but for some parts of it."""

    def __init__(self, parts: dict[int, bytes]) -> None:
        self._parts = parts
        self.size = max(offset + len(data) for offset, data in parts.items())

    def at(self, offset: int, size: int) -> bytes:
        size = min(size, self.size - offset)
        found = bytearray(size)
        for start, data in self._parts.items():
            for at in range(max(start, offset), min(start + len(data), offset + size)):
                found[at - offset] = data[at - start]
        return bytes(found)


def large_zip(packed: int, size: int, form: str) -> RandomAccess:
    """A zip with one member of two sizes, which follow its data in a form."""
    name, follows = b"x.bin", struct.pack(form, 1, packed, size)
    extra = field(size, packed)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 8, 8, 0, 0, 0, LARGE, LARGE, 5, 20) + name + extra
    fields = (45, 45, 8, 8, 0, 0, 1, LARGE, LARGE, 5, 20, 0, 0, 0, 0, 0)
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name + extra
    start = len(local) + packed + len(follows)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(entry), start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(entry), 1)
    end = entry + record + locator + end_of(0xFFFF, LARGE, LARGE)
    return Sparse({0: local, len(local) + packed: follows, start: end})


@pytest.mark.parametrize(
    ("packed", "size", "form"),
    [
        (5 * 2**30, 5 * 2**30, "<L2Q"),
        (1000, 2**32, "<L2Q"),
        (2**32, 1000, "<L2Q"),
        (LARGE, LARGE, "<L2Q"),
        (LARGE, LARGE, "<L2L"),
        (1000, LARGE - 1, "<L2L"),
    ],
)
def test_the_sizes_of_a_large_member_may_follow_its_data(packed: int, size: int, form: str) -> None:
    file = large_zip(packed, size, form)

    (member,) = directory(file, MemberFilter(), Budget(DEFAULT_LIMITS, file.size))

    assert (member.packed, member.size) == (packed, size)
