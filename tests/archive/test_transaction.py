"""What one transaction of an ingest writes, and how it reports that it cannot."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from clamp_analytics import __version__
from clamp_analytics.archive.ingest.reconcile import Decisions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.ingest.transaction import IngestRow, write_error
from clamp_analytics.reading.archive_connection import record_counts
from tests.archive.conftest import rows
from tests.conftest import GOOD, numbered, write
from tests.sources.container_builders import a_zip

START = datetime(2026, 1, 1, tzinfo=UTC)


def ingest_row() -> IngestRow:
    return IngestRow(
        directory="/runs",
        build_info="{}",
        skipped={"b": 2, "a": 1},
        started_at=START,
        number=3,
        new=10,
        known=20,
        rejected=30,
        unread_known=4,
        unread_rejected=5,
    )


def test_files_that_were_not_read_count_as_known_or_rejected():
    values = ingest_row().values(is_last=False)

    assert values == [3, START, None, __version__, "/runs", "{}", 10, 24, 35, 3, '{"a": 1, "b": 2}']


def test_the_decisions_of_several_transactions_are_added_up():
    nothing = pl.DataFrame()
    row = IngestRow(directory="/runs")

    for _ in range(2):
        row.count(Decisions(files=nothing, added=nothing, replaced=[], new=1, known=2, rejected=3))

    assert row.values(is_last=False)[6:9] == [2, 4, 6]


def test_the_last_transaction_has_the_time_of_its_end():
    end = ingest_row().values(is_last=True)[2]

    assert isinstance(end, datetime)
    assert end > START


@pytest.mark.parametrize(
    "message, hint",
    [
        ("No space left on device", "free space on its disk, and run the same command again"),
        ("Disk quota exceeded", "free space on its disk, and run the same command again"),
        ("Permission denied", ""),
    ],
)
def test_a_full_disk_is_named_in_the_hint(message, hint):
    error = write_error(duckdb.IOException(message), Path("a.duckdb"))

    assert (error.where, error.hint) == ("a.duckdb", hint)
    assert f"the archive cannot be written and is unchanged: {message}" in str(error)


def test_a_session_that_an_earlier_version_rejected_is_replaced(heap, archive):
    write(heap, {"a.json": GOOD})
    ingest(heap, archive)
    with duckdb.connect(str(archive)) as connection:
        connection.execute("DELETE FROM records")
        connection.execute("UPDATE sessions SET status = 'rejected', record_count = 0")
        connection.execute("UPDATE files SET status = 'rejected', reason = 'x'")
        record_counts(connection)
    (heap / "a.json").rename(heap / "b.json")

    done = ingest(heap, archive)

    assert (done.new, done.known, done.rejected) == (1, 0, 0)
    assert rows(archive, "SELECT source, status FROM sessions") == [(f"{heap}/b.json", "loaded")]
    assert rows(archive, "SELECT path[-6:], status, reason FROM files ORDER BY path") == [
        ("a.json", "duplicate", None),
        ("b.json", "loaded", None),
    ]


def test_the_sessions_that_were_added_are_given_to_the_callback(heap, archive):
    write(heap, {"a.json": GOOD, "b.json": GOOD, "c.json": b"{"})
    given = []

    ingest(heap, archive, added=given.append)

    assert [frame.select("source", "status").rows() for frame in given] == [
        [(f"{heap}/a.json", "loaded"), (f"{heap}/c.json", "rejected")]
    ]


def test_a_rejected_file_and_a_container_may_change_in_one_transaction(heap, archive):
    write(heap, {"a.json": b"{", "x.zip": a_zip({"b.json": numbered(2)})})
    ingest(heap, archive)
    write(heap, {"a.json": numbered(1), "x.zip": a_zip({"c.json": numbered(3)})})

    done = ingest(heap, archive)

    assert (done.new, done.known, done.rejected) == (2, 0, 0)
    assert rows(archive, "SELECT source FROM sessions WHERE status = 'rejected'") == []
    assert rows(archive, "SELECT path FROM files ORDER BY path") == [(f"{heap}/a.json",), (f"{heap}/x.zip!/c.json",)]
