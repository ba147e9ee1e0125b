"""What the tests of drift share: series that are made up, and values of sessions that hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from scipy.signal import lfilter

from clamp_analytics.analysis.drift.selection import Series
from clamp_analytics.analysis.series import METRICS, SessionValues
from clamp_analytics.analysis.stats import Floats
from clamp_analytics.reading import Counts

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

Draw = Callable[[np.random.Generator, int], Floats]


def autoregressive(generator: np.random.Generator, n: int, correlation: float = 0.5) -> Floats:
    """A first-order autoregressive series that has forgotten how it began."""
    return np.asarray(lfilter([1], [1, -correlation], generator.normal(size=n + 200))[200:])


NULLS: dict[str, tuple[str, Draw]] = {
    # The noise is large against the floors, so that these cannot help the test.
    "normal": ("violations", lambda generator, n: generator.normal(100, 10, n)),
    "lognormal": ("duration_p50_ms", lambda generator, n: generator.lognormal(2, 1, n)),
    "beta": ("mean_stability", lambda generator, n: generator.beta(8, 2, n)),
    "autoregressive": ("hold_total_ms", lambda generator, n: np.exp(autoregressive(generator, n))),
}
"""Series in which nothing changes: the metric that they stand for, and how to draw one."""


def of_values(values: Floats | Sequence[float], metric: str = "violations", group: str = "alpha") -> Series:
    """A series of values, one an hour."""
    array = np.asarray(values, dtype=np.float64)
    scaled = METRICS[metric].to_scale(array)
    return Series((group,), METRICS[metric], np.arange(array.size), array, scaled, np.arange(array.size) / 24)


def session_frame(
    contexts: Mapping[str, Floats | Sequence[float | None]], metric: str = "duration_p50_ms"
) -> SessionValues:
    """Sessions, one an hour, that give each context the value of its sequence."""
    rows = [
        {"source": f"run_{place:05}.json", "started_at": START + place * HOUR, "context": context, metric: value}
        for context, values in contexts.items()
        for place, value in enumerate(np.asarray(values, dtype=object).tolist())
    ]
    schema = {
        "source": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        "context": pl.String,
        metric: pl.Float64,
    }
    values = pl.DataFrame(rows, schema=schema).sort("started_at", "source", "context")
    sessions = max(map(len, contexts.values()), default=0)
    return SessionValues(values, ("context",), (metric,), sessions, 0, Counts(sessions, 0, 0))
