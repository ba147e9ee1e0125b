"""``archive copy``: from a DuckDB file to Delta tables and back, without loss."""

import zipfile

import duckdb
import pytest

from clamp_analytics.archive.check import check
from clamp_analytics.archive.copy import copy
from clamp_analytics.archive.forget import Forget, forget
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.errors import OutputError, SourceError
from clamp_analytics.reading import load
from tests.archive.delta.conftest import clamp, tables
from tests.conftest import numbered, record, session, write


@pytest.fixture
def filled(heap, archive):
    """A DuckDB archive of two ingests with copies, rejected and forgotten files, a container, and extreme seeds."""
    write(heap, {"a.json": numbered(1), "b.json": numbered(2), "b2.json": numbered(2), "cut.json": b"{"})
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        packed.writestr("run/3.json", numbered(3))
    ingest(heap, archive)
    ingest(write(heap, {"c.json": session(record(seed=2**64 - 1), record(seed=0, stability_score=2))}), archive)
    forget(archive, Forget(source="*/a.json"))
    return archive


def duckdb_tables(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return tables(connection), connection.sql("SELECT * FROM ingests ORDER BY number").pl().rows()


def test_a_copy_and_its_copy_back_hold_the_same_rows(filled, lake, tmp_path, heap):
    back = tmp_path / "back.duckdb"

    clamp("archive", "copy", filled, lake)
    progress = []
    copied = copy(lake, back, progress=lambda done, total: progress.append((done, total)))

    assert copied.rows["records"] == 4
    assert progress[-1] == (copied.rows["sessions"],) * 2
    assert duckdb_tables(back) == duckdb_tables(filled)
    assert load(lake).records.equals(load(filled).records)
    assert check(back).rows() == check(lake).rows() == []
    assert ingest(heap, lake).new == ingest(heap, back).new == 0


def test_an_empty_archive_is_copied(heap, archive, lake):
    ingest(write(heap, {"a.json": numbered(1)}), archive)
    forget(archive, Forget(source="*"))

    assert copy(archive, lake).rows["sessions"] == 0
    assert check(lake).rows() == []


def test_nothing_is_overwritten(filled, lake, tmp_path):
    copy(filled, lake)

    with pytest.raises(OutputError, match="it exists already"):
        copy(filled, lake)
    with pytest.raises(OutputError, match="it exists already"):
        copy(lake, filled)
    with pytest.raises(SourceError, match="there is no such archive"):
        copy(tmp_path / "none.duckdb", tmp_path / "copy.duckdb")
    assert list(tmp_path.glob("*copy*")) == list(tmp_path.glob(".*")) == []
