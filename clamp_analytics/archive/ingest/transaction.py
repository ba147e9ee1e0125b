"""One transaction: sessions, records, violations, ledger and the count of the ingest, all or nothing."""

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
from clamp_analytics.archive.ingest.reconcile import REJECTED, Settled, settle
from clamp_analytics.archive.ingest.staging import Container, Stage
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.archive import open_file
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS

if TYPE_CHECKING:
    import duckdb

_NO_SPACE = ("No space left", "Disk quota", "File too large", "Could not write", "not enough space")


@dataclass(slots=True)
class Ingest:
    """The row of an ingest that is under way.

    Attributes:
        directory: the absolute folder that its sources have in common.
        build_info: their provenance snapshot.
        skipped: entries passed over, by reason.
        number: its number; None before its first transaction.
        new: sessions added.
        known: files whose session was known.
        rejected: files that are no sessions.
        unread_known: likewise, of files that needed no look.
        unread_rejected: likewise.
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

    def count(self, settled: Settled) -> None:
        """Add what became of some files."""
        self.new += settled.new
        self.known += settled.known
        self.rejected += settled.rejected


@contextmanager
def writing(archive: Path, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """An archive open for writing, with a transaction that is committed at the end, or rolled back.

    Raises:
        OutputError: it cannot be opened or written; nothing of the transaction is kept.
    """
    import duckdb

    connection = open_file(archive, read_only=False, wait_seconds=wait_seconds)
    try:
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        finally:
            # Ends a transaction that failed; what is committed is moved from the log into the file.
            connection.close()
    except duckdb.Error as error:
        raise refusal(error, archive) from error


def refusal(error: Exception, archive: Path) -> OutputError:
    """The error to raise for one of DuckDB's, which has changed nothing."""
    message = str(error).splitlines()[0]
    full = any(part in message for part in _NO_SPACE)
    hint = "free space on its disk, and run the same command again" if full else ""
    return OutputError(
        f"the archive cannot be written and is as it was: {message}", where=display_name(archive), hint=hint
    )


def commit(connection: duckdb.DuckDBPyConnection, stage: Stage, ingest: Ingest, *, last: bool) -> pl.DataFrame:
    """Write what waits on a stage.

    Args:
        connection: the archive in a transaction.
        stage: what to write.
        ingest: the ingest that it belongs to; it is counted on.
        last: whether this ends the ingest.

    Returns:
        The sessions that were added, rejected ones included.
    """
    if ingest.number is None:
        ingest.number = int(connection.execute("SELECT coalesce(max(number), 0) + 1 FROM ingests").fetchall()[0][0])
    incoming = stage.files
    _drop_rejections(connection, incoming)
    settled = decide(connection, incoming)
    ingest.count(settled)
    added = _write_sessions(connection, stage, settled)
    _write_ledger(connection, settled, ingest.number)
    _write_containers(connection, stage.containers, ingest.number)
    _write_ingest(connection, ingest, last=last)
    return added


def decide(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> Settled:
    """What becomes of files, with what the archive holds looked up."""
    connection.register("incoming", incoming.select("source", "session_id"))
    held = connection.sql(
        "SELECT session_id, status AS held_status, source AS held_source FROM sessions "
        "WHERE session_id IN (SELECT session_id FROM incoming)"
    ).pl()
    taken = connection.sql("SELECT source FROM sessions WHERE source IN (SELECT source FROM incoming)").pl()
    forgotten = connection.sql(
        "SELECT DISTINCT session_id FROM forgotten WHERE session_id IN (SELECT session_id FROM incoming)"
    ).pl()
    connection.unregister("incoming")
    return settle(incoming, held, taken, forgotten)


def _drop_rejections(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> None:
    """Forget what was wrong with files that have been read again."""
    retried = incoming.filter(pl.col("old_status") == REJECTED).select("path")
    if not retried.is_empty():
        connection.register("retried", retried)
        connection.execute("DELETE FROM files WHERE path IN (SELECT path FROM retried)")
        connection.unregister("retried")
        prune_rejected(connection)


def prune_rejected(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove rejected sessions, with their violations, that no file of the ledger stands for."""
    connection.execute(
        "CREATE TEMP TABLE gone AS SELECT source FROM sessions WHERE status = 'rejected' "
        "AND source NOT IN (SELECT source FROM files WHERE status = 'rejected' AND source IS NOT NULL)"
    )
    for table in (VIOLATIONS.name, SESSIONS.name):
        connection.execute(f"DELETE FROM {table} WHERE source IN (SELECT source FROM gone)")
    connection.execute("DROP TABLE gone")


def _write_sessions(connection: duckdb.DuckDBPyConnection, stage: Stage, settled: Settled) -> pl.DataFrame:
    """Add the sessions with their records and violations, each under its own name."""
    if settled.replaced:
        connection.execute(
            "UPDATE files SET status = 'duplicate', reason = NULL WHERE status = 'rejected' "
            "AND list_contains(?, session_id)",
            [settled.replaced],
        )
        prune_rejected(connection)
    names = settled.added.select("place", "name")
    sessions = _renamed(stage.sessions, names, "place").select(SESSIONS.names)
    _insert(connection, SESSIONS.name, sessions)
    sources = settled.added.select("source", "name").unique("source", keep="first", maintain_order=True)
    _insert(connection, VIOLATIONS.name, _renamed(stage.violations, sources, "source").select(VIOLATIONS.names))
    as_they_are = stage.sessions.height == sessions.height and settled.added["source"].equals(settled.added["name"])
    for records in stage.records():
        kept = records if as_they_are else _renamed(records, names, "place")
        _insert(connection, RECORDS.name, kept.select(RECORDS.names))
    return sessions


def _renamed(rows: pl.DataFrame, names: pl.DataFrame, key: str) -> pl.DataFrame:
    """The rows of what is added, in order, with the names that it gets."""
    return rows.join(names, on=key, how="inner", maintain_order="left").with_columns(source="name")


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    if not rows.is_empty():
        connection.register("incoming", rows)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def _write_ledger(connection: duckdb.DuckDBPyConnection, settled: Settled, number: int) -> None:
    connection.register("incoming", settled.files.select("path"))
    connection.execute("DELETE FROM files WHERE path IN (SELECT path FROM incoming)")
    connection.unregister("incoming")
    _insert(connection, "files", settled.files.with_columns(ingest=pl.lit(number, pl.UInt32)))


def _write_containers(connection: duckdb.DuckDBPyConnection, containers: Sequence[Container], number: int) -> None:
    for each in containers:
        connection.execute("DELETE FROM containers WHERE path = ?", [each.path])
        connection.execute(
            "INSERT INTO containers VALUES (?, ?, ?, ?, ?, ?)",
            [each.path, each.size_bytes, each.mtime_ns, each.sha256, each.skipped, number],
        )
        if each.members is not None:
            # What it holds no more; the sessions stay, because they were real.
            connection.register("members", pl.DataFrame({"path": each.members}, schema={"path": pl.String}))
            connection.execute(
                "DELETE FROM files WHERE container = ? AND path NOT IN (SELECT path FROM members)", [each.path]
            )
            connection.unregister("members")
    if containers:
        prune_rejected(connection)


def _write_ingest(connection: duckdb.DuckDBPyConnection, ingest: Ingest, *, last: bool) -> None:
    connection.execute("DELETE FROM ingests WHERE number = ?", [ingest.number])
    connection.execute(
        "INSERT INTO ingests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            ingest.number,
            ingest.started_at,
            datetime.now(UTC) if last else None,
            __version__,
            ingest.directory,
            ingest.build_info,
            ingest.new,
            ingest.known + ingest.unread_known,
            ingest.rejected + ingest.unread_rejected,
            sum(ingest.skipped.values()),
            json.dumps(dict(sorted(ingest.skipped.items()))),
        ],
    )
