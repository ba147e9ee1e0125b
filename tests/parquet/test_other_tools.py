"""DuckDB, Polars and PyArrow read an export without this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset
import pytest
from polars.testing import assert_frame_equal

from clamp_analytics.reading import load
from clamp_analytics.schema import TABLES
from tests.conftest import record, session, write
from tests.parquet.helpers import HOSTILE, TINY, exported

KEYS = ["source", "record_index", "context", "seed", "acquired_at", "released_at"]


def _duckdb(out: Path) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        where = str(out / "records/**/*.parquet").replace("'", "''")
        return connection.sql(f"SELECT * FROM read_parquet('{where}', hive_partitioning = true)").pl()


def _polars_glob(out: Path) -> pl.DataFrame:
    return pl.scan_parquet(out / "records/**/*.parquet").collect()


def _polars_folder(out: Path) -> pl.DataFrame:
    return pl.scan_parquet(out / "records").collect()


def _pyarrow(out: Path) -> pl.DataFrame:
    return pl.DataFrame(pyarrow.dataset.dataset(out / "records", partitioning="hive").to_table())


TOOLS = pytest.mark.parametrize("tool", [_duckdb, _polars_glob, _polars_folder, _pyarrow])


@TOOLS
@pytest.mark.parametrize("partition_by", ["day", "none", "context", "thread_id,day"])
def test_plain_tools_find_the_same_rows_and_exact_seeds(
    days: Path, tmp_path: Path, tool: Callable[[Path], pl.DataFrame], partition_by: str
) -> None:
    out = exported(days, tmp_path / "out", partition_by=partition_by, **TINY)

    found = tool(out).select(KEYS).sort("source", "record_index")

    assert_frame_equal(found, load(days).records.select(KEYS))
    assert found["seed"].to_list()[:3] == [18446744073709551615, 9223372036854775809, 9007199254740992]


@TOOLS
def test_plain_tools_read_contexts_that_are_hostile_as_folder_names(
    tmp_path: Path, tool: Callable[[Path], pl.DataFrame]
) -> None:
    source = write(tmp_path / "runs", {"a.json": session(*(record(context=text) for text in [*HOSTILE, None]))})
    out = exported(source, tmp_path / "out", partition_by="context")

    assert tool(out).sort("record_index")["context"].to_list() == [*HOSTILE, None]


def test_plain_tools_see_the_day_as_a_column(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")

    assert sorted(_duckdb(out)["day"].unique().cast(pl.String)) == ["2026-11-21", "2026-11-22"]


@pytest.mark.parametrize("table", list(TABLES))
def test_every_table_can_be_opened_where_there_is_not_one_row(tmp_path: Path, table: str) -> None:
    (tmp_path / "runs").mkdir()
    out = exported(tmp_path / "runs", tmp_path / "out")

    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT * FROM read_parquet('{out}/{table}/**/*.parquet', hive_partitioning = true)")
        assert rows.columns == TABLES[table].names
        assert rows.fetchall() == []
