"""Which series are drawn, and what of each: points or bins of them, never more than a chart can show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.series import METRICS, Metric, Scale
from clamp_analytics.analysis.verdicts import RANK, Verdict
from clamp_analytics.plots.names import group_name

MOST_POINTS = 120
"""Up to this many sessions each one is a point."""

BINS = 60
"""Spans of equal time that more sessions are put together in."""

MOST_PANELS = 12
"""Series of one metric that are drawn."""

USUAL_METRICS = ("mean_stability", "duration_p95_ms")
"""Metrics that are drawn whether they changed or not."""

CHANGED = (Verdict.REGRESSED.value, Verdict.WARNING.value, Verdict.IMPROVED.value)
"""The verdicts of series that changed."""

POINTS = {
    "at": pl.Datetime("us", "UTC"),
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "sessions": pl.UInt32,
}
"""The columns of what is drawn of a series."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric of one group over time.

    Attributes:
        metric: what was measured.
        group: the name of the group, fit to be shown.
        verdict: what the metric did.
        reason: the sentence that says why.
        points: by time ``at``, ``value``, and of sessions that were put together the 5th and 95th percentile ``low``
            and ``high`` (null where a point is one session) and how many ``sessions``.
        changes: by time ``change_at``, ``change_source``, and the levels ``before`` and ``after``.
    """

    metric: Metric
    group: str
    verdict: str
    reason: str
    points: pl.DataFrame
    changes: pl.DataFrame

    @property
    def value_name(self) -> str:
        """What the value of a point is."""
        if not self.is_binned:
            return "value"
        return "median" if self.metric.scale is Scale.LOG else "mean"

    @property
    def is_binned(self) -> bool:
        """Whether points stand for several sessions."""
        return self.points["low"].null_count() < self.points.height


@dataclass(frozen=True, slots=True)
class Shelf:
    """The panels of one metric, changes first.

    Attributes:
        metric: what was measured.
        panels: what is drawn.
        left_out: how many series are not.
    """

    metric: Metric
    panels: list[Panel]
    left_out: int


def shelves(
    found: Drift, by: Sequence[str], metrics: Iterable[str] | None = None, *, at_most: int = MOST_PANELS
) -> list[Shelf]:
    """What is drawn of series over time.

    Args:
        found: the series with their changes and verdicts.
        by: the columns that tell series apart.
        metrics: the metrics to draw; by default the usual ones, and of all others the series that changed.
        at_most: how many series of a metric are drawn.

    Returns:
        One shelf for each metric that has a series, in the order of ``METRICS``.
    """
    keys = ["metric", *by]
    rank = pl.col("verdict").replace_strict(RANK, return_dtype=pl.UInt8)
    effect = pl.col("effect_sd").abs().fill_nan(None)
    ordered = found.verdicts.sort(
        rank, effect, "sessions", *keys, descending=[False, True, True, *[False] * len(keys)], nulls_last=True
    )
    wanted = set(USUAL_METRICS if metrics is None else metrics)
    others = pl.col("verdict").is_in(CHANGED) if metrics is None else pl.lit(value=False)
    ordered = ordered.filter(pl.col("metric").is_in(sorted(wanted)) | others, pl.col("sessions") > 0)
    made = []
    for name, metric in METRICS.items():
        rows = ordered.filter(pl.col("metric") == name)
        if rows.is_empty():
            continue
        chosen = rows.head(at_most)
        points = _by_key(found.series.join(chosen, on=keys, how="semi", nulls_equal=True), keys)
        changes = _by_key(found.changes.join(chosen, on=keys, how="semi", nulls_equal=True), keys)
        panels = [
            Panel(
                metric,
                group_name(key[1:]),
                verdict,
                reason,
                binned(points[key], metric),
                changes.get(key, found.changes.clear()).sort("change_at"),
            )
            for *key_list, verdict, reason in chosen.select(*keys, "verdict", "reason").iter_rows()
            if (key := tuple(key_list)) in points
        ]
        made.append(Shelf(metric, panels, rows.height - len(panels)))
    return made


def _by_key(frame: pl.DataFrame, keys: Sequence[str]) -> dict[tuple[str | None, ...], pl.DataFrame]:
    return frame.partition_by(keys, as_dict=True, maintain_order=True)


def binned(series: pl.DataFrame, metric: Metric, *, most: int = MOST_POINTS, bins: int = BINS) -> pl.DataFrame:
    """A series as at most so many points.

    Args:
        series: ``started_at`` and ``value``, one row a session.
        metric: what was measured.
        most: up to how many sessions each one is a point of its own.
        bins: spans of equal time; a span without a session gives no row.

    Returns:
        The columns of ``POINTS``, by time. The value of a bin is the median of its sessions for durations, and else
        their mean, because most scores and counts are equal and their median hides the others. Its time is the
        middle between the first and the last of them.
    """
    at, value = pl.col("started_at"), pl.col("value")
    rows = series.drop_nulls(["started_at", "value"]).sort("started_at", maintain_order=True)
    if rows.height <= most:
        alone = pl.lit(None, pl.Float64)
        drawn = rows.select(at=at, value=value, low=alone, high=alone, sessions=pl.lit(1, pl.UInt32))
    else:
        since = at.to_physical() - at.to_physical().min()
        # In whole numbers, because a quotient of floats could put a session on either side of an edge.
        place = since * bins // (since.max() + 1)
        drawn = (
            rows.group_by(place.alias("place"), maintain_order=True)
            .agg(
                at=at.min() + (at.max() - at.min()) / 2,
                value=value.median() if metric.scale is Scale.LOG else value.mean(),
                low=value.quantile(0.05, "linear"),
                high=value.quantile(0.95, "linear"),
                sessions=pl.len().cast(pl.UInt32),
            )
            .drop("place")
        )
    return drawn.cast(POINTS)  # type: ignore[arg-type]
