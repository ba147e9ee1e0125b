"""Write a copy of an archive as Delta tables; it becomes an archive with its last commit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.delta.commits import append, writer_properties
from clamp_analytics.archive.delta.tables import (
    as_delta,
    batch_day,
    create_other_tables,
    delta_schema,
    new_batch,
    table_properties,
)
from clamp_analytics.batch import Batch
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    VIOLATION_ORDER,
    delta_errors,
    delta_storage_options,
    delta_table_exists,
    table_location,
)
from clamp_analytics.reading.delta_dataset import PARTITION
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS
from clamp_analytics.sources.object_storage import is_url

if TYPE_CHECKING:
    import duckdb

BATCH, BATCH_ROW = SESSION_KEY
_BATCH_RECORDS = 500_000
"""Records after which a batch of the copy ends."""


def write_delta_copy(
    location: str, batches: Iterable[Batch], source: duckdb.DuckDBPyConnection, ledger: Sequence[str]
) -> None:
    """Write the rows of an archive as Delta tables.

    Args:
        location: the folder or URL, where there must be nothing.
        batches: the sessions with their records and violations.
        source: a connection with the ledger.
        ledger: the names of its tables.

    Raises:
        OutputError: there is something, or it cannot be written.
    """
    if delta_table_exists(location, SESSIONS.name) or (not is_url(location) and _has_entries(Path(location))):
        raise OutputError.exists(location, "name a folder that is empty or does not exist")
    # A DuckDB file records the numbers of its rows there, too.
    properties = source.execute("SELECT name, value FROM meta WHERE name NOT LIKE '%\\_rows' ESCAPE '\\'").fetchall()
    create_other_tables(location, dict(properties))
    sessions = [_append_rows(location, group) for group in _groups(batches)]
    for name in ledger:
        rows = source.sql(f"SELECT * FROM {name}").pl()
        if not rows.is_empty():
            append(location, name, [rows.with_columns(batch=pl.lit(new_batch()))])
    _create_sessions(location, sessions)


def _has_entries(folder: Path) -> bool:
    return os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir()))


def _groups(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Consecutive batches that hold whole sessions, with the records of one batch of the copy."""
    group: list[Batch] = []
    rows = 0
    for batch in batches:
        if rows >= _BATCH_RECORDS and not batch.sessions.is_empty():
            yield group
            group, rows = [], 0
        group.append(batch)
        rows += batch.records.height
    if group:
        yield group


def _append_rows(location: str, group: list[Batch]) -> pl.DataFrame:
    """Append the records and violations of sessions; returns the sessions with their keys."""
    batch = new_batch()
    sessions = pl.concat([each.sessions for each in group]).with_columns(
        pl.lit(batch).alias(BATCH),
        pl.int_range(pl.len(), dtype=pl.Int64).alias(BATCH_ROW),
        pl.lit(batch_day(batch)).alias(PARTITION),
    )
    # Names of sessions are unique in an archive.
    keys = sessions.select("source", *SESSION_KEY, PARTITION)
    violations = _keyed(pl.concat([each.violations for each in group]), keys)
    if not violations.is_empty():
        numbers = pl.int_range(pl.len(), dtype=pl.Int64).alias(VIOLATION_ORDER)
        append(location, VIOLATIONS.name, [violations.with_columns(numbers)])
    if any(not each.records.is_empty() for each in group):
        append(location, RECORDS.name, (_keyed(each.records, keys) for each in group))
    return sessions


def _keyed(rows: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    return rows.join(keys, on="source", how="inner", maintain_order="left")


def _create_sessions(location: str, sessions: Sequence[pl.DataFrame]) -> None:
    """Create the table of sessions with all of its rows, in one commit."""
    import pyarrow as pa
    from deltalake import write_deltalake

    rows = [as_delta(frame, SESSIONS.name) for frame in sessions]
    with delta_errors(location, "the copy cannot be written", OutputError):
        write_deltalake(
            table_location(location, SESSIONS.name),
            pa.concat_tables(rows) if rows else delta_schema(SESSIONS.name).empty_table(),
            mode="error",
            storage_options=delta_storage_options(location),
            writer_properties=writer_properties(),
            **table_properties(SESSIONS.name),
        )
