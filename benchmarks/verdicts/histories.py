"""Histories of one series, and the rate of false changes that ``calibrate`` states for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from benchmarks.verdicts.noise import Noise
from clamp_analytics.analysis.drift import DriftOptions, calibrate
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.reading import Counts

METRIC = "in_flight"
"""A metric that is compared as it is, so that its noise is the simulated one."""

LEVEL = 100.0
START = datetime(2026, 1, 1, tzinfo=UTC)
ATTRIBUTES = ("labels", "extra", "backend", "device_name", "threads", "snapshot")


def history(values: np.ndarray) -> SessionValues:
    """Sessions an hour apart with one value each."""
    n = values.size
    frame = pl.DataFrame(
        {
            "source": [f"{number:05}.json" for number in range(n)],
            "started_at": pl.Series(
                [START + timedelta(hours=number) for number in range(n)], dtype=pl.Datetime("us", "UTC")
            ),
            "context": ["context"] * n,
            METRIC: values,
        }
    )
    attributes = frame.select("source", "started_at", *(pl.lit(None, pl.String).alias(name) for name in ATTRIBUTES))
    return SessionValues(frame, attributes, ("context",), (METRIC,), n, 0, Counts(n, 0, 0))


def count_stated_alarms(generator: np.random.Generator, rows: int, *, noise: Noise, n: int) -> int:
    """Count the histories of which one replay, as ``calibrate`` simulates it, gives a false change.

    One replay for each history makes the counts independent, so that the interval of their share holds.
    """
    hits = 0
    for values in LEVEL + noise(generator, rows, n):
        options = DriftOptions(replays=1, seed=int(generator.integers(1 << 30)))
        hits += calibrate(history(values), options=options).false_changes > 0
    return hits
