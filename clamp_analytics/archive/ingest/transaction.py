"""Write one transaction: sessions, records, violations, the ledger and the row of the ingest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics import __version__
from clamp_analytics.archive.ingest.reconcile import REJECTED, Decisions, reconcile
from clamp_analytics.archive.ingest.staging import FinishedContainer, Staging
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import TAG_DIGITS, display_name
from clamp_analytics.reading.archive_connection import (
    COUNTS_SINCE_VERSION,
    archive_version,
    check_tables,
    first_line,
    open_database_file,
    record_counts,
)
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS

if TYPE_CHECKING:
    import duckdb

_NO_SPACE = ("No space left", "Disk quota", "File too large", "Could not write", "not enough space")


@dataclass(slots=True)
class IngestRow:
    """The row of the table ``ingests`` for a running ingest.

    Attributes:
        directory: the absolute folder that its sources have in common.
        build_info: the provenance snapshot of the sources.
        skipped: skipped entries by reason.
        number: its number; None before the first transaction.
        new: sessions added.
        known: files whose session was in the archive already.
        rejected: files that could not be read as a session.
        unread_known: known files that did not need to be read.
        unread_rejected: rejected files that did not need to be read.
    """

    directory: str
    build_info: str | None = None
    skipped: dict[str, int] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    number: int | None = None
    new: int = 0
    known: int = 0
    rejected: int = 0
    unread_known: int = 0
    unread_rejected: int = 0

    def count(self, decisions: Decisions) -> None:
        """Add the counts of some files."""
        self.new += decisions.new
        self.known += decisions.known
        self.rejected += decisions.rejected

    def values(self, *, is_last: bool) -> list[object]:
        """The values of the columns of ``ingests``, in order."""
        return [
            self.number,
            self.started_at,
            datetime.now(UTC) if is_last else None,
            __version__,
            self.directory,
            self.build_info,
            self.new,
            self.known + self.unread_known,
            self.rejected + self.unread_rejected,
            sum(self.skipped.values()),
            json.dumps(dict(sorted(self.skipped.items()))),
        ]


@contextmanager
def transaction(archive: Path, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an archive for writing, in a transaction that is committed at the end of the block, or rolled back.

    Raises:
        SourceError: the archive is damaged.
        OutputError: it cannot be opened or written; nothing of the transaction is kept.
    """
    import duckdb

    connection = open_database_file(archive, read_only=False, wait_seconds=wait_seconds)
    try:
        try:
            if archive_version(connection, archive) >= COUNTS_SINCE_VERSION:
                check_tables(connection, archive)
            connection.execute("BEGIN")
            yield connection
            record_counts(connection)
            connection.execute("COMMIT")
        finally:
            # Rolls back a failed transaction; committed rows are moved from the log into the file.
            connection.close()
    except duckdb.Error as error:
        raise write_error(error, archive) from error


def write_error(error: Exception, archive: Path) -> OutputError:
    """The error to raise where DuckDB could not write; the archive is unchanged."""
    message = first_line(error)
    is_full = any(part in message for part in _NO_SPACE)
    hint = "free space on its disk, and run the same command again" if is_full else ""
    return OutputError(
        f"the archive cannot be written and is unchanged: {message}", where=display_name(archive), hint=hint
    )


def write_staged(
    connection: duckdb.DuckDBPyConnection, staging: Staging, ingest: IngestRow, *, is_last: bool
) -> pl.DataFrame:
    """Write everything that is staged.

    Args:
        connection: the archive in a transaction.
        staging: what to write.
        ingest: the row of the ingest; its counts are increased.
        is_last: whether this ends the ingest.

    Returns:
        The sessions that were added, including rejected ones.
    """
    if ingest.number is None:
        ingest.number = int(connection.execute("SELECT coalesce(max(number), 0) + 1 FROM ingests").fetchall()[0][0])
    incoming = staging.files
    _delete_rejections(connection, incoming)
    decisions = reconcile_with_archive(connection, incoming)
    ingest.count(decisions)
    added = _write_sessions(connection, staging, decisions)
    _write_ledger(connection, decisions, ingest.number)
    _write_containers(connection, staging.containers, ingest.number)
    _write_ingest(connection, ingest, is_last=is_last)
    return added


def reconcile_with_archive(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> Decisions:
    """Look up the sessions that the archive holds, and compare the files with them."""
    connection.register("incoming", incoming.select("source", "session_id"))
    held = connection.sql(
        "SELECT session_id, status AS held_status, source AS held_source FROM sessions "
        "WHERE session_id IN (SELECT session_id FROM incoming)"
    ).pl()
    length = TAG_DIGITS + len("#")
    taken = connection.sql(
        "SELECT source FROM sessions WHERE source IN (SELECT source FROM incoming) "
        f"OR (source[-{length}] = '#' AND left(source, -{length}) IN (SELECT source FROM incoming))"
    ).pl()
    forgotten = connection.sql(
        "SELECT DISTINCT session_id FROM forgotten WHERE session_id IN (SELECT session_id FROM incoming)"
    ).pl()
    connection.unregister("incoming")
    return reconcile(incoming, held, taken, forgotten)


def _delete_rejections(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> None:
    """Delete the entries of rejected files that were read again."""
    retried = incoming.filter(pl.col("old_status") == REJECTED).select("path")
    if not retried.is_empty():
        connection.register("retried", retried)
        connection.execute("DELETE FROM files WHERE path IN (SELECT path FROM retried)")
        connection.unregister("retried")
        delete_orphaned_rejections(connection)


def delete_orphaned_rejections(connection: duckdb.DuckDBPyConnection) -> None:
    """Delete rejected sessions, and their violations, that no file of the ledger has any more."""
    connection.execute(
        "CREATE TEMP TABLE orphaned AS SELECT source FROM sessions WHERE status = 'rejected' "
        "AND source NOT IN (SELECT source FROM files WHERE status = 'rejected' AND source IS NOT NULL)"
    )
    for table in (VIOLATIONS.name, SESSIONS.name):
        connection.execute(f"DELETE FROM {table} WHERE source IN (SELECT source FROM orphaned)")
    connection.execute("DROP TABLE orphaned")


def _write_sessions(connection: duckdb.DuckDBPyConnection, staging: Staging, decisions: Decisions) -> pl.DataFrame:
    """Insert the sessions with their records and violations, under their unique names."""
    if decisions.replaced:
        connection.execute(
            "UPDATE files SET status = 'duplicate', reason = NULL WHERE status = 'rejected' "
            "AND list_contains(?, session_id)",
            [decisions.replaced],
        )
        delete_orphaned_rejections(connection)
    names = decisions.added.select("file_number", "name")
    sessions = _renamed(staging.sessions, names, "file_number").select(SESSIONS.names)
    _insert(connection, SESSIONS.name, sessions)
    sources = decisions.added.select("source", "name").unique("source", keep="first")
    _insert(connection, VIOLATIONS.name, _renamed(staging.violations, sources, "source").select(VIOLATIONS.names))
    keeps_all = staging.sessions.height == sessions.height and decisions.added["source"].equals(decisions.added["name"])
    for records in staging.records():
        kept = records if keeps_all else _renamed(records, names, "file_number")
        _insert(connection, RECORDS.name, kept.select(RECORDS.names))
    return sessions


def _renamed(rows: pl.DataFrame, names: pl.DataFrame, key: str) -> pl.DataFrame:
    """The rows of the sessions to add, in order, with their unique names."""
    return rows.join(names, on=key, how="inner", maintain_order="left").with_columns(source="name")


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    if not rows.is_empty():
        connection.register("incoming", rows)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def _write_ledger(connection: duckdb.DuckDBPyConnection, decisions: Decisions, number: int) -> None:
    connection.register("incoming", decisions.files.select("path"))
    connection.execute("DELETE FROM files WHERE path IN (SELECT path FROM incoming)")
    connection.unregister("incoming")
    _insert(connection, "files", decisions.files.with_columns(ingest=pl.lit(number, pl.UInt32)))


def _write_containers(
    connection: duckdb.DuckDBPyConnection, containers: Sequence[FinishedContainer], number: int
) -> None:
    for each in containers:
        connection.execute("DELETE FROM containers WHERE path = ?", [each.path])
        connection.execute(
            "INSERT INTO containers (path, size_bytes, mtime_ns, etag, sha256, skipped_reasons, ingest) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [each.path, each.size_bytes, each.mtime_ns, each.etag, each.sha256, each.skipped, number],
        )
        if each.members is not None:
            # Members that were removed leave the ledger; their sessions stay.
            connection.register("members", pl.DataFrame({"path": each.members}, schema={"path": pl.String}))
            connection.execute(
                "DELETE FROM files WHERE container = ? AND path NOT IN (SELECT path FROM members)", [each.path]
            )
            connection.unregister("members")
    if containers:
        delete_orphaned_rejections(connection)


def _write_ingest(connection: duckdb.DuckDBPyConnection, ingest: IngestRow, *, is_last: bool) -> None:
    connection.execute("DELETE FROM ingests WHERE number = ?", [ingest.number])
    values = ingest.values(is_last=is_last)
    connection.execute(f"INSERT INTO ingests VALUES ({', '.join('?' * len(values))})", values)
