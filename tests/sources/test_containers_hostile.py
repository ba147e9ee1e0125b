"""Containers that are cut, damaged or made to do harm: refused with a reason, and harmless to what lies beside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Counts, Telemetry, load
from clamp_analytics.sources import ContainerLimits
from tests.conftest import GOOD, names, numbered, record, session, write
from tests.sources.container_builders import (
    KINDS,
    TARS,
    a_tar,
    a_zip,
    build,
    central,
    compressed,
    container,
    directory_end,
    entry,
    local,
    plain,
    tar_of,
    zstd,
    zstd_checked,
)

TWO = {"x.json": GOOD, "y.json": numbered(2)}
OTHER = numbered(99)
NAME = b"x.json"
CRC = zlib.crc32(GOOD)


def beside(tmp_path: Path, name: str, data: bytes, **options: object) -> Telemetry:
    """What is read of a folder with a container and a sound session."""
    write(tmp_path, {name: data, "zz.json": OTHER})
    return load(tmp_path, jobs=1, **options)  # type: ignore[arg-type]


def told(telemetry: Telemetry) -> list[tuple[str, str]]:
    """The name and rule of every violation that is about a container."""
    rows = telemetry.violations.select("source", "rule").rows()
    return [(Path(source).name, rule) for source, rule in rows if rule.startswith(("container-", "unreadable"))]


def why(telemetry: Telemetry) -> str:
    """The reason of the only violation."""
    (message,) = telemetry.violations["message"].to_list()
    return str(message).partition(" (")[2].removesuffix(")")


def refused(telemetry: Telemetry, name: str, rule: str) -> str:
    """The reason why a container was refused as a whole, and nothing else was."""
    assert telemetry.counts == Counts(loaded=1, rejected=1, skipped=0)
    assert told(telemetry) == [(name, rule)]
    assert telemetry.records["seed"].to_list() == [99]
    return why(telemetry)


# Cut and damaged


@pytest.mark.parametrize("kind", [*KINDS, "json.gz", "json.zst"])
def test_a_container_that_is_cut_anywhere_gives_nothing(tmp_path: Path, kind: str) -> None:
    whole = compressed(kind, GOOD) if kind.startswith("json") else build(kind, TWO)
    # Zeros at the end of a tar say nothing but that it ends.
    end = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole)

    for length in [*range(0, end, max(1, end // 60)), end - 1]:
        telemetry = beside(tmp_path, f"x.{kind}", whole[:length])

        assert telemetry.counts == Counts(1, 1, 0), length
        assert told(telemetry) in ([(f"x.{kind}", "container-damaged")], [(f"x.{kind}", "container-mismatch")]), length


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "tar.zst", "zip"])
def test_salvage_keeps_the_whole_members_of_a_cut_container_and_tells_of_the_rest(tmp_path: Path, kind: str) -> None:
    # What cannot be compressed comes out of a stream as soon as it went in.
    noise = session(record(context=bytes(range(33, 91)).decode().replace('"', "").replace("\\", "")))
    many = {f"{n:03}.json": noise.replace(b'"seed":7', b'"seed":%d' % (n + 1)) for n in range(300)}
    whole = build(kind, many)

    telemetry = beside(tmp_path, f"x.{kind}", whole[: len(whole) * 2 // 3], salvage=True)

    kept = telemetry.counts.loaded - 1
    assert 0 < kept < 300
    assert telemetry.records["seed"].to_list() == [*range(1, kept + 1), 99]
    assert told(telemetry) == [(f"x.{kind}", "container-damaged")]
    assert telemetry.counts.rejected == 1


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize("kept", [0, 10**9])
def test_salvage_changes_nothing_where_nothing_is_damaged(
    tmp_path: Path, kind: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clamp_analytics.sources.containers.reading.KEPT_BYTES", kept)
    write(tmp_path, {f"x.{kind}": build(kind, TWO)})

    assert plain(load(tmp_path, salvage=True)) == plain(load(tmp_path))


def test_salvage_does_not_touch_what_is_hostile(tmp_path: Path) -> None:
    data = a_tar({"x.json": GOOD, "../y.json": numbered(2)})

    telemetry = beside(tmp_path, "x.tar", data, salvage=True)

    refused(telemetry, "x.tar", "container-refused")


SOUND = {kind: build(kind, TWO) for kind in KINDS} | {
    "json.gz": gzip.compress(GOOD),
    "json.zst": zstd_checked(GOOD),
    "tar.zst": zstd_checked(a_tar(TWO)),
}


# The content of a tar has no checksum of its own.
@pytest.mark.parametrize("kind", [kind for kind in SOUND if kind != "tar"])
@given(data=st.data())
@settings(max_examples=60)
def test_no_flipped_bit_changes_what_is_read_unnoticed(kind: str, data: st.DataObject) -> None:
    whole = bytearray(SOUND[kind])
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8

    with tempfile.TemporaryDirectory() as home:
        telemetry = beside(Path(home), f"x.{kind}", bytes(whole))

    seeds = telemetry.records["seed"].to_list()
    sound = [7, 99] if kind.startswith("json") else [7, 2, 99]
    assert set(seeds) <= set(sound)
    # A member's name has no checksum: one that no longer ends in .json is passed over, and counted.
    assert seeds == sound or telemetry.counts.rejected + telemetry.counts.skipped


@given(noise=st.binary(max_size=300), kind=st.sampled_from(KINDS), at=st.integers(0, 4000))
@example(noise=b"PK\5\6" + bytes(18), kind="zip", at=0)
@example(noise=bytes(512), kind="tar", at=0)
@settings(max_examples=80)
def test_no_bytes_at_all_break_the_reading(noise: bytes, kind: str, at: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        for data in (noise, SOUND[kind][:at] + noise + SOUND[kind][at + len(noise) :]):
            for salvage in (False, True):
                assert 99 in beside(Path(home), f"x.{kind}", data, salvage=salvage).records["seed"]


def test_a_wrong_checksum_in_a_zip_rejects_that_member_alone(tmp_path: Path) -> None:
    data = bytearray(a_zip(TWO, zipfile.ZIP_STORED))
    data[data.index(b'"seed":7') + 7] = ord("5")

    telemetry = beside(tmp_path, "x.zip", bytes(data))

    assert told(telemetry) == [("x.json", "container-damaged")]
    assert why(telemetry) == "its checksum is wrong"
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_a_wrong_checksum_at_the_end_of_a_stream_rejects_all_of_it(tmp_path: Path) -> None:
    data = bytearray(build("tar.gz", TWO))
    data[-8] ^= 1

    assert "incorrect data check" in refused(beside(tmp_path, "x.tgz", bytes(data)), "x.tgz", "container-damaged")


def test_a_wrong_check_in_xz_rejects_all_of_it(tmp_path: Path) -> None:
    data = bytearray(build("tar.xz", TWO))
    # The check of the only block stands before the index and the footer.
    data[-40] ^= 1

    assert "xz data is damaged" in refused(beside(tmp_path, "x.tar.xz", bytes(data)), "x.tar.xz", "container-damaged")


def test_a_wrong_checksum_in_zstd_rejects_all_of_it(tmp_path: Path) -> None:
    data = bytearray(zstd_checked(a_tar(TWO)))
    data[-1] ^= 1

    assert "checksum" in refused(beside(tmp_path, "x.tar.zst", bytes(data)), "x.tar.zst", "container-damaged")


def test_an_inner_container_that_is_damaged_is_one_bad_file(tmp_path: Path) -> None:
    inner = build("tar.gz", TWO)
    for kind in KINDS:
        data = build(kind, {"a.json": numbered(3), "in.tar.gz": inner[:-1], "z.json": numbered(4)})

        telemetry = beside(tmp_path / kind, f"x.{kind}", data)

        assert told(telemetry) == [("in.tar.gz", "container-damaged")]
        assert telemetry.records["seed"].to_list() == [3, 4, 99]


# Something else than the name says


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("x.zip", gzip.compress(GOOD), "its name says a zip, and its bytes say gzip"),
        ("x.tar.gz", a_zip(TWO), "its name says gzip, and its bytes say a zip"),
        ("x.tar", build("tar.xz", TWO), "its name says a tar, and its bytes say xz"),
        ("x.tar.zst", a_tar(TWO), "its name says zstd, and its bytes say a tar"),
        ("x.tar.xz", bz2.compress(a_tar(TWO)), "its name says xz, and its bytes say something else"),
        ("x.json.gz", GOOD, "its name says gzip, and its bytes say something else"),
        ("x.json.zst", gzip.compress(GOOD), "its name says zstd, and its bytes say gzip"),
        ("x.json", gzip.compress(GOOD), "its bytes say gzip"),
        ("x.json", a_zip(TWO), "its bytes say a zip"),
        ("x.json", zstd(GOOD), "its bytes say zstd"),
    ],
)
def test_a_name_that_contradicts_the_bytes_is_told(tmp_path: Path, name: str, data: bytes, found: str) -> None:
    assert refused(beside(tmp_path, name, data), name, "container-mismatch") == found


def test_a_compressed_text_that_is_no_tar_is_damaged(tmp_path: Path) -> None:
    refused(beside(tmp_path, "x.tar.gz", gzip.compress(GOOD * 9)), "x.tar.gz", "container-damaged")


def test_a_json_file_that_is_a_zip_inside_is_told_as_a_member(tmp_path: Path) -> None:
    telemetry = beside(tmp_path, "x.tar", a_tar({"x.json": a_zip(TWO)}))

    assert told(telemetry) == [("x.json", "container-mismatch")]


# Names


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


# What is no file


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

    assert told(telemetry) == [("x.json", "container-refused")]
    assert why(telemetry) == reason
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_links_that_are_no_sessions_are_passed_over_as_in_a_folder(tmp_path: Path) -> None:
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

    assert told(telemetry) == [("x.json", "container-refused")]
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_an_encrypted_member_is_rejected(tmp_path: Path) -> None:
    member, listed = local(NAME, GOOD, flags=1, crc=CRC), central(NAME, len(GOOD), 0, flags=1, crc=CRC)

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert told(telemetry) == [("x.json", "container-refused")]
    assert why(telemetry) == "it is encrypted"


def test_an_unknown_compression_is_rejected_by_name(tmp_path: Path) -> None:
    telemetry = beside(tmp_path, "x.zip", a_zip({"x.json": GOOD}, zipfile.ZIP_LZMA))

    assert why(telemetry) == "it is compressed by LZMA, which is not read"


def test_a_sparse_file_is_rejected_whatever_size_it_claims(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x.json")
    info.size = 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(10**15), "GNU.sparse.name": "y.json"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(bytes(512)))

    telemetry = beside(tmp_path, "x.tar", out.getvalue())

    assert told(telemetry) == [("y.json", "container-refused")]
    assert why(telemetry) == "it is a sparse file"


@pytest.mark.parametrize("kind", KINDS)
def test_a_container_in_a_container_in_a_container_is_rejected(tmp_path: Path, kind: str) -> None:
    inner = build("zip", {"deep.zip": a_zip(TWO), "y.json": numbered(2)})

    telemetry = beside(tmp_path, f"x.{kind}", build(kind, {"in.zip": inner}))

    assert told(telemetry) == [("deep.zip", "container-refused")]
    assert telemetry.records["seed"].to_list() == [2, 99]


# Zips that lie


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

    assert told(telemetry)[0][0] == "x.json"
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


def test_data_hidden_before_the_first_member_refuses_the_zip(tmp_path: Path) -> None:
    hidden = local(b"h.json", GOOD, crc=CRC)
    member, listed = local(NAME, GOOD, crc=CRC), central(NAME, len(GOOD), len(hidden), crc=CRC)
    data = hidden + member + listed + directory_end(1, len(listed), len(hidden + member))

    reason = refused(beside(tmp_path, "x.zip", data), "x.zip", "container-refused")

    assert reason == "other data stands before its first member"


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

    assert told(telemetry) == [("x.json", "container-damaged")]
    assert telemetry.counts == Counts(1, 1, 0)


def test_a_local_header_with_another_name_is_damaged(tmp_path: Path) -> None:
    member, listed = local(b"y.json", GOOD, crc=CRC), central(NAME, len(GOOD), 0, crc=CRC)

    telemetry = beside(tmp_path, "x.zip", member + listed + directory_end(1, len(listed), len(member)))

    assert told(telemetry) == [("x.json", "container-damaged")]


# Tars that lie


def test_data_after_the_end_of_a_tar_refuses_it(tmp_path: Path) -> None:
    data = a_tar({"x.json": GOOD}) + a_tar({"y.json": GOOD})

    assert "other data follows" in refused(beside(tmp_path, "x.tar", data), "x.tar", "container-damaged")


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "tar.zst", "json.gz", "json.zst"])
def test_other_data_after_a_compressed_stream_refuses_it(tmp_path: Path, kind: str) -> None:
    whole = compressed(kind, GOOD if kind.startswith("json") else a_tar(TWO))

    refused(beside(tmp_path, f"x.{kind}", whole + b"more"), f"x.{kind}", "container-damaged")


def with_header(**changes: tuple[int, bytes]) -> bytes:
    """A tar of one member with bytes of its header changed and the checksum made right again."""
    data = bytearray(a_tar({"x.json": GOOD}, tarfile.USTAR_FORMAT))
    for at, text in changes.values():
        data[at : at + len(text)] = text
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(
    "size", [b"77777777777", b"99999999999", b"-1", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"0x10\0"]
)
def test_a_size_that_cannot_be_is_no_danger(tmp_path: Path, size: bytes) -> None:
    telemetry = beside(tmp_path, "x.tar", with_header(size=(124, size)))

    assert telemetry.counts == Counts(1, 1, 0)
    assert told(telemetry)[0][1] in ("container-damaged", "container-limit")


def test_a_header_with_a_wrong_checksum_is_damaged(tmp_path: Path) -> None:
    data = bytearray(a_tar(TWO))
    data[148:154] = b"000000"

    assert "checksum" in refused(beside(tmp_path, "x.tar", bytes(data)), "x.tar", "container-damaged")


@pytest.mark.parametrize("kind", [b"x", b"L", b"g"])
def test_an_extended_header_of_any_size_is_no_danger(tmp_path: Path, kind: bytes) -> None:
    data = with_header(kind=(156, kind), size=(124, b"77777777777"))

    refused(beside(tmp_path, "x.tar", data), "x.tar", "container-refused")


@pytest.mark.parametrize("text", [b"", b"6 a=b\n", b"99 path=x\n", b"5 =x\n", b"nothing", b"0 path=\n"])
def test_an_extended_header_that_is_none_is_damaged(tmp_path: Path, text: bytes) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = b"x", len(text)
    header = info.tobuf(tarfile.USTAR_FORMAT) + text.ljust(512, b"\0") * bool(text)
    sound = text in (b"", b"6 a=b\n")

    telemetry = beside(tmp_path, "x.tar", header + a_tar({"x.json": GOOD}, tarfile.USTAR_FORMAT))

    assert telemetry.counts == (Counts(2, 0, 0) if sound else Counts(1, 1, 0))


def test_a_global_header_may_not_rename_members(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"path": "y.json"}) as archive:
        info = tarfile.TarInfo("x.json")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD))

    assert "global" in refused(beside(tmp_path, "x.tar", out.getvalue()), "x.tar", "container-refused")


def test_a_global_comment_as_git_archive_writes_it_is_no_fault(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "f00"}) as archive:
        info = tarfile.TarInfo("x.json")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD))

    assert names(load(container(tmp_path, "x.tar", out.getvalue()))) == ["x.json"]


# Limits


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_above_the_limit_refuses_the_container(tmp_path: Path, kind: str) -> None:
    largest = max(map(len, TWO.values()))
    data = build(kind, TWO)

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=largest)).counts.loaded == 3
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=largest - 1))

    assert "--max-member-bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", ["json.gz", "json.zst"])
def test_a_compressed_session_above_the_limit_is_refused(tmp_path: Path, kind: str) -> None:
    data = compressed(kind, GOOD)

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=len(GOOD))).counts.loaded == 2
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_member_bytes=len(GOOD) - 1))

    assert "--max-member-bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", KINDS)
def test_more_bytes_than_the_limit_refuse_the_container(tmp_path: Path, kind: str) -> None:
    telemetry = beside(tmp_path, f"x.{kind}", build(kind, TWO), limits=ContainerLimits(max_total_bytes=len(GOOD) + 1))

    assert "--max-total-bytes" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", KINDS)
def test_more_entries_than_the_limit_refuse_the_container(tmp_path: Path, kind: str) -> None:
    data = build(kind, {**TWO, "z.txt": b""})

    assert beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_members=3)).counts.loaded == 3
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_members=2))

    assert "--max-members" in refused(telemetry, f"x.{kind}", "container-limit")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz", "tar.zst"])
def test_a_ratio_above_the_limit_counts_from_a_size_on(tmp_path: Path, kind: str) -> None:
    data = build(kind, {"x.json": GOOD + b" " * 100_000})

    free = ContainerLimits(max_ratio=10, ratio_from_bytes=200_000)
    assert beside(tmp_path, f"x.{kind}", data, limits=free).counts.loaded == 2
    telemetry = beside(tmp_path, f"x.{kind}", data, limits=ContainerLimits(max_ratio=10, ratio_from_bytes=50_000))

    assert "--max-ratio" in refused(telemetry, f"x.{kind}", "container-limit")


def test_a_bomb_spread_over_inner_containers_is_one_bomb(tmp_path: Path) -> None:
    inner = {f"{n}.tar.gz": build("tar.gz", {"x.json": GOOD + b" " * 50_000}) for n in range(5)}

    telemetry = beside(tmp_path, "x.tar", a_tar(inner), limits=ContainerLimits(max_total_bytes=150_000))

    assert telemetry.counts == Counts(loaded=3, rejected=3, skipped=0)
    assert told(telemetry) == [(f"{n}.tar.gz", "container-limit") for n in (2, 3, 4)]


def test_limits_below_one_are_wrong_usage() -> None:
    with pytest.raises(UsageError, match="max_ratio must be at least 1"):
        ContainerLimits(max_ratio=0)


def test_a_decoder_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]
    data = lzma.compress(a_tar(TWO), filters=filters)

    assert "Memory" in refused(beside(tmp_path, "x.tar.xz", data), "x.tar.xz", "container-damaged")


def test_all_kinds_of_tar_are_tried() -> None:
    assert set(TARS) < set(KINDS)
