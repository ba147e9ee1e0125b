"""Remove sessions from an archive, by the name of their source or by age."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.ingest.transaction import delete_orphaned_rejections, transaction
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.paths import existing_archive
from clamp_analytics.archive.tables import require_current
from clamp_analytics.errors import UsageError
from clamp_analytics.reading.archive_connection import damage_as_source_error, open_archive
from clamp_analytics.reading.delta_archive import is_delta_location
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Forget:
    """Which sessions to forget; a session must meet every condition that is given.

    Attributes:
        source: a shell pattern for the ``source`` of sessions; ``*`` matches slashes, too.
        older_than: a number of days, or a date: sessions whose latest acquisition was before. A session
            without a usable acquisition is as old as the ingest that added it.
        allow_return: whether a later ingest of the same bytes may add the session again.
    """

    source: str | None = None
    older_than: str | None = None
    allow_return: bool = False


@raise_keyboard_interrupt()
def forget(
    archive: str | os.PathLike[str],
    what: Forget,
    *,
    dry_run: bool = False,
    wait_seconds: float = 10.0,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Remove sessions with their records and violations, in one transaction.

    Args:
        archive: the archive.
        what: the sessions.
        dry_run: whether to return the sessions without removing them.
        wait_seconds: how long to wait for another writer, and for readers.
        now: the time from which days are counted back; the current time by default.

    Returns:
        The sessions: ``source``, ``session_id``, ``status``, ``record_count``, ``last_acquired_at``.

    Raises:
        UsageError: there is no condition, or the age is neither a number nor a date.
        SourceError: there is no such archive.
        OutputError: another process uses it, it must be upgraded, or it cannot be written.
    """
    if what.source is None and what.older_than is None:
        raise UsageError("no condition says what to forget", hint="give a pattern for the source, an age, or both")
    now = now or datetime.now(UTC)
    condition, values = _condition(what, now)
    if is_delta_location(archive):
        from clamp_analytics.archive.delta.forget import forget_in_delta

        return forget_in_delta(
            os.fspath(archive),
            lambda connection: _matching_sessions(connection, condition, values),
            now,
            allow_return=what.allow_return,
            dry_run=dry_run,
        )
    path = existing_archive(archive)
    if dry_run:
        connection, version = open_archive(path)
        try:
            require_current(version, path)
            with damage_as_source_error(path):
                return _matching_sessions(connection, condition, values)
        finally:
            connection.close()
    with writer_lock(path, "archive forget", wait_seconds):
        connection, version = open_archive(path, wait_seconds=wait_seconds)
        connection.close()
        require_current(version, path)
        with transaction(path, wait_seconds) as connection:
            found = _matching_sessions(connection, condition, values)
            if found.is_empty():
                return found
            connection.register("chosen", found.select("source", "session_id"))
            # Records and violations refer to their session by its name.
            for table in (VIOLATIONS, RECORDS, SESSIONS):
                connection.execute(f"DELETE FROM {table.name} WHERE source IN (SELECT source FROM chosen)")
            if what.allow_return:
                # A container is opened again only when it is unknown.
                connection.execute(
                    "DELETE FROM containers WHERE path IN "
                    "(SELECT container FROM files WHERE source IN (SELECT source FROM chosen))"
                )
                connection.execute("DELETE FROM files WHERE source IN (SELECT source FROM chosen)")
            else:
                connection.execute(
                    "INSERT INTO forgotten SELECT session_id, now() FROM chosen WHERE session_id IS NOT NULL"
                )
                connection.execute(
                    "UPDATE files SET status = 'forgotten', reason = NULL, source = NULL "
                    "WHERE source IN (SELECT source FROM chosen)"
                )
            connection.unregister("chosen")
            delete_orphaned_rejections(connection)
            return found


_SELECT = (
    "SELECT source, session_id, status, record_count, last_acquired_at FROM sessions "
    "LEFT JOIN (SELECT source, min(ingest) AS ingest FROM files GROUP BY source) USING (source) "
    "LEFT JOIN (SELECT number AS ingest, started_at FROM ingests) USING (ingest) WHERE "
)


def _matching_sessions(connection: duckdb.DuckDBPyConnection, condition: str, values: list[object]) -> pl.DataFrame:
    frame: pl.DataFrame = connection.sql(f"{_SELECT}{condition} ORDER BY source", params=values).pl()
    return frame


def _condition(what: Forget, now: datetime) -> tuple[str, list[object]]:
    parts: list[str] = []
    values: list[object] = []
    if what.source is not None:
        parts.append("source GLOB ?")
        values.append(what.source)
    if what.older_than is not None:
        parts.append("coalesce(last_acquired_at, started_at) < ?")
        values.append(_instant(what.older_than, now))
    return " AND ".join(parts), values


def _instant(text: str, now: datetime) -> datetime:
    """The time that a number of days or a date denotes."""
    try:
        if text.isdecimal():
            return now - timedelta(days=int(text))
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except (ValueError, OverflowError) as error:
        hint = "for example 90, or 2026-01-31"
        raise UsageError(f"{text!r} is neither a number of days nor a date", where="older_than", hint=hint) from error
