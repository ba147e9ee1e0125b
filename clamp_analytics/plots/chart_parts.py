"""What all Altair charts share: rows of data, numbers and times that Vega can draw, and the axis of time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from clamp_analytics.analysis.metrics import Metric

DIGITS = 6
"""Significant digits of a number in a chart, which is more than a screen can show."""

LARGEST = 1e307
"""Largest absolute value of an axis, so that the margin beyond it is still a finite number."""

TIME_FORMATS = ((300, "%b %Y"), (2.5, "%b %d"), (0.15, "%b %d %H:%M"), (0.005, "%H:%M"), (0, "%H:%M:%S"))
"""Time formats of an axis, by the least number of days that it spans."""

Rows = list[dict[str, Any]]


def import_altair() -> Any:
    """Altair, which takes a second to import."""
    import altair as alt

    return alt


def time_axis(alt: Any, first: datetime, last: datetime) -> Any:
    """An axis with one time format that suits the span; its title has what the labels leave out."""
    span = last - first
    pattern = next(pattern for days, pattern in TIME_FORMATS if span >= timedelta(days=days))
    title = "UTC" if "%Y" in pattern else f"{first:%Y}, UTC" if "%b" in pattern else f"{first:%Y-%m-%d}, UTC"
    return alt.Axis(format=pattern, title=title, tickCount=5, grid=False, labelFlush=True)


def drawable(value: float) -> float:
    """A value within the range of an axis."""
    return max(-LARGEST, min(value, LARGEST))


def milliseconds(column: str) -> pl.Expr:
    """A column of times as Vega takes them."""
    return pl.col(column).dt.epoch("ms")


def chart_rows(frame: pl.DataFrame) -> Rows:
    """The rows as JSON values: without nulls, and floats with few digits."""
    return [
        {name: number for name, value in row.items() if (number := json_number(value)) is not None}
        for row in frame.iter_rows(named=True)
    ]


def json_number(value: Any) -> Any:
    """A float with few digits, None where JSON cannot express it; any other value as it is."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if -1e308 < value < 1e308 else None


def metric_title(metric: Metric) -> str:
    """A metric as a heading: the first clause of its sentence."""
    return metric.sentence.removesuffix(".").split(",")[0]
