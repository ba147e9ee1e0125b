"""Remove sessions from a Delta archive; one commit to the table of sessions decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.delta.commits import append, delete_rows
from clamp_analytics.archive.delta.tables import new_batch, open_delta_archive
from clamp_analytics.archive.ingest.plan import FORGOTTEN as FORGOTTEN_STATUS
from clamp_analytics.archive.tables import CONTAINERS, FILES, FORGOTTEN
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.delta_archive import SESSION_KEY, delta_errors
from clamp_analytics.schema import SESSIONS

if TYPE_CHECKING:
    import duckdb


def forget_in_delta(
    location: str,
    match: Callable[[duckdb.DuckDBPyConnection], pl.DataFrame],
    now: datetime,
    *,
    allow_return: bool,
    dry_run: bool,
) -> pl.DataFrame:
    """Remove the sessions that a function finds; see ``forget``.

    Their records and violations do not count any more, and ``compact`` removes them from the files.

    Args:
        location: the folder or URL of the archive.
        match: selects the sessions, by their source.
        now: the time of the request.
        allow_return: whether a later ingest of the same bytes may add them again.
        dry_run: whether to return the sessions without removing them.

    Raises:
        SourceError: it cannot be opened.
        OutputError: it cannot be read or written.
    """
    connection, _ = open_delta_archive(location)
    try:
        with delta_errors(location, "the archive cannot be read", OutputError):
            found = match(connection)
            connection.register("chosen", found.select("source"))
            sessions = connection.sql(
                f"SELECT {', '.join(SESSION_KEY)} FROM delta_sessions WHERE source IN (SELECT source FROM chosen)"
            ).pl()
            files = connection.sql("SELECT * FROM files WHERE source IN (SELECT source FROM chosen)").pl()
    finally:
        connection.close()
    if dry_run or found.is_empty():
        return found
    if allow_return:
        # A container is opened again only when it is unknown. Entries of files are void without their session.
        containers = files.select(path="container").drop_nulls().unique()
        delete_rows(location, CONTAINERS.name, containers)
    else:
        # Before the sessions, so that a writer that adds one at this moment finds that it is not wanted.
        hashes = found.select("session_id", forgotten_at=pl.lit(now)).drop_nulls("session_id")
        append(location, FORGOTTEN.name, [hashes.with_columns(batch=pl.lit(new_batch()))])
    delete_rows(location, SESSIONS.name, sessions)
    if not (allow_return or files.is_empty()):
        entries = files.with_columns(
            status=pl.lit(FORGOTTEN_STATUS),
            reason=pl.lit(None, pl.String),
            source=pl.lit(None, pl.String),
            batch=pl.lit(new_batch()),
        )
        append(location, FILES.name, [entries])
    return found
