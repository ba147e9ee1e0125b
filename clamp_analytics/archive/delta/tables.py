"""The Delta tables of an archive: their schemas, their creation, and the views that hide what does not count.

All columns are those of a DuckDB archive. Delta has no unsigned integers, so those of 64 bits are DECIMAL(20,0), and
shorter ones BIGINT. The columns that are added say in which batch a row was written; a batch is one append.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from clamp_analytics import __version__
from clamp_analytics.archive.tables import CONTAINERS, FILES, FORGOTTEN, INGESTS, LEDGER_TABLES, META, LedgerTable
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.archive_connection import FORMAT, VERSION
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    VIOLATION_ORDER,
    DeltaSnapshot,
    connect_in_memory,
    data_views,
    delta_errors,
    delta_storage_options,
    open_snapshot,
    table_location,
)
from clamp_analytics.reading.delta_dataset import PARTITION
from clamp_analytics.schema import SESSIONS, TABLES, VIOLATIONS, Table, arrow_schema, meaning
from clamp_analytics.wording import sql_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH = SESSION_KEY[0]

_ADDED = {
    "batch": "Id of the append that wrote the row; it begins with the time, and sorts by it.",
    "batch_row": "Number of the session in its batch. A row counts if `sessions` has this batch and number.",
    "violation_row": "Number of the violation in its batch.",
    "ingested_on": "Day of the batch, in UTC; the partition.",
}
_DUCKDB_UNSIGNED = {"UBIGINT", "UINTEGER"}


ALL_TABLES = (*TABLES, *(table.name for table in LEDGER_TABLES))
"""The names of all tables of an archive."""

_NOT_CREATED = "the archive cannot be created"


def new_batch() -> str:
    """The id of a new batch: its time in milliseconds, and random digits, in hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def first_batch_at(time: datetime) -> str:
    """An id that sorts before those of all batches from a time on, and after all earlier ones."""
    return f"{int(time.timestamp() * 1000):012x}"


def batch_time(batch: str) -> datetime:
    """When a batch was begun."""
    return datetime.fromtimestamp(int(batch[:12], 16) / 1000, UTC)


def batch_day(batch: str) -> date:
    """The value of the partition column for a batch."""
    return batch_time(batch).date()


def delta_schema(name: str) -> pa.Schema:
    """The Arrow schema of a Delta table; the metadata of each field holds its comment."""
    import pyarrow as pa

    if name in TABLES:
        return _data_schema(TABLES[name])
    table = _ledger_table(name)
    fields = []
    for column in table.columns:
        kind, _, constraint = column.type.partition(" ")
        fields.append(_field(column.name, _ledger_type(kind), column.meaning, nullable=not constraint))
    if table is not META:
        fields.append(_field(BATCH, pa.string(), _ADDED[BATCH], nullable=False))
    return pa.schema(fields)


def _data_schema(table: Table) -> pa.Schema:
    import pyarrow as pa

    signed = {pa.uint64(): pa.decimal128(20, 0), pa.uint32(): pa.int64()}
    fields = [
        _field(column.name, signed.get(field.type, field.type), meaning(column), nullable=column.nullable)
        for column, field in zip(table.columns, arrow_schema(table), strict=True)
    ]
    added = dict(zip(SESSION_KEY, (pa.string(), pa.int64()), strict=True))
    if table is VIOLATIONS:
        added[VIOLATION_ORDER] = pa.int64()
    added[PARTITION] = pa.date32()
    return pa.schema([*fields, *(_field(name, kind, _ADDED[name], nullable=False) for name, kind in added.items())])


def _field(name: str, kind: pa.DataType, comment: str, *, nullable: bool) -> pa.Field:
    import pyarrow as pa

    return pa.field(name, kind, nullable=nullable, metadata={"comment": comment})


def _ledger_type(kind: str) -> pa.DataType:
    """The type of a column of the ledger, which a DuckDB archive has as ``kind``."""
    import pyarrow as pa

    types = {
        "VARCHAR": pa.string(),
        "UBIGINT": pa.decimal128(20, 0),
        "BIGINT": pa.int64(),
        "UINTEGER": pa.int64(),
        "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    }
    return types[kind]


def create_delta_archive(location: str, storage_options: Mapping[str, str] | None = None) -> None:
    """Create the tables that an archive lacks; several processes may do it at once.

    Raises:
        OutputError: the tables cannot be created.
    """
    properties = {
        "format": FORMAT,
        "schema_version": str(VERSION),
        "created_by": f"clamp-analytics {__version__}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    create_other_tables(location, properties, storage_options)
    # The table by which an archive is recognized comes last.
    _create_table(location, SESSIONS.name, storage_options)


def create_other_tables(
    location: str, properties: Mapping[str, str], storage_options: Mapping[str, str] | None = None
) -> None:
    """Create the tables but ``sessions`` that an archive lacks, with the rows of ``meta``.

    Raises:
        OutputError: they cannot be created.
    """
    from deltalake import DeltaTable, write_deltalake
    from deltalake.exceptions import DeltaError

    options = delta_storage_options(location, storage_options)
    meta = table_location(location, META.name)
    rows = pl.DataFrame({"name": list(properties), "value": list(properties.values())})
    with delta_errors(location, _NOT_CREATED, OutputError):
        try:
            write_deltalake(
                meta, as_delta(rows, META.name), mode="error", storage_options=options, **table_properties(META.name)
            )
        except DeltaError:
            # Another process was first.
            if not DeltaTable.is_deltatable(meta, storage_options=options):
                raise
    for name in ALL_TABLES:
        if name not in (META.name, SESSIONS.name):
            _create_table(location, name, storage_options)


def _create_table(location: str, name: str, storage_options: Mapping[str, str] | None) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    options = delta_storage_options(location, storage_options)
    where = table_location(location, name)
    with delta_errors(location, _NOT_CREATED, OutputError):
        try:
            DeltaTable.create(
                where, delta_schema(name), mode="ignore", storage_options=options, **table_properties(name)
            )
        except DeltaError:
            if not DeltaTable.is_deltatable(where, storage_options=options):
                raise


def table_properties(name: str) -> dict[str, Any]:
    """The name, description, partition and configuration of a table."""
    return {
        "name": name,
        "description": TABLES[name].meaning if name in TABLES else _ledger_table(name).meaning,
        "partition_by": [PARTITION] if name in TABLES else None,
        # The statistics of a DECIMAL above 2^63 are wrong in delta-rs, and rows would be skipped.
        "configuration": {"delta.dataSkippingStatsColumns": ",".join(_columns_with_statistics(delta_schema(name)))},
    }


def _ledger_table(name: str) -> LedgerTable:
    return next(table for table in LEDGER_TABLES if table.name == name)


def _columns_with_statistics(schema: pa.Schema) -> list[str]:
    import pyarrow as pa

    return [field.name for field in schema if not pa.types.is_decimal(field.type) and field.name != PARTITION]


def as_delta(rows: pl.DataFrame, name: str) -> pa.Table:
    """Rows with the column types of a Delta table."""
    schema = delta_schema(name)
    table = rows.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(schema)


def _ledger_columns(table: LedgerTable) -> str:
    """The columns of a ledger table for a SELECT, with the types that they have in a DuckDB archive."""
    parts = []
    for column in table.columns:
        kind = column.type.partition(" ")[0]
        name = sql_name(column.name)
        parts.append(f"CAST({name} AS {kind}) AS {name}" if kind in _DUCKDB_UNSIGNED else name)
    return ", ".join(parts)


_VALID_FILES = (
    "SELECT f.* FROM delta_files f LEFT JOIN (SELECT source, session_id FROM delta_sessions) s ON s.source = f.source "
    "AND s.session_id IS NOT DISTINCT FROM f.session_id WHERE s.source IS NOT NULL OR f.status = 'forgotten'"
)
"""The rows of ``files`` whose session exists: an ingest writes them before the session."""


def last_rows(table: LedgerTable) -> str:
    """A query for the rows of a ledger table that count: the last one for each path or number."""
    key, rows = ("number" if table is INGESTS else "path"), f"SELECT * FROM delta_{table.name}"
    if table is FILES:
        rows = _VALID_FILES
    return f"{rows} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY batch DESC) = 1"


def ledger_views() -> dict[str, str]:
    """The SELECT statement of each table of the ledger, with the rows that count, over a registered snapshot."""
    return {
        META.name: "SELECT * FROM delta_meta",
        FORGOTTEN.name: "SELECT session_id, min(forgotten_at) AS forgotten_at FROM delta_forgotten GROUP BY session_id",
        **{
            table.name: f"SELECT {_ledger_columns(table)} FROM ({last_rows(table)})"
            for table in (FILES, CONTAINERS, INGESTS)
        },
    }


def open_delta_archive(
    location: str, storage_options: Mapping[str, str] | None = None, names: Iterable[str] = ALL_TABLES
) -> tuple[duckdb.DuckDBPyConnection, DeltaSnapshot]:
    """Open the newest version of an archive, with a view for each table, as a DuckDB archive has it.

    Args:
        location: the folder or URL.
        storage_options: configuration of the object storage.
        names: the tables to open; ``sessions`` must be among them, and every other one that a view refers to.

    Raises:
        SourceError: it cannot be opened.
        UsageError: the package deltalake is not installed.
    """
    snapshot = open_snapshot(location, names, storage_options)
    connection = connect_in_memory()
    with delta_errors(location, "the archive cannot be read"):
        snapshot.register(connection)
        for name, query in (data_views() | ledger_views()).items():
            if name in snapshot.tables:
                connection.execute(f"CREATE VIEW {name} AS {query}")
    return connection, snapshot
