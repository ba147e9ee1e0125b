"""DuckDB archives as sources: the version that a file carries, its state, and the batches that it holds.

Whatever opens an archive, to read or to write, goes through here, so that a newer layout, a stranger's file and a
file that somebody is writing to are told apart in one way.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from clamp_analytics.atomic_files import display_name
from clamp_analytics.batch import Batch
from clamp_analytics.errors import ClampError, OutputError, SourceError
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Table, empty_frame, polars_schema
from clamp_analytics.sources import has_database_mark

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")

FORMAT = "clamp-analytics-archive"
VERSION = 2
"""The version of the layout. Older archives are read as they are, and written to after `archive upgrade`."""

WAIT_SECONDS = 30.0
"""How long a reader waits for a commit to end: DuckDB lets nobody read a file that is open for writing."""

ROWS_AT_ONCE = 120_000
"""Records of a batch: about one of DuckDB's row groups."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25
"""Seconds between two tries to open a file that somebody else has open."""

UPGRADE = "`clamp-analytics archive upgrade` brings it up to date"
_NEWER = "upgrade clamp-analytics: pip install --upgrade clamp-analytics"
_LOCKED = re.compile(r"Could not set lock|different configuration than existing")
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_STRANGER = "name an archive that `clamp-analytics ingest` made"
DAMAGED = "`clamp-analytics archive check` says more"


@dataclass(frozen=True, slots=True)
class State:
    """What an archive says of itself.

    Attributes:
        version: the version of its layout.
        skipped: entries that were passed over when the sources were last listed, by reason.
        source_directory: the absolute folder that all ingested sources have in common; empty where there were none.
        build_info: the provenance snapshot's JSON text where all ingests that had one agree; else None.
        sessions: sessions that it holds, those that were rejected included.
    """

    version: int
    skipped: dict[str, int]
    source_directory: str
    build_info: str | None
    sessions: int


def open_file(
    path: str | os.PathLike[str], *, read_only: bool = True, wait_seconds: float = WAIT_SECONDS
) -> duckdb.DuckDBPyConnection:
    """Open an archive as soon as nobody holds it in a way that forbids that.

    Args:
        path: the archive, which exists.
        read_only: whether it is only read; many may read at once.
        wait_seconds: how long to try.

    Raises:
        SourceError: it is no DuckDB database, or is still held at the end.
        OutputError: likewise, where it is to be written to.
    """
    import duckdb

    if not _has_mark(path):
        # DuckDB would go by the ending, and speak of something else.
        kind = SourceError if read_only else OutputError
        raise kind(
            "the archive cannot be opened: it is no DuckDB database",
            where=display_name(os.fspath(path)),
            hint=_STRANGER,
        )
    # A table name in SQL must never become a variable of the code around.
    config: dict[str, Any] = {"python_enable_replacements": False}
    if not read_only:
        # Writing with one costs the least, and leaves the other cores to those who decode.
        config["threads"] = 1
    connection = _patiently(
        lambda: duckdb.connect(os.fspath(path), read_only=read_only, config=config),
        path,
        wait_seconds,
        SourceError if read_only else OutputError,
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _has_mark(path: str | os.PathLike[str]) -> bool:
    """Whether the beginning of a file is that of a database; what cannot be read is left to DuckDB to explain."""
    if not os.path.isfile(path):
        return not os.path.exists(path)
    try:
        return has_database_mark(path)
    except OSError:
        return True


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """What DuckDB refuses while an archive is read, as a sentence.

    Raises:
        SourceError: a table or a part of it is missing or damaged.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        what = f"the archive cannot be read: {str(error).splitlines()[0]}"
        raise SourceError(what, where=display_name(os.fspath(path)), hint=DAMAGED) from error


def attach(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], name: str) -> State:
    """Attach an archive to a connection that reads from it, under a name.

    Raises:
        SourceError: it is no archive, newer than this package knows, or held by somebody who writes.
    """
    state = read_state(path)
    literal = os.fspath(path).replace("'", "''")
    _patiently(lambda: connection.execute(f"ATTACH '{literal}' AS {name} (READ_ONLY)"), path, WAIT_SECONDS, SourceError)
    return state


def _patiently(
    action: Callable[[], Result], path: str | os.PathLike[str], wait_seconds: float, kind: type[ClampError]
) -> Result:
    """Do what needs an archive, as often as somebody holds it, until there is no more time."""
    import duckdb

    end = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE
    while True:
        try:
            return action()
        except duckdb.Error as error:
            left = end - time.monotonic()
            if not (_LOCKED.search(str(error)) and left > 0):
                what, hint = _refusal(str(error))
                raise kind(what, where=display_name(os.fspath(path)), hint=hint) from error
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _refusal(text: str) -> tuple[str, str]:
    """What DuckDB's refusal to open a file means, and a hint."""
    if _LOCKED.search(text):
        holder = _HOLDER.search(text)
        who = f"process {holder['pid']} ({Path(holder['program']).name})" if holder else "this process"
        return f"the archive is in use by {who}", "wait until that is done, and try again"
    return f"the archive cannot be opened: {text.splitlines()[0] if text else 'DuckDB does not say why'}", ""


def version_of(connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str]) -> int:
    """The version of an open archive's layout.

    Raises:
        SourceError: the database is none of ours, or newer than this package knows.
    """
    import duckdb

    where = display_name(os.fspath(path))
    try:
        rows = connection.execute("SELECT name, value FROM meta WHERE name IN ('format', 'schema_version')").fetchall()
    except duckdb.Error as error:
        raise SourceError("it is a DuckDB database, but no archive of ours", where=where, hint=_STRANGER) from error
    meta: dict[str, str] = dict(rows)
    if meta.get("format") != FORMAT or not meta.get("schema_version", "").isdecimal():
        raise SourceError("it is a DuckDB database, but no archive of ours", where=where, hint=_STRANGER)
    version = int(meta["schema_version"])
    if version > VERSION:
        raise SourceError(
            f"the archive has version {version}, and this package knows up to {VERSION}", where=where, hint=_NEWER
        )
    return version


def open_archive(
    path: str | os.PathLike[str], *, wait_seconds: float = WAIT_SECONDS
) -> tuple[duckdb.DuckDBPyConnection, int]:
    """Open an archive to read it, and tell the version of its layout; older ones are readable.

    Raises:
        SourceError: it is no archive, newer than this package knows, or held by somebody who writes.
    """
    connection = open_file(path, wait_seconds=wait_seconds)
    try:
        return connection, version_of(connection, path)
    except BaseException:
        connection.close()
        raise


def read_state(path: str | os.PathLike[str]) -> State:
    """What an archive says of itself.

    Raises:
        SourceError: it is no archive, newer than this package knows, or held by somebody who writes.
    """
    connection, version = open_archive(path)
    try:
        with explained(path):
            return state_of(connection, version)
    finally:
        connection.close()


def state_of(connection: duckdb.DuckDBPyConnection, version: int, schema: str = "main") -> State:
    """What an open archive says of itself.

    Args:
        connection: the connection that the archive is open on.
        version: the version of its layout.
        schema: the quoted name of the schema that holds its tables.
    """
    ingests = connection.execute(f"SELECT directory, skipped_reasons FROM {schema}.ingests ORDER BY number").fetchall()
    query = f"SELECT DISTINCT build_info FROM {schema}.ingests WHERE build_info IS NOT NULL"
    infos = connection.execute(query).fetchall()
    sessions = connection.execute(f"SELECT count(*) FROM {schema}.sessions").fetchall()[0][0]
    # The latest ingest of a folder says what was passed over there.
    latest: dict[str, str] = dict(ingests)
    skipped: Counter[str] = Counter()
    for reasons in latest.values():
        skipped.update(json.loads(reasons))
    return State(
        version=version,
        skipped=dict(sorted(skipped.items())),
        source_directory=os.path.commonpath(latest) if latest else "",
        build_info=infos[0][0] if len(infos) == 1 else None,
        sessions=sessions,
    )


def read_archive(path: str | os.PathLike[str], columns: Collection[str]) -> Iterator[Batch]:
    """The batches of an archive: sessions with their violations and all of their records, in the archive's order.

    A session with more records than a batch holds goes on in the batches after its own. The archive is open, so
    that nobody can commit, until the last batch is taken or the iterator is closed.

    Args:
        path: the archive.
        columns: the columns of ``records`` that are wanted.

    Raises:
        SourceError: it is no archive, is damaged, newer than this package knows, or held by somebody who writes.
    """
    connection, _ = open_archive(path)
    try:
        with explained(path):
            yield from _batches(connection, [name for name in RECORDS.names if name in columns])
    except _OutOfStepError as error:
        what = "the archive is damaged: its sessions and records do not go together"
        raise SourceError(what, where=display_name(os.fspath(path)), hint=DAMAGED) from error
    finally:
        connection.close()


class _OutOfStepError(Exception):
    """A table has fewer or more rows than the sessions say."""


def _batches(connection: duckdb.DuckDBPyConnection, wanted: list[str]) -> Iterator[Batch]:
    """Walk the three tables side by side: all of them hold the sessions in the same order."""
    records = _Stream(connection, RECORDS, wanted or ["record_index"])
    violations = _Stream(connection, VIOLATIONS, VIOLATIONS.names)
    empty = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    for sessions in _Stream(connection, SESSIONS, SESSIONS.names).slices():
        for group in _groups(sessions):
            rows = int(group["record_count"].sum())
            found = violations.take_of(group["source"])
            taken = min(rows, ROWS_AT_ONCE)
            yield _batch(group, records.take(taken).select(wanted), found)
            for start in range(taken, rows, ROWS_AT_ONCE):
                yield _batch(empty[0], records.take(min(ROWS_AT_ONCE, rows - start)).select(wanted), empty[1])
    if not (records.is_over() and violations.is_over()):
        raise _OutOfStepError


def _groups(sessions: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Sessions in a row that have about one batch of records together; a large one stands alone."""
    ends = sessions["record_count"].cast(pl.UInt64).cum_sum()
    start, before = 0, 0
    while start < sessions.height:
        fit = int(ends.search_sorted(before + ROWS_AT_ONCE, side="right"))
        end = max(fit, start + 1)
        yield sessions[start:end]
        start, before = end, int(ends[end - 1])


class _Stream:
    """The rows of a table in the order in which they were added, read as they are asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table, columns: list[str]) -> None:
        schema = polars_schema(table)
        self._schema = pl.Schema({name: schema[name] for name in columns})
        names = ", ".join(f'"{name}"' for name in columns)
        # A cursor of its own: a connection gives one result at a time.
        relation = connection.cursor().sql(f"SELECT {names} FROM {table.name}")
        read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
        self._rows = iter(read(ROWS_AT_ONCE))
        self._left = pl.DataFrame(schema=self._schema)

    def slices(self) -> Iterator[pl.DataFrame]:
        """All rows, some at a time."""
        for rows in self._rows:
            yield pl.DataFrame(rows).cast(self._schema)

    def take(self, count: int) -> pl.DataFrame:
        """The next rows, exactly so many."""
        parts = []
        while count:
            if self._left.is_empty() and not self._fill():
                raise _OutOfStepError
            part = self._left.head(count)
            self._left = self._left.slice(part.height)
            count -= part.height
            parts.append(part)
        return pl.concat(parts) if parts else self._left.clear()

    def take_of(self, sources: pl.Series) -> pl.DataFrame:
        """The next rows, as long as their source is one of these."""
        parts = []
        while not self._left.is_empty() or self._fill():
            strange = ~self._left["source"].is_in(sources.implode())
            end = int(strange.arg_max() or 0) if strange.any() else self._left.height
            parts.append(self._left.head(end))
            self._left = self._left.slice(end)
            if strange.any():
                break
        return pl.concat(parts) if parts else self._left.clear()

    def is_over(self) -> bool:
        """Whether no row is left."""
        return self._left.is_empty() and not self._fill()

    def _fill(self) -> bool:
        for rows in self._rows:
            self._left = pl.DataFrame(rows).cast(self._schema)
            if not self._left.is_empty():
                return True
        return False


def _batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
