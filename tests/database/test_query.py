"""Results of queries: exact values, names of columns, parameters, and the state after an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from clamp_analytics.database import run_query
from clamp_analytics.errors import QueryError
from tests.database.builders import SEEDS


@pytest.mark.parametrize("sql", ["", " ", ";", "-- nothing"])
def test_a_query_without_a_statement_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(QueryError, match="there is no statement"):
        run_query(connection, sql)


@pytest.mark.parametrize(("sql", "params"), [("SELECT '\udcff'", None), ("SELECT $a", {"a": "\udcff"})])
def test_text_that_is_not_unicode_is_refused(
    connection: duckdb.DuckDBPyConnection, sql: str, params: dict[str, str] | None
) -> None:
    with pytest.raises(QueryError, match="not valid Unicode"):
        run_query(connection, sql, params)


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("(SELECT sum(seed) FROM records)", sum(SEEDS) + 5, pl.Int128()),
        ("18446744073709551615::UBIGINT", 2**64 - 1, pl.UInt64()),
        ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1, pl.Int128()),
        ("-170141183460469231731687303715884105727::HUGEINT", -(2**127 - 1), pl.Int128()),
        ("340282366920938463463374607431768211455::UHUGEINT", 2**128 - 1, pl.UInt128()),
        ("12345678901234567890::DECIMAL(20, 0)", 12345678901234567890, pl.Int128()),
        ("[2::HUGEINT]", [2], pl.List(pl.Int128())),
        ("{'a': 2::HUGEINT}", {"a": 2}, pl.Struct({"a": pl.Int128()})),
        ("[340282366920938463463374607431768211455::UHUGEINT]", [2**128 - 1], None),
        ("INTERVAL 90 MINUTE", "01:30:00", pl.String()),
        ("MAP {'a': 1}", "{a=1}", pl.String()),
        ("'101'::BIT", "101", pl.String()),
        ("union_value(a := 1)", "1", pl.String()),
        ("'b'::ENUM('a', 'b')", "b", pl.String()),
        ("NULL", None, pl.Null()),
        (
            "'2026-03-01 12:00:00.123456+02'::TIMESTAMPTZ",
            datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC),
            pl.Datetime("us", "UTC"),
        ),
    ],
)
def test_a_value_is_exact(
    connection: duckdb.DuckDBPyConnection, expression: str, value: object, kind: pl.DataType | None
) -> None:
    column = run_query(connection, f"SELECT {expression} AS x")["x"]

    if kind is None:
        assert column.to_list() == [str(value)]
    else:
        assert (column.to_list(), column.dtype) == ([value], kind)


def test_columns_with_the_same_name_are_numbered(connection: duckdb.DuckDBPyConnection) -> None:
    frame = run_query(connection, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a, INTERVAL 1 SECOND AS a")

    assert frame.rows(named=True) == [{"a": 1, "a_2": 2, "a_1": 3, "a_3": 4, "a_4": "00:00:01"}]


def test_the_order_of_a_query_is_kept_where_a_type_becomes_text(connection: duckdb.DuckDBPyConnection) -> None:
    frame = run_query(connection, "SELECT seed, INTERVAL 1 SECOND AS i FROM records ORDER BY seed DESC")

    assert frame["seed"].to_list() == [2**64 - 1, 2**64 - 2, 2**53 + 1, 5]


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT count(*) FROM records WHERE seed = $seed", {"seed": 2**64 - 1}, 1),
        ("SELECT count(*) FROM records WHERE seed IN (?, ?)", [5, 2**53 + 1], 2),
        ("SELECT count(*) FROM records WHERE context = $c", {"c": "' OR 1=1 --"}, 0),
        (
            "SELECT count(*) FROM records WHERE acquired_at < $t",
            {"t": datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=1)},
            2,
        ),
    ],
)
def test_parameters_are_bound(connection: duckdb.DuckDBPyConnection, sql: str, params: Any, expected: int) -> None:
    assert run_query(connection, sql, params).item() == expected


def test_a_query_runs_while_another_result_is_open(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SELECT * FROM records")

    assert run_query(connection, "SELECT 1").item() == 1


def test_a_connection_is_usable_after_an_error(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError):
        run_query(connection, "SELECT nothing FROM records")

    assert run_query(connection, "SELECT count(*) FROM records").item() == 4
