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
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import BatchReader
from clamp_analytics.rules import Severity

Result = TypeVar("Result")

DIGITS = 3
"""Significant digits of durations before percentiles are computed, so that the number of distinct values is bounded."""

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The percentiles of durations that are shown."""

MOST_ANCHORS = 300
"""Maximal number of anchors in the timeline."""

MOST_VIOLATIONS = 50
"""Maximal number of violations that are listed."""

MERGE_AFTER = 64
"""Number of partial results that are kept before they are merged into one."""

COLUMNS = ("source", "context", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score")
"""The columns of ``records`` that a report needs."""

_ANCHOR = ("source", "context", "thread_id", "acquired_at", "released_at", "duration_ms")
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class SessionAnchors:
    """The anchors of one session.

    Attributes:
        source: the session.
        first_anchors: its first anchors by acquisition.
        count: number of its anchors with a usable acquisition.
        start: its earliest acquisition in microseconds since the epoch.
    """

    source: str
    first_anchors: pl.DataFrame
    count: int
    start: int


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
        anchors: the anchors of the latest session of each batch; after a merge one session, or none.
    """

    summary: SummaryPart
    context_names: pl.Series
    durations: pl.DataFrame
    rules: pl.DataFrame
    violations: pl.DataFrame
    anchors: list[SessionAnchors]

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
        return ReportData(
            SummaryFold()(batch), contexts, durations, rules, _worst(found), list(_anchors(batch.records))
        )


def _worst(violations: pl.DataFrame) -> pl.DataFrame:
    """The first violations by severity: errors, then warnings, then the rest."""
    rank = pl.col("severity").replace_strict(_RANKS, return_dtype=pl.UInt8)
    return in_order(violations).sort(rank, maintain_order=True).head(MOST_VIOLATIONS)


def _anchors(records: pl.DataFrame) -> Iterator[SessionAnchors]:
    """The anchors of the latest session of a batch, preferably of one with more than one usable acquisition."""
    timed = records.select(_ANCHOR).drop_nulls("acquired_at")
    if timed.is_empty():
        return
    sessions = timed.group_by("source").agg(count=pl.len(), start=pl.col("acquired_at").min().dt.epoch("us"))
    source, count, start = sessions.sort(pl.col("count") > 1, "start", "source").row(-1)
    own = timed.filter(pl.col("source") == source).sort("acquired_at", maintain_order=True)
    yield SessionAnchors(source, own.head(MOST_ANCHORS), count, start)


def _latest(parts: list[SessionAnchors]) -> list[SessionAnchors]:
    """The latest session, merged from its parts."""
    by_source: dict[str, list[SessionAnchors]] = {}
    for part in parts:
        by_source.setdefault(part.source, []).append(part)
    whole = [
        SessionAnchors(
            source,
            pl.concat([part.first_anchors for part in own]).sort("acquired_at", maintain_order=True).head(MOST_ANCHORS),
            sum(part.count for part in own),
            min(part.start for part in own),
        )
        for source, own in by_source.items()
    ]
    return [max(whole, key=lambda one: (one.count > 1, one.start, one.source))] if whole else []


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
        _latest([anchors for part in parts for anchors in part.anchors]),
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

    def fold(self, reduce: Callable[[Batch], Result], *, needs_record_index: bool = True) -> Iterator[Result]:
        """Apply a function to every batch, and yield its results in a fixed order.

        The report names records by their index, so the index is always read.
        """
        del needs_record_index
        collect = ReportDataFold()
        parts = [collect(Batch.empty(COLUMNS))]
        for result, part in self._reader.fold(FoldPair(reduce, collect)):
            parts.append(part)
            if len(parts) > MERGE_AFTER:
                parts = [merge_report_data(parts)]
            yield result
        self.report_data = merge_report_data(parts)
