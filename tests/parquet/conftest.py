"""Fixtures of the tests of exports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import record, session, write
from tests.parquet.helpers import MAX


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Two sessions whose records lie on two days, and seeds that neither a double nor an int64 can hold."""
    first = [
        record(seed=MAX, acquired_at="2026-11-21T23:59:59Z", released_at="2026-11-22T00:00:00Z"),
        record(seed=2**63 + 1, context="beta", acquired_at="2026-11-22T00:00:00Z", released_at=None),
    ]
    second = [record(seed=2**53 + number, acquired_at=f"2026-11-2{1 + number % 2}T12:00:00Z") for number in range(7)]
    return write(tmp_path / "runs", {"a.json": session(*first), "b.json": session(*second)})
