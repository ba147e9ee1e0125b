"""Outliers: sessions far from the level of their series, named so that a reader can open their files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from clamp_analytics.analysis.metrics import Metric

if TYPE_CHECKING:
    from clamp_analytics.analysis.metrics import Floats

MOST_OUTLIERS = 3
"""Maximal number of outliers that are named per series."""

DISTANCE = 5.0
"""A session is an outlier if it is more than this many robust standard deviations from the median of its segment."""

FEWEST_SESSIONS = 8
"""Shorter segments have no outliers: their spread is not known well enough."""

MAD_TO_SD = 1.4826
"""The standard deviation of a normal distribution, as a multiple of its median absolute deviation."""

MEAN_DEVIATION_TO_SD = 1.2533
"""The standard deviation of a normal distribution, as a multiple of its mean absolute deviation."""


def find_outliers(
    series: pl.DataFrame, metric: Metric, changes: Sequence[datetime], *, most: int = MOST_OUTLIERS
) -> pl.DataFrame:
    """The most extreme outliers of a series.

    Args:
        series: ``started_at``, ``value`` and ``source``, one row per session.
        metric: the metric, on whose scale distances are measured.
        changes: the times of the change points, which separate segments of different levels.
        most: maximal number of outliers.

    Returns:
        ``at``, ``value`` and ``source``, by time.
    """
    rows = series.drop_nulls(["started_at", "value"]).sort("started_at", maintain_order=True)
    times = rows["started_at"]
    edges = [0, *(int((times < change).sum()) for change in changes), rows.height]
    values = metric.to_scale(rows["value"].to_numpy())
    distances = np.concatenate([_distances(values[start:end]) for start, end in pairwise(edges)] or [values])
    columns = rows.select(at="started_at", value="value", source="source").with_columns(distance=distances)
    return (
        columns.filter(pl.col("distance") > DISTANCE)
        .sort("distance", "at", descending=[True, False], maintain_order=True)
        .head(most)
        .sort("at", maintain_order=True)
        .drop("distance")
    )


def _distances(values: Floats) -> Floats:
    """The distance of each value from the median, in robust standard deviations."""
    if values.size < FEWEST_SESSIONS:
        return np.zeros(values.size)
    away = np.abs(values - np.median(values))
    # More than half of the scores of a series are often equal. Then the median deviation is 0.
    spread = MAD_TO_SD * np.median(away) or MEAN_DEVIATION_TO_SD * away.mean()
    return away / spread if spread > 0 else np.zeros(values.size)
