"""Copy an archive into a new one of the same or the other kind, and compare the hashes of their tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.archive.delta.copy import write_delta_copy
from clamp_analytics.archive.delta.tables import open_delta_archive
from clamp_analytics.archive.ingest.transaction import write_error
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.paths import existing_archive, temporary_path, wal_path
from clamp_analytics.archive.tables import (
    CONTAINERS,
    FILES,
    FORGOTTEN,
    INGESTS,
    View,
    require_current,
    write_empty_archive,
)
from clamp_analytics.atomic_files import link_new
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_batches import read_archive
from clamp_analytics.reading.archive_connection import (
    damage_as_source_error,
    open_archive,
    open_database_file,
    record_counts,
)
from clamp_analytics.reading.delta_archive import delta_errors, is_delta_location
from clamp_analytics.reading.delta_batches import read_delta_archive
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.reading.reader import Progress
from clamp_analytics.schema import RECORDS, TABLES

if TYPE_CHECKING:
    import duckdb

    from clamp_analytics.batch import Batch

LEDGER = (FILES, CONTAINERS, INGESTS, FORGOTTEN)
_WAIT_SECONDS = 10.0
_COMPARED = (*TABLES, *(table.name for table in LEDGER))


@dataclass(frozen=True, slots=True)
class Copied:
    """The number of rows of each table of a copy."""

    rows: dict[str, int]


@raise_keyboard_interrupt()
def copy(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    views: Sequence[View] = (),
    *,
    progress: Progress | None = None,
) -> Copied:
    """Copy an archive: from a DuckDB file to Delta tables, the other way, or to another one of its kind.

    The copy is complete, or it is not an archive. Afterwards, the number of rows and a hash of all values of each
    table are compared with those of the source.

    Args:
        source: the archive.
        target: the copy, which must not exist. A name that ends with a slash, or a URL, is that of a Delta archive.
        views: the views that a DuckDB file gets.
        progress: called with the number of sessions that were copied and of all sessions.

    Raises:
        SourceError: there is no such archive, or it is damaged.
        OutputError: the copy exists or cannot be written, or the source is of an older version.
    """
    name = os.fspath(target)
    if is_delta_location(name) or name.endswith("/"):
        with _opened(source) as connection:
            write_delta_copy(name, _batches(source, connection, progress), connection, [table.name for table in LEDGER])
            with _opened(name) as copied:
                return _compared(connection, copied, name)
    path = Path(os.path.realpath(target))
    if os.path.lexists(path):
        raise OutputError.exists(path, "name another file")
    # The lock also removes what a copy that was killed has left.
    with writer_lock(path, "archive copy", _WAIT_SECONDS):
        return _write_database_file(path, source, views, progress)


def _write_database_file(
    path: Path, source: str | os.PathLike[str], views: Sequence[View], progress: Progress | None
) -> Copied:
    temporary = temporary_path(path)
    try:
        write_empty_archive(temporary, views)
        with _opened(source) as connection:
            _fill(temporary, connection, _batches(source, connection, progress))
            with _opened(temporary) as copied:
                result = _compared(connection, copied, os.fspath(path))
        link_new(temporary, path)
    except FileExistsError as error:
        raise OutputError.exists(path, "name another file") from error
    except OSError as error:
        raise OutputError.from_os_error("the copy cannot be written", error, where=display_name(path)) from error
    finally:
        for part in (temporary, wal_path(temporary)):
            part.unlink(missing_ok=True)
    return result


@contextmanager
def _opened(archive: str | os.PathLike[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the tables of an archive of either kind."""
    if is_delta_location(archive):
        connection, _ = open_delta_archive(os.fspath(archive))
        errors = delta_errors(os.fspath(archive), "the archive cannot be read")
    else:
        path = existing_archive(archive)
        connection, version = open_archive(path)
        require_current(version, path)
        errors = damage_as_source_error(path)
    try:
        with errors:
            yield connection
    finally:
        connection.close()


def _batches(
    archive: str | os.PathLike[str], connection: duckdb.DuckDBPyConnection, progress: Progress | None
) -> Iterator[Batch]:
    if is_delta_location(archive):
        batches = read_delta_archive(os.fspath(archive), RECORDS.names)
    else:
        batches = read_archive(existing_archive(archive), RECORDS.names)
    if progress is None:
        yield from batches
        return
    done, total = 0, connection.execute("SELECT count(*) FROM sessions").fetchall()[0][0]
    for batch in batches:
        yield batch
        done += batch.sessions.height
        progress(done, total)


def _fill(path: Path, source: duckdb.DuckDBPyConnection, batches: Iterator[Batch]) -> None:
    """Write the rows of an archive into an empty DuckDB file, in one transaction."""
    import duckdb

    connection = open_database_file(path, read_only=False)
    try:
        connection.execute("BEGIN")
        for batch in batches:
            for name in TABLES:
                _insert(connection, name, getattr(batch, name))
        for table in LEDGER:
            _insert(connection, table.name, source.sql(f"SELECT * FROM {table.name}").pl())
        created = source.sql("SELECT name, value FROM meta WHERE name IN ('created_by', 'created_at')").pl()
        connection.execute("DELETE FROM meta WHERE name IN ('created_by', 'created_at')")
        _insert(connection, "meta", created)
        record_counts(connection)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise write_error(error, path) from error
    finally:
        connection.close()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: object) -> None:
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
    connection.unregister("incoming")


def _compared(source: duckdb.DuckDBPyConnection, copied: duckdb.DuckDBPyConnection, name: str) -> Copied:
    """The rows of the copy.

    Raises:
        OutputError: a table of the copy differs.
    """
    rows = {}
    for table in _COMPARED:
        query = f"SELECT count(*), bit_xor(hash(each_row)), sum(hash(each_row)) FROM {table} each_row"
        expected, found = (connection.execute(query).fetchall()[0] for connection in (source, copied))
        if expected != found:
            raise OutputError(
                f"the copy differs from the archive in the table {table}",
                where=display_name(name),
                hint="copy while nobody writes to the archive",
            )
        rows[table] = int(found[0])
    return Copied(rows)
