"""Fixtures of the tests of connections and queries."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from clamp_analytics.database import connect
from tests.database.builders import session


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
