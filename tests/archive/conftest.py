"""Archives for the tests, and what is in them."""

from pathlib import Path
from typing import Any

import duckdb
import pytest


@pytest.fixture
def archive(tmp_path):
    """Where the archive of a test is; ingesting makes it."""
    return tmp_path / "telemetry.duckdb"


@pytest.fixture
def heap(tmp_path):
    """An empty folder for session files."""
    folder = tmp_path / "heap"
    folder.mkdir()
    return folder


def rows(archive: Path, sql: str) -> list[tuple[Any, ...]]:
    """What plain DuckDB answers."""
    with duckdb.connect(str(archive), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def change(archive: Path, *statements: str) -> None:
    """What somebody else does to an archive."""
    with duckdb.connect(str(archive)) as connection:
        for statement in statements:
            connection.execute(statement)
