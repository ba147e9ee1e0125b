"""Queries in SQL, and what they may not do."""

import json

import polars as pl
import pytest


def test_sql_answers_as_json_with_exact_integers(clamp, clean):
    seeds = [record["seed"] for path in clean.iterdir() for record in json.loads(path.read_text())["records"]]

    done = clamp("sql", clean, "SELECT max(seed) AS top, min(acquired_at) AS since FROM records", "-f", "json")

    assert json.loads(done.out) == [{"top": max(seeds), "since": "2026-10-01T06:00:00Z"}]


def test_sql_runs_a_query_of_the_library(clamp, clean):
    done = clamp("sql", clean, "--name", "longest_locks", "--param", "limit=3", "-f", "jsonl")

    assert len(done.out.splitlines()) == 3


def test_sql_runs_a_file(clamp, clean, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM sessions")

    assert clamp("sql", clean, "--file", "q.sql", "-f", "csv").out == "n\n10\n"


def test_sql_lists_its_queries(clamp):
    names = {row["name"] for row in json.loads(clamp("sql", "--list", "-f", "json").out)}

    assert names >= {"stability_by_context", "lock_durations", "seed_collisions", "drift_by_day"}


def test_sql_writes_parquet(clamp, clean, tmp_path):
    clamp("sql", clean, "SELECT seed FROM records", "-f", "parquet", "-o", "seeds.parquet")

    assert pl.read_parquet(tmp_path / "seeds.parquet").schema == {"seed": pl.UInt64}


def test_sql_shows_the_line_and_the_near_name(clamp, clean):
    done = clamp("sql", clean, "SELECT\n  contxt FROM records")

    assert done.code == 2
    assert "line 2" in done.err
    assert "did you mean context" in done.err


@pytest.mark.parametrize(
    "attack",
    ["COPY records TO 'x.csv'", "SELECT * FROM read_text('/etc/hostname')", "SET threads = 1", "DROP TABLE records"],
)
def test_sql_only_reads(clamp, clean, tmp_path, attack):
    done = clamp("sql", clean, attack)

    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_sql_reaches_files_where_that_is_allowed(clamp, clean, tmp_path):
    (tmp_path / "x.csv").write_text("a\n5\n")

    assert json.loads(clamp("sql", clean, "FROM 'x.csv'", "--allow-external", "-f", "json").out) == [{"a": 5}]


def test_a_query_is_read_from_standard_input(clamp, clean):
    done = clamp("sql", clean, "--file", "-", "-f", "json", stdin=b"SELECT count(*) AS n FROM records")

    assert json.loads(done.out) == [{"n": 240}]


def test_the_list_of_queries_explains_their_parameters(clamp):
    rows = json.loads(clamp("sql", "--list", "-f", "json").out)

    parameters = {row["name"]: row["parameters"] for row in rows}
    assert parameters["longest_locks"].startswith("limit=20 (")
