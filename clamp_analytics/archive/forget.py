"""Sessions out of an archive: by the name of their source, or by their age."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.ingest.transaction import prune_rejected, writing
from clamp_analytics.archive.layout import require_current
from clamp_analytics.archive.lock import writer
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading.archive import explained, open_archive
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Forget:
    """What to forget; a session must meet all that is given.

    Attributes:
        source: a shell pattern for the ``source`` of sessions; ``*`` stands for slashes, too.
        older_than: a number of days, or a date: sessions whose latest acquisition was before. One without a usable
            acquisition is as old as the ingest that added it.
        allow_return: whether an ingest of the same bytes brings a session back; without it, it stays forgotten.
    """

    source: str | None = None
    older_than: str | None = None
    allow_return: bool = False


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
        dry_run: whether they are only told.
        wait_seconds: how long to wait for another writer, and for readers.
        now: from when days are counted back; the present by default.

    Returns:
        The sessions: ``source``, ``session_id``, ``status``, ``record_count``, ``last_acquired_at``.

    Raises:
        UsageError: nothing says which sessions, or the age is neither a number nor a date.
        SourceError: there is no such archive.
        OutputError: it is held by somebody else, must be upgraded, or cannot be written.
    """
    if what.source is None and what.older_than is None:
        raise UsageError("nothing says what to forget", hint="give --source PATTERN, --older-than DAYS, or both")
    place = existing(archive)
    condition, values = _condition(what, now or datetime.now(UTC))
    if dry_run:
        connection, version = open_archive(place)
        try:
            require_current(version, place)
            with explained(place):
                return _found(connection, condition, values)
        finally:
            connection.close()
    with writer(place, "archive forget", wait_seconds):
        connection, version = open_archive(place, wait_seconds=wait_seconds)
        connection.close()
        require_current(version, place)
        with writing(place, wait_seconds) as connection:
            found = _found(connection, condition, values)
            if found.is_empty():
                return found
            connection.register("chosen", found.select("source", "session_id"))
            # Records and violations know their session by its name.
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
            prune_rejected(connection)
            return found


_SELECT = (
    "SELECT source, session_id, status, record_count, last_acquired_at FROM sessions "
    "LEFT JOIN (SELECT source, min(ingest) AS ingest FROM files GROUP BY source) USING (source) "
    "LEFT JOIN (SELECT number AS ingest, started_at FROM ingests) USING (ingest) WHERE "
)


def _found(connection: duckdb.DuckDBPyConnection, condition: str, values: list[object]) -> pl.DataFrame:
    frame: pl.DataFrame = connection.sql(f"{_SELECT}{condition} ORDER BY source", params=values).pl()
    return frame


def existing(archive: str | os.PathLike[str]) -> Path:
    """The path of an archive that must be there.

    Raises:
        SourceError: nothing is there.
    """
    place = Path(os.path.realpath(archive))
    if not place.is_file():
        hint = "`clamp-analytics ingest SOURCE --archive PATH` makes one"
        raise SourceError("there is no such archive", where=display_name(os.fspath(archive)), hint=hint)
    return place


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
    """The moment that a number of days or a date names."""
    try:
        if text.isdecimal():
            return now - timedelta(days=int(text))
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except (ValueError, OverflowError) as error:
        hint = "for example 90, or 2026-01-31"
        raise UsageError(f"{text!r} is neither a number of days nor a date", where="--older-than", hint=hint) from error
