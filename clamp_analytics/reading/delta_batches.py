"""Read a Delta archive as batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.reading.archive_batches import (
    TablesDisagreeError,
    session_groups,
    table_batch,
    tables_disagree,
)
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    VIOLATION_ORDER,
    DeltaSnapshot,
    connect_in_memory,
    delta_errors,
    open_snapshot,
    select_columns,
)
from clamp_analytics.reading.delta_dataset import PARTITION
from clamp_analytics.reading.interrupts import raise_keyboard_interrupt
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.schema import RECORDS, SESSIONS, TABLES, VIOLATIONS, Table, empty_frame, polars_schema

if TYPE_CHECKING:
    import duckdb


def read_delta_archive(
    location: str,
    columns: Collection[str],
    options: ReadingOptions = DEFAULT_OPTIONS,
    storage_options: Mapping[str, str] | None = None,
) -> Iterator[Batch]:
    """Read the batches of a Delta archive: sessions with all of their records and violations.

    The order is that of the batches in which the sessions were written. Writers are not disturbed, and what they
    write meanwhile is not read. A session with more records than a batch holds continues in the next batches.

    Args:
        location: the folder or URL of the archive.
        columns: the columns of ``records`` to read.
        options: the size of a batch.
        storage_options: configuration of the object storage.

    Raises:
        SourceError: the archive cannot be read, or its tables disagree.
        UsageError: the package deltalake is not installed.
    """
    snapshot = open_snapshot(location, TABLES, storage_options)
    wanted = [name for name in RECORDS.names if name in columns]
    connection = connect_in_memory()
    try:
        with delta_errors(location, "the archive cannot be read"), raise_keyboard_interrupt():
            # Rows are read while more sessions follow, and a connection has one result at a time.
            sessions = connection.cursor()
            snapshot.register(sessions)
            yield from _batches(sessions, _Rows(snapshot, connection), wanted, options.archive_batch_rows)
    except TablesDisagreeError as error:
        raise tables_disagree(location) from error
    finally:
        connection.close()


def _batches(sessions: duckdb.DuckDBPyConnection, stored: _Rows, wanted: list[str], batch_rows: int) -> Iterator[Batch]:
    schema = pl.Schema(polars_schema(SESSIONS))
    schema.update({SESSION_KEY[0]: pl.String(), SESSION_KEY[1]: pl.Int64(), PARTITION: pl.Date()})
    key = ", ".join(SESSION_KEY)
    query = f"SELECT {select_columns(SESSIONS)}, {key}, {PARTITION} FROM delta_sessions ORDER BY {key}"
    no_sessions, no_violations = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    for chunk in sessions.sql(query).to_arrow_reader(batch_rows):
        for group in session_groups(pl.DataFrame(chunk).cast(schema), batch_rows):
            rows = int(group["record_count"].sum())
            first, faults = group.select(SESSIONS.names), _violations(stored, group)
            for records in _records(stored, group, wanted, batch_rows):
                rows -= records.height
                yield table_batch(first, records.select(wanted), faults)
                first, faults = no_sessions, no_violations
            if rows:
                raise TablesDisagreeError


def _records(stored: _Rows, group: pl.DataFrame, wanted: list[str], batch_rows: int) -> Iterator[pl.DataFrame]:
    """The records of some sessions, in order, in at least one frame of at most ``batch_rows`` rows."""
    names = wanted or ["record_index"]
    schema = polars_schema(RECORDS)
    frame = pl.DataFrame(schema={name: schema[name] for name in names})
    if not group["record_count"].sum():
        yield frame
        return
    order = ", ".join((*SESSION_KEY, "record_index"))
    for chunk in stored.of(group, RECORDS, names, order).to_arrow_reader(batch_rows):
        yield pl.DataFrame(chunk).cast(frame.schema)


def _violations(stored: _Rows, group: pl.DataFrame) -> pl.DataFrame:
    order = ", ".join((SESSION_KEY[0], VIOLATION_ORDER))
    found: pl.DataFrame = stored.of(group, VIOLATIONS, VIOLATIONS.names, order).pl()
    return found.cast(pl.Schema(polars_schema(VIOLATIONS)))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The records and violations of a snapshot.

    Attributes:
        snapshot: the tables.
        connection: the connection that reads them.
    """

    snapshot: DeltaSnapshot
    connection: duckdb.DuckDBPyConnection

    def of(self, group: pl.DataFrame, table: Table, names: list[str], order: str) -> duckdb.DuckDBPyRelation:
        """The rows of some consecutive sessions; files and row groups that hold none of them are not read."""
        batch, row = SESSION_KEY
        first, last = str(group[batch][0]), str(group[batch][-1])
        self.connection.register("chosen", group.select(SESSION_KEY))
        self.connection.register("stored", self.snapshot.dataset(table.name, (first, last)))
        # Days never decrease from batch to batch.
        bounds = [f"{PARTITION} BETWEEN '{group[PARTITION][0]}' AND '{group[PARTITION][-1]}'"]
        if first == last:
            bounds.append(f"{row} BETWEEN {group[row][0]} AND {group[row][-1]}")
        return self.connection.sql(
            f"SELECT {select_columns(table, names)} FROM stored "
            f"SEMI JOIN chosen USING ({', '.join(SESSION_KEY)}) WHERE {' AND '.join(bounds)} ORDER BY {order}"
        )
