"""Containers that are cut or damaged: rejected with a reason, and harmless to the files beside them."""

from __future__ import annotations

import bz2
import gzip
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clamp_analytics.reading import Counts, load
from clamp_analytics.sources import ContainerLimits
from tests.conftest import EXAMPLES, GOOD, numbered, record, session, write
from tests.sources.container_builders import (
    KINDS,
    a_tar,
    a_zip,
    build,
    compressed,
    plain,
    zstd,
    zstd_checked,
)
from tests.sources.container_results import TWO, beside, container_faults, refused, why


@pytest.mark.parametrize("kind", [*KINDS, "json.gz", "json.zst"])
def test_a_container_that_is_cut_anywhere_gives_nothing(tmp_path: Path, kind: str) -> None:
    whole = compressed(kind, GOOD) if kind.startswith("json") else build(kind, TWO)
    # Zeros at the end of a tar say nothing but that it ends.
    end = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole)

    for length in [*range(0, end, max(1, end // 25)), end - 1]:
        telemetry = beside(tmp_path, f"x.{kind}", whole[:length])

        assert telemetry.counts == Counts(1, 1, 0), length
        assert container_faults(telemetry) in (
            [(f"x.{kind}", "container-damaged")],
            [(f"x.{kind}", "container-mismatch")],
        ), length


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
    assert container_faults(telemetry) == [(f"x.{kind}", "container-damaged")]
    assert telemetry.counts.rejected == 1


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.parametrize("kept", [1, 10**9])
def test_salvage_changes_nothing_where_nothing_is_damaged(tmp_path: Path, kind: str, kept: int) -> None:
    limits = ContainerLimits(kept_bytes=kept)
    write(tmp_path, {f"x.{kind}": build(kind, TWO)})

    assert plain(load(tmp_path, salvage=True, limits=limits)) == plain(load(tmp_path, limits=limits))


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
@settings(max_examples=20 * EXAMPLES)
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
@settings(max_examples=20 * EXAMPLES)
def test_no_bytes_at_all_break_the_reading(noise: bytes, kind: str, at: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        for data in (noise, SOUND[kind][:at] + noise + SOUND[kind][at + len(noise) :]):
            for salvage in (False, True):
                assert 99 in beside(Path(home), f"x.{kind}", data, salvage=salvage).records["seed"]


def test_a_wrong_checksum_in_a_zip_rejects_that_member_alone(tmp_path: Path) -> None:
    data = bytearray(a_zip(TWO, zipfile.ZIP_STORED))
    data[data.index(b'"seed":7') + 7] = ord("5")

    telemetry = beside(tmp_path, "x.zip", bytes(data))

    assert container_faults(telemetry) == [("x.json", "container-damaged")]
    assert why(telemetry) == "its checksum is wrong"
    assert telemetry.records["seed"].to_list() == [2, 99]


def test_a_wrong_checksum_at_the_end_of_a_stream_rejects_all_of_it(tmp_path: Path) -> None:
    data = bytearray(build("tar.gz", TWO))
    data[-8] ^= 1

    assert "incorrect data check" in refused(beside(tmp_path, "x.tgz", bytes(data)), "x.tgz", "container-damaged")


def test_a_wrong_check_in_xz_rejects_all_of_it(tmp_path: Path) -> None:
    data = bytearray(build("tar.xz", TWO))
    # The check of the only block is before the index and the footer.
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

        assert container_faults(telemetry) == [("in.tar.gz", "container-damaged")]
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
def test_a_name_that_contradicts_the_bytes_is_reported(tmp_path: Path, name: str, data: bytes, found: str) -> None:
    assert refused(beside(tmp_path, name, data), name, "container-mismatch") == found


def test_a_compressed_text_that_is_not_a_tar_is_damaged(tmp_path: Path) -> None:
    refused(beside(tmp_path, "x.tar.gz", gzip.compress(GOOD * 9)), "x.tar.gz", "container-damaged")


def test_a_json_file_that_is_a_zip_inside_is_reported_as_a_member(tmp_path: Path) -> None:
    telemetry = beside(tmp_path, "x.tar", a_tar({"x.json": a_zip(TWO)}))

    assert container_faults(telemetry) == [("x.json", "container-mismatch")]


def test_a_zip_that_is_cut_inside_of_its_comment_is_damaged(tmp_path: Path) -> None:
    data = bytearray(a_zip(TWO))
    data[-2] = 5
    whole, cut = bytes(data) + b"hello", bytes(data) + b"hell"

    assert beside(tmp_path, "x.zip", whole).counts.loaded == 3
    assert refused(beside(tmp_path, "x.zip", cut), "x.zip", "container-damaged") == "it is cut inside of its comment"


def test_deflated_data_that_is_damaged_is_reported_as_such(tmp_path: Path) -> None:
    data = bytearray(a_zip({"x.json": GOOD}))
    data[30 + len("x.json")] = 0b111  # a block of a kind that does not exist

    telemetry = beside(tmp_path, "x.zip", bytes(data))

    assert why(telemetry).startswith("its compressed data is damaged: ")
