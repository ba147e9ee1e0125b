"""Panels: which series are drawn, and the points of each, of which there are never more than a chart can show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.metrics import METRICS, Metric, Scale
from clamp_analytics.analysis.verdicts import RANK, Verdict
from clamp_analytics.plots.labels import group_label
from clamp_analytics.plots.outliers import find_outliers
from clamp_analytics.render.natural_order import in_natural_order

MOST_POINTS = 120
"""A series of up to this many sessions is drawn with one point per session."""

BINS = 60
"""Number of time spans of equal length into which longer series are binned."""

MOST_PANELS = 12
"""Maximal number of series that are drawn per metric."""

DEFAULT_METRICS = ("mean_stability", "duration_p95_ms")
"""Metrics that are drawn even if they did not change."""

CHANGED = (Verdict.REGRESSED.value, Verdict.SUSPECT.value, Verdict.IMPROVED.value, Verdict.RECOVERED.value)
"""The verdicts of series that changed."""

POINTS = {
    "at": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "sessions": pl.UInt32,
    "first": pl.String,
    "last": pl.String,
}
"""The columns of the points of a panel."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric of one group over time.

    Attributes:
        metric: the metric.
        key: the values of the columns that define the group.
        verdict: the verdict on the series.
        reason: the sentence that explains the verdict.
        points: the columns of ``POINTS``, by time. For a bin, ``low`` and ``high`` are the 5th and 95th percentile of
            its ``sessions``; for a single session they are null. ``first`` and ``last`` are the sources of the
            first and the last session of a point.
        changes: ``change_at``, ``change_source``, and the levels ``before`` and ``after``, by time.
        outliers: ``at``, ``value`` and ``source`` of the most extreme outliers, by time.
        timeline: all sessions, with their labels.
    """

    metric: Metric
    key: tuple[str | None, ...]
    verdict: str
    reason: str
    points: pl.DataFrame
    changes: pl.DataFrame
    outliers: pl.DataFrame
    timeline: Timeline

    @property
    def group(self) -> str:
        """The label of the group."""
        return group_label(self.key)

    @property
    def is_changed(self) -> bool:
        """Whether the series changed."""
        return self.verdict in CHANGED

    @property
    def value_name(self) -> str:
        """What the value of a point is."""
        if not self.is_binned:
            return "value"
        return "median" if self.metric.scale is Scale.LOG else "mean"

    @property
    def is_binned(self) -> bool:
        """Whether a point shows several sessions."""
        return self.points["low"].null_count() < self.points.height


@dataclass(frozen=True, slots=True)
class MetricPanels:
    """The panels of one metric, changed series first.

    Attributes:
        metric: the metric.
        panels: the series that are drawn.
        left_out: number of series that are not drawn.
    """

    metric: Metric
    panels: list[Panel]
    left_out: int


def select_panels(
    drift: Drift, by: Sequence[str], metrics: Iterable[str] | None = None, *, at_most: int = MOST_PANELS
) -> list[MetricPanels]:
    """Choose the series to draw.

    Args:
        drift: the series with their changes and verdicts.
        by: the columns that define the groups.
        metrics: the metrics to draw; by default those of ``DEFAULT_METRICS``, and the changed series of all others.
        at_most: maximal number of series per metric.

    Returns:
        The panels of each metric that has a series, in the order of ``METRICS``.
    """
    keys = ["metric", *by]
    rank = pl.col("verdict").replace_strict(RANK, return_dtype=pl.UInt8)
    effect = pl.col("effect_relative").abs()
    ordered = in_natural_order(drift.verdicts, by).sort(
        rank, effect, "sessions", descending=[False, True, True], nulls_last=True, maintain_order=True
    )
    wanted = set(DEFAULT_METRICS if metrics is None else metrics)
    others = pl.col("verdict").is_in(CHANGED) if metrics is None else pl.lit(value=False)
    ordered = ordered.filter(pl.col("metric").is_in(sorted(wanted)) | others, pl.col("sessions") > 0)
    result = []
    for name, metric in METRICS.items():
        rows = ordered.filter(pl.col("metric") == name)
        if rows.is_empty():
            continue
        chosen = rows.head(at_most)
        series = _by_key(drift.series.join(chosen, on=keys, how="semi", nulls_equal=True), keys)
        changes = _by_key(drift.changes.join(chosen, on=keys, how="semi", nulls_equal=True), keys)
        panels = [
            _panel(metric, key, verdict, reason, series[key], changes.get(key, drift.changes.clear()), drift.timeline)
            for *values, verdict, reason in chosen.select(*keys, "verdict", "reason").iter_rows()
            if (key := tuple(values)) in series
        ]
        result.append(MetricPanels(metric, panels, rows.height - len(panels)))
    return result


def _panel(
    metric: Metric,
    key: tuple[str | None, ...],
    verdict: str,
    reason: str,
    series: pl.DataFrame,
    changes: pl.DataFrame,
    timeline: Timeline,
) -> Panel:
    ordered = changes.sort("change_at")
    outliers = find_outliers(series, metric, ordered["change_at"].to_list())
    return Panel(metric, key[1:], verdict, reason, bin_series(series, metric), ordered, outliers, timeline)


def _by_key(frame: pl.DataFrame, keys: Sequence[str]) -> dict[tuple[str | None, ...], pl.DataFrame]:
    return frame.partition_by(keys, as_dict=True, maintain_order=True)


def bin_series(series: pl.DataFrame, metric: Metric, *, most: int = MOST_POINTS, bins: int = BINS) -> pl.DataFrame:
    """Reduce a series to a bounded number of points.

    Args:
        series: ``started_at``, ``value`` and ``source``, one row per session.
        metric: the metric.
        most: the number of sessions up to which each one is a point.
        bins: number of time spans of equal length; a span without a session gives no point.

    Returns:
        The columns of ``POINTS``, by time. The value of a bin is the median of its sessions for durations. For scores
        and counts it is their mean: most of these are equal, and a median would hide the others. The time of a bin is
        the middle between its first and its last session.
    """
    at, value = pl.col("started_at"), pl.col("value")
    rows = series.drop_nulls(["started_at", "value"]).sort("started_at", maintain_order=True)
    if rows.height <= most:
        null = pl.lit(None, pl.Float64)
        points = rows.select(
            at=at, value=value, low=null, high=null, sessions=pl.lit(1, pl.UInt32), first="source", last="source"
        )
    else:
        since = at.to_physical() - at.to_physical().min()
        # Integers, because a quotient of floats could put a session on either side of an edge.
        index = since * bins // (since.max() + 1)
        points = (
            rows.group_by(index.alias("bin"), maintain_order=True)
            .agg(
                at=at.min() + (at.max() - at.min()) / 2,
                value=value.median() if metric.scale is Scale.LOG else value.mean(),
                low=value.quantile(0.05, "linear"),
                high=value.quantile(0.95, "linear"),
                sessions=pl.len().cast(pl.UInt32),
                first=pl.col("source").first(),
                last=pl.col("source").last(),
            )
            .drop("bin")
        )
    return points.cast(POINTS)  # type: ignore[arg-type]
