"""Whether an archive is sound: its tables against each other, and against the files that are still there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.forget import existing
from clamp_analytics.archive.layout import empty_in_memory, require_current
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import SourceError
from clamp_analytics.reading.archive import open_archive

if TYPE_CHECKING:
    import duckdb

PROBLEMS = {"check": pl.String, "subject": pl.String, "problem": pl.String}
"""The columns of what is found."""

_CHECKS: dict[str, tuple[str, str]] = {
    "sessions-twice": (
        "two sessions have one hash",
        "SELECT session_id FROM sessions WHERE session_id IS NOT NULL GROUP BY ALL HAVING count(*) > 1",
    ),
    "names-twice": ("two sessions have one name", "SELECT source FROM sessions GROUP BY ALL HAVING count(*) > 1"),
    "files-twice": ("two rows of the ledger have one path", "SELECT path FROM files GROUP BY ALL HAVING count(*) > 1"),
    "record-counts": (
        "the session says another number of records than it has",
        "SELECT s.source FROM sessions s "
        "LEFT JOIN (SELECT source, session_id, count(*) AS n FROM records GROUP BY ALL) r "
        "ON r.source = s.source AND r.session_id IS NOT DISTINCT FROM s.session_id "
        "WHERE s.record_count <> coalesce(r.n, 0)",
    ),
    "orphan-records": (
        "records have no session",
        "SELECT DISTINCT r.source FROM records r "
        "ANTI JOIN sessions s ON s.source = r.source AND s.session_id IS NOT DISTINCT FROM r.session_id",
    ),
    "orphan-violations": (
        "violations have no session",
        "SELECT DISTINCT source FROM violations WHERE source NOT IN (SELECT source FROM sessions)",
    ),
    "orphan-files": (
        "the ledger names a session that is not there",
        "SELECT path FROM files f LEFT JOIN sessions s ON s.source = f.source "
        "WHERE f.status <> 'forgotten' AND (s.source IS NULL OR s.session_id IS DISTINCT FROM f.session_id)",
    ),
    "forgotten-sessions": (
        "the session was forgotten, and is there",
        "SELECT source FROM sessions WHERE session_id IN (SELECT session_id FROM forgotten)",
    ),
    "places-twice": (
        "two records have one place",
        "SELECT DISTINCT source FROM (SELECT source FROM records GROUP BY source, record_index HAVING count(*) > 1)",
    ),
    "order": (
        "records do not lie in the order of the sessions",
        "SELECT source FROM (SELECT source, lag(source) OVER (ORDER BY rowid) AS before FROM records) "
        "WHERE before IS DISTINCT FROM source GROUP BY source HAVING count(*) > 1",
    ),
    "aggregates": (
        "the session's figures are not those of its records",
        "SELECT s.source FROM sessions s JOIN (SELECT source, count(stability_score) AS scored, "
        "min(acquired_at) AS first, max(acquired_at) AS last FROM records GROUP BY source) r USING (source) "
        "WHERE s.scored_count <> r.scored OR s.first_acquired_at IS DISTINCT FROM r.first "
        "OR s.last_acquired_at IS DISTINCT FROM r.last",
    ),
    "statuses": (
        "the status is none that is known",
        "SELECT path FROM files WHERE status NOT IN ('loaded', 'duplicate', 'rejected', 'forgotten') "
        "UNION ALL SELECT source FROM sessions WHERE status NOT IN ('loaded', 'rejected')",
    ),
}
"""Each check with its sentence, and a query for what breaks it."""


def check(
    archive: str | os.PathLike[str], *, rehash: bool = False, progress: Callable[[int, int], None] | None = None
) -> pl.DataFrame:
    """Look for what is wrong in an archive.

    Args:
        archive: the archive.
        rehash: whether plain files that are still as the ledger knows them are read, and their hashes compared.
        progress: is told how many files were read.

    Returns:
        One row a problem: ``check``, ``subject``, ``problem``; without a row where nothing is wrong.

    Raises:
        SourceError: there is no such archive, or it is newer than this package.
        OutputError: it is older, and must be upgraded before.
    """
    import duckdb

    place = existing(archive)
    connection, version = open_archive(place)
    try:
        require_current(version, place)
        rows = list(_problems(connection))
        if rehash:
            rows += _changed(connection, progress)
    except duckdb.Error as error:
        what = f"the archive cannot be read: {str(error).splitlines()[0]}"
        hint = "restore it from a copy, or ingest the sources into a new one"
        raise SourceError(what, where=display_name(place), hint=hint) from error
    finally:
        connection.close()
    return pl.DataFrame(rows, schema=PROBLEMS, orient="row")


def _problems(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    yield from _columns(connection)
    for name, (problem, query) in _CHECKS.items():
        for (subject,) in connection.execute(f"{query} ORDER BY 1").fetchall():
            yield name, subject, problem


def _columns(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    """Columns that are not there, or of another type: a seed in anything but UBIGINT is no seed any more."""
    query = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    stands = {(table, column): kind for table, column, kind in connection.execute(query).fetchall()}
    with closing(empty_in_memory()) as model:
        for table, column, kind in model.execute(f"{query} ORDER BY ALL").fetchall():
            if stands.get((table, column)) != kind:
                yield "columns", f"{table}.{column}", f"it is {stands.get((table, column), 'missing')}, not {kind}"


def _changed(
    connection: duckdb.DuckDBPyConnection, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[str, str, str]]:
    """Files whose bytes are not those that were ingested, though name, size and time say so."""
    files = connection.execute(
        "SELECT path, size_bytes, mtime_ns, session_id FROM files "
        "WHERE container IS NULL AND session_id IS NOT NULL ORDER BY path"
    ).fetchall()
    for number, (path, size, modified, session_id) in enumerate(files, 1):
        if progress is not None:
            progress(number, len(files))
        try:
            status = Path(path).stat()
            if (status.st_size, status.st_mtime_ns) != (size, modified):
                continue
            with Path(path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            # What is gone cannot be compared, and an archive is there to outlive its sources.
            continue
        if digest != session_id:
            yield "hashes", path, "its bytes are not those that were ingested, though its size and time are"
