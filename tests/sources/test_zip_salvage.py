"""Zips without a usable directory: members are found by their local headers, up to the first damaged one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from clamp_analytics.sources import ContainerLimits
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
