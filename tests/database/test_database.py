"""The connection and the runner: types, the lock, results, errors."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet
import pytest

from clamp_analytics.database import connect, library, named, open_database, run_query
from clamp_analytics.errors import QueryError, SourceError, UsageError
from clamp_analytics.reading import Telemetry, load
from clamp_analytics.schema import TABLES, arrow_schema, ddl, meaning

SEEDS = (2**64 - 1, 2**64 - 2, 2**53 + 1)


def session(seeds: tuple[int, ...] = SEEDS) -> str:
    records = [
        {
            "context": f"lock-{index}",
            "seed": seed,
            "thread_id": "7",
            "acquired_at": f"2026-03-01T12:00:0{index}Z",
            "released_at": f"2026-03-01T12:00:0{index}.500Z",
            "duration_ms": 500.0,
            "stability_score": 1,
        }
        for index, seed in enumerate(seeds)
    ]
    return json.dumps({"stability_score": 1.0, "records": records})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sessions = tmp_path_factory.mktemp("sessions")
    (sessions / "a.json").write_text(session())
    (sessions / "b.json").write_text(session((5,)))
    (sessions / "broken.json").write_text("{")
    (sessions / "notes.txt").write_text("not a session")
    return sessions


@pytest.fixture(scope="module")
def connection(folder: Path) -> duckdb.DuckDBPyConnection:
    return connect(folder)


def export(tables: Telemetry, to: Path) -> Path:
    """An export in the layout that ``load.parquet`` defines, its records in two files."""
    files = []
    (to / "records").mkdir(parents=True)
    records = tables.records
    parts = {
        "sessions.parquet": ("sessions", tables.sessions),
        "violations.parquet": ("violations", tables.violations),
        "records/0.parquet": ("records", records.head(1)),
        "records/1.parquet": ("records", records.tail(-1)),
    }
    for name, (table, frame) in parts.items():
        pyarrow.parquet.write_table(frame.to_arrow().cast(arrow_schema(TABLES[table])), to / name)
        data = (to / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        files.append({"table": table, "path": name, "rows": frame.height, "size_bytes": len(data), "sha256": digest})
    manifest = {
        "format": "clamp-analytics-export",
        "version": 1,
        "package_version": "0",
        "source_directory": "/somewhere",
        "skipped": {"hidden": 2},
        "partition_by": [],
        "build_info": None,
        "files": files,
    }
    (to / "clamp_export.json").write_text(json.dumps(manifest))
    return to


def declared(table: str) -> list[tuple[str, str]]:
    engine = duckdb.connect()
    engine.execute(ddl())
    return [tuple(row[:2]) for row in engine.execute(f"DESCRIBE {table}").fetchall()]


def described(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    return run_query(connection, f"DESCRIBE {table}").select("column_name", "column_type").rows()


@pytest.mark.parametrize("table", list(TABLES))
def test_session_files_become_tables_of_the_declared_types(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    assert described(connection, table) == declared(table)


@pytest.mark.parametrize("table", list(TABLES))
def test_an_export_becomes_tables_of_the_declared_types(folder: Path, tmp_path: Path, table: str) -> None:
    connection = connect(export(load(folder), tmp_path / "export"))

    assert described(connection, table) == declared(table)


@pytest.mark.parametrize("kind", ["files", "export"])
def test_every_column_has_its_sentence_as_a_comment(folder: Path, tmp_path: Path, kind: str) -> None:
    connection = connect(folder if kind == "files" else export(load(folder), tmp_path / "export"))

    comments = run_query(connection, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")

    expected = {(t.name, c.name, meaning(c)) for t in TABLES.values() for c in t.columns}
    assert expected <= set(comments.rows())


def test_a_broken_file_has_its_row_and_harms_no_other(connection: duckdb.DuckDBPyConnection) -> None:
    counts = run_query(connection, "SELECT status, count(*) FROM sessions GROUP BY status ORDER BY status")

    assert counts.rows() == [("loaded", 2), ("rejected", 1)]


def test_an_open_database_tells_what_was_counted(folder: Path) -> None:
    database = open_database(folder)

    assert str(database.counts) == "4 seen = 2 loaded + 1 rejected + 1 skipped"
    assert database.directory == str(folder)


def test_an_export_tells_what_its_sources_counted(folder: Path, tmp_path: Path) -> None:
    database = open_database(export(load(folder), tmp_path / "export"))

    assert str(database.counts) == "5 seen = 2 loaded + 1 rejected + 2 skipped"
    assert database.directory == "/somewhere"


@pytest.mark.parametrize("name", sorted(library()))
def test_an_export_answers_like_the_files_it_was_made_from(folder: Path, tmp_path: Path, name: str) -> None:
    files = connect(folder)
    exported = connect(export(load(folder), tmp_path / "export"))

    assert run_query(exported, *named(name)).equals(run_query(files, *named(name)))


def test_several_exports_and_files_are_one_set_of_tables(folder: Path, tmp_path: Path) -> None:
    whole = export(load(folder / "a.json"), tmp_path / "first")
    other = export(load(folder / "b.json"), tmp_path / "second")

    two = run_query(connect([whole, other]), "SELECT count(*), sum(seed) FROM records")
    mixed = run_query(connect([whole, folder / "b.json"]), "SELECT count(*), sum(seed) FROM records")

    assert two.rows() == mixed.rows() == [(4, sum(SEEDS) + 5)]


def test_an_export_without_records_has_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"stability_score": 0.0, "records": []}')
    folder = export(load(tmp_path / "empty.json"), tmp_path / "export")
    manifest = json.loads((folder / "clamp_export.json").read_text())
    manifest["files"] = [file for file in manifest["files"] if file["table"] != "records"]
    (folder / "clamp_export.json").write_text(json.dumps(manifest))

    assert run_query(connect(folder), "SELECT * FROM records").height == 0


@pytest.mark.parametrize("kind", ["files", "export"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_is_found_by_its_exact_value(folder: Path, tmp_path: Path, kind: str, seed: int) -> None:
    connection = connect(folder if kind == "files" else export(load(folder), tmp_path / "export"))

    assert run_query(connection, f"SELECT seed FROM records WHERE seed = {seed}").rows() == [(seed,)]


def test_loaded_telemetry_is_taken_as_it_is(folder: Path) -> None:
    assert run_query(connect(load(folder)), "SELECT count(*) FROM records").item() == 4


def test_telemetry_without_all_its_columns_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="the telemetry lacks session_id"):
        connect(load(folder, columns=["source", "record_index", "seed"]))


def test_sessions_have_their_hash_unless_it_is_declined(folder: Path) -> None:
    query = "SELECT session_id FROM sessions WHERE source LIKE '%a.json'"

    digest = hashlib.sha256((folder / "a.json").read_bytes()).hexdigest()
    assert run_query(connect(folder), query).item() == digest
    assert run_query(connect(folder, session_ids=False), query).item() is None


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        connect(tmp_path / "nowhere")


def test_a_session_far_from_utc_still_answers_in_utc(folder: Path) -> None:
    code = (
        "import sys; from clamp_analytics.database import connect, run_query\n"
        "print(run_query(connect(sys.argv[1]), \"SELECT strftime(min(acquired_at), '%H:%M') FROM records\").item())"
    )

    result = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "12:00\n"


def test_neither_pandas_nor_pytz_is_imported_for_session_files(folder: Path) -> None:
    code = (
        "import sys; from clamp_analytics.database import connect, run_query\n"
        "query = 'SELECT * FROM records WHERE acquired_at > $t'\n"
        "run_query(connect(sys.argv[1]), query, {'t': '2026-01-01 00:00:00Z'})\n"
        "print({'pandas', 'pytz'} & set(sys.modules))"
    )

    result = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)

    assert result.stdout == "set()\n"


FILE_ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_duckdb('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/x.parquet'",
    "SELECT * FROM 'x.csv'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_csv('http://localhost/x.csv')",
    "SELECT * FROM 'https://localhost/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/x.parquet')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''/etc/passwd'')'))",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
    "SUMMARIZE SELECT * FROM read_csv('/etc/passwd')",
    "EXPLAIN ANALYZE SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT getenv('HOME')",
    "SELECT * FROM enable_logging(level = 'debug')",
    "SELECT * FROM enable_profiling(save_location = 'profile.json')",
    "FROM create_external_resource('x')",
]

STATEMENT_ATTACKS = [
    "COPY records TO 'out.csv'",
    "COPY (SELECT 1) TO 'out.parquet'",
    "COPY records FROM '/etc/passwd'",
    "ATTACH 'other.db'",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL httpfs",
    "UPDATE EXTENSIONS",
    "SET threads = 1",
    "SET lock_configuration = false",
    "SET GLOBAL enable_external_access = true",
    "RESET threads",
    "SET VARIABLE x = 1",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "EXPORT DATABASE 'out'",
    "IMPORT DATABASE 'out'",
    "CREATE TABLE x AS SELECT 1",
    "CREATE OR REPLACE TABLE records AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO f(x) AS x",
    "CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')",
    "DROP TABLE records",
    "DROP VIEW overlap",
    "ALTER TABLE records DROP COLUMN seed",
    "INSERT INTO records SELECT * FROM records",
    "UPDATE records SET seed = 0",
    "DELETE FROM records",
    "TRUNCATE records",
    "MERGE INTO records USING sessions ON false WHEN MATCHED THEN DELETE",
    "COMMENT ON TABLE records IS 'x'",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "WITH gone AS (DELETE FROM records RETURNING *) SELECT * FROM gone",
    "EXPLAIN DELETE FROM records",
    "EXPLAIN ANALYZE DELETE FROM records",
    "EXPLAIN (ANALYZE) DELETE FROM records",
    "explain analyze/**/delete from records",
    "-- EXPLAIN SELECT 1\nEXPLAIN ANALYZE DELETE FROM records",
    "/* EXPLAIN */ EXPLAIN ANALYZE WITH x AS (DELETE FROM records RETURNING *) SELECT * FROM x",
    "EXPLAIN COPY records TO 'out.csv'",
    "SELECT 1; DROP TABLE records",
    "DROP TABLE records; SELECT 1",
    "SELECT 1; SELECT 2",
    "EXPLAIN SELECT 1; DROP TABLE records",
]


@pytest.mark.parametrize("sql", FILE_ATTACKS + STATEMENT_ATTACKS)
def test_the_sql_reaches_nothing_but_the_telemetry(
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
def test_an_export_stays_locked_though_it_is_read_from_files(folder: Path, tmp_path: Path, sql: str) -> None:
    connection = connect(export(load(folder), tmp_path / "export"))

    with pytest.raises(QueryError):
        run_query(connection, sql)


def test_the_files_of_an_export_cannot_be_reached_by_their_paths(folder: Path, tmp_path: Path) -> None:
    exported = export(load(folder), tmp_path / "export")
    connection = connect(exported)

    with pytest.raises(QueryError, match="allow_external"):
        run_query(connection, f"SELECT * FROM '{exported}/sessions.parquet'")


def test_the_engine_itself_is_locked_and_not_only_the_runner(connection: duckdb.DuckDBPyConnection) -> None:
    for sql in ("SET lock_configuration = false", "SET enable_external_access = true", "LOAD httpfs"):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_a_python_variable_is_no_table(connection: duckdb.DuckDBPyConnection) -> None:
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


def test_external_access_is_there_where_it_is_allowed(folder: Path, tmp_path: Path) -> None:
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
def test_what_only_reads_is_run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert run_query(connection, sql).height > 0


def test_a_pivot_without_its_columns_is_refused_with_the_way_to_write_it(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(QueryError, match="name the columns: PIVOT"):
        run_query(connection, "PIVOT records ON thread_id USING count(*)")


@pytest.mark.parametrize("sql", ["", " ", ";", "-- nothing"])
def test_a_query_without_a_statement_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises(QueryError, match="there is no statement"):
        run_query(connection, sql)


@pytest.mark.parametrize(("sql", "params"), [("SELECT '\udcff'", None), ("SELECT $a", {"a": "\udcff"})])
def test_text_that_is_no_unicode_is_refused(
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
def test_a_value_arrives_exactly(
    connection: duckdb.DuckDBPyConnection, expression: str, value: object, kind: pl.DataType | None
) -> None:
    column = run_query(connection, f"SELECT {expression} AS x")["x"]

    if kind is None:
        assert column.to_list() == [str(value)]
    else:
        assert (column.to_list(), column.dtype) == ([value], kind)


def test_columns_of_one_name_are_numbered(connection: duckdb.DuckDBPyConnection) -> None:
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
def test_an_error_shows_the_line_and_a_way_out(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Any, error: str
) -> None:
    with pytest.raises(QueryError) as caught:
        run_query(connection, sql, params)

    assert str(caught.value) == error


def test_a_name_near_nothing_is_answered_with_the_names_there_are(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="there are busiest_threads, drift_by_day"):
        run_query(connection, "SELECT * FROM zzz")


def test_a_column_near_nothing_is_answered_with_where_to_look(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError, match="DESCRIBE records"):
        run_query(connection, "SELECT zzz FROM records")


def test_a_result_that_was_left_open_is_not_in_the_way(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SELECT * FROM records")

    assert run_query(connection, "SELECT 1").item() == 1


def test_a_connection_is_usable_after_an_error(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(QueryError):
        run_query(connection, "SELECT nothing FROM records")

    assert run_query(connection, "SELECT count(*) FROM records").item() == 4


def test_a_large_query_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spill))
    connection = connect(folder)

    made = [path.stat().st_mode & 0o777 for path in spill.iterdir()]
    connection.close()
    del connection

    assert made == [0o700]
    assert list(spill.iterdir()) == []
