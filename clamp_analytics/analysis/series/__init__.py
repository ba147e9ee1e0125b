"""Series over sessions: one value per session, group and metric, in the order of time.

The session is the unit of statistics, because the records of one session are not independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from clamp_analytics.analysis.groupings import BY, checked_by, is_label
from clamp_analytics.analysis.label_columns import label_columns
from clamp_analytics.analysis.metrics import METRICS, Metric, Scale, checked_metrics
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series.attributes import AttributeFold, distinct_values, merge_attributes
from clamp_analytics.analysis.series.fold import SessionFold, SessionPart, merge
from clamp_analytics.analysis.series.snapshots import snapshot_digests
from clamp_analytics.batch import Batch
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import BatchReader, Source, open_source
from clamp_analytics.wording import plural

__all__ = [
    "BY",
    "METRICS",
    "AttributeFold",
    "Metric",
    "Scale",
    "SessionFold",
    "SessionValues",
    "checked_by",
    "checked_metrics",
    "series",
    "session_values",
]


@dataclass(frozen=True, slots=True, repr=False)
class SessionValues(Result):
    """The values of sessions.

    Attributes:
        values: one row per session and group, by time: ``source``, ``started_at`` (the first usable acquisition of the
            whole session), the columns of ``by``, ``records``, and a column for each metric, null where the
            session has no value of it.
        attributes: one row per session with a usable timestamp, by time: ``source``, ``started_at``, ``labels`` and
            ``extra`` (JSON objects or null), ``backend``, ``device_name``, ``threads`` and ``snapshot``, the digest of
            its provenance snapshot.
        by: the columns that series are grouped by.
        strata: those of them that nobody asked for: series are judged within them where sessions differ in them.
        metrics: the names of the metrics.
        sessions: the number of usable sessions with a usable timestamp.
        untimed: the number of usable sessions without one: they have no position in time and are left out of
            ``values``.
        counts: files seen, loaded, rejected and skipped.
    """

    values: pl.DataFrame
    attributes: pl.DataFrame
    by: tuple[str, ...]
    metrics: tuple[str, ...]
    sessions: int
    untimed: int
    counts: Counts
    strata: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """The size of the table, its metrics, and the files."""
        groups = f"by {', '.join(self.by)}" if self.by else "of all records together"
        headline = f"values of {plural(len(self.metrics), 'metric')} {groups} in {plural(self.sessions, 'session')}"
        return [headline, f"metrics: {', '.join(self.metrics)}", f"files: {self.counts}"]

    def to_polars(self) -> pl.DataFrame:
        """One row per session and group: ``values``."""
        return self.values


def session_values(
    source: Source,
    *,
    by: Iterable[str] | str | None = ("context",),
    strata: Iterable[str] = (),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> SessionValues:
    """Compute one value per session, group and metric.

    Violations of a whole file belong to no group of records and count only where ``by`` names no column of records.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        by: the columns of ``BY`` and labels, such as ``label:build``, that series are grouped by; none for one series
            of all records.
        strata: further columns to group by, which ``drift`` leaves out where all sessions have one value of them; see
            ``DriftOptions.strata``.
        metrics: names of ``METRICS``; all by default.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        UsageError: there is no such column or metric, or the source was read without a column that is needed.
        SourceError: there is no usable session.
    """
    columns = checked_by(by)
    added = tuple(name for name in checked_by(strata) if name not in columns)
    fold = AttributeFold(SessionFold((*columns, *added), checked_metrics(metrics)))
    reader = open_source(
        source, columns=fold.columns, labels=labels, jobs=jobs, recursive=recursive, storage_options=storage_options
    )
    return replace(_fold_values(reader, fold), strata=added)


def _fold_values(reader: BatchReader, fold: AttributeFold) -> SessionValues:
    """Compute the values of sessions in one pass of a reader."""
    known, distinct = [], [distinct_values(Batch.empty().records)]

    def values_only() -> Iterator[SessionPart]:
        for partial, sessions_of_batch, values_of_records in reader.fold(fold):
            known.append(sessions_of_batch)
            distinct.append(values_of_records)
            yield partial

    sessions, values = merge(fold.values, values_only())
    reader.require_sessions()
    timed = sessions.drop_nulls("started_at")
    by = fold.values.by
    attributes = timed.join(merge_attributes(known, distinct), on="source", how="left")
    digests = snapshot_digests(attributes["source"].to_list(), attributes["extra"].to_list())
    attributes = attributes.with_columns(snapshot=pl.Series(digests, dtype=pl.String))
    labels = label_columns(attributes, [name for name in by if is_label(name)])
    joined = (
        values.join(timed, on="source", how="inner")
        .join(labels, on="source", how="left")
        .select("source", "started_at", *by, "records", *fold.values.metrics)
    )
    return SessionValues(
        values=joined.sort("started_at", "source", *by, nulls_last=True),
        attributes=attributes.sort("started_at", "source"),
        by=by,
        metrics=fold.values.metrics,
        sessions=timed.height,
        untimed=sessions.height - timed.height,
        counts=reader.counts,
    )


def series(
    source: Source,
    *,
    metric: str,
    by: Iterable[str] | str | None = ("context",),
    labels: Iterable[str] = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Compute the series of one metric: one value per session and group, ordered by the start of the session.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        metric: a name of ``METRICS``.
        by: the columns of ``BY`` and labels, such as ``label:build``, that series are grouped by; none for one series
            of all records.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Returns:
        The columns of ``by``, ``source``, ``started_at`` and ``value``; a session without a value has no row.

    Raises:
        UsageError: there is no such column or metric.
        SourceError: there is no usable session.
    """
    found = session_values(
        source, by=by, metrics=metric, labels=labels, jobs=jobs, recursive=recursive, storage_options=storage_options
    )
    return found.values.select(*found.by, "source", "started_at", pl.col(metric).alias("value")).drop_nulls("value")
