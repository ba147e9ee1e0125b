"""Zips without a usable directory: members are found by their local headers, up to the first damaged one."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.sources import ContainerLimits
from clamp_analytics.sources.containers.limits import DEFAULT_LIMITS, Budget, LimitError
from clamp_analytics.sources.containers.zip_salvage import intact_members
from clamp_analytics.sources.containers.zips import RandomAccessFile, ZipEntry
from clamp_analytics.sources.names import MemberFilter, MemberKind
from tests.conftest import GOOD, numbered
from tests.sources.container_builders import local
from tests.sources.container_results import CRC, NAME, beside, container_faults, refused

SIZES_FOLLOW = 8
DESCRIPTORS = {
    "32 bits": struct.Struct("<3L"),
    "32 bits and a signature": struct.Struct("<4s3L"),
    "64 bits": struct.Struct("<L2Q"),
    "64 bits and a signature": struct.Struct("<4sL2Q"),
}
"""The forms in which the checksum and sizes of a member follow its data."""


def streamed(name: bytes, content: bytes, form: str = "32 bits and a signature") -> bytes:
    """A deflated member as a program writes it that cannot go back to the header."""
    engine = zlib.compressobj(wbits=-15)
    packed = engine.compress(content) + engine.flush()
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, SIZES_FOLLOW, 8, 0, 0, 0, 0, 0, len(name), 0)
    figures = (zlib.crc32(content), len(packed), len(content))
    signature = (b"PK\7\x08",) if "signature" in form else ()
    return header + name + packed + DESCRIPTORS[form].pack(*signature, *figures)


@pytest.mark.parametrize("form", DESCRIPTORS)
def test_members_whose_sizes_follow_them_are_recovered(tmp_path: Path, form: str) -> None:
    data = streamed(b"a.json", GOOD, form) + streamed(b"b.json", numbered(2), form)

    telemetry = beside(tmp_path, "x.zip", data, salvage=True)

    assert telemetry.records["seed"].to_list() == [7, 2, 99]
    assert container_faults(telemetry) == [("x.zip", "container-damaged")]


@pytest.mark.parametrize("field", [0, 1, 2], ids=["checksum", "packed size", "size"])
def test_sizes_that_contradict_their_member_end_the_recovery(tmp_path: Path, field: int) -> None:
    broken = bytearray(streamed(b"b.json", numbered(2)))
    broken[-12 + 4 * field] ^= 1

    telemetry = beside(tmp_path, "x.zip", streamed(b"a.json", GOOD) + broken, salvage=True)

    assert telemetry.records["seed"].to_list() == [7, 99]


@pytest.mark.parametrize("member", [local(NAME, GOOD, crc=CRC), streamed(NAME, GOOD)], ids=["before", "after"])
def test_a_recovered_member_above_the_limit_refuses_the_zip(tmp_path: Path, member: bytes) -> None:
    limit = len(GOOD)

    kept = beside(tmp_path, "x.zip", member, salvage=True, limits=ContainerLimits(max_member_bytes=limit))
    telemetry = beside(tmp_path, "x.zip", member, salvage=True, limits=ContainerLimits(max_member_bytes=limit - 1))

    assert kept.records["seed"].to_list() == [7, 99]
    assert "max_member_bytes" in refused(telemetry, "x.zip", "container-limit")


def test_a_member_above_the_limit_is_refused_before_its_end_is_reached(tmp_path: Path) -> None:
    cut = streamed(NAME, GOOD * 2)[:-20]

    telemetry = beside(tmp_path, "x.zip", cut, salvage=True, limits=ContainerLimits(max_member_bytes=len(GOOD)))

    refused(telemetry, "x.zip", "container-limit")


def test_more_recovered_bytes_than_the_limit_end_the_recovery(tmp_path: Path) -> None:
    data = local(NAME, GOOD, crc=CRC) + local(b"y.json", GOOD, crc=CRC)

    limits = ContainerLimits(max_total_bytes=2 * len(GOOD) - 1)
    telemetry = beside(tmp_path, "x.zip", data, salvage=True, limits=limits)

    assert container_faults(telemetry) == [("x.zip", "container-limit")]
    assert telemetry.records["seed"].to_list() == [7, 99]


def test_folders_and_other_files_are_passed_over_in_the_recovery(tmp_path: Path) -> None:
    data = local(b"a/", b"") + local(b"a/x.txt", b"text", crc=1) + local(b"a/y.json", GOOD, crc=CRC)

    telemetry = beside(tmp_path, "x.zip", data, salvage=True)

    assert telemetry.records["seed"].to_list() == [7, 99]


@pytest.mark.parametrize("cut", [1, 29, 30, 35, 36])
def test_a_member_whose_header_is_cut_ends_the_recovery(tmp_path: Path, cut: int) -> None:
    data = local(NAME, GOOD, crc=CRC) + local(b"y.json", numbered(2), crc=zlib.crc32(numbered(2)))[:cut]

    assert beside(tmp_path, "x.zip", data, salvage=True).records["seed"].to_list() == [7, 99]


def test_a_stored_member_without_sizes_ends_the_recovery(tmp_path: Path) -> None:
    stored = bytearray(local(NAME, b"", flags=SIZES_FOLLOW))

    telemetry = beside(tmp_path, "x.zip", bytes(stored) + GOOD + local(b"y.json", GOOD, crc=CRC), salvage=True)

    assert telemetry.records["seed"].to_list() == [99]


def test_the_zip64_sizes_of_a_member_are_used_in_the_recovery(tmp_path: Path) -> None:
    extra = struct.pack("<2H2Q", 1, 16, len(GOOD), len(GOOD))
    unknown = 0xFFFFFFFF
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 45, 0, 0, 0, 0, CRC, unknown, unknown, len(NAME), len(extra))
    data = header + NAME + extra + GOOD + local(b"y.json", GOOD, crc=CRC)

    assert beside(tmp_path, "x.zip", data, salvage=True).records["seed"].to_list() == [7, 7, 99]


# Members one at a time


def salvaged(
    data: bytes, limits: ContainerLimits = DEFAULT_LIMITS, only: str = ""
) -> list[tuple[ZipEntry, bytes | None]]:
    file = RandomAccessFile(io.BytesIO(data))
    return list(intact_members(file, MemberFilter(only), Budget(limits, len(data))))


def stored(name: bytes, content: bytes, *, extra: bytes = b"", flags: int = 0, needed: int = 20) -> bytes:
    """A stored member with its sizes before its data."""
    fields = (needed, flags, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name + extra + content


LAST = stored(b"z.json", b"z")


def names(data: bytes) -> list[str]:
    """The names of the members whose content was recovered."""
    return [member.name for member, content in salvaged(data) if content is not None]


def test_a_recovered_member_has_what_its_header_says() -> None:
    first = stored(b"a/b.json", b"abc", extra=b"\1\2\3\4\5")
    packed = len(streamed(b"", b"streamed")) - 30 - 16

    found = salvaged(first + streamed(b"s.json", b"streamed") + LAST)

    start, middle = 30 + 8 + 5, len(first)
    follows = middle + 30 + 6
    last = follows + packed + 16
    crc, kind = zlib.crc32, MemberKind.SESSION
    assert found == [
        (ZipEntry("a/b.json", kind, "", False, b"a/b.json", 0, crc(b"abc"), 3, 3, start, middle), b"abc"),
        (ZipEntry("s.json", kind, "", False, b"s.json", 8, crc(b"streamed"), packed, 8, follows, last), b"streamed"),
        (ZipEntry("z.json", kind, "", False, b"z.json", 0, crc(b"z"), 1, 1, last + 36, last + 37), b"z"),
    ]


def test_members_that_are_not_read_are_given_without_content() -> None:
    data = stored(b"x.txt", b"text") + stored(b"t/", b"") + stored(b"e.json", b"x", flags=1) + LAST

    found = [(member.name, member.reason, member.refused, content) for member, content in salvaged(data)]

    assert found == [
        ("x.txt", "other ending", False, None),
        ("e.json", "it is encrypted", True, None),
        ("z.json", "", False, b"z"),
    ]


def test_an_encrypted_file_that_is_not_a_session_is_given_with_its_own_reason() -> None:
    ((member, content),) = salvaged(stored(b"x.txt", b"text", flags=1))

    assert (member.reason, member.refused, content) == ("other ending", False, None)


def test_members_that_are_not_asked_for_have_no_content() -> None:
    found = salvaged(stored(b"a.json", b"a") + LAST, only="z.json")

    assert [(member.name, content) for member, content in found] == [("a.json", None), ("z.json", b"z")]


@pytest.mark.parametrize(
    "broken",
    [
        b"PK\3\5" + stored(b"", b"")[4:] + LAST,
        LAST[:29],
        stored(b"a.json", b"abc")[:-1],
        stored(b"a.txt", b"abc")[:-1],
        stored(b"a.json", b"", extra=b"12345")[:-1],
        stored(b"a.json", b"abc").replace(b"abc", b"abd") + LAST,
        streamed(b"a.json", b"a" * 100)[:-17],
        streamed(b"a.json", b"a" * 100)[:-1],
        streamed(b"a.json", b"a" * 100)[:37] + b"\xff" * 50 + LAST,
    ],
    ids=["signature", "header", "content", "content not read", "extra", "checksum", "data", "sizes", "deflate"],
)
def test_a_damaged_member_ends_the_recovery(broken: bytes) -> None:
    assert [member.name for member, _ in salvaged(LAST.replace(b"z.json", b"y.json") + broken)] == ["y.json"]


@pytest.mark.parametrize("name", [b"e.json", b"e.txt"])
def test_an_encrypted_member_whose_sizes_follow_ends_the_recovery(name: bytes) -> None:
    member = bytearray(streamed(name, b"secret"))
    member[6] |= 1

    assert salvaged(bytes(member) + LAST) == []


def test_sizes_that_precede_a_member_are_used_although_they_follow_it_as_well() -> None:
    member = stored(b"a.json", b"abc", flags=SIZES_FOLLOW)

    assert names(member + LAST) == ["a.json", "z.json"]
    assert names(member + b"PK\7\x08" + bytes(12) + LAST) == ["a.json"]


def test_a_member_whose_sizes_follow_may_be_larger_than_what_is_read_at_once() -> None:
    noise = b"".join(zlib.crc32(bytes([n % 256, n // 256])).to_bytes(4, "little") for n in range(50_000))

    found = salvaged(streamed(b"a.json", noise) + LAST)

    assert [content for _, content in found] == [noise, b"z"]


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (ContainerLimits(max_member_bytes=99), "max_member_bytes"),
        (ContainerLimits(max_total_bytes=199), "max_total_bytes"),
        (ContainerLimits(max_members=2), "max_members"),
    ],
)
@pytest.mark.parametrize("build", [stored, streamed])
def test_more_than_the_limits_ends_the_recovery_with_an_error(limits: ContainerLimits, name: str, build: Any) -> None:
    data = build(b"a.json", b"a" * 100) + stored(b"t/", b"") + build(b"b.json", b"b" * 100)
    enough = ContainerLimits(max_member_bytes=100, max_total_bytes=200, max_members=3)

    assert len(salvaged(data, enough)) == 2
    with pytest.raises(LimitError, match=name):
        salvaged(data, limits)


def test_a_large_file_that_is_not_a_session_does_not_count_against_the_limits() -> None:
    assert len(salvaged(stored(b"x.txt", bytes(200)) + LAST, ContainerLimits(max_member_bytes=100))) == 2
