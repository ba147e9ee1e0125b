"""What an archive holds, in figures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.forget import existing
from clamp_analytics.reading.archive import explained, open_archive

if TYPE_CHECKING:
    import duckdb

LAST_INGESTS = 5


@dataclass(frozen=True, slots=True)
class Info:
    """An archive in figures.

    Attributes:
        path: the archive.
        version: the version of its layout.
        created_by: the tool that made it.
        created_at: when.
        sessions: sessions that were loaded.
        rejected: sessions that were rejected.
        records: records.
        violations: violations.
        files: files in the ledger.
        forgotten: sessions that were forgotten.
        first_acquired_at: the earliest usable acquisition, UTC.
        last_acquired_at: the latest, likewise.
        json_bytes: the size of the session files that it holds.
        archive_bytes: its own size.
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


def info(archive: str | os.PathLike[str]) -> Info:
    """Look into an archive.

    Raises:
        SourceError: there is no such archive, or it is damaged, or newer than this package.
    """
    place = existing(archive)
    connection, version = open_archive(place)
    try:
        with explained(place):
            meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
            sessions = connection.sql(
                "SELECT count(*) FILTER (WHERE status = 'loaded') AS sessions, "
                "count(*) FILTER (WHERE status <> 'loaded') AS rejected, "
                "coalesce(sum(size_bytes) FILTER (WHERE status = 'loaded'), 0)::UBIGINT AS json_bytes, "
                "min(first_acquired_at) AS first_acquired_at, max(last_acquired_at) AS last_acquired_at FROM sessions"
            ).pl()
            columns = "number, started_at, finished_at, tool_version, directory, new, known, rejected, skipped"
            return Info(
                path=str(place),
                version=version,
                created_by=meta.get("created_by", ""),
                created_at=meta.get("created_at", ""),
                records=_count(connection, "records"),
                violations=_count(connection, "violations"),
                files=_count(connection, "files"),
                forgotten=_count(connection, "forgotten") if version > 1 else 0,
                archive_bytes=place.stat().st_size,
                ingests=connection.sql(f"SELECT {columns} FROM ingests ORDER BY number DESC LIMIT {LAST_INGESTS}").pl(),
                **sessions.row(0, named=True),
            )
    finally:
        connection.close()


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
