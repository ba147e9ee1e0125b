"""What is in an archive after some staged files were written to it, table by table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import duckdb
import polars as pl
import pytest

from clamp_analytics.archive.ingest.options import DEFAULT_INGEST_OPTIONS
from clamp_analytics.archive.ingest.staging import INCOMING, FinishedContainer, Staging
from clamp_analytics.archive.ingest.transaction import IngestRow, transaction, write_staged
from clamp_analytics.archive.tables import create_archive, empty_archive_in_memory
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.errors import OutputError, SourceError
from clamp_analytics.schema import RECORDS
from tests.archive.conftest import change, rows
from tests.conftest import numbered, record, session

CUT = b"{"
EMPTY = b""


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of an archive, in memory."""
    connection = empty_archive_in_memory()
    yield connection
    connection.close()


@pytest.fixture
def memory(tables: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty archive in memory, in a transaction that is rolled back after the test."""
    tables.execute("BEGIN")
    yield tables
    tables.execute("ROLLBACK")


def session_id(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def staged(*files: tuple[str, bytes] | tuple[str, bytes, dict[str, Any]]) -> Staging:
    """Files that were read, each with its path, its bytes, and further properties."""
    builder = BatchBuilder(RECORDS.names, KeyLayouts())
    given = [(path, data, *further) for path, data, *further in files]
    for path, data, *_ in given:
        builder.add(path, data, session_id(data))
    batch = builder.build()
    known = [
        {
            "file_number": number,
            "path": path,
            "source": path,
            "size_bytes": len(data),
            "session_id": session_id(data),
            "status": status,
            "reason": "damaged" if status == "rejected" else None,
            **(further[0] if further else {}),
        }
        for number, ((path, data, *further), status) in enumerate(zip(given, batch.sessions["status"], strict=True))
    ]
    staging = Staging(None, DEFAULT_INGEST_OPTIONS)
    table = pl.DataFrame(known, schema=INCOMING)
    staging.add_batch(table, batch)
    staging.add_files(table)
    return staging


def write(connection: duckdb.DuckDBPyConnection, staging: Staging, *containers: FinishedContainer) -> pl.DataFrame:
    staging.containers.extend(containers)
    return write_staged(connection, staging, IngestRow(directory="/runs"), is_last=True)


def container(path: str, members: list[str] | None, sha256: str = "0") -> FinishedContainer:
    return FinishedContainer(path, 9, 5, None, sha256, "{}", members)


def select(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()


def test_the_sessions_that_were_added_are_returned_with_rejected_ones(memory):
    added = write(memory, staged(("/a.json", numbered(1)), ("/b.json", numbered(1)), ("/c.json", CUT)))

    assert added.select("source", "status").rows() == [("/a.json", "loaded"), ("/c.json", "rejected")]


def test_sessions_records_and_violations_are_written_under_the_name_of_their_file(memory):
    write(memory, staged(("/a.json", numbered(1)), ("/b.json", session(record(seed=0), record(seed=2)))))

    assert select(memory, "SELECT source FROM sessions") == [("/a.json",), ("/b.json",)]
    assert select(memory, "SELECT source, seed FROM records") == [("/a.json", 1), ("/b.json", 0), ("/b.json", 2)]
    assert select(memory, "SELECT source, rule FROM violations") == [("/b.json", "seed-zero")]


def test_a_repeated_session_has_its_records_and_violations_once(memory):
    write(memory, staged(("/a.json", numbered(0)), ("/b.json", numbered(0)), ("/c.json", numbered(3))))

    assert select(memory, "SELECT source, seed FROM records") == [("/a.json", 0), ("/c.json", 3)]
    assert select(memory, "SELECT source, rule FROM violations") == [("/a.json", "seed-zero")]


def test_records_and_violations_of_a_session_whose_name_is_taken_have_its_tagged_name(memory):
    write(memory, staged(("/a.json", numbered(1))))
    write(memory, staged(("/a.json", numbered(0))))

    tagged = f"/a.json#{session_id(numbered(0))[:12]}"
    assert select(memory, "SELECT source FROM sessions") == [("/a.json",), (tagged,)]
    assert select(memory, "SELECT source, seed FROM records") == [("/a.json", 1), (tagged, 0)]
    assert select(memory, "SELECT source FROM violations") == [(tagged,)]


def test_the_ledger_has_one_entry_per_path_with_the_number_of_the_ingest_that_read_it_last(memory):
    write(memory, staged(("/a.json", numbered(1)), ("/b.json", numbered(2))))
    write(memory, staged(("/b.json", numbered(3))))

    assert select(memory, "SELECT path, session_id, ingest FROM files ORDER BY path") == [
        ("/a.json", session_id(numbered(1)), 1),
        ("/b.json", session_id(numbered(3)), 2),
    ]


def test_an_ingest_has_one_row_however_many_transactions_it_has(memory):
    ingest = IngestRow(directory="/runs")

    write_staged(memory, staged(("/a.json", numbered(1))), ingest, is_last=False)
    first = select(memory, "SELECT number, new, finished_at IS NULL FROM ingests")
    write_staged(memory, staged(("/b.json", numbered(2))), ingest, is_last=True)

    assert first == [(1, 1, True)]
    assert select(memory, "SELECT number, new, finished_at IS NULL FROM ingests") == [(1, 2, False)]


def test_a_rejected_file_that_was_read_again_leaves_nothing_behind(memory):
    write(memory, staged(("/a.json", CUT), ("/b.json", EMPTY)))

    write(memory, staged(("/a.json", numbered(1), {"old_status": "rejected"})))

    assert select(memory, "SELECT source, status FROM sessions ORDER BY source") == [
        ("/a.json", "loaded"),
        ("/b.json", "rejected"),
    ]
    assert select(memory, "SELECT DISTINCT source FROM violations") == [("/b.json",)]


def test_a_rejected_session_stays_while_another_file_of_the_ledger_has_it(memory):
    write(memory, staged(("/a.json", CUT), ("/b.json", CUT)))

    write(memory, staged(("/a.json", numbered(1), {"old_status": "rejected"})))

    assert select(memory, "SELECT count(*) FROM sessions WHERE status = 'rejected'") == [(1,)]
    assert select(memory, "SELECT path, status FROM files ORDER BY path") == [
        ("/a.json", "loaded"),
        ("/b.json", "rejected"),
    ]


def test_members_that_left_a_container_leave_the_ledger_and_their_sessions_stay(memory):
    inside = {"container": "/x.zip"}
    write(memory, staged(("/x.zip!/a.json", numbered(1), inside), ("/x.zip!/b.json", numbered(2), inside)))
    write(memory, staged(("/c.json", numbered(3))), container("/x.zip", ["/x.zip!/b.json"]))

    assert select(memory, "SELECT path FROM files ORDER BY path") == [("/c.json",), ("/x.zip!/b.json",)]
    assert select(memory, "SELECT count(*) FROM sessions") == [(3,)]


def test_a_rejected_member_that_left_its_container_leaves_nothing_behind(memory):
    inside = {"container": "/x.zip"}
    write(memory, staged(("/x.zip!/a.json", CUT, inside), ("/x.zip!/b.json", numbered(2), inside)))
    write(memory, staged(), container("/x.zip", ["/x.zip!/b.json"]))

    assert select(memory, "SELECT source FROM sessions") == [("/x.zip!/b.json",)]
    assert select(memory, "SELECT count(*) FROM violations") == [(0,)]


def test_members_of_a_container_that_has_not_changed_stay_in_the_ledger(memory):
    write(memory, staged(("/x.zip!/a.json", numbered(1), {"container": "/x.zip"})))
    write(memory, staged(), container("/x.zip", None))

    assert select(memory, "SELECT path FROM files") == [("/x.zip!/a.json",)]


def test_a_container_has_the_row_of_the_ingest_that_opened_it_last(memory):
    write(memory, staged(), container("/x.zip", [], sha256="1"), container("/y.zip", []))
    write(memory, staged(), container("/x.zip", [], sha256="2"))

    assert select(memory, "SELECT path, size_bytes, mtime_ns, sha256, skipped_reasons, ingest FROM containers") == [
        ("/y.zip", 9, 5, "0", "{}", 1),
        ("/x.zip", 9, 5, "2", "{}", 2),
    ]


def test_nothing_of_a_transaction_that_fails_is_kept(archive):
    create_archive(archive, [])

    def write_and_fail() -> None:
        with transaction(archive, 1.0) as connection:
            write(connection, staged(("/a.json", numbered(1))))
            connection.execute("SELECT * FROM missing")

    with pytest.raises(OutputError, match="cannot be written and is unchanged"):
        write_and_fail()
    assert rows(archive, "SELECT count(*) FROM sessions") == [(0,)]


def test_an_archive_that_lacks_rows_is_not_written_to(archive):
    create_archive(archive, [])
    with transaction(archive, 1.0) as connection:
        write(connection, staged(("/a.json", numbered(1))))
    change(archive, "DELETE FROM records")

    with pytest.raises(SourceError, match="records has 0 rows"), transaction(archive, 1.0):
        pass
