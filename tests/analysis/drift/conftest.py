"""Values of sessions for the tests of drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.reading import Counts

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def session_frame(
    contexts: Mapping[str, Floats | Sequence[float | None]], metric: str = "duration_p50_ms"
) -> SessionValues:
    """Sessions an hour apart that give each context the values of its sequence."""
    rows = [
        {"source": f"run_{number:05}.json", "started_at": START + number * HOUR, "context": context, metric: value}
        for context, values in contexts.items()
        for number, value in enumerate(np.asarray(values, dtype=object).tolist())
    ]
    schema = {
        "source": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        "context": pl.String,
        metric: pl.Float64,
    }
    values = pl.DataFrame(rows, schema=schema).sort("started_at", "source", "context")
    sessions = max(map(len, contexts.values()), default=0)
    return SessionValues(values, attributes_of(values), ("context",), (metric,), sessions, 0, Counts(sessions, 0, 0))


def attributes_of(values: pl.DataFrame, **attributes: Sequence[str | None]) -> pl.DataFrame:
    """The attributes of the sessions of values: null but for those that are given."""
    sessions = values.select("source", "started_at").unique(maintain_order=True)
    names = ("labels", "extra", "backend", "device_name", "threads", "snapshot")
    return sessions.with_columns(
        pl.Series(name, attributes.get(name, [None] * sessions.height), dtype=pl.String) for name in names
    )
