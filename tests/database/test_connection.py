"""The tables of a connection: their types, their rows and the counts of their files."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from clamp_analytics.database import connect, library, named, open_database, run_query
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import load
from clamp_analytics.schema import TABLES, ddl, meaning
from tests.database.builders import SEEDS, export


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
def test_every_column_has_its_meaning_as_a_comment(folder: Path, tmp_path: Path, kind: str) -> None:
    connection = connect(folder if kind == "files" else export(load(folder), tmp_path / "export"))

    comments = run_query(connection, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")

    expected = {(t.name, c.name, meaning(c)) for t in TABLES.values() for c in t.columns}
    assert expected <= set(comments.rows())


def test_a_broken_file_has_a_row_and_affects_no_other_file(connection: duckdb.DuckDBPyConnection) -> None:
    counts = run_query(connection, "SELECT status, count(*) FROM sessions GROUP BY status ORDER BY status")

    assert counts.rows() == [("loaded", 2), ("rejected", 1)]


def test_an_open_database_has_the_counts_of_its_files(folder: Path) -> None:
    database = open_database(folder)

    assert str(database.counts) == "4 seen = 2 loaded + 1 rejected + 1 skipped"
    assert database.directory == str(folder)


def test_an_export_has_the_counts_of_its_sources(folder: Path, tmp_path: Path) -> None:
    database = open_database(export(load(folder), tmp_path / "export"))

    assert str(database.counts) == "5 seen = 2 loaded + 1 rejected + 2 skipped"
    assert database.directory == "/somewhere"


@pytest.mark.parametrize("name", sorted(library()))
def test_a_query_gives_equal_rows_for_an_export_and_its_files(folder: Path, tmp_path: Path, name: str) -> None:
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


def test_loaded_telemetry_becomes_tables(folder: Path) -> None:
    assert run_query(connect(load(folder)), "SELECT count(*) FROM records").item() == 4


def test_telemetry_without_all_its_columns_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="the telemetry lacks session_id"):
        connect(load(folder, columns=["source", "record_index", "seed"]))


def test_sessions_have_a_hash_unless_it_is_switched_off(folder: Path) -> None:
    query = "SELECT session_id FROM sessions WHERE source LIKE '%a.json'"

    digest = hashlib.sha256((folder / "a.json").read_bytes()).hexdigest()
    assert run_query(connect(folder), query).item() == digest
    assert run_query(connect(folder, session_ids=False), query).item() is None


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        connect(tmp_path / "nowhere")


def test_the_progress_of_queries_is_known_and_not_printed(folder: Path) -> None:
    settings = "SELECT current_setting('enable_progress_bar'), current_setting('enable_progress_bar_print')"

    database = open_database(folder, reports_progress=True)

    assert run_query(database.connection, settings).row(0) == (True, False)


def test_times_are_in_utc_whatever_the_zone_of_the_machine(folder: Path) -> None:
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
