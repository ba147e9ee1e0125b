"""What a query can reach: the telemetry and nothing else, unless external access is allowed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from clamp_analytics.database import connect, run_query
from clamp_analytics.errors import QueryError
from clamp_analytics.reading import load
from tests.database.attacks import FILE_ATTACKS, STATEMENT_ATTACKS
from tests.database.builders import export


@pytest.mark.parametrize("sql", FILE_ATTACKS + STATEMENT_ATTACKS)
def test_a_query_reaches_nothing_but_the_telemetry(
    connection: duckdb.DuckDBPyConnection, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "x.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(here)

    with pytest.raises(QueryError):
        run_query(connection, sql)

    assert [path.name for path in here.iterdir()] == ["x.csv"]
    assert run_query(connection, "SELECT count(*), count(seed) FROM records").rows() == [(4, 4)]


@pytest.mark.parametrize("sql", FILE_ATTACKS)
def test_a_connection_to_an_export_is_locked_too(folder: Path, tmp_path: Path, sql: str) -> None:
    connection = connect(export(load(folder), tmp_path / "export"))

    with pytest.raises(QueryError):
        run_query(connection, sql)


def test_the_files_of_an_export_cannot_be_reached_by_their_paths(folder: Path, tmp_path: Path) -> None:
    exported = export(load(folder), tmp_path / "export")
    connection = connect(exported)

    with pytest.raises(QueryError, match="allow_external"):
        run_query(connection, f"SELECT * FROM '{exported}/sessions.parquet'")


def test_the_connection_itself_is_locked(connection: duckdb.DuckDBPyConnection) -> None:
    for sql in ("SET lock_configuration = false", "SET enable_external_access = true", "LOAD httpfs"):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_a_python_variable_is_not_a_table(connection: duckdb.DuckDBPyConnection) -> None:
    secret_frame = pl.DataFrame({"password": ["x"]})

    with pytest.raises(QueryError, match="secret_frame does not exist"):
        run_query(connection, "SELECT * FROM secret_frame")

    assert secret_frame.height == 1


def test_a_refused_statement_says_what_is_allowed(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError) as caught:
        run_query(connection, "COPY records TO 'x.csv'")

    assert caught.value.what == "a statement of the kind COPY is refused"
    assert "SELECT, EXPLAIN" in caught.value.hint
    assert "allow_external=True" in caught.value.hint


def test_external_access_can_be_allowed(folder: Path, tmp_path: Path) -> None:
    connection = connect(folder, allow_external=True)
    target = tmp_path / "out.csv"

    run_query(connection, f"COPY (SELECT seed FROM records WHERE seed = 5) TO '{target}'")

    assert run_query(connection, f"SELECT * FROM read_csv('{target}')").rows() == [(5,)]
    assert run_query(connection, "CREATE TABLE x AS SELECT 7 AS y; SELECT y FROM x").rows() == [(7,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  -- why\n SELECT 1;",
        "FROM records",
        "TABLE records",
        "VALUES (1)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "DESCRIBE records",
        "SHOW TABLES",
        "SUMMARIZE records",
        "EXPLAIN SELECT * FROM records",
        "EXPLAIN ANALYZE SELECT * FROM records",
        "EXPLAIN (SELECT 1)",
        "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
        "/* why */ explain select 1",
        "PIVOT records ON thread_id IN ('7') USING count(*) GROUP BY context",
    ],
)
def test_a_statement_that_only_reads_is_run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert run_query(connection, sql).height > 0


def test_a_pivot_without_columns_is_refused_with_a_hint(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(QueryError, match="name the columns: PIVOT"):
        run_query(connection, "PIVOT records ON thread_id USING count(*)")
