"""Data of a report besides the series: collected in the same pass over the sources, a bounded amount per batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from clamp_analytics.analysis.summary import SummaryFold
from clamp_analytics.analysis.summary.fold import SummaryPart, merge, percentiles
from clamp_analytics.batch import Batch
from clamp_analytics.decode.validate import in_order
from clamp_analytics.html_report.session_records import (
    ANCHOR_COLUMNS,
    SessionRecords,
    collect_sessions,
    merge_sessions,
)
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import BatchReader
from clamp_analytics.rules import Severity

Result = TypeVar("Result")

DIGITS = 3
"""Significant digits of durations before percentiles are computed, so that the number of distinct values is bounded."""

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The percentiles of durations that are shown."""

MOST_VIOLATIONS = 50
"""Maximal number of violations that are listed."""

MERGE_AFTER = 64
"""Number of partial results that are kept before they are merged into one."""

COLUMNS = ANCHOR_COLUMNS
"""The columns of ``records`` that a report needs."""

_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class ReportData:
    """The data of one batch, or of all batches.

    Attributes:
        summary: the statistics of all records.
        context_names: the distinct contexts of the records.
        durations: how many (``times``) released anchors of each context (``key``) have each ``duration_ms``, rounded to
            three significant digits.
        rules: ``rows`` and ``occurrences`` of violations by ``rule`` and ``severity``.
        violations: the first violations, worst severity first.
        sessions: what is known of each session.
    """

    summary: SummaryPart
    context_names: pl.Series
    durations: pl.DataFrame
    rules: pl.DataFrame
    violations: pl.DataFrame
    sessions: SessionRecords

    @property
    def contexts(self) -> int:
        """Number of contexts; records without a context count as one more."""
        return self.context_names.len()

    @property
    def boxes(self) -> pl.DataFrame:
        """Percentiles of durations in milliseconds (``p5`` etc.) and number of ``anchors`` by context ``key``."""
        if self.durations.is_empty():
            return pl.DataFrame(
                schema={"key": pl.String, **dict.fromkeys(_percentile_names(), pl.Float64), "anchors": pl.Int64}
            )
        found = percentiles(self.durations, SHARES)
        counts = self.durations.group_by("key").agg(anchors=pl.col("times").cast(pl.Int64).sum())
        joined = found.join(counts, on="key", how="left", nulls_equal=True)
        return joined.sort("p50", "key", descending=[True, False], nulls_last=True)


def _percentile_names() -> list[str]:
    return [f"p{share * 100:g}" for share in SHARES]


@dataclass(frozen=True, slots=True)
class ReportDataFold:
    """Reduces a batch to its report data; it can be sent to a worker process."""

    def __call__(self, batch: Batch) -> ReportData:
        """The report data of the batch."""
        released = batch.records.filter(pl.col("released_at").is_not_null()).drop_nulls("duration_ms")
        durations = released.group_by(key="context", duration_ms=pl.col("duration_ms").round_sig_figs(DIGITS)).agg(
            times=pl.len()
        )
        found = batch.violations
        rules = found.group_by("rule", "severity").agg(
            rows=pl.len().cast(pl.Int64), occurrences=pl.col("count").cast(pl.Int64).sum()
        )
        contexts = batch.records["context"].unique()
        return ReportData(SummaryFold()(batch), contexts, durations, rules, _worst(found), collect_sessions(batch))


def _worst(violations: pl.DataFrame) -> pl.DataFrame:
    """The first violations by severity: errors, then warnings, then the rest."""
    rank = pl.col("severity").replace_strict(_RANKS, return_dtype=pl.UInt8)
    return in_order(violations).sort(rank, maintain_order=True).head(MOST_VIOLATIONS)


def merge_report_data(parts: Sequence[ReportData]) -> ReportData:
    """The report data of several batches as one."""
    durations = pl.concat([part.durations for part in parts])
    rules = pl.concat([part.rules for part in parts])
    by_rule = rules.group_by("rule", "severity").agg(pl.col("rows", "occurrences").sum())
    rank = pl.col("severity").replace_strict(_RANKS, return_dtype=pl.UInt8)
    return ReportData(
        merge(part.summary for part in parts),
        pl.concat([part.context_names for part in parts]).unique(),
        durations.group_by("key", "duration_ms").agg(pl.col("times").sum()),
        by_rule.sort(rank, "rows", "rule", descending=[False, True, False]),
        _worst(pl.concat([part.violations for part in parts])),
        merge_sessions([part.sessions for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class FoldPair(Generic[Result]):
    """Two folds over one batch, so that the sources are read once."""

    first: Callable[[Batch], Result]
    second: ReportDataFold

    def __call__(self, batch: Batch) -> tuple[Result, ReportData]:
        """Both results."""
        return self.first(batch), self.second(batch)


class ReportReader:
    """Wraps a reader, and collects the data of a report while an analysis folds over its batches.

    Args:
        reader: the reader; its columns must include ``COLUMNS``.

    Attributes:
        directory: see ``BatchReader``.
        skipped: see ``BatchReader``.
        build_info: see ``BatchReader``.
        report_data: the collected data, which are complete when the fold has ended.
    """

    report_data: ReportData

    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader
        self.directory = reader.directory
        self.skipped = reader.skipped
        self.build_info = reader.build_info

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that are read."""
        return self._reader.columns

    @property
    def counts(self) -> Counts:
        """The files read so far."""
        return self._reader.counts

    def require_sessions(self) -> None:
        """Raise a ``SourceError`` if no usable session was read."""
        self._reader.require_sessions()

    def fold(self, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        """Apply a function to every batch, and yield its results in a fixed order."""
        collect = ReportDataFold()
        parts = [collect(Batch.empty(COLUMNS))]
        for result, part in self._reader.fold(FoldPair(reduce, collect)):
            parts.append(part)
            if len(parts) > MERGE_AFTER:
                parts = [merge_report_data(parts)]
            yield result
        self.report_data = merge_report_data(parts)
