"""Open DuckDB archives: wait for writers, check format and version, and check the counts that an archive records.

Everything that opens an archive, to read or to write, goes through this module.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clamp_analytics.errors import ClampError, OutputError, SourceError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.schema import SESSIONS, TABLES, Table
from clamp_analytics.sources import has_database_mark
from clamp_analytics.wording import plural, sql_name, sql_string

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")

FORMAT = "clamp-analytics-archive"
VERSION = 5
"""The version of the tables. Older archives can be read, and written to after `archive upgrade`."""

COUNTS_SINCE_VERSION = 3
"""The first version that records the number of rows of each table in ``meta``."""

LABELS_SINCE_VERSION = 5
"""The first version in which sessions have labels."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25
"""Seconds between two attempts to open a file that another process has open."""

UPGRADE_HINT = "`clamp-analytics archive upgrade` brings it up to date"
CHECK_HINT = "`clamp-analytics archive check` says more"
_NEWER_HINT = "upgrade clamp-analytics: pip install --upgrade clamp-analytics"
_NOT_OURS_HINT = "name an archive that `clamp-analytics ingest` made"
_LOCKED = re.compile(r"Could not set lock|different configuration than existing")
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What an archive records about its sources.

    Attributes:
        version: the version of its tables.
        skipped: entries that were skipped when the sources were last listed, by reason.
        source_directory: the absolute folder that all ingested sources have in common; empty where there are none.
        build_info: the provenance snapshot's JSON text, where all ingests that had one agree; else None.
        sessions: the number of sessions, including rejected ones.
    """

    version: int
    skipped: dict[str, int]
    source_directory: str
    build_info: str | None
    sessions: int


def open_database_file(
    path: str | os.PathLike[str], *, read_only: bool = True, wait_seconds: float = DEFAULT_OPTIONS.archive_wait_seconds
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file as soon as no other process locks it.

    Args:
        path: the file, which exists.
        read_only: whether it is only read; many processes may read at once.
        wait_seconds: how long to wait for other processes.

    Raises:
        SourceError: it is not a DuckDB database, is damaged, or is still locked at the end.
        OutputError: likewise, where it is to be written to.
    """
    import duckdb

    kind = SourceError if read_only else OutputError
    check_path(path, kind)
    if not _is_database(path):
        # DuckDB would choose a reader by the ending, and report something unrelated.
        raise kind(
            "the archive cannot be opened: it is not a DuckDB database",
            where=display_name(os.fspath(path)),
            hint=_NOT_OURS_HINT,
        )
    # A table name in SQL must never refer to a variable of the Python code.
    config: dict[str, Any] = {"python_enable_replacements": False}
    if not read_only:
        # One thread is the cheapest way to write, and leaves the other cores to the decoders.
        config["threads"] = 1
    connection = _retry_while_locked(
        lambda: duckdb.connect(os.fspath(path), read_only=read_only, config=config), path, wait_seconds, kind
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def check_path(path: str | os.PathLike[str], kind: type[ClampError]) -> None:
    """Raise an error of a kind where DuckDB cannot open a path, because it is not UTF-8."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise kind(
            "DuckDB cannot open an archive whose path is not valid UTF-8",
            where=display_name(os.fspath(path)),
            hint="rename the file or its folder",
        ) from error


def _is_database(path: str | os.PathLike[str]) -> bool:
    """Whether a file starts like a DuckDB database; True for a file that only DuckDB can report on."""
    if not os.path.isfile(path):
        return not os.path.exists(path)
    try:
        return has_database_mark(path)
    except OSError:
        return True


@contextmanager
def damage_as_source_error(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn DuckDB's errors while an archive is read into one sentence.

    Raises:
        SourceError: a table or a part of it is missing or damaged.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise SourceError(
            f"the archive cannot be read: {first_line(error)}",
            where=display_name(os.fspath(path)),
            hint=CHECK_HINT,
        ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's text; DuckDB adds a stack trace to some."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def attach_archive(
    connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], schema_name: str
) -> ArchiveState:
    """Attach an archive to a connection, read-only, under a name.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
    """
    state = read_state(path)
    statement = f"ATTACH {sql_string(os.fspath(path))} AS {schema_name} (READ_ONLY)"
    _retry_while_locked(lambda: connection.execute(statement), path, DEFAULT_OPTIONS.archive_wait_seconds, SourceError)
    return state


def _retry_while_locked(
    action: Callable[[], Result], path: str | os.PathLike[str], wait_seconds: float, kind: type[ClampError]
) -> Result:
    """Repeat an action that opens an archive while another process locks it, until the time is over."""
    import duckdb

    end = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return action()
        except duckdb.Error as error:
            left = end - time.monotonic()
            if not (_LOCKED.search(str(error)) and left > 0):
                what, hint = _reason_not_opened(error)
                raise kind(what, where=display_name(os.fspath(path)), hint=hint) from error
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _reason_not_opened(error: Exception) -> tuple[str, str]:
    """A sentence for DuckDB's refusal to open a file, and a hint."""
    text = str(error)
    if _LOCKED.search(text):
        holder = _HOLDER.search(text)
        who = f"process {holder['pid']} ({Path(holder['program']).name})" if holder else "this process"
        return f"the archive is in use by {who}", "wait until that is done, and try again"
    return f"the archive cannot be opened: {first_line(error)}", ""


def archive_version(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> int:
    """The version of an open archive.

    Raises:
        SourceError: the database is not an archive, or has a newer version.
    """
    import duckdb

    where = display_name(os.fspath(path))
    try:
        meta = _meta(connection)
    except duckdb.CatalogException as error:
        raise _not_an_archive(where) from error
    except (duckdb.Error, UnicodeDecodeError) as error:
        what = f"the archive cannot be read: {first_line(error)}"
        raise SourceError(what, where=where, hint=CHECK_HINT) from error
    if meta.get("format") != FORMAT or not meta.get("schema_version", "").isdecimal():
        raise _not_an_archive(where)
    version = int(meta["schema_version"])
    if version > VERSION:
        raise SourceError(
            f"the archive has version {version}, and this package knows up to {VERSION}", where=where, hint=_NEWER_HINT
        )
    return version


def _meta(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, value FROM meta").fetchall())


def _not_an_archive(where: str) -> SourceError:
    what = "it is a DuckDB database, but not an archive of this package"
    return SourceError(what, where=where, hint=_NOT_OURS_HINT)


def count_name(table: str) -> str:
    """The name in ``meta`` of a table's number of rows."""
    return f"{table}_rows"


def check_tables(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> None:
    """Look for signs of blocks that were replaced by other valid ones, which DuckDB's checksums do not show.

    Raises:
        SourceError: a table has more or fewer rows than the archive records, or a session lacks a value.
    """
    check_counts(connection, path)
    check_required_values(connection, path)


def check_counts(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> None:
    """Compare the rows of each table with the number that the archive records.

    Raises:
        SourceError: a table has more or fewer rows.
    """
    recorded = _meta(connection)
    for table in TABLES:
        expected = recorded.get(count_name(table))
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        if expected != str(found):
            raise SourceError(
                f"the archive is damaged: {table} has {found} rows, and the archive records {expected}",
                where=display_name(os.fspath(path)),
                hint=CHECK_HINT,
            )


def check_required_values(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> None:
    """Check that every session has the values that every session needs.

    Raises:
        SourceError: a session lacks one.
    """
    required = " OR ".join(f"{sql_name(column.name)} IS NULL" for column in SESSIONS.columns if not column.nullable)
    (incomplete,) = connection.execute(f"SELECT count(*) FROM {SESSIONS.name} WHERE {required}").fetchall()[0]
    if incomplete:
        raise SourceError(
            f"the archive is damaged: {plural(incomplete, 'session')} without a value that every session has",
            where=display_name(os.fspath(path)),
            hint=CHECK_HINT,
        )


def record_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Record the number of rows of each table, as a part of the transaction that changes them."""
    for table in TABLES:
        name = sql_string(count_name(table))
        connection.execute(f"DELETE FROM meta WHERE name = {name}")
        connection.execute(f"INSERT INTO meta SELECT {name}, count(*)::VARCHAR FROM {table}")


def select_list(table: Table, columns: Sequence[str], version: int) -> str:
    """Columns of a table for a SELECT; one that an archive of this version does not have yet is null."""
    is_new = table is SESSIONS and version < LABELS_SINCE_VERSION
    return ", ".join(
        "CAST(NULL AS VARCHAR) AS labels" if is_new and name == "labels" else sql_name(name) for name in columns
    )


def open_archive(
    path: str | os.PathLike[str],
    *,
    wait_seconds: float = DEFAULT_OPTIONS.archive_wait_seconds,
    checks_tables: bool = True,
) -> tuple[duckdb.DuckDBPyConnection, int]:
    """Open an archive for reading.

    Args:
        path: the archive.
        wait_seconds: how long to wait for a process that writes to it.
        checks_tables: whether to check the tables; see ``check_tables``.

    Returns:
        The connection and the version of the archive, which may be an older one.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
    """
    connection = open_database_file(path, wait_seconds=wait_seconds)
    try:
        version = archive_version(connection, path)
        if checks_tables and version >= COUNTS_SINCE_VERSION:
            with damage_as_source_error(path):
                check_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection, version


def read_state(
    path: str | os.PathLike[str], *, wait_seconds: float = DEFAULT_OPTIONS.archive_wait_seconds
) -> ArchiveState:
    """Read what an archive records about its sources.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
    """
    connection, version = open_archive(path, wait_seconds=wait_seconds)
    try:
        with damage_as_source_error(path):
            return archive_state(connection, version)
    finally:
        connection.close()


def archive_state(connection: duckdb.DuckDBPyConnection, version: int, schema: str = "main") -> ArchiveState:
    """What an open archive records about its sources.

    Args:
        connection: the connection that the archive is open on.
        version: the version of its tables.
        schema: the quoted name of the schema that holds its tables.
    """
    ingests = connection.execute(f"SELECT directory, skipped_reasons FROM {schema}.ingests ORDER BY number").fetchall()
    query = f"SELECT DISTINCT build_info FROM {schema}.ingests WHERE build_info IS NOT NULL"
    infos = connection.execute(query).fetchall()
    sessions = connection.execute(f"SELECT count(*) FROM {schema}.sessions").fetchall()[0][0]
    # The last ingest of a folder knows which of its entries are skipped.
    latest: dict[str, str] = dict(ingests)
    skipped: Counter[str] = Counter()
    for reasons in latest.values():
        skipped.update(json.loads(reasons))
    return ArchiveState(
        version=version,
        skipped=dict(sorted(skipped.items())),
        source_directory=os.path.commonpath(latest) if latest else "",
        build_info=infos[0][0] if len(infos) == 1 else None,
        sessions=sessions,
    )
