"""The schema, and the DDL, JSON Schema and Markdown that derive from it."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import jsonschema
import pytest

from clamp_analytics import schema
from tests.conftest import INTEROP, Raw, decode, producer_session, record, session

REAL = sorted(path for path in INTEROP.glob("*.json") if path.name != "expected.json")
VALIDATOR = jsonschema.Draft202012Validator(
    schema.json_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def faults(data: bytes) -> list[Any]:
    return [error.validator for error in VALIDATOR.iter_errors(json.loads(data))]


def test_the_json_schema_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.json_schema())


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_file_of_the_producer_matches_the_json_schema(path: Any) -> None:
    assert faults(path.read_bytes()) == []


@pytest.mark.parametrize("data", [session(record()), producer_session({}), session(), session(record(node=1), host=2)])
def test_a_valid_file_matches_the_json_schema(data: bytes) -> None:
    assert faults(data) == []


@pytest.mark.parametrize(
    ("data", "broken"),
    [
        (b"[]", "type"),
        (b"{}", "required"),
        (b'{"stability_score":1,"records":{}}', "type"),
        (session(Raw("1")), "type"),
        (session(record(seed=-1)), "minimum"),
        (session(record(seed=2**64)), "maximum"),
        (session(record(seed="7")), "type"),
        (session(record(stability_score=2)), "maximum"),
        (session(record(), stability_score=-1), "minimum"),
        (session(record(context=None)), "type"),
        (session(record(acquired_at=None)), "type"),
        (session(record(without=("thread_id",))), "required"),
    ],
)
def test_a_file_with_a_fault_does_not_match_the_json_schema(data: bytes, broken: str) -> None:
    assert broken in faults(data)


def test_the_json_schema_has_the_fields_of_the_specification() -> None:
    items = schema.json_schema()["properties"]["records"]["items"]

    assert items["required"] == [
        "context",
        "seed",
        "thread_id",
        "acquired_at",
        "released_at",
        "duration_ms",
        "stability_score",
    ]
    deprecated = {key for key, rule in items["properties"].items() if rule.get("deprecated")}
    assert deprecated == {"backend", "deviceName", "device_name"}
    assert items["properties"]["seed"]["maximum"] == 2**64 - 1
    assert items["properties"]["released_at"]["type"] == ["string", "null"]


def test_the_ddl_creates_the_three_tables_with_their_comments() -> None:
    with duckdb.connect() as connection:
        connection.execute(schema.ddl())
        for table in schema.TABLES.values():
            made = connection.execute(
                "SELECT column_name, is_nullable, comment FROM duckdb_columns() WHERE table_name = ? "
                "ORDER BY column_index",
                [table.name],
            ).fetchall()
            expected = [(column.name, column.nullable, schema.meaning(column)) for column in table.columns]
            assert made == expected


def test_frames_can_be_inserted_into_the_tables_of_the_ddl_with_exact_seeds() -> None:
    batch = decode(session(record(seed=2**64 - 1, acquired_at="1969-12-31T23:59:59.999999Z"), record(seed=-1)))
    frames = {"sessions": batch.sessions, "records": batch.records, "violations": batch.violations}

    with duckdb.connect() as connection:
        connection.execute(schema.ddl())
        for name, frame in frames.items():
            connection.register("given", frame.to_arrow())
            connection.execute(f"INSERT INTO {name} SELECT * FROM given")
        row = connection.execute("SELECT seed::VARCHAR, epoch_us(acquired_at) FROM records").fetchone()

    assert row == ("18446744073709551615", -1)


@pytest.mark.parametrize("table", schema.TABLES.values(), ids=lambda table: table.name)
def test_every_column_has_one_type_in_polars_and_arrow(table: schema.Table) -> None:
    empty = schema.empty_frame(table)

    assert empty.columns == table.names == schema.arrow_schema(table).names
    # Arrow's own names for the types of Polars, whose strings are large ones.
    arrow = [
        str(field.type).replace("large_", "").replace("string_view", "string") for field in empty.to_arrow().schema
    ]
    assert arrow == [str(field.type) for field in schema.arrow_schema(table)]


def test_every_batch_has_the_columns_and_types_of_the_schema() -> None:
    batch = decode(session(record(), record(seed=-1, node=1)), b"")

    for frame, table in ((batch.sessions, schema.SESSIONS), (batch.records, schema.RECORDS)):
        assert dict(frame.schema) == schema.polars_schema(table)
    assert dict(batch.violations.schema) == schema.polars_schema(schema.VIOLATIONS)


def test_a_column_that_is_not_nullable_has_no_null() -> None:
    batch = decode(session(record(), record(seed=-1), Raw("1")), b"", b"[]", session())
    frames = {"sessions": batch.sessions, "records": batch.records, "violations": batch.violations}

    nulls = {
        (table.name, column.name)
        for table in schema.TABLES.values()
        for column in table.columns
        if not column.nullable and frames[table.name][column.name].null_count()
    }
    assert nulls == set()


def test_markdown_has_one_line_per_column() -> None:
    text = schema.markdown()

    missing = [
        column.name
        for table in schema.TABLES.values()
        for column in table.columns
        if f"| `{column.name}` |" not in text
    ]
    assert missing == []
