"""Members that are refused by their name or kind: outside the container, twice, links, encrypted, nested."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from clamp_analytics.reading import Counts
from tests.conftest import GOOD, numbered, write
from tests.sources.container_builders import (
    KINDS,
    a_tar,
    a_zip,
    build,
    central,
    directory_end,
    entry,
    local,
    tar_of,
)
from tests.sources.container_results import CRC, NAME, TWO, beside, container_faults, refused, why


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x.json",
        "../x.json",
        "a/../../x.json",
        "..",
        "C:x.json",
        "c:/x.json",
        "\\x.json",
        "..\\x.json",
        "a\\x.json",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_name_that_leads_out_of_the_container_refuses_it(tmp_path: Path, kind: str, name: str) -> None:
    telemetry = beside(tmp_path, f"q.{kind}", build(kind, {"a.json": GOOD, name: numbered(2)}))

    assert "name of a member" in refused(telemetry, f"q.{kind}", "container-refused")


def test_a_name_with_a_nul_refuses_the_container(tmp_path: Path) -> None:
    name = b"x.json\0.txt"
    member, listed = local(name, GOOD, crc=CRC), central(name, len(GOOD), 0, crc=CRC)
    data = member + listed + directory_end(1, len(listed), len(member))

    assert "NUL" in refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused")


def test_a_name_of_a_megabyte_refuses_the_container(tmp_path: Path) -> None:
    data = a_tar({"a" * 900_000 + ".json": GOOD})

    assert "too long" in refused(beside(tmp_path, "x.tar", data), "x.tar", "container-refused")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_refuse_the_container(tmp_path: Path, kind: str) -> None:
    data = build(kind, [("t/x.json", GOOD), ("./t//x.json", numbered(2))])

    reason = refused(beside(tmp_path, f"x.{kind}", data), f"x.{kind}", "container-refused")

    assert reason == "two members have one name: 't/x.json'"


# Members that are not regular files


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "it is a link"),
        (tarfile.LNKTYPE, "it is a link"),
        (tarfile.CHRTYPE, "it is a device"),
        (tarfile.BLKTYPE, "it is a device"),
        (tarfile.FIFOTYPE, "it is a FIFO"),
    ],
)
def test_a_link_or_device_in_a_tar_is_rejected_and_others_are_kept(tmp_path: Path, kind: bytes, reason: str) -> None:
    secret = write(tmp_path / "outside", {"s": GOOD}) / "s"
    head = tar_of(entry("x.json", kind, str(secret)))[:512]

    telemetry = beside(tmp_path / "in", "x.tar", head + a_tar({"y.json": numbered(2)}, tarfile.USTAR_FORMAT))

    assert container_faults(telemetry) == [("x.json", "container-refused")]
    assert why(telemetry) == reason
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_links_that_are_not_sessions_are_skipped_as_in_a_folder(tmp_path: Path) -> None:
    data = tar_of(entry("libx.so", tarfile.SYMTYPE, "/etc/passwd"), entry("t", tarfile.DIRTYPE))

    assert beside(tmp_path, "x.tar", data).counts == Counts(1, 0, 1)


def test_a_link_in_a_zip_is_rejected(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("x.json")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, "/etc/passwd")
        archive.writestr("y.json", numbered(2))

    telemetry = beside(tmp_path, "x.zip", out.getvalue())

    assert container_faults(telemetry) == [("x.json", "container-refused")]
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_an_encrypted_member_is_rejected(tmp_path: Path) -> None:
    member, listed = local(NAME, GOOD, flags=1, crc=CRC), central(NAME, len(GOOD), 0, flags=1, crc=CRC)

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert container_faults(telemetry) == [("x.json", "container-refused")]
    assert why(telemetry) == "it is encrypted"


def test_an_unknown_compression_is_rejected_by_name(tmp_path: Path) -> None:
    telemetry = beside(tmp_path, "x.zip", a_zip({"x.json": GOOD}, zipfile.ZIP_LZMA))

    assert why(telemetry) == "it is compressed by LZMA, which is not read"


@pytest.mark.parametrize(
    ("needed", "reason"), [(63, None), (64, "it needs version 6.4 of the format, which is not read")]
)
def test_a_member_of_a_newer_format_is_rejected(tmp_path: Path, needed: int, reason: str | None) -> None:
    member, listed = local(NAME, GOOD, crc=CRC), bytearray(central(NAME, len(GOOD), 0, crc=CRC))
    listed[6] = needed

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert container_faults(telemetry) == ([("x.json", "container-refused")] if reason else [])
    assert reason is None or why(telemetry) == reason


def test_a_sparse_file_is_rejected_whatever_size_it_claims(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x.json")
    info.size = 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(10**15), "GNU.sparse.name": "y.json"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(bytes(512)))

    telemetry = beside(tmp_path, "x.tar", out.getvalue())

    assert container_faults(telemetry) == [("y.json", "container-refused")]
    assert why(telemetry) == "it is a sparse file"


def test_the_blocks_of_a_gnu_sparse_file_are_passed_over(tmp_path: Path) -> None:
    info = entry("x.json", tarfile.GNUTYPE_SPARSE)
    info.size = 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # a block of the map of the file follows, and says whether another one does
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    maps = bytes(504) + b"\1" + bytes(7) + bytes(512)

    telemetry = beside(tmp_path, "x.tar", bytes(header) + maps + bytes(512) + a_tar({"y.json": GOOD}))

    assert container_faults(telemetry) == [("x.json", "container-refused")]
    assert telemetry.records["seed"].to_list() == [7, 99]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_no_data_follows_a_link_a_device_or_a_folder_whatever_its_size(tmp_path: Path, kind: bytes) -> None:
    info = entry("x", kind)
    info.size = 512

    telemetry = beside(tmp_path, "x.tar", info.tobuf(tarfile.GNU_FORMAT) + a_tar({"y.json": GOOD}))

    assert telemetry.records["seed"].to_list() == [7, 99]


@pytest.mark.parametrize(
    "method, name",
    [(9, "deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "zstd"), (95, "xz"), (98, "PPMd"), (97, "method 97")],
)
def test_a_compression_that_is_not_read_is_named(tmp_path: Path, method: int, name: str) -> None:
    member, listed = (part(NAME, *rest, method=method) for part, rest in ((local, (GOOD,)), (central, (len(GOOD), 0))))

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert why(telemetry) == f"it is compressed by {name}, which is not read"


@pytest.mark.parametrize("kind", KINDS)
def test_a_container_in_a_container_in_a_container_is_rejected(tmp_path: Path, kind: str) -> None:
    inner = build("zip", {"deep.zip": a_zip(TWO), "y.json": numbered(2)})

    telemetry = beside(tmp_path, f"x.{kind}", build(kind, {"in.zip": inner}))

    assert container_faults(telemetry) == [("deep.zip", "container-refused")]
    assert telemetry.records["seed"].to_list() == [2, 99]
