"""Series over sessions: one value per session, group and metric, in the order of time.

The session is the unit of statistics, because the records of one session are not independent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.metrics import BY, METRICS, Metric, Scale, checked_by, checked_metrics
from clamp_analytics.analysis.series.fold import SessionFold, merge
from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Counts, Reader, Telemetry

__all__ = [
    "BY",
    "METRICS",
    "Metric",
    "Scale",
    "SessionFold",
    "SessionValues",
    "checked_by",
    "checked_metrics",
    "series",
    "session_values",
]


@dataclass(frozen=True, slots=True)
class SessionValues:
    """The values of sessions.

    Attributes:
        values: one row a session and group, by time: ``source``, ``started_at`` (the first usable acquisition of the
            whole session), the columns of ``by``, ``records``, and a column for each metric, null where the
            session gives no value of it.
        by: the columns that tell series apart.
        metrics: the names of the metrics.
        sessions: usable sessions with a usable timestamp.
        untimed: usable sessions without one: they have no place in time and are left out of ``values``.
        counts: files seen, loaded, rejected and skipped.
    """

    values: pl.DataFrame
    by: tuple[str, ...]
    metrics: tuple[str, ...]
    sessions: int
    untimed: int
    counts: Counts


def session_values(
    given: Reader | Telemetry, by: Iterable[str] | str = ("context",), metrics: Iterable[str] | str | None = None
) -> SessionValues:
    """One value per session, group and metric.

    Violations of a whole file belong to no group and count only where ``by`` is empty.

    Args:
        given: what reads the sources (its columns must include ``SessionFold(by, metrics).columns``), or
            telemetry that was loaded.
        by: the columns of ``BY`` that tell series apart; none for one series of everything.
        metrics: names of ``METRICS``; all by default.

    Raises:
        UsageError: there is no such column or metric, or the records were read without a column that is needed.
        SourceError: no usable session was met.
    """
    fold = SessionFold(checked_by(by), checked_metrics(metrics))
    if isinstance(given, Telemetry):
        no_sums = pl.Series("seed_sum", [None] * given.sessions.height, dtype=pl.UInt64)
        sessions, values = merge(fold, [fold(Batch(given.sessions, given.records, given.violations, no_sums))])
        if sessions.is_empty():
            raise SourceError(f"no usable session among {given.counts}", where=given.directory)
    else:
        sessions, values = merge(fold, given.fold(fold))
        given.require_sessions()
    timed = sessions.drop_nulls("started_at")
    placed = values.join(timed, on="source", how="inner").select(
        "source", "started_at", *fold.by, "records", *fold.metrics
    )
    return SessionValues(
        values=placed.sort("started_at", "source", *fold.by, nulls_last=True),
        by=fold.by,
        metrics=fold.metrics,
        sessions=timed.height,
        untimed=sessions.height - timed.height,
        counts=given.counts,
    )


def series(given: Reader | Telemetry, metric: str, by: Iterable[str] | str = "context") -> pl.DataFrame:
    """The series of one metric: one value per session and group, ordered by the session's first acquisition.

    Args:
        given: what reads the sources, or telemetry that was loaded.
        metric: a name of ``METRICS``.
        by: the columns of ``BY`` that tell series apart; none for one series of everything.

    Returns:
        The columns of ``by``, ``source``, ``started_at`` and ``value``; a session without a value has no row.

    Raises:
        UsageError: there is no such column or metric.
        SourceError: no usable session was met.
    """
    found = session_values(given, by, metric)
    return found.values.select(*found.by, "source", "started_at", pl.col(metric).alias("value")).drop_nulls("value")
