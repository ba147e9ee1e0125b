"""Tar archives with false headers, and data behind the end of streams."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from clamp_analytics.reading import Counts, load
from tests.conftest import GOOD, names
from tests.sources.container_builders import (
    a_tar,
    compressed,
    container,
)
from tests.sources.container_results import TWO, beside, container_faults, refused


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
def test_a_tar_with_an_impossible_size_is_rejected(tmp_path: Path, size: bytes) -> None:
    telemetry = beside(tmp_path, "x.tar", with_header(size=(124, size)))

    assert telemetry.counts == Counts(1, 1, 0)
    assert container_faults(telemetry)[0][1] in ("container-damaged", "container-limit")


@pytest.mark.parametrize("kind", [b"0", b"\0", b"5"])
def test_a_name_that_ends_with_a_slash_is_a_folder(tmp_path: Path, kind: bytes) -> None:
    telemetry = beside(tmp_path, "x.tar", with_header(name=(0, b"x.json/"), kind=(156, kind)))

    assert telemetry.records["seed"].to_list() == [99]


@pytest.mark.parametrize("magic", [b"ustar\xff00", b"ustarx00"])
def test_a_header_of_an_unknown_format_is_damaged(tmp_path: Path, magic: bytes) -> None:
    # Whether the name has a prefix depends on the format, and programs differ on this one.
    data = with_header(magic=(257, magic), prefix=(345, b"folder"))

    assert "its format is unknown" in refused(beside(tmp_path, "x.tar", data), "x.tar", "container-damaged")


def test_a_header_with_a_wrong_checksum_is_damaged(tmp_path: Path) -> None:
    data = bytearray(a_tar(TWO))
    data[148:154] = b"000000"

    assert "checksum" in refused(beside(tmp_path, "x.tar", bytes(data)), "x.tar", "container-damaged")


@pytest.mark.parametrize("kind", [b"x", b"L", b"g"])
def test_an_extended_header_that_is_too_large_is_refused(tmp_path: Path, kind: bytes) -> None:
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


def test_a_global_comment_as_git_archive_writes_it_is_not_a_fault(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "f00"}) as archive:
        info = tarfile.TarInfo("x.json")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD))

    assert names(load(container(tmp_path, "x.tar", out.getvalue()))) == ["x.json"]
