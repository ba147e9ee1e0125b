"""Read a DuckDB archive as batches."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import (
    CHECK_HINT,
    damage_as_source_error,
    open_archive,
    select_list,
)
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Table, empty_frame, polars_schema

if TYPE_CHECKING:
    import duckdb


def read_archive(
    path: str | os.PathLike[str], columns: Collection[str], options: ReadingOptions = DEFAULT_OPTIONS
) -> Iterator[Batch]:
    """Read the batches of an archive: sessions with all of their records and violations, in the archive's order.

    A session with more records than a batch holds continues in the next batches. The archive is open, so that nobody
    can commit, until the last batch is taken or the iterator is closed.

    Args:
        path: the archive.
        columns: the columns of ``records`` to read.
        options: the size of a batch, and how long to wait for a process that writes to the archive.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
    """
    connection, version = open_archive(path, wait_seconds=options.archive_wait_seconds)
    try:
        with damage_as_source_error(path), raise_keyboard_interrupt():
            yield from _batches(
                connection, version, [name for name in RECORDS.names if name in columns], options.archive_batch_rows
            )
    except TablesDisagreeError as error:
        raise tables_disagree(path) from error
    finally:
        connection.close()


class TablesDisagreeError(Exception):
    """A table has fewer or more rows than the sessions say."""


def tables_disagree(path: str | os.PathLike[str]) -> SourceError:
    """The error to raise where the tables of an archive disagree."""
    what = "the archive is damaged: its sessions do not match its records or violations"
    return SourceError(what, where=display_name(os.fspath(path)), hint=CHECK_HINT)


def _batches(
    connection: duckdb.DuckDBPyConnection, version: int, wanted: list[str], batch_rows: int
) -> Iterator[Batch]:
    """Read the three tables in parallel: all of them hold the sessions in the same order."""
    records = _RowStream(connection, version, RECORDS, wanted or ["record_index"], batch_rows)
    violations = _RowStream(connection, version, VIOLATIONS, VIOLATIONS.names, batch_rows)
    no_sessions, no_violations = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    for sessions in _RowStream(connection, version, SESSIONS, SESSIONS.names, batch_rows).frames():
        for group in session_groups(sessions, batch_rows):
            rows = int(group["record_count"].sum())
            faults = violations.take_sources(group["source"])
            first = min(rows, batch_rows)
            yield table_batch(group, records.take(first).select(wanted), faults)
            for start in range(first, rows, batch_rows):
                more = records.take(min(batch_rows, rows - start)).select(wanted)
                yield table_batch(no_sessions, more, no_violations)
    if not (records.is_exhausted() and violations.is_exhausted()):
        raise TablesDisagreeError


def session_groups(sessions: pl.DataFrame, batch_rows: int) -> Iterator[pl.DataFrame]:
    """Consecutive sessions with about one batch of records; a large session is a group of its own."""
    ends = sessions["record_count"].cast(pl.UInt64).cum_sum()
    start, before = 0, 0
    while start < sessions.height:
        fitting = int(ends.search_sorted(before + batch_rows, side="right"))
        end = max(fitting, start + 1)
        yield sessions[start:end]
        start, before = end, int(ends[end - 1])


class _RowStream:
    """The rows of a table in the order in which they were inserted, read on demand."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        version: int,
        table: Table,
        columns: list[str],
        batch_rows: int,
    ) -> None:
        schema = polars_schema(table)
        self._schema = pl.Schema({name: schema[name] for name in columns})
        names = select_list(table, columns, version)
        # Each stream has a cursor, because a connection has one result at a time.
        relation = connection.cursor().sql(f"SELECT {names} FROM {table.name}")
        self._chunks = iter(relation.to_arrow_reader(batch_rows))
        self._buffered = pl.DataFrame(schema=self._schema)

    def frames(self) -> Iterator[pl.DataFrame]:
        """All rows, in frames of about one batch."""
        for chunk in self._chunks:
            yield pl.DataFrame(chunk).cast(self._schema)

    def take(self, count: int) -> pl.DataFrame:
        """The next ``count`` rows."""
        parts = []
        while count:
            if self._buffered.is_empty() and not self._read_chunk():
                raise TablesDisagreeError
            part = self._buffered.head(count)
            self._buffered = self._buffered.slice(part.height)
            count -= part.height
            parts.append(part)
        return pl.concat(parts) if parts else self._buffered.clear()

    def take_sources(self, sources: pl.Series) -> pl.DataFrame:
        """The next rows, as long as their source is one of ``sources``."""
        parts = []
        while not self._buffered.is_empty() or self._read_chunk():
            other = ~self._buffered["source"].is_in(sources.implode())
            end = int(other.arg_max() or 0) if other.any() else self._buffered.height
            parts.append(self._buffered.head(end))
            self._buffered = self._buffered.slice(end)
            if other.any():
                break
        return pl.concat(parts) if parts else self._buffered.clear()

    def is_exhausted(self) -> bool:
        """Whether no row is left."""
        return self._buffered.is_empty() and not self._read_chunk()

    def _read_chunk(self) -> bool:
        for chunk in self._chunks:
            self._buffered = pl.DataFrame(chunk).cast(self._schema)
            if not self._buffered.is_empty():
                return True
        return False


def table_batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    """A batch of rows that are stored; the sums of seeds are not known."""
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
