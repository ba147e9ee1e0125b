"""The SQL library: headers, parameters, and what every view and query must withstand."""

from __future__ import annotations

import polars as pl
import pytest

from clamp_analytics.database import connect, library, named, run_query
from clamp_analytics.database.library import TYPES, parse
from clamp_analytics.errors import QueryError, UsageError
from tests.database.frames import at, record, rows, telemetry

EXPECTED = {
    "busiest_threads",
    "concurrency_over_time",
    "drift_by_day",
    "in_flight_anchors",
    "lock_duration_percentile",
    "lock_durations",
    "longest_locks",
    "overlap",
    "seed_collisions",
    "session_labels",
    "sessions_per_day",
    "stability_by_context",
    "statistics_by_label",
    "violations_by_rule",
}


def test_the_library_has_the_expected_views_and_queries() -> None:
    assert set(library()) == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_file_describes_its_columns_and_parameters(name: str) -> None:
    query = library()[name]

    assert query.sentence.endswith(".")
    assert all(sentence.endswith(".") for sentence in query.columns.values())
    assert all(param.sentence.endswith(".") for param in query.params.values())
    assert all(f"${param}" in query.sql for param in query.params)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_documented_columns_are_those_of_the_result(name: str) -> None:
    frame = run_query(connect(telemetry()), *named(name))

    assert frame.columns == list(library()[name].columns)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_query_of_empty_tables_has_no_rows(name: str) -> None:
    assert rows(telemetry(), name) == []


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_query_accepts_records_with_null_in_every_column(name: str) -> None:
    empty = [{"source": "a.json", "record_index": index} for index in range(3)]

    frame = run_query(connect(telemetry(empty)), *named(name))

    assert frame.columns == list(library()[name].columns)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_query_accepts_durations_of_any_size(name: str) -> None:
    wide = [
        record("a.json", 0, context="c", thread_id="1", acquired_at=at(0), duration_ms=1e308),
        record("a.json", 1, context="c", thread_id="2", acquired_at=at(1), duration_ms=-1e308),
    ]

    frame = run_query(connect(telemetry(wide)), *named(name))

    assert not [column.name for column in frame.select(pl.selectors.float()) if column.is_nan().any()]


@pytest.mark.parametrize("name", sorted(n for n in EXPECTED if library()[n].kind == "view"))
def test_a_view_has_its_description_as_comments(name: str) -> None:
    comments = run_query(
        connect(telemetry()),
        "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = $name ORDER BY column_index",
        {"name": name},
    )

    assert dict(comments.rows()) == library()[name].columns


def test_the_hint_for_an_unknown_query_is_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean seed_collisions"):
        named("seed_colisions")


def test_the_hint_for_an_unknown_parameter_is_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean bucket"):
        named("concurrency_over_time", buckets="1 s")


def test_the_hint_for_a_parameter_of_a_view_is_that_it_has_none() -> None:
    with pytest.raises(UsageError, match="overlap has no parameters"):
        named("overlap", bucket="1 s")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "1.5"),
        ("integer", 1.0),
        ("integer", True),
        ("number", "nan"),
        ("number", "many"),
        ("fraction", "1.01"),
        ("fraction", "-0.5"),
        ("text", 5),
        ("interval", "0 s"),
        ("interval", "1 parsec"),
        ("interval", "1"),
        ("interval", "99999999999999 d"),
        ("interval", "1 s'; DROP TABLE records; --"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(kind: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        TYPES[kind][0](value)


def test_the_hint_for_a_wrong_value_describes_the_parameter() -> None:
    with pytest.raises(UsageError, match=r"'often' is not an integer\n  hint: How many locks to list"):
        named("longest_locks", limit="often")


def test_a_text_parameter_is_never_a_part_of_the_statement() -> None:
    query = parse(
        "q", "-- A.\n-- kind: query\n-- columns:\n--   x: X.\n-- params:\n--   y (text, default z): Y.\nSELECT $y AS x"
    )

    assert run_query(connect(telemetry()), query.sql, {"y": "' OR 1=1 --"}).rows() == [("' OR 1=1 --",)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT 1", "not a sentence"),
        ("-- Title\n-- kind: view\n-- columns:\n--   x: X.\nSELECT 1 AS x", "not a sentence"),
        ("-- Title.\n-- columns:\n--   x: X.\nSELECT 1 AS x", "kind"),
        ("-- Title.\n-- kind: view\nSELECT 1 AS x", "no columns"),
        ("-- Title.\n-- kind: view\n-- columns:\n--   x\nSELECT 1 AS x", "an entry is"),
        ("-- Title.\n-- kind: view\n-- what\n-- columns:\n--   x: X.\nSELECT 1", "belongs to no section"),
        (
            "-- T.\n-- kind: view\n-- columns:\n--   x: X.\n-- params:\n--   y (text, default z): Y.\nSELECT 1",
            "cannot have parameters",
        ),
        (
            "-- T.\n-- kind: query\n-- columns:\n--   x: X.\n-- params:\n--   y (blob, default z): Y.\nSELECT 1",
            "type of a parameter",
        ),
    ],
)
def test_a_wrong_header_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(QueryError, match=complaint):
        parse("q", text)


def test_an_entry_may_continue_on_the_next_line() -> None:
    query = parse("q", "-- T.\n-- kind: view\n-- columns:\n--   x: One\n--     thing.\nSELECT 1 AS x;\n")

    assert (query.columns, query.sql) == ({"x": "One thing."}, "SELECT 1 AS x")
