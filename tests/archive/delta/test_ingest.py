"""Ingesting into a Delta archive: the same tables as in a DuckDB archive, and each session once."""

import shutil
import sys
import zipfile

import duckdb
import pytest
from deltalake import DeltaTable

from clamp_analytics.archive.delta.tables import open_delta_archive
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.reading import ReadingOptions
from clamp_analytics.schema import TABLES, meaning
from tests.archive.delta.conftest import rows, tables
from tests.conftest import numbered, record, session, write

SMALL = IngestOptions(jobs=1, commit_files=8, reading=ReadingOptions(batch_files=2))


def delta_tables(lake):
    connection, _ = open_delta_archive(lake)
    try:
        return tables(connection)
    finally:
        connection.close()


def duckdb_tables(archive):
    with duckdb.connect(str(archive), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return tables(connection)


def various(heap):
    """Sessions, copies, rejected files, seeds at both ends, and a container with copies of them."""
    write(heap, {f"{number}.json": numbered(number) for number in range(1, 6)})
    write(heap, {"3-again.json": numbered(3), "cut.json": numbered(5)[:-4], "empty.json": b"", "notes.txt": b""})
    write(heap, {"seeds.json": session(record(seed=2**64 - 1), record(seed=0), record(seed=-1), note=1)})
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        for number in range(4, 8):
            packed.writestr(f"run/{number}.json", numbered(number))
    return heap


@pytest.mark.parametrize("options", [IngestOptions(), SMALL], ids=["one commit", "many commits"])
def test_it_has_the_tables_of_a_duckdb_archive(heap, lake, archive, options):
    various(heap)

    results = [ingest(heap, target, options) for target in (lake, archive)]

    assert results[0] == results[1]
    assert delta_tables(lake) == duckdb_tables(archive)


def test_a_second_ingest_reads_and_writes_nothing(heap, lake):
    ingest(various(heap), lake)
    versions = [DeltaTable(f"{lake}{name}").version() for name in TABLES]

    again = ingest(heap, lake)

    assert (again.new, again.changed) == (0, False)
    assert [DeltaTable(f"{lake}{name}").version() for name in TABLES] == versions


def test_an_archive_is_recognized_without_the_slash(heap, lake):
    ingest(write(heap, {"a.json": numbered(1)}), lake)

    again = ingest(write(heap, {"b.json": numbered(2)}), lake.rstrip("/"))

    assert (again.new, again.known) == (1, 1)


def test_changed_files_and_members_are_followed_as_in_a_duckdb_archive(heap, lake, archive):
    various(heap)
    for target in (lake, archive):
        ingest(heap, target)
    write(heap, {"1.json": numbered(9), "cut.json": numbered(8), "empty.json": b"{"})
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        packed.writestr("run/7.json", numbered(7))
        packed.writestr("run/cut.json", b"[")

    results = [ingest(heap, target) for target in (lake, archive)]

    assert results[0] == results[1]
    assert delta_tables(lake) == duckdb_tables(archive)


def test_a_rejected_member_that_is_removed_leaves_the_archive(heap, lake):
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        packed.writestr("a.json", numbered(1))
        packed.writestr("b.json", b"[")
    ingest(heap, lake)
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        packed.writestr("a.json", numbered(1))

    ingest(heap, lake)

    assert rows(lake, "SELECT count(*) FROM sessions") == [(1,)]
    assert rows(lake, "SELECT count(*) FROM violations") == [(0,)]


def test_sessions_of_one_name_get_names_of_their_own(tmp_path, lake, monkeypatch):
    for folder, number in (("one", 1), ("two", 2)):
        write(tmp_path / folder / "telemetry", {"a.json": numbered(number)})
        monkeypatch.chdir(tmp_path / folder)
        ingest("telemetry", lake)

    sources = [source for (source,) in rows(lake, "SELECT source FROM records ORDER BY source")]

    assert (sources[0], sources[1][:-12]) == ("telemetry/a.json", "telemetry/a.json#")


def test_a_dry_run_counts_and_writes_nothing(heap, lake, tmp_path):
    write(heap, {"a.json": numbered(1), "b.json": b"{"})

    counted = ingest(heap, lake, IngestOptions(dry_run=True))

    assert (counted.new, counted.rejected, counted.changed) == (1, 1, False)
    assert not (tmp_path / "lake").exists()


def test_columns_carry_their_meaning(heap, lake):
    ingest(write(heap, {"a.json": numbered(1)}), lake)

    for name, table in TABLES.items():
        delta = DeltaTable(f"{lake}{name}")
        comments = {field.name: field.metadata["comment"] for field in delta.schema().fields}
        assert delta.metadata().description == table.meaning
        assert {column.name: comments[column.name] for column in table.columns} == {
            column.name: meaning(column) for column in table.columns
        }


def test_a_large_session_waits_on_disk_and_is_appended_whole(heap, lake):
    write(heap, {"a.json": session(*(record(seed=number) for number in range(1, 41))), "b.json": numbered(99)})

    ingest(heap, lake, IngestOptions(memory_records=10))

    assert rows(lake, "SELECT count(DISTINCT seed), max(seed) FROM records") == [(41, 99)]


def test_a_folder_of_something_else_is_refused(heap, tmp_path):
    write(heap, {"a.json": numbered(1)})

    with pytest.raises(OutputError, match="exists, and is not a Delta archive"):
        ingest(heap, f"{heap}/")
    with pytest.raises(UsageError, match="is a folder, and not a Delta archive"):
        ingest(heap, tmp_path)


def test_an_empty_folder_becomes_an_archive(heap, tmp_path):
    write(heap, {"a.json": numbered(1)})
    (tmp_path / "empty").mkdir()

    assert ingest(heap, f"{tmp_path}/empty/").new == 1


def test_an_archive_that_was_created_in_part_is_completed(heap, lake, tmp_path):
    ingest(write(heap, {"a.json": numbered(1)}), lake)
    for name in ("sessions", "records"):
        shutil.rmtree(tmp_path / "lake" / name)

    assert ingest(heap, lake).new == 1
    assert rows(lake, "SELECT count(*) FROM records") == [(1,)]


def test_the_missing_package_is_named_with_its_extra(heap, lake, monkeypatch):
    monkeypatch.setitem(sys.modules, "deltalake", None)

    with pytest.raises(UsageError, match="deltalake is not installed") as caught:
        ingest(write(heap, {"a.json": numbered(1)}), lake)

    assert caught.value.hint == "pip install 'clamp-analytics[lake]'"
