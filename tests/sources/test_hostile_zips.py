"""Zip archives that are built to deceive: hidden, shared or overlapping members, and false sizes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.reading import Counts, load
from tests.conftest import GOOD
from tests.sources.container_builders import (
    a_zip,
    central,
    directory_end,
    local,
)
from tests.sources.container_results import CRC, NAME, TWO, beside, container_faults, refused, why


def test_members_that_share_their_data_refuse_the_zip(tmp_path: Path) -> None:
    member = local(NAME, GOOD, crc=CRC)
    listed = central(NAME, len(GOOD), 0, crc=CRC) + central(b"y.json", len(GOOD), 0, crc=CRC)

    data = member + listed + directory_end(2, len(listed), len(member))

    assert refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused") == "its members overlap"


def test_members_that_quote_the_next_one_refuse_the_zip(tmp_path: Path) -> None:
    # D. Fifield, A better zip bomb (WOOT 2019): each member's data holds the local headers of all that follow.
    kernel = local(b"z.json", GOOD, crc=CRC)
    outer = local(b"x.json", kernel, crc=zlib.crc32(kernel))
    listed = central(b"x.json", len(kernel), 0, crc=zlib.crc32(kernel))
    listed += central(b"z.json", len(GOOD), len(outer) - len(kernel), crc=CRC)

    data = outer + listed + directory_end(2, len(listed), len(outer))

    assert refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused") == "its members overlap"


def test_a_local_header_that_jumps_over_the_next_member_rejects_its_own(tmp_path: Path) -> None:
    # The same by way of the extra field, whose length only the local header gives.
    kernel = local(b"z.json", GOOD, crc=CRC)
    jump = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, CRC, len(GOOD), len(GOOD), 6, 36) + b"x.json"
    listed = central(b"x.json", 0, 0, crc=CRC, size=len(GOOD)) + central(b"z.json", len(GOOD), len(jump), crc=CRC)
    data = jump + kernel + listed + directory_end(2, len(listed), len(jump + kernel))

    telemetry = beside(tmp_path, "x.zip", data)

    assert container_faults(telemetry)[0][0] == "x.json"
    assert telemetry.records["seed"].to_list() == [7, 99]


def test_a_local_header_that_reaches_into_the_next_member_rejects_its_own(tmp_path: Path) -> None:
    # The local header has one byte more of extra field than the directory accounts for.
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, CRC, len(GOOD), len(GOOD), 6, 1)
    first, second = header + NAME + GOOD, local(b"z.json", GOOD, crc=CRC)
    listed = central(NAME, len(GOOD), 0, crc=CRC) + central(b"z.json", len(GOOD), len(first), crc=CRC)
    data = first + second + listed + directory_end(2, len(listed), len(first + second))

    telemetry = beside(tmp_path, "x.zip", data)

    assert container_faults(telemetry) == [("x.json", "container-refused")]
    assert why(telemetry) == "it overlaps with what follows"
    assert telemetry.records["seed"].to_list() == [7, 99]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"#!/bin/sh\n" + a_zip(TWO), "container-mismatch"),
        (a_zip(TWO)[:4] + bytes(10) + a_zip(TWO)[4:], "container-refused"),
        (a_zip(TWO) + b"more", "container-damaged"),
        (a_zip(TWO) + a_zip(TWO), "container-refused"),
    ],
    ids=["before", "within", "behind", "twice"],
)
def test_other_data_around_a_zip_refuses_it(tmp_path: Path, data: bytes, rule: str) -> None:
    refused(beside(tmp_path, "x.zip", data), "x.zip", rule)


@pytest.mark.parametrize("last", [b"x.json", b"x.bin"])
def test_a_member_between_the_last_one_and_the_directory_refuses_the_zip(tmp_path: Path, last: bytes) -> None:
    member, hidden = local(last, GOOD, crc=CRC), local(b"h.json", GOOD, crc=CRC)
    listed = central(last, len(GOOD), 0, crc=CRC)
    data = member + hidden + listed + directory_end(1, len(listed), len(member + hidden))

    assert refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused") == (
        "there is other data between its members"
    )


def test_a_member_between_two_others_refuses_the_zip(tmp_path: Path) -> None:
    first, hidden, last = (local(name, GOOD, crc=CRC) for name in (b"a.json", b"h.json", b"z.json"))
    listed = central(b"a.json", len(GOOD), 0, crc=CRC) + central(b"z.json", len(GOOD), len(first + hidden), crc=CRC)
    data = first + hidden + last + listed + directory_end(2, len(listed), len(first + hidden + last))

    assert refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused") == (
        "there is other data between its members"
    )


@pytest.mark.parametrize("last", [b"x.json", b"x.bin"])
def test_a_member_inside_the_data_of_another_refuses_the_zip(tmp_path: Path, last: bytes) -> None:
    # By the local header the last member is empty, and what the directory takes for its data is the next member.
    hidden = local(b"h.json", GOOD, crc=CRC)
    listed = central(last, len(hidden), 0, crc=zlib.crc32(hidden))
    data = local(last, b"") + hidden + listed + directory_end(1, len(listed), len(local(last, b"") + hidden))

    assert refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused") == (
        "the header of a member contradicts the size in the directory"
    )


@pytest.mark.parametrize("signature", [b"", b"PK\x07\x08"])
@pytest.mark.parametrize("form", ["<3L", "<L2Q"])
def test_sizes_that_follow_a_member_are_not_hidden_data(tmp_path: Path, signature: bytes, form: str) -> None:
    follows = signature + struct.pack(form, CRC, len(GOOD), len(GOOD))
    member = local(NAME, GOOD, flags=8, size=0)
    member = member[:18] + bytes(8) + member[26:] + follows
    listed = central(NAME, len(GOOD), 0, crc=CRC)
    path = tmp_path / "x.zip"
    path.write_bytes(member + listed + directory_end(1, len(listed), len(member)))

    assert load(path).counts.loaded == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_a_zip_of_the_standard_library_hides_nothing(tmp_path: Path, streamed: bool, large: bool) -> None:
    class Unseekable(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    target: Any = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as container:
        for name in ("a.json", "b.bin", "c.json"):
            with container.open(name, "w", force_zip64=large) as member:
                member.write(GOOD.replace(b"alpha", name.encode()))
    path = tmp_path / "x.zip"
    path.write_bytes(target.data if streamed else target.getvalue())

    assert load(path).counts.loaded == 2


def test_data_hidden_before_the_first_member_refuses_the_zip(tmp_path: Path) -> None:
    hidden = local(b"h.json", GOOD, crc=CRC)
    member, listed = local(NAME, GOOD, crc=CRC), central(NAME, len(GOOD), len(hidden), crc=CRC)
    data = hidden + member + listed + directory_end(1, len(listed), len(hidden + member))

    reason = refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused")

    assert reason == "other data precedes its first member"


@pytest.mark.parametrize("count", [0, 1, 3, 65_000])
def test_a_zip_that_lies_about_its_number_of_members_is_damaged(tmp_path: Path, count: int) -> None:
    data = bytearray(a_zip(TWO))
    data[-14:-10] = struct.pack("<2H", count, count)

    telemetry = beside(tmp_path, "x.zip", bytes(data))

    assert telemetry.counts == Counts(1, 1, 0)


@pytest.mark.parametrize("size", [0, 1, len(GOOD) - 1, len(GOOD) + 1, 200_000_000])
@pytest.mark.parametrize("method", [0, 8])
def test_a_member_of_another_size_than_declared_is_damaged(tmp_path: Path, method: int, size: int) -> None:
    engine = zlib.compressobj(wbits=-15)
    packed = engine.compress(GOOD) + engine.flush() if method else GOOD
    member = local(NAME, packed, method=method, crc=CRC, size=size)
    listed = central(NAME, len(packed), 0, method=method, crc=CRC, size=size)

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert container_faults(telemetry) == [("x.json", "container-damaged")]
    assert telemetry.counts == Counts(1, 1, 0)


def test_a_local_header_with_another_name_is_damaged(tmp_path: Path) -> None:
    member, listed = local(b"y.json", GOOD, crc=CRC), central(NAME, len(GOOD), 0, crc=CRC)

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert container_faults(telemetry) == [("x.json", "container-damaged")]


def test_a_local_header_with_another_checksum_is_damaged(tmp_path: Path) -> None:
    # A program that reads local headers one after another would reject the member.
    member = local(NAME, GOOD, crc=CRC ^ 1)
    listed = central(NAME, len(GOOD), 0, crc=CRC)

    data = member + listed + directory_end(1, len(listed), len(member))

    assert refused(beside(tmp_path, "x.zip", data), "x.json", "container-damaged") == (
        "its header contradicts the directory"
    )


def test_a_local_header_that_says_encrypted_is_damaged(tmp_path: Path) -> None:
    member, listed = local(NAME, GOOD, flags=1, crc=CRC), central(NAME, len(GOOD), 0, crc=CRC)

    data = member + listed + directory_end(1, len(listed), len(member))

    assert refused(beside(tmp_path, "x.zip", data), "x.json", "container-damaged") == (
        "its header contradicts the directory"
    )


@pytest.mark.parametrize("sizes", [bytes(8), struct.pack("<2L", len(GOOD), len(GOOD))])
def test_sizes_that_should_follow_a_member_and_do_not_refuse_the_zip(tmp_path: Path, sizes: bytes) -> None:
    # A program that reads local headers one after another would take the next header for the sizes.
    member = local(NAME, GOOD, flags=8, crc=CRC)
    members = member[:18] + sizes + member[26:] + local(b"y.json", GOOD, crc=CRC)
    listed = central(NAME, len(GOOD), 0, flags=8, crc=CRC)
    listed += central(b"y.json", len(GOOD), len(member), crc=CRC)

    data = members + listed + directory_end(2, len(listed), len(members))

    why = refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused")
    assert why == "the sizes of a member do not follow its data"
