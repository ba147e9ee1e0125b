"""Check an archive: the consistency of its tables, and the hashes of files that still exist."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from clamp_analytics.archive.paths import existing_archive
from clamp_analytics.archive.tables import LEDGER_TABLES, empty_archive_in_memory, require_current
from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import display_name, path_of
from clamp_analytics.reading.archive_connection import (
    check_counts,
    check_required_values,
    first_line,
    open_archive,
)
from clamp_analytics.reading.delta_archive import is_delta_location
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.schema import TABLES
from clamp_analytics.sources.object_storage import Object, is_url

if TYPE_CHECKING:
    import duckdb

PROBLEMS = {"check": pl.String, "subject": pl.String, "problem": pl.String}
"""The columns of the result of a check."""

Problem: TypeAlias = tuple[str, str, str]
"""A row of the result."""

CHECKS: dict[str, tuple[str, str]] = {
    "repeated-sessions": (
        "two sessions have the same hash",
        "SELECT session_id FROM sessions WHERE session_id IS NOT NULL GROUP BY ALL HAVING count(*) > 1",
    ),
    "repeated-names": (
        "two sessions have the same name",
        "SELECT source FROM sessions GROUP BY ALL HAVING count(*) > 1",
    ),
    "repeated-files": (
        "two rows of the ledger have the same path",
        "SELECT path FROM files GROUP BY ALL HAVING count(*) > 1",
    ),
    "record-counts": (
        "the session's record_count is not the number of its records",
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
        "the ledger names a session that does not exist",
        "SELECT path FROM files f LEFT JOIN sessions s ON s.source = f.source "
        "WHERE f.status <> 'forgotten' AND (s.source IS NULL OR s.session_id IS DISTINCT FROM f.session_id)",
    ),
    "forgotten-sessions": (
        "the session was forgotten but still exists",
        "SELECT source FROM sessions WHERE session_id IN (SELECT session_id FROM forgotten)",
    ),
    "repeated-indexes": (
        "two records of a session have the same index",
        "SELECT DISTINCT source FROM (SELECT source FROM records GROUP BY source, record_index HAVING count(*) > 1)",
    ),
    "order": (
        "records are not in the order of the sessions",
        "SELECT source FROM (SELECT source, lag(source) OVER (ORDER BY rowid) AS before FROM records) "
        "WHERE before IS DISTINCT FROM source GROUP BY source HAVING count(*) > 1",
    ),
    "aggregates": (
        "the session's count or times are not those of its records",
        "SELECT s.source FROM sessions s JOIN (SELECT source, count(stability_score) AS scored, "
        "min(acquired_at) AS first, max(acquired_at) AS last FROM records GROUP BY source) r USING (source) "
        "WHERE s.scored_count <> r.scored OR s.first_acquired_at IS DISTINCT FROM r.first "
        "OR s.last_acquired_at IS DISTINCT FROM r.last",
    ),
    "statuses": (
        "the status is unknown",
        "SELECT path FROM files WHERE status NOT IN ('loaded', 'duplicate', 'rejected', 'forgotten') "
        "UNION ALL SELECT source FROM sessions WHERE status NOT IN ('loaded', 'rejected')",
    ),
}
"""Each check with its message, and a query that returns what violates it."""


@raise_keyboard_interrupt()
def check(
    archive: str | os.PathLike[str], *, rehash: bool = False, progress: Callable[[int, int], None] | None = None
) -> pl.DataFrame:
    """Find what is wrong in an archive.

    Args:
        archive: the archive.
        rehash: whether to read plain files whose size and time, or ETag, have not changed, and compare their hashes.
        progress: called with the number of files that were read and of all files.

    Returns:
        One row per problem: ``check``, ``subject``, ``problem``.

    Raises:
        SourceError: there is no such archive, it has a newer version, or it cannot be read.
        OutputError: it has an older version and must be upgraded first.
    """
    import duckdb

    if is_delta_location(archive):
        from clamp_analytics.archive.delta.check import delta_problems

        found = delta_problems(os.fspath(archive), rehash=rehash, progress=progress)
        return pl.DataFrame(list(found), schema=PROBLEMS, orient="row")
    path = existing_archive(archive)
    connection, version = open_archive(path, checks_tables=False)
    try:
        require_current(version, path)
        read_every_value(connection)
        rows = [*_replaced_blocks(connection, path), *_columns(connection), *check_problems(connection)]
        if rehash:
            rows += changed_files(connection, progress)
    except duckdb.Error as error:
        what = f"the archive cannot be read: {first_line(error)}"
        hint = "restore it from a copy, or ingest the sources into a new one"
        raise SourceError(what, where=display_name(path), hint=hint) from error
    finally:
        connection.close()
    return pl.DataFrame(rows, schema=PROBLEMS, orient="row")


def read_every_value(connection: duckdb.DuckDBPyConnection) -> None:
    """Read every column of every table, so that DuckDB compares the checksums of all blocks that hold rows.

    Raises:
        duckdb.Error: a block is damaged.
    """
    for name in (*TABLES, *(table.name for table in LEDGER_TABLES)):
        connection.execute(f"SELECT bit_xor(hash(each_row)) FROM {name} each_row").fetchall()


def _replaced_blocks(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Problem]:
    """What ``check_tables`` reports when an archive is opened."""
    checks = (("row-counts", "meta", check_counts), ("missing-values", "sessions", check_required_values))
    for problem, subject, check_one in checks:
        try:
            check_one(connection, path)
        except SourceError as error:
            yield problem, subject, error.what


def check_problems(connection: duckdb.DuckDBPyConnection, names: Iterable[str] = tuple(CHECKS)) -> Iterator[Problem]:
    """What some checks find in the tables of an open archive."""
    for name in names:
        problem, query = CHECKS[name]
        for (subject,) in connection.execute(f"{query} ORDER BY 1").fetchall():
            yield name, subject, problem


def _columns(connection: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Columns that are missing or have another type: only UBIGINT holds every seed exactly."""
    query = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    found = {(table, column): kind for table, column, kind in connection.execute(query).fetchall()}
    with closing(empty_archive_in_memory()) as expected:
        for table, column, kind in expected.execute(f"{query} ORDER BY ALL").fetchall():
            if found.get((table, column)) != kind:
                yield "columns", f"{table}.{column}", f"it is {found.get((table, column), 'missing')}, not {kind}"


def changed_files(
    connection: duckdb.DuckDBPyConnection, progress: Callable[[int, int], None] | None
) -> Iterator[Problem]:
    """Files whose bytes have changed although their size and time, or ETag, have not."""
    files = connection.execute(
        "SELECT path, size_bytes, mtime_ns, etag, session_id FROM files "
        "WHERE container IS NULL AND session_id IS NOT NULL ORDER BY path"
    ).fetchall()
    objects = {path: Object(path_of(path), size, etag) for path, size, _, etag, _ in files if is_url(path)}
    contents = RemoteFiles(objects=objects).with_contents(path for path, *_ in files)
    for number, (path, content) in enumerate(contents, 1):
        if progress is not None:
            progress(number, len(files))
        _, size, modified, _, session_id = files[number - 1]
        if path in objects:
            digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None
        else:
            digest = _digest_if_unchanged(path, size, modified)
        # A file that is gone cannot be compared, and an archive may outlive its sources.
        if digest not in (None, session_id):
            version = "ETag" if path in objects else "time"
            yield (
                "hashes",
                path,
                f"its bytes have changed since it was ingested, although its size and {version} have not",
            )


def _digest_if_unchanged(path: str, size: int, modified: int) -> str | None:
    """The hash of a file that still has this size and modification time; None where it has not, or is gone."""
    try:
        status = Path(path).stat()
        if (status.st_size, status.st_mtime_ns) != (size, modified):
            return None
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
