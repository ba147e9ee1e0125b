"""An archive written anew, without the room that deletions and many small ingests have left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clamp_analytics.archive.forget import existing
from clamp_analytics.archive.ingest.transaction import refusal
from clamp_analytics.archive.layout import LEDGER, View, require_current, text, wal_of, write_empty
from clamp_analytics.archive.lock import temporary_of, writer
from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.archive import open_archive, open_file
from clamp_analytics.schema import TABLES


@dataclass(frozen=True, slots=True)
class Compacted:
    """The size before and after, in bytes."""

    before: int
    after: int


def compact(archive: str | os.PathLike[str], views: Sequence[View] = (), *, wait_seconds: float = 10.0) -> Compacted:
    """Write an archive anew beside itself, and put it in its own place in one step.

    Readers go on with what they have open. Nobody can ingest meanwhile, because the writers' lock is held.

    Raises:
        SourceError: there is no such archive.
        OutputError: it is held by somebody else, must be upgraded, or there is no room; it is as it was.
    """
    place = existing(archive)
    with writer(place, "archive compact", wait_seconds):
        # Opened for writing once, because that moves a log that a killed process left into the file.
        open_file(place, read_only=False, wait_seconds=wait_seconds).close()
        before = place.stat()
        temporary = temporary_of(place)
        try:
            try:
                write_empty(temporary, views)
                _copy(place, temporary)
                _sync(temporary)
                now = place.stat()
                if (now.st_mtime_ns, now.st_ino) != (before.st_mtime_ns, before.st_ino) or _has_log(place):
                    raise OutputError(
                        "somebody else wrote to the archive meanwhile, and it is left as it is",
                        where=display_name(place),
                        hint="try again when no other program has it open for writing",
                    )
                os.chmod(temporary, before.st_mode & 0o7777)
                temporary.replace(place)
                _sync(place.parent)
            finally:
                for part in (temporary, wal_of(temporary)):
                    part.unlink(missing_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"the archive cannot be rewritten: {reason}", where=display_name(place)) from error
        return Compacted(before.st_size, place.stat().st_size)


def _copy(place: Path, temporary: Path) -> None:
    """Copy every table in its order, and what the archive says of itself."""
    import duckdb

    connection, version = open_archive(place)
    connection.close()
    require_current(version, place)
    new = open_file(temporary, read_only=False)
    try:
        new.execute(f"ATTACH {text(str(place))} AS old (READ_ONLY)")
        new.execute("BEGIN")
        new.execute("DELETE FROM meta")
        for name in (*TABLES, *(table.name for table in LEDGER)):
            new.execute(f"INSERT INTO {name} BY NAME SELECT * FROM old.{name}")
        new.execute("COMMIT")
        new.execute("DETACH old")
        new.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise refusal(error, place) from error
    finally:
        new.close()


def _has_log(place: Path) -> bool:
    log = wal_of(place)
    return log.exists() and log.stat().st_size > 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
