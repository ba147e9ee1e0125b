"""The three tables and the session file, declared once.

Frames, Arrow schemas, DDL, the JSON Schema of a session file and the tables of the README all derive from
``SESSIONS``, ``RECORDS`` and ``VIOLATIONS``. The module imports no engine until a function asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from clamp_analytics.wording import sql_string

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

SEED_MAX = 2**64 - 1
"""The largest seed (specification, record schema: 64-bit)."""


class ColumnType(StrEnum):
    """What a column holds; each engine's own type derives from it."""

    STRING = "string"
    UINT64 = "uint64"
    UINT32 = "uint32"
    FLOAT64 = "float64"
    TIMESTAMP = "timestamp"
    """Microseconds since the epoch, UTC."""


class Status(StrEnum):
    """The outcome of reading a file."""

    LOADED = "loaded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class JsonField:
    """The JSON field that a column is read from.

    Attributes:
        keys: the JSON names, the preferred one first.
        type: the JSON type of the value.
        required: whether the specification demands the field.
        nullable: whether JSON null is a valid value.
        minimum: the smallest valid number.
        maximum: the largest valid number.
        deprecated: whether the specification keeps the field for old files only.
        format: the JSON Schema format of a string.
    """

    keys: tuple[str, ...]
    type: str
    required: bool = True
    nullable: bool = False
    minimum: int | None = None
    maximum: int | None = None
    deprecated: bool = False
    format: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, its type, and one sentence on its meaning."""

    name: str
    type: ColumnType
    meaning: str
    nullable: bool = True
    unit: str = ""
    json: JsonField | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, one sentence on what a row is, and its columns in order."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]


_STRING, _FLOAT64, _TIMESTAMP = ColumnType.STRING, ColumnType.FLOAT64, ColumnType.TIMESTAMP
_UINT32, _UINT64 = ColumnType.UINT32, ColumnType.UINT64

_SESSION_ID = Column("session_id", _STRING, "SHA-256 of the file's bytes in hexadecimal; null if it was not requested.")
_SOURCE = Column("source", _STRING, "Path of the session file as it was found.", nullable=False)
_BACKEND = JsonField(("backend",), "string", required=False, nullable=True, deprecated=True)
_DEVICE = JsonField(("deviceName", "device_name"), "string", required=False, nullable=True, deprecated=True)
_SCORE = JsonField(("stability_score",), "number", minimum=0, maximum=1)

SESSIONS = Table(
    "sessions",
    "One row per session file that was read, whether it could be used or not.",
    (
        _SESSION_ID,
        _SOURCE,
        Column("size_bytes", _UINT64, "Size of the file.", unit="bytes"),
        Column("status", _STRING, "`loaded`, or `rejected` if the file is not a session.", nullable=False),
        Column(
            "declared_stability_score",
            _FLOAT64,
            "Mean stability that the file itself declares at its top level.",
            unit="0 to 1",
            json=_SCORE,
        ),
        Column("mean_stability", _FLOAT64, "Mean of the session's usable scores.", unit="0 to 1"),
        Column("record_count", _UINT32, "Records that were loaded from the file.", nullable=False),
        Column("scored_count", _UINT32, "Records with a usable score.", nullable=False),
        Column("in_flight_count", _UINT32, "Anchors without a usable release.", nullable=False),
        Column("first_acquired_at", _TIMESTAMP, "Earliest usable acquisition.", unit="UTC"),
        Column("last_acquired_at", _TIMESTAMP, "Latest usable acquisition.", unit="UTC"),
        Column("backend", _STRING, "Legacy backend at the top level.", json=_BACKEND),
        Column("device_name", _STRING, "Legacy device name at the top level.", json=_DEVICE),
        Column("extra", _STRING, "Unknown fields of the top level as a JSON object; null if there are none."),
        Column("labels", _STRING, "Labels such as commit or build, as a JSON object of texts; null if there are none."),
    ),
)

RECORDS = Table(
    "records",
    "One row per anchor event.",
    (
        _SESSION_ID,
        _SOURCE,
        Column("record_index", _UINT32, "Index in the file's `records` array, from 0.", nullable=False),
        Column(
            "context",
            _STRING,
            "Logical name of the anchor.",
            json=JsonField(("context",), "string"),
        ),
        Column(
            "seed",
            _UINT64,
            "Entropy seed captured at lock acquisition, exact to 64 bits.",
            json=JsonField(("seed",), "integer", minimum=0, maximum=SEED_MAX),
        ),
        Column(
            "thread_id",
            _STRING,
            "Host thread that acquired the anchor.",
            json=JsonField(("thread_id",), "string"),
        ),
        Column(
            "acquired_at",
            _TIMESTAMP,
            "Lock acquisition.",
            unit="UTC",
            json=JsonField(("acquired_at",), "string", format="date-time"),
        ),
        Column(
            "released_at",
            _TIMESTAMP,
            "Release; null for an anchor that is still in flight.",
            unit="UTC",
            json=JsonField(("released_at",), "string", nullable=True, format="date-time"),
        ),
        Column(
            "duration_ms",
            _FLOAT64,
            "Measured lock duration.",
            unit="milliseconds",
            json=JsonField(("duration_ms",), "number"),
        ),
        Column(
            "stability_score",
            _FLOAT64,
            "Stability of the anchor cycle.",
            unit="0 to 1",
            json=_SCORE,
        ),
        Column("backend", _STRING, "Legacy backend of the record.", json=_BACKEND),
        Column("device_name", _STRING, "Legacy device name of the record.", json=_DEVICE),
        Column("extra", _STRING, "Unknown fields of the record as a JSON object; null if there are none."),
    ),
)

VIOLATIONS = Table(
    "violations",
    "One row per fault of a record, or per fault that the records of a file share.",
    (
        _SOURCE,
        Column("record_index", _UINT32, "Index of the record at fault; null for a fault of the whole file."),
        Column("rule", _STRING, "Id of the rule that was broken.", nullable=False),
        Column("severity", _STRING, "`error`, `warning` or `info`.", nullable=False),
        Column("field", _STRING, "The JSON field at fault; null if there is no single one."),
        Column("value", _STRING, "The original text in the file, cut to 200 characters."),
        Column("count", _UINT32, "Number of occurrences that the row represents.", nullable=False),
        Column("message", _STRING, "One sentence on the fault.", nullable=False),
        Column("byte_offset", _UINT64, "Offset of the fault in the file; null if unknown.", unit="bytes"),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in (SESSIONS, RECORDS, VIOLATIONS)}

_POLARS = {_STRING: "String", _UINT64: "UInt64", _UINT32: "UInt32", _FLOAT64: "Float64"}
_ARROW = {_STRING: "string", _UINT64: "uint64", _UINT32: "uint32", _FLOAT64: "float64"}
_DDL = {
    _STRING: "VARCHAR",
    _UINT64: "UBIGINT",
    _UINT32: "UINTEGER",
    _FLOAT64: "DOUBLE",
    _TIMESTAMP: "TIMESTAMPTZ",
}


def polars_type(column: Column) -> pl.DataType:
    """The Polars type of a column."""
    import polars as pl

    if column.type is _TIMESTAMP:
        return pl.Datetime("us", "UTC")
    kind: type[pl.DataType] = getattr(pl, _POLARS[column.type])
    return kind()


def duckdb_type(column: Column) -> str:
    """The DuckDB type of a column."""
    return _DDL[column.type]


def polars_schema(table: Table) -> dict[str, pl.DataType]:
    """The Polars schema of a table."""
    return {column.name: polars_type(column) for column in table.columns}


def empty_frame(table: Table) -> pl.DataFrame:
    """A frame of the table's columns without a row."""
    import polars as pl

    return pl.DataFrame(schema=polars_schema(table))


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow schema of a table; every field's metadata holds its meaning and unit."""
    import pyarrow as pa

    def field(column: Column) -> pa.Field:
        kind = pa.timestamp("us", "UTC") if column.type is _TIMESTAMP else getattr(pa, _ARROW[column.type])()
        notes = {"meaning": column.meaning, **({"unit": column.unit} if column.unit else {})}
        return pa.field(column.name, kind, nullable=column.nullable, metadata=notes)

    return pa.schema([field(column) for column in table.columns], metadata={"meaning": table.meaning})


def ddl() -> str:
    """DuckDB statements that create the three tables, with their meaning as comments."""
    statements = []
    for table in TABLES.values():
        lines = [
            f'  "{column.name}" {_DDL[column.type]}{"" if column.nullable else " NOT NULL"}' for column in table.columns
        ]
        statements.append(f"CREATE TABLE {table.name} (\n" + ",\n".join(lines) + "\n);")
        statements.append(f"COMMENT ON TABLE {table.name} IS {sql_string(table.meaning)};")
        statements += [
            f'COMMENT ON COLUMN {table.name}."{column.name}" IS {sql_string(meaning(column))};'
            for column in table.columns
        ]
    return "\n".join(statements) + "\n"


def meaning(column: Column) -> str:
    """A column's sentence with its unit."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def markdown() -> str:
    """The three tables as Markdown, one section each."""
    parts = []
    for table in TABLES.values():
        parts.append(f"### {table.name}\n\n{table.meaning}\n\n| column | type | null | meaning |\n|---|---|---|---|")
        for column in table.columns:
            null = "yes" if column.nullable else "no"
            parts.append(f"| `{column.name}` | {_DDL[column.type]} | {null} | {meaning(column)} |")
        parts.append("")
    return "\n".join(parts)


def _json_property(field: JsonField, text: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"description": text}
    rule["type"] = [field.type, "null"] if field.nullable else field.type
    if field.minimum is not None:
        rule["minimum"] = field.minimum
    if field.maximum is not None:
        rule["maximum"] = field.maximum
    if field.format:
        rule["format"] = field.format
    if field.deprecated:
        rule["deprecated"] = True
    return rule


def _json_object(table: Table) -> dict[str, Any]:
    fields = [(column.json, column.meaning) for column in table.columns if column.json]
    return {
        "type": "object",
        "properties": {key: _json_property(field, text) for field, text in fields for key in field.keys},
        "required": [field.keys[0] for field, _ in fields if field.required],
        "additionalProperties": True,
    }


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a session file, as the specification (v0.5) defines it."""
    session = _json_object(SESSIONS)
    session["properties"]["records"] = {
        "description": RECORDS.meaning,
        "type": "array",
        "items": _json_object(RECORDS),
    }
    session["required"].append("records")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Clamp telemetry session",
        "description": "Clamp Telemetry Specification v0.5",
        **session,
    }
