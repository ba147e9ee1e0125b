"""Upgrade an older archive to the current version, step by step, in one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.archive.ingest.transaction import transaction
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.paths import existing_archive
from clamp_analytics.archive.tables import CONTAINERS, FILES, FORGOTTEN, View, create_views
from clamp_analytics.reading.archive_connection import VERSION, open_archive, record_counts
from clamp_analytics.reading.delta_archive import is_delta_location, read_delta_state
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.schema import SESSIONS
from clamp_analytics.wording import sql_string

if TYPE_CHECKING:
    import duckdb

Step = Callable[["duckdb.DuckDBPyConnection"], None]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The versions of an archive before and after."""

    before: int
    after: int


def _add_containers_and_forgotten(connection: duckdb.DuckDBPyConnection) -> None:
    """From version 1 to 2: tables of containers and forgotten sessions, and the name of each file's session."""
    connection.execute("ALTER TABLE files RENAME TO old_files")
    connection.execute(FILES.ddl())
    # Version 1 has plain files only, and no file that is a duplicate of a session with another name.
    connection.execute(
        "INSERT INTO files BY NAME SELECT f.path, f.size_bytes, f.mtime_ns, f.session_id, f.status, f.reason, "
        "s.source, f.ingest FROM old_files f LEFT JOIN sessions s USING (session_id)"
    )
    connection.execute("DROP TABLE old_files")
    connection.execute(CONTAINERS.ddl())
    connection.execute(FORGOTTEN.ddl())


def _add_labels(connection: duckdb.DuckDBPyConnection) -> None:
    """From version 3 to 4: the labels of sessions, which are null for sessions that are there already."""
    labels = next(column for column in SESSIONS.columns if column.name == "labels")
    connection.execute("ALTER TABLE sessions ADD COLUMN labels VARCHAR")
    connection.execute(f"COMMENT ON COLUMN sessions.labels IS {sql_string(labels.meaning)}")


def _add_etags(connection: duckdb.DuckDBPyConnection) -> None:
    """From version 4 to 5: the ETags of objects, which are null for files on disk."""
    for table in (FILES, CONTAINERS):
        # The first step creates the tables with this column.
        connection.execute(f"ALTER TABLE {table.name} ADD COLUMN IF NOT EXISTS etag VARCHAR")
        for comment in table.comments():
            connection.execute(comment)


STEPS: Mapping[int, Step] = {
    1: _add_containers_and_forgotten,
    2: record_counts,
    3: _add_labels,
    4: _add_etags,
}
"""The function that upgrades each older version to the next one."""


@raise_keyboard_interrupt()
def upgrade(archive: str | os.PathLike[str], views: Sequence[View] = (), *, wait_seconds: float = 10.0) -> Upgraded:
    """Upgrade an archive to the current version, with the views of the current library, in one transaction.

    Raises:
        SourceError: there is no such archive, or it has a newer version.
        OutputError: another process uses it, or it cannot be written.
    """
    if is_delta_location(archive):
        # Delta archives have had one version so far, and no views.
        version = read_delta_state(os.fspath(archive)).version
        return Upgraded(version, version)
    path = existing_archive(archive)
    with writer_lock(path, "archive upgrade", wait_seconds):
        connection, before = open_archive(path, wait_seconds=wait_seconds)
        connection.close()
        with transaction(path, wait_seconds) as connection:
            for version in range(before, VERSION):
                STEPS[version](connection)
            connection.execute(f"UPDATE meta SET value = {sql_string(str(VERSION))} WHERE name = 'schema_version'")
            create_views(connection, views)
    return Upgraded(before, VERSION)
