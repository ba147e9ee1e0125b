"""Merging and aligning sessions of a bucket gives what the files on disk give."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import obstore
import pytest

from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.rewrite import align_files, merge
from clamp_analytics.rewrite.align import path_below
from tests.conftest import numbered, write
from tests.object_storage import open_bucket, storage_options

START = datetime(2026, 1, 1, tzinfo=UTC)


def zipped(name: str, data: bytes) -> bytes:
    container = io.BytesIO()
    with zipfile.ZipFile(container, "w") as file:
        file.writestr(name, data)
    return container.getvalue()


FILES = {"a.json": numbered(1), "x/b.json": numbered(2), "c.zip": zipped("y/d.json", numbered(3))}


def put(url: str, folder: str, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        obstore.put(open_bucket(url), f"{folder}/{name}", data)
    return f"s3://telemetry/{folder}/"


def test_the_merged_session_is_that_of_the_files(s3_url: str, tmp_path: Path) -> None:
    url = put(s3_url, "rewrite/merge", FILES)

    found = merge(url, storage_options=storage_options(s3_url))

    expected = merge(write(tmp_path, FILES))
    assert (found.records, found.counts) == (expected.records, expected.counts)
    # The suffixes of thread ids follow the order of the files, which is the same.
    assert found.data == expected.data


def test_aligned_copies_have_the_names_and_bytes_of_those_of_the_files(s3_url: str, tmp_path: Path) -> None:
    url = put(s3_url, "rewrite/align", FILES)

    found = align_files(url, START, tmp_path / "found", storage_options=storage_options(s3_url))

    expected = align_files(write(tmp_path / "files", FILES), START, tmp_path / "expected")
    names = [path.relative_to(tmp_path / "found") for path in found.written]
    assert names == [path.relative_to(tmp_path / "expected") for path in expected.written]
    assert [path.read_bytes() for path in found.written] == [path.read_bytes() for path in expected.written]


def test_one_object_and_one_member_are_sources(s3_url: str, tmp_path: Path) -> None:
    url = put(s3_url, "rewrite/one", FILES)

    found = align_files(
        [f"{url}a.json", f"{url}c.zip!/y/d.json"], START, tmp_path, storage_options=storage_options(s3_url)
    )

    assert [str(path.relative_to(tmp_path)) for path in found.written] == ["a.json", "c.zip!/y/d.json"]


@pytest.mark.parametrize("key", ["../../evil.json", "/evil.json", "a//evil.json"])
def test_the_key_of_an_object_does_not_lead_out_of_the_folder(key: str, tmp_path: Path) -> None:
    found = Path(tmp_path, path_below(f"s3://b/x/{key}", "s3://b/x")).resolve()

    assert found.is_relative_to(tmp_path)
    assert found.name == "evil.json"


def test_an_object_that_is_missing_is_named(s3_url: str) -> None:
    with pytest.raises(SourceError, match=r"rewrite/none.json: it cannot be merged: .*there is no such object"):
        merge("s3://telemetry/rewrite/none.json", storage_options=storage_options(s3_url))


def test_copies_are_not_written_into_a_bucket(tmp_path: Path) -> None:
    write(tmp_path, FILES)

    with pytest.raises(UsageError, match="aligned copies are not written into object storage"):
        align_files(tmp_path, START, "s3://telemetry/aligned")
