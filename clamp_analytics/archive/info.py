"""Counts and dates of an archive."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.paths import existing_archive
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import archive_version, damage_as_source_error, open_archive
from clamp_analytics.reading.delta_archive import is_delta_location
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt

if TYPE_CHECKING:
    import duckdb

LAST_INGESTS = 5


@dataclass(frozen=True, slots=True)
class Info:
    """Counts and dates of an archive.

    Attributes:
        path: the archive.
        version: the version of its tables.
        created_by: the tool that created it.
        created_at: the time of its creation.
        sessions: sessions that were loaded.
        rejected: sessions that were rejected.
        records: all records.
        violations: all violations.
        files: files in the ledger.
        forgotten: sessions that were forgotten.
        first_acquired_at: the earliest usable acquisition, UTC.
        last_acquired_at: the latest usable acquisition, UTC.
        json_bytes: the size of the session files that were loaded.
        archive_bytes: its own size; for a Delta archive, that of the newest version.
        ingests: the last ingests, the latest first.
    """

    path: str
    version: int
    created_by: str
    created_at: str
    sessions: int
    rejected: int
    records: int
    violations: int
    files: int
    forgotten: int
    first_acquired_at: datetime | None
    last_acquired_at: datetime | None
    json_bytes: int
    archive_bytes: int
    ingests: pl.DataFrame


@raise_keyboard_interrupt()
def info(archive: str | os.PathLike[str]) -> Info:
    """Count what an archive holds.

    Raises:
        SourceError: there is no such archive, or it is damaged, or newer than this package.
    """
    if is_delta_location(archive):
        from clamp_analytics.archive.delta.compact import archive_bytes
        from clamp_analytics.archive.delta.tables import open_delta_archive

        location = os.fspath(archive)
        connection, snapshot = open_delta_archive(location)
        try:
            return _describe(connection, archive_version(connection, location), location, archive_bytes(snapshot))
        finally:
            connection.close()
    path = existing_archive(archive)
    connection, version = open_archive(path)
    try:
        return _describe(connection, version, path, path.stat().st_size)
    finally:
        connection.close()


def _describe(
    connection: duckdb.DuckDBPyConnection, version: int, path: str | os.PathLike[str], archive_bytes: int
) -> Info:
    with damage_as_source_error(path):
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        sessions = connection.sql(
            "SELECT count(*) FILTER (WHERE status = 'loaded') AS sessions, "
            "count(*) FILTER (WHERE status <> 'loaded') AS rejected, "
            "coalesce(sum(size_bytes) FILTER (WHERE status = 'loaded'), 0)::UBIGINT AS json_bytes, "
            "min(first_acquired_at) AS first_acquired_at, max(last_acquired_at) AS last_acquired_at FROM sessions"
        ).pl()
        columns = "number, started_at, finished_at, tool_version, directory, new, known, rejected, skipped"
        return Info(
            path=display_name(path),
            version=version,
            created_by=meta.get("created_by", ""),
            created_at=meta.get("created_at", ""),
            records=_count(connection, "records"),
            violations=_count(connection, "violations"),
            files=_count(connection, "files"),
            forgotten=_count(connection, "forgotten") if version > 1 else 0,
            archive_bytes=archive_bytes,
            ingests=connection.sql(f"SELECT {columns} FROM ingests ORDER BY number DESC LIMIT {LAST_INGESTS}").pl(),
            **sessions.row(0, named=True),
        )


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
