"""Labels of sessions in archives."""

from pathlib import Path

import duckdb
import pytest

from clamp_analytics.api import library_views
from clamp_analytics.archive.check import check
from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.info import info
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.upgrade import upgrade
from clamp_analytics.database import connect
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.reading import load
from clamp_analytics.reading.open_source import open_source
from tests.archive.conftest import change, rows
from tests.conftest import itself, numbered, record, session, write

BUILD = IngestOptions(labels=(r"build=build-(\d+)",))


def test_an_ingest_stores_labels_of_files_and_rules(heap, archive):
    write(heap, {"build-1/a.json": session(record(), labels={"commit": "0f3c"}), "build-2/b.json": numbered(2)})

    ingest(heap, archive, BUILD)

    assert rows(archive, "SELECT labels FROM sessions ORDER BY source") == [
        ('{"build": "1", "commit": "0f3c"}',),
        ('{"build": "2"}',),
    ]
    assert load(archive).sessions["labels"].to_list() == ['{"build": "1", "commit": "0f3c"}', '{"build": "2"}']


def test_a_session_that_the_archive_holds_keeps_its_labels(heap, archive):
    write(heap, {"build-1/a.json": numbered(1)})
    ingest(heap, archive)

    ingest(heap, archive, IngestOptions(labels=("build=9",), rehash=True))

    assert load(archive).sessions["labels"].to_list() == [None]


def test_a_wrong_rule_is_reported_before_the_archive_is_created(heap, archive):
    write(heap, {"a.json": numbered(1)})

    with pytest.raises(UsageError, match="NAME=RULE"):
        ingest(heap, archive, IngestOptions(labels=("build",)))

    assert not archive.exists()


def test_labels_stay_when_an_archive_is_compacted(heap, archive):
    write(heap, {"build-1/a.json": numbered(1)})
    ingest(heap, archive, BUILD)

    compact(archive)

    assert load(archive).sessions["labels"].to_list() == ['{"build": "1"}']


@pytest.fixture
def version_3(heap: Path, archive: Path) -> Path:
    """An archive of version 3, which has no labels."""
    write(heap, {"build-1/a.json": session(record(), sha="0f3c")})
    ingest(heap, archive)
    change(
        archive,
        "ALTER TABLE sessions DROP COLUMN labels",
        "ALTER TABLE files DROP COLUMN etag",
        "ALTER TABLE containers DROP COLUMN etag",
        "UPDATE meta SET value = '3' WHERE name = 'schema_version'",
    )
    return archive


def test_an_archive_without_labels_is_read_with_nulls(version_3):
    assert load(version_3).sessions["labels"].to_list() == [None]
    assert load(version_3, labels=["sha=@extra.sha"]).sessions["labels"].to_list() == ['{"sha": "0f3c"}']
    with connect(version_3) as connection:
        assert connection.execute("SELECT labels FROM sessions").fetchall() == [(None,)]
        assert connection.execute("SELECT * FROM session_labels").fetchall() == []


def test_a_connection_to_an_archive_without_labels_is_read_with_nulls(version_3):
    with duckdb.connect(str(version_3), read_only=True) as connection:
        batches = list(open_source(connection).fold(itself))

    assert [text for batch in batches for text in batch.sessions["labels"]] == [None]


def test_an_archive_without_labels_is_not_written_to_before_its_upgrade(version_3, heap):
    with pytest.raises(OutputError, match=r"version 3, and only version 5(.|\n)*archive upgrade"):
        ingest(heap, version_3)


def test_an_upgrade_adds_labels_with_their_comment(version_3, heap):
    done = upgrade(version_3, library_views())

    assert (done.before, done.after, info(version_3).version) == (3, 5, 5)
    assert check(version_3).is_empty()
    comment = "SELECT comment FROM duckdb_columns() WHERE table_name = 'sessions' AND column_name = 'labels'"
    assert rows(version_3, comment) == [
        ("Labels such as commit or build, as a JSON object of texts; null if there are none.",)
    ]
    write(heap, {"build-2/b.json": numbered(2)})
    assert ingest(heap, version_3, BUILD).new == 1
    assert rows(version_3, "SELECT name, value FROM session_labels") == [("build", "2")]
