"""The directory of a zip, field by field: where it is, what it lists, and its sizes beyond 32 bits."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from clamp_analytics.sources.containers.limits import (
    DamagedError,
    RefusedError,
)
from clamp_analytics.sources.containers.zips import (
    ZipEntry,
    large_sizes,
)
from clamp_analytics.sources.names import MemberKind
from tests.sources.zip_parts import LARGE, TEXT, A, B, Part, a_zip, contents, deflated, end_of, field, listed, zip64

# Honest zips


def test_members_are_listed_by_name_with_what_the_directory_says() -> None:
    found = listed(a_zip(B, A))

    length = len(B.local())
    assert found == [
        ZipEntry(
            "a.json", MemberKind.SESSION, "", False, b"a.json", 0, A.crc, 100, 100, length, length + len(A.local())
        ),
        ZipEntry("b.json", MemberKind.SESSION, "", False, b"b.json", 0, B.crc, 2, 2, 0, length),
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_the_directory_may_have_another_order_than_the_members(order: tuple[int, ...]) -> None:
    data = a_zip(A, B, Part(b"c.json", method=8, data=deflated(TEXT)), order=order)

    assert contents(data) == {"a.json": A.content, "b.json": b"bb", "c.json": TEXT}


@pytest.mark.parametrize("comment", [b"", b"c", b"PK\6\7", b"c" * 0xFFFF])
def test_a_zip_may_have_a_comment(comment: bytes) -> None:
    assert list(contents(a_zip(A, B, comment=comment))) == ["a.json", "b.json"]


@pytest.mark.parametrize("comment", [b"", b"c" * 0xFFFF])
def test_a_zip_may_be_empty(comment: bytes) -> None:
    assert listed(end_of(0, 0, 0, comment)) == []


def test_a_directory_at_the_end_of_a_large_file_is_found() -> None:
    large = Part(b"a.json", b"a" * 70_000)

    assert contents(a_zip(B, large, comment=b"c")) == {"a.json": large.content, "b.json": b"bb"}


def test_a_directory_may_be_larger_than_what_is_read_at_once() -> None:
    parts = [Part(b"%02d.json" % number, b"x", comment=b"c" * 0xFFFF) for number in range(35)]

    assert list(contents(a_zip(*parts))) == [f"{number:02}.json" for number in range(35)]


def test_extra_fields_and_comments_of_members_are_passed_over() -> None:
    part = replace(A, extra=struct.pack("<2H", 9, 3) + b"xyz", local_extra=struct.pack("<2H", 9, 0), comment=b"PK\1\2")

    assert contents(a_zip(part, B)) == {"a.json": A.content, "b.json": b"bb"}


def test_folders_are_not_listed_and_other_files_with_their_reason() -> None:
    link = Part(b"link", attributes=0o120777 << 16)

    found = listed(a_zip(Part(b"t/", b""), A, Part(b"t/x.txt"), link, Part(b"")))

    assert [(member.name, member.kind, member.reason, member.refused) for member in found] == [
        ("", MemberKind.OTHER, "other ending", False),
        ("a.json", MemberKind.SESSION, "", False),
        ("link", MemberKind.OTHER, "not a regular file", False),
        ("t/x.txt", MemberKind.OTHER, "other ending", False),
    ]


def test_members_that_are_not_asked_for_are_not_listed() -> None:
    assert [member.name for member in listed(a_zip(A, B), only="b.json")] == ["b.json"]


def test_an_entry_may_have_no_name() -> None:
    assert [member.name for member in listed(a_zip(Part(b"", b"")))] == [""]


# The end of the directory


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it has no directory at its end"),
        (a_zip(A)[:-22], "it has no directory at its end"),
        (a_zip(A, comment=b"c" * 0xFFFF) + b"x", "it has no directory at its end"),
        (a_zip(A)[:-1], "it is cut inside of its directory"),
        (a_zip(A)[:-18], "it is cut inside of its directory"),
        (a_zip(A, comment=b"abc")[:-1], "it is cut inside of its comment"),
        (a_zip(A) + b"x", "its directory is not at its end"),
        (a_zip(A, comment=b"abc") + b"x", "its directory is not at its end"),
    ],
)
def test_a_directory_that_does_not_end_with_the_file_is_damaged(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedError, match=reason):
        listed(data)


def with_end(data: bytes, end: bytes) -> bytes:
    return data[:-22] + end


ONE = a_zip(A)
START, SIZE = len(A.local()), len(A.central(0))


@pytest.mark.parametrize("disks", [(1, 0, 1), (0, 1, 1), (0, 0, 0), (0, 0, 2), (1, 1, 1)])
def test_a_part_of_an_archive_on_several_disks_is_refused(disks: tuple[int, int, int]) -> None:
    with pytest.raises(RefusedError, match="several disks"):
        listed(with_end(ONE, end_of(1, SIZE, START, disks=disks)))


@pytest.mark.parametrize(("disk", "is_refused"), [(0, False), (0xFFFF, False), (1, True), (0xFFFE, True)])
def test_a_member_on_another_disk_is_refused(disk: int, is_refused: bool) -> None:
    data = a_zip(replace(A, disk=disk))

    if is_refused:
        with pytest.raises(RefusedError, match="several disks"):
            listed(data)
    else:
        assert len(listed(data)) == 1


@pytest.mark.parametrize(("size", "start"), [(SIZE - 1, START), (SIZE, START - 1), (SIZE, START + 1), (SIZE, 0)])
def test_a_directory_that_is_elsewhere_is_refused(size: int, start: int) -> None:
    with pytest.raises(RefusedError, match="its directory is not where it says"):
        listed(with_end(ONE, end_of(1, size, start)))


def test_a_directory_with_fewer_entries_than_it_says_is_damaged() -> None:
    with pytest.raises(DamagedError, match="fewer entries than it says"):
        listed(with_end(ONE, end_of(2, SIZE, START)))


def test_a_directory_with_more_entries_than_it_says_is_damaged() -> None:
    two = a_zip(A, B)

    with pytest.raises(DamagedError, match="more entries than it says"):
        listed(with_end(two, end_of(1, 2 * SIZE, len(A.local() + B.local()))))


def test_an_entry_that_reaches_into_the_end_of_the_directory_is_cut() -> None:
    data = bytearray(ONE)
    at = START + 28
    data[at : at + 2] = struct.pack("<H", len(A.name) + 1)

    with pytest.raises(DamagedError, match="it is cut inside of its directory"):
        listed(bytes(data))


def test_an_entry_with_a_wrong_signature_is_damaged() -> None:
    data = bytearray(ONE)
    data[START] ^= 1

    with pytest.raises(DamagedError, match="its directory is damaged"):
        listed(bytes(data))


def test_data_before_the_first_member_is_refused() -> None:
    entry = A.central(4)
    data = b"hide" + A.local() + entry + end_of(1, len(entry), 4 + START)

    with pytest.raises(RefusedError, match="other data precedes its first member"):
        listed(data)

    with pytest.raises(RefusedError, match="other data precedes its first member"):
        listed(b"hide" + end_of(0, 0, 4))


# Zip64


def test_a_zip64_directory_is_read() -> None:
    assert contents(zip64(A, B)) == {"a.json": A.content, "b.json": b"bb"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zip64(A, signature=b"PK\6\5"), "its zip64 directory is missing"),
        (zip64(A, shift=1), "its zip64 directory is missing"),
        (zip64(A, shift=100), "its zip64 directory is missing"),
        (zip64(A, length=43), "its zip64 directory is not where it says"),
        (zip64(A, length=45), "its zip64 directory is not where it says"),
        (b"PK\6\7" + bytes(16) + end_of(0, 0, 20), "its zip64 directory is missing"),
    ],
)
def test_a_zip64_directory_that_is_not_there_is_damaged(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedError, match=reason):
        listed(data)


@pytest.mark.parametrize("disks", [(1, 0, 1), (0, 1, 1), (0, 0, 2)])
def test_a_part_of_a_zip64_archive_is_refused(disks: tuple[int, int, int]) -> None:
    with pytest.raises(RefusedError, match="several disks"):
        listed(zip64(A, disks=disks))


@pytest.mark.parametrize(
    ("extra", "given", "expected"),
    [
        (b"", (1, 2, 3), (1, 2, 3)),
        (field(7), (1, 2, 3), (1, 2, 3)),
        (field(7), (LARGE, 2, 3), (7, 2, 3)),
        (field(7), (1, LARGE, 3), (1, 7, 3)),
        (field(7), (1, 2, LARGE), (1, 2, 7)),
        (field(7, 2**40, 2**63), (LARGE, LARGE, LARGE), (7, 2**40, 2**63)),
        (field(7, 8, 9), (LARGE, 2, LARGE), (7, 2, 8)),
        (field(5, tag=9) + field(7), (LARGE, 2, 3), (7, 2, 3)),
        (field(tag=2) + field(7), (LARGE, 2, 3), (7, 2, 3)),
        (field(7) + field(8), (LARGE, 2, 3), (7, 2, 3)),
        (b"", (LARGE, 2, 3), (LARGE, 2, 3)),
        (b"\1\0\x08", (LARGE, 2, 3), (LARGE, 2, 3)),
        (field(5, tag=9), (LARGE, 2, 3), (LARGE, 2, 3)),
    ],
)
def test_sizes_beyond_32_bits_are_in_the_zip64_field(
    extra: bytes, given: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    assert large_sizes(extra, *given) == expected


@pytest.mark.parametrize("extra", [field(), field(7)[:-1], struct.pack("<2HQ", 1, 7, 7)])
def test_a_zip64_field_that_is_too_short_is_damaged(extra: bytes) -> None:
    with pytest.raises(DamagedError, match="the zip64 sizes of a member are missing"):
        large_sizes(extra, LARGE, 2, 3)


def test_the_local_header_may_have_its_sizes_in_a_zip64_field() -> None:
    part = replace(A, local_sizes=(LARGE, LARGE), local_extra=field(100, 100))

    assert contents(a_zip(part, B)) == {"a.json": A.content, "b.json": b"bb"}

    with pytest.raises(RefusedError, match="contradicts the size in the directory"):
        listed(a_zip(replace(A, local_sizes=(LARGE, LARGE), local_extra=field(100, 99)), B))
