"""Errors of queries: the sentence, the line with a mark, and the hint."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from clamp_analytics.database import run_query
from clamp_analytics.errors import QueryError


@pytest.mark.parametrize(
    ("sql", "params", "error"),
    [
        (
            "SELECT sed FROM records",
            None,
            'line 1: Referenced column "sed" not found in FROM clause!\n'
            "  SELECT sed FROM records\n"
            "         ^^^\n"
            "  hint: did you mean seed?",
        ),
        (
            "SELECT context,\n       r.contxt\nFROM records r",
            None,
            'line 2: Table "r" does not have a column named "contxt"\n'
            "         r.contxt\n"
            "         ^^^^^^^^\n"
            "  hint: did you mean context?",
        ),
        (
            "SELECT * FROM violatoins",
            None,
            "line 1: Table with name violatoins does not exist!\n"
            "  SELECT * FROM violatoins\n"
            "                ^^^^^^^^^^\n"
            "  hint: did you mean violations or violations_by_rule?",
        ),
        (
            "SELECT 1 +\nFROM records",
            None,
            'line 2: syntax error at or near "FROM"\n  FROM records\n  ^^^^',
        ),
        (
            "SELECT context::INTEGER FROM records",
            None,
            "line 1: Could not convert string 'lock-0' to INT32 when casting from source column context\n"
            "  SELECT context::INTEGER FROM records\n"
            "                ^^^^^^^^^",
        ),
        (
            "SELECT $seed",
            None,
            "Values were not provided for the following parameters: seed\n  hint: give a value for $seed",
        ),
        (
            "SELECT $a",
            {"a": 1, "seed": 1},
            "Parameter argument/count mismatch, identifiers of the excess parameters: seed\n"
            "  hint: the query has no $seed",
        ),
    ],
)
def test_an_error_shows_its_line_and_a_hint(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Any, error: str
) -> None:
    with pytest.raises(QueryError) as caught:
        run_query(connection, sql, params)

    assert str(caught.value) == error


def test_the_hint_for_an_unknown_table_lists_all_tables(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="there are busiest_threads, drift_by_day"):
        run_query(connection, "SELECT * FROM zzz")


def test_the_hint_for_an_unknown_column_says_how_to_list_columns(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="DESCRIBE records"):
        run_query(connection, "SELECT zzz FROM records")
