"""The values of sessions to compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from clamp_analytics.analysis.compare import CompareOptions, Comparison, compare
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.reading import Counts
from tests.analysis.drift.conftest import attributes_of
from tests.conftest import only

START = datetime(2026, 1, 1, tzinfo=UTC)
P50 = "duration_p50_ms"


def side(
    groups: dict[Any, Any], metric: str = P50, by: tuple[str, ...] = ("context",), name: str = "s"
) -> SessionValues:
    """Sessions an hour apart, with the values of one metric in each group; None where a session has no row of it."""
    rows = [
        {
            "source": f"{name}{number}.json",
            "started_at": START + timedelta(hours=number),
            **dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)),
            "records": 3,
            metric: float(value),
        }
        for key, values in groups.items()
        for number, value in enumerate(values)
        if value is not None
    ]
    schema = {
        "source": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        **dict.fromkeys(by, pl.String),
        "records": pl.UInt32,
        metric: pl.Float64,
    }
    frame = pl.DataFrame(rows, schema=schema).sort("started_at", "source")
    sessions = frame["source"].n_unique()
    return SessionValues(frame, attributes_of(frame), by, (metric,), sessions, 0, Counts(sessions, 0, 0))


def one(before: Any, after: Any, metric: str = P50, **options: Any) -> dict[str, Any]:
    """The only row of a comparison of one metric in one context."""
    found = compare(
        side({"a": before}, metric), side({"a": after}, metric, name="t"), options=CompareOptions(**options)
    )
    return only(found.verdicts)


def noise(size: int, seed: int, level: float = 1.0, spread: float = 0.05) -> np.ndarray:
    return level * np.random.default_rng(seed).lognormal(0, spread, size)


def verdicts(found: Comparison) -> list[tuple[str, ...]]:
    return found.verdicts.select(*found.by, "verdict").rows()
