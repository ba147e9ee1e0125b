"""Reduce batches to one value per session, group and metric, and merge the results.

A session whose records are all in one batch is reduced to its values there. The records of a large file or of an
export may come in several batches: each of them gives the frequencies of scores and durations, which add up exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from clamp_analytics.analysis.groupings import checked_by, is_label
from clamp_analytics.analysis.metrics import METRICS, PERCENTILES, checked_metrics
from clamp_analytics.analysis.needed_columns import METRICS_OF_DURATIONS, METRICS_OF_SCORES, series_columns
from clamp_analytics.analysis.percentiles import weighted_percentile
from clamp_analytics.batch import Batch
from clamp_analytics.rules import Severity
from clamp_analytics.schema import Status

COMPACT_ABOVE_ROWS = 2_000_000
"""The frequencies of split sessions are merged when they have more rows than this."""

_COUNTED = (Severity.ERROR.value, Severity.WARNING.value)
_RECORD = ["source", "record_index"]


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Records reduced to what the metrics need, by session and group.

    Attributes:
        counts: the number of ``records`` and of those ``in_flight``.
        scores: the distinct values of ``stability_score``, and how many ``times`` each occurs.
        durations: the distinct values of ``duration_ms`` of released anchors, and how many ``times`` each occurs.
    """

    counts: pl.DataFrame
    scores: pl.DataFrame
    durations: pl.DataFrame

    @property
    def height(self) -> int:
        """The number of rows of all three frames."""
        return self.counts.height + self.scores.height + self.durations.height


@dataclass(frozen=True, slots=True)
class SessionPart:
    """The contribution of one batch.

    Attributes:
        sessions: ``source`` and ``started_at`` of the usable sessions.
        values: the values of sessions that are complete in the batch, without their violations.
        open: the frequencies of the records of all other sessions; None where there are none.
        faults: the number of ``violations`` by session and group.
        pending: the number of violations (``times``) of records in other batches, by ``source`` and ``record_index``.
        groups: the group of each record of ``open``, by ``source`` and ``record_index``; None where the fold does not
            need it.
    """

    sessions: pl.DataFrame
    values: pl.DataFrame
    open: Frequencies | None
    faults: pl.DataFrame
    pending: pl.DataFrame
    groups: pl.DataFrame | None


@dataclass(frozen=True)
class SessionFold:
    """Reduces a batch to the values of its sessions; it can be pickled.

    Attributes:
        by: the columns of ``BY`` and labels that series are grouped by; none for one series of all records. All records
            of a session have the same labels, which are added when everything is merged.
        metrics: the names of the metrics; all by default.

    Raises:
        UsageError: there is no such column or metric.
    """

    by: tuple[str, ...] = ("context",)
    metrics: tuple[str, ...] = field(default=tuple(METRICS))

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", checked_by(self.by))
        object.__setattr__(self, "metrics", checked_metrics(self.metrics))

    @property
    def record_columns(self) -> list[str]:
        """The columns of ``by`` that records have."""
        return [name for name in self.by if not is_label(name)]

    @property
    def keys(self) -> list[str]:
        """The columns that identify a row of values: the session, then the columns of its records."""
        return ["source", *self.record_columns]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that the fold needs."""
        return series_columns(self.by, self.metrics)

    @property
    def needs_record_index(self) -> bool:
        """Whether records are joined with violations, which name a record by its index in the file."""
        return "record_index" in self.columns

    def __call__(self, batch: Batch) -> SessionPart:
        """Reduce a batch."""
        loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value)
        sessions = loaded.select("source", started_at="first_acquired_at")
        # The session of a large file comes in a batch without its records.
        complete = batch.records.join(sessions, on="source", how="semi", maintain_order="left")
        others = batch.records.join(sessions, on="source", how="anti", maintain_order="left")
        faults, pending = self._faults(batch)
        return SessionPart(
            sessions,
            self.values(self.frequencies(complete)),
            None if others.is_empty() else self.frequencies(others),
            faults,
            pending,
            others.select("record_index", *self.keys) if self.needs_record_index and not others.is_empty() else None,
        )

    def frequencies(self, records: pl.DataFrame) -> Frequencies:
        """Reduce records to frequencies."""
        counts = records.group_by(self.keys).agg(
            records=pl.len().cast(pl.UInt32), in_flight=pl.col("released_at").is_null().sum().cast(pl.UInt32)
        )
        released = records.filter(pl.col("released_at").is_not_null())
        return Frequencies(
            counts,
            self._times(records, "stability_score", needed=bool(METRICS_OF_SCORES & set(self.metrics))),
            self._times(released, "duration_ms", needed=bool(METRICS_OF_DURATIONS & set(self.metrics))),
        )

    def _times(self, records: pl.DataFrame, name: str, *, needed: bool) -> pl.DataFrame:
        rows = records if needed else records.clear().with_columns(pl.lit(None, pl.Float64).alias(name))
        return rows.drop_nulls(name).group_by(*self.keys, name).agg(times=pl.len().cast(pl.UInt32))

    def added(self, parts: list[Frequencies]) -> Frequencies:
        """The sum of the frequencies of several batches."""
        counts = pl.concat([part.counts for part in parts])
        scores = pl.concat([part.scores for part in parts])
        durations = pl.concat([part.durations for part in parts])
        return Frequencies(
            counts.group_by(self.keys).agg(pl.col("records", "in_flight").sum()),
            scores.group_by(*self.keys, "stability_score").agg(pl.col("times").sum()),
            durations.group_by(*self.keys, "duration_ms").agg(pl.col("times").sum()),
        )

    def values(self, frequencies: Frequencies) -> pl.DataFrame:
        """The values of sessions and groups, in any order; ``violations`` is 0 until they are counted."""
        score, duration, times = pl.col("stability_score"), pl.col("duration_ms"), pl.col("times")
        # Sums of floats depend on the order of their terms, so every sum is computed in ascending order.
        scores = self._ascending(frequencies.scores, "stability_score").agg(
            mean_stability=(score * times).sum() / times.sum(),
            unstable_share=times.filter(score < 1).sum() / times.sum(),
        )
        durations = self._ascending(frequencies.durations, "duration_ms").agg(
            hold_total_ms=(duration * times).sum(),
            **{name: weighted_percentile(duration, times, share) for name, share in PERCENTILES.items()},
        )
        # Each duration is finite, but sums and differences of the largest ones may overflow, which gives no value.
        computed = pl.selectors.float()
        durations = durations.with_columns(pl.when(computed.is_finite()).then(computed).name.keep())
        return (
            frequencies.counts.join(scores, on=self.keys, how="left", nulls_equal=True)
            .join(durations, on=self.keys, how="left", nulls_equal=True)
            .with_columns(pl.lit(0.0).alias("violations"), pl.col("in_flight").cast(pl.Float64))
            .select(*self.keys, "records", *self.metrics)
        )

    def _ascending(self, frequencies: pl.DataFrame, name: str) -> pl.dataframe.group_by.GroupBy:
        return frequencies.sort(*self.keys, name).group_by(self.keys, maintain_order=True)

    def _faults(self, batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The violations by session and group, and those of records in other batches."""
        counted = (
            batch.violations.filter(pl.col("severity").is_in(_COUNTED))
            .group_by(_RECORD)
            .agg(times=pl.col("count").sum())
        )
        if not self.needs_record_index:
            return counted.group_by("source").agg(violations=pl.col("times").sum()), counted.clear()
        # A violation of a whole file belongs to no group.
        return self.count_by_group(counted.drop_nulls("record_index"), batch.records)

    def count_by_group(self, faults: pl.DataFrame, records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Count the violations of records by session and group; those of other records are returned as they are."""
        found = faults.join(records.select(*_RECORD, *self.record_columns), on=_RECORD, how="inner")
        rest = faults.join(records, on=_RECORD, how="anti")
        return found.group_by(self.keys).agg(violations=pl.col("times").sum()), rest


def merge(fold: SessionFold, parts: Iterable[SessionPart]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Merge the contributions of all batches.

    Args:
        fold: the fold that returned them.
        parts: in the order of the reader, which gives the violations of split sessions before their records.

    Returns:
        ``source`` and ``started_at`` of the usable sessions, and the values of sessions and groups.
    """
    # There may be no batch at all, and frames without rows have the same columns.
    none = fold(Batch.empty())
    sessions, values, faults, pending = [none.sessions], [none.values], [none.faults], none.pending
    split: list[Frequencies] = []
    for part in parts:
        sessions.append(part.sessions)
        values.append(part.values)
        faults.append(part.faults)
        pending = pl.concat([pending, part.pending])
        if part.open is not None:
            split.append(part.open)
            if len(split) > 1 and sum(each.height for each in split) > COMPACT_ABOVE_ROWS:
                split = [fold.added(split)]
        if part.groups is not None and not pending.is_empty():
            found, pending = fold.count_by_group(pending, part.groups)
            faults.append(found)
    if split:
        values.append(fold.values(fold.added(split)))
    table = pl.concat(values)
    if "violations" in fold.metrics:
        total = pl.concat(faults).group_by(fold.keys).agg(pl.col("violations").sum().cast(pl.Float64))
        joined = table.drop("violations").join(total, on=fold.keys, how="left", nulls_equal=True)
        table = joined.with_columns(pl.col("violations").fill_null(0.0)).select(table.columns)
    return pl.concat(sessions).unique("source", keep="first", maintain_order=True), table
