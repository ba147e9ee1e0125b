"""Telemetry from literal rows, and the rows that a query of the SQL library gives for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from clamp_analytics.database import connect, named, run_query
from clamp_analytics.reading import Counts, Telemetry
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, polars_schema


def at(seconds: float, *, day: int = 1) -> datetime:
    return datetime(2026, 3, day, 12, tzinfo=UTC) + timedelta(seconds=seconds)


def record(source: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"source": source, "record_index": index, "released_at": at(99), **fields}


def telemetry(
    records: list[dict[str, Any]] | None = None,
    sessions: list[dict[str, Any]] | None = None,
    violations: list[dict[str, Any]] | None = None,
) -> Telemetry:
    return Telemetry(
        sessions=pl.DataFrame(sessions or [], schema=polars_schema(SESSIONS)),
        records=pl.DataFrame(records or [], schema=polars_schema(RECORDS)),
        violations=pl.DataFrame(violations or [], schema=polars_schema(VIOLATIONS)),
        counts=Counts(0, 0, 0),
        directory="/",
    )


def rows(tables: Telemetry, name: str, **params: object) -> list[tuple[Any, ...]]:
    return run_query(connect(tables), *named(name, **params)).rows()
