"""``archive info``, ``check``, ``forget``, ``compact`` and ``upgrade`` on Delta archives."""

import json
import os
import shutil
from datetime import UTC, datetime

import polars as pl
import pytest
from deltalake import DeltaTable

from clamp_analytics.archive.check import check
from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.forget import Forget, forget
from clamp_analytics.archive.info import info
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.upgrade import upgrade
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import load
from clamp_analytics.reading.archive_connection import VERSION
from tests.archive.delta.conftest import clamp, rows
from tests.conftest import numbered, write


def files_of(lake, name):
    return len(DeltaTable(f"{lake}{name}").file_uris())


def on_disk(folder, name):
    return len(list((folder / name).glob("ingested_on=*/*.parquet")))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with session files, and an archive of two ingests of them: a, b and a rejected file; then c."""
    folder = tmp_path_factory.mktemp("original")
    heap = write(folder / "heap", {"a.json": numbered(1), "b.json": numbered(2), "cut.json": b"{"})
    ingest(heap, f"{folder}/lake/")
    ingest(write(heap, {"c.json": numbered(3)}), f"{folder}/lake/")
    return folder


@pytest.fixture
def heap(original):
    """The session files of the archive, which no test changes."""
    return original / "heap"


@pytest.fixture
def filled(original, lake):
    """A copy of the archive."""
    shutil.copytree(original / "lake", lake)
    return lake


def test_info_counts_what_it_holds(filled):
    found = info(filled)

    assert (found.sessions, found.rejected, found.records, found.files) == (3, 1, 3, 4)
    assert (found.version, found.ingests["number"].to_list()) == (VERSION, [2, 1])
    assert found.archive_bytes > 0
    assert json.loads(clamp("archive", "info", filled, "-f", "json"))["sessions"] == 3


def test_a_sound_archive_passes_the_check(filled):
    assert check(filled, rehash=True).rows() == []


def test_missing_records_and_changed_files_are_found(tmp_path, lake):
    heap = write(tmp_path / "heap", {"b.json": numbered(2), "c.json": numbered(3)})
    ingest(heap, lake)
    DeltaTable(f"{lake}records").delete("seed = 2")
    times = (heap / "c.json").stat()
    write(heap, {"c.json": numbered(3).replace(b"alpha", b"omega")})
    os.utime(heap / "c.json", ns=(times.st_atime_ns, times.st_mtime_ns))

    found = check(lake, rehash=True).select("check", pl.col("subject").str.slice(-6)).rows()

    assert found == [("record-counts", "b.json"), ("hashes", "c.json")]


def test_a_forgotten_session_does_not_come_back(filled, heap):
    found = forget(filled, Forget(source="*/b.json"))
    again = ingest(heap, filled)

    assert found["record_count"].to_list() == [1]
    assert (again.new, again.known) == (0, 3)
    assert sorted(load(filled).records["seed"]) == [1, 3]
    assert rows(filled, "SELECT status, source FROM files WHERE path LIKE '%/b.json'") == [("forgotten", None)]
    assert check(filled).rows() == []


def test_a_session_that_may_return_comes_back(filled, heap):
    forget(filled, Forget(source="*/b.json", allow_return=True))
    assert sorted(load(filled).records["seed"]) == [1, 3]

    again = ingest(heap, filled)

    assert again.new == 1
    assert sorted(load(filled).records["seed"]) == [1, 2, 3]


def test_a_dry_run_of_forget_removes_nothing(filled):
    found = forget(filled, Forget(older_than="0"), dry_run=True, now=datetime(2027, 1, 1, tzinfo=UTC))

    assert found.height == 4
    assert load(filled, columns=[]).counts.loaded == 3


def test_compact_merges_files_and_deletes_what_is_not_needed(filled, tmp_path):
    forget(filled, Forget(source="*/b.json"))
    before = load(filled)
    assert (files_of(filled, "records"), files_of(filled, "sessions")) == (2, 2)

    compact(filled, retain_hours=0)

    after = load(filled)
    assert after.records.equals(before.records)
    assert after.sessions.equals(before.sessions)
    assert (files_of(filled, "records"), on_disk(tmp_path / "lake", "records")) == (1, 1)
    assert pl.read_delta(f"{filled}records").height == 2
    assert pl.read_delta(f"{filled}files").height == 4
    assert check(filled).rows() == []


def test_compact_keeps_the_rows_of_a_writer_that_may_be_about_to_commit(filled):
    orphan = pl.read_delta(f"{filled}records").with_columns(batch_row=pl.lit(99, pl.Int64))
    orphan.write_delta(f"{filled}records", mode="append")

    compact(filled)
    assert pl.read_delta(f"{filled}records").height == 6

    compact(filled, retain_hours=0)
    assert pl.read_delta(f"{filled}records").height == 3


def test_hours_are_refused_for_a_duckdb_archive(heap, archive):
    ingest(heap, archive)

    with pytest.raises(UsageError, match="only a Delta archive keeps rows"):
        compact(archive, retain_hours=0)


def test_an_upgrade_has_nothing_to_do(filled):
    assert upgrade(filled) == upgrade(filled)
    assert upgrade(filled).after == VERSION
