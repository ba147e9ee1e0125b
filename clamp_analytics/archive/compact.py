"""Rewrite an archive to reclaim the free space that deletions and many small ingests leave."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clamp_analytics.archive.ingest.transaction import write_error
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.paths import existing_archive, temporary_path, wal_path
from clamp_analytics.archive.tables import LEDGER_TABLES, View, require_current, write_empty_archive
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import open_archive, open_database_file
from clamp_analytics.reading.delta_archive import is_delta_location
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.reading.query_progress import report_progress
from clamp_analytics.reading.reader import Progress
from clamp_analytics.schema import TABLES
from clamp_analytics.wording import sql_string


@dataclass(frozen=True, slots=True)
class Compacted:
    """The size before and after, in bytes."""

    before: int
    after: int


@raise_keyboard_interrupt()
def compact(
    archive: str | os.PathLike[str],
    views: Sequence[View] = (),
    *,
    wait_seconds: float = 10.0,
    retain_hours: int | None = None,
    progress: Progress | None = None,
) -> Compacted:
    """Rewrite an archive next to itself, and replace it in one step.

    Readers that have it open continue with the old file. Nobody can ingest meanwhile, because this holds the lock.

    In a Delta archive, small files are merged, and rows and files that are not needed are deleted. Others may read
    and write meanwhile.

    Args:
        archive: the archive.
        views: the views that a DuckDB archive gets.
        wait_seconds: how long to wait for other processes that use a DuckDB archive.
        retain_hours: how long a Delta archive keeps rows and files that are not needed; a week by default.
        progress: called with the number of rows that a DuckDB archive has copied and of all rows; a Delta archive does
            not know how much there is to do.

    Raises:
        UsageError: ``retain_hours`` is given for a DuckDB archive, which keeps nothing.
        SourceError: there is no such archive.
        OutputError: another process uses it, it must be upgraded, or the disk is full; it is unchanged.
    """
    if is_delta_location(archive):
        from clamp_analytics.archive.delta.compact import RETAIN_HOURS, compact_delta

        return Compacted(*compact_delta(os.fspath(archive), RETAIN_HOURS if retain_hours is None else retain_hours))
    if retain_hours is not None:
        what = "only a Delta archive keeps rows and files that are not needed"
        raise UsageError(what, where=display_name(archive), hint="leave out the number of hours")
    path = existing_archive(archive)
    with writer_lock(path, "archive compact", wait_seconds):
        # Opening it for writing moves the log of a killed process into the file.
        open_database_file(path, read_only=False, wait_seconds=wait_seconds).close()
        before = path.stat()
        temporary = temporary_path(path)
        try:
            try:
                write_empty_archive(temporary, views)
                _copy(path, temporary, progress)
                _sync(temporary)
                now = path.stat()
                if (now.st_mtime_ns, now.st_ino) != (before.st_mtime_ns, before.st_ino) or _has_log(path):
                    raise OutputError(
                        "another program wrote to the archive meanwhile, and it is unchanged",
                        where=display_name(path),
                        hint="try again when no other program has it open for writing",
                    )
                os.chmod(temporary, before.st_mode & 0o7777)
                temporary.replace(path)
                _sync(path.parent)
            finally:
                for part in (temporary, wal_path(temporary)):
                    part.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError.from_os_error(
                "the archive cannot be rewritten", error, where=display_name(path)
            ) from error
        return Compacted(before.st_size, path.stat().st_size)


def _copy(path: Path, temporary: Path, progress: Progress | None) -> None:
    """Copy the rows of every table, in order."""
    import duckdb

    connection, version = open_archive(path)
    connection.close()
    require_current(version, path)
    new = open_database_file(temporary, read_only=False)
    try:
        new.execute(f"ATTACH {sql_string(str(path))} AS old (READ_ONLY)")
        new.execute("BEGIN")
        new.execute("DELETE FROM meta")
        names = (*TABLES, *(table.name for table in LEDGER_TABLES))
        rows = {name: new.execute(f"SELECT count(*) FROM old.{name}").fetchall()[0][0] for name in names}
        done, total = 0, sum(rows.values())
        for name, count in rows.items():
            with report_progress(new, None if progress is None else _of_table(progress, done, count, total)):
                new.execute(f"INSERT INTO {name} BY NAME SELECT * FROM old.{name}")
            done += count
            if progress is not None:
                progress(done, total)
        new.execute("COMMIT")
        new.execute("DETACH old")
        new.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise write_error(error, path) from error
    finally:
        new.close()


def _of_table(progress: Progress, done: int, rows: int, total: int) -> Callable[[float], None]:
    """The progress of all tables, from the share that is done of one of them."""
    return lambda share: progress(done + int(share * rows), total)


def _has_log(path: Path) -> bool:
    log = wal_path(path)
    return log.exists() and log.stat().st_size > 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
