"""What a report shows beside the series: gathered in the same pass over the sources, a bounded share of each batch."""

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
"""Significant digits of the durations that percentiles are taken of; so few that their number is bounded."""

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The percentiles that are shown of durations."""

MOST_ANCHORS = 300
"""Anchors of the session that the timeline shows."""

MOST_VIOLATIONS = 50
"""Violations that are listed one by one."""

COMPACT_ABOVE_PARTS = 64
"""Shares of so many batches are put together before more are taken."""

COLUMNS = ("source", "context", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score")
"""The columns of ``records`` that are looked at."""

_ANCHOR = ("source", "context", "thread_id", "acquired_at", "released_at", "duration_ms")
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Anchors:
    """Anchors of one session.

    Attributes:
        source: the session; null where no anchor has a usable acquisition.
        shown: the first of its anchors by acquisition.
        count: all its anchors with a usable acquisition.
        first: its earliest acquisition in microseconds since the epoch.
    """

    source: str
    shown: pl.DataFrame
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one batch adds to a report, or all of them.

    Attributes:
        summary: the statistics of all records.
        context_names: the contexts of records, each once.
        durations: how often (``times``) each ``duration_ms`` stands among the released anchors of each context
            (``key``), to three significant digits.
        rules: ``rows`` and ``occurrences`` of violations by ``rule`` and ``severity``.
        violations: the first violations, worst first.
        anchors: the latest session's anchors, of each batch; of all batches one or none.
    """

    summary: SummaryPart
    context_names: pl.Series
    durations: pl.DataFrame
    rules: pl.DataFrame
    violations: pl.DataFrame
    anchors: list[Anchors]

    @property
    def contexts(self) -> int:
        """How many contexts there are; records without one count as one more."""
        return self.context_names.len()

    @property
    def boxes(self) -> pl.DataFrame:
        """By context ``key``: percentiles of durations in milliseconds (``p5`` and so on), and ``anchors``."""
        if self.durations.is_empty():
            return pl.DataFrame(
                schema={"key": pl.String, **dict.fromkeys(_box_names(), pl.Float64), "anchors": pl.Int64}
            )
        found = percentiles(self.durations, SHARES)
        counts = self.durations.group_by("key").agg(anchors=pl.col("times").cast(pl.Int64).sum())
        joined = found.join(counts, on="key", how="left", nulls_equal=True)
        return joined.sort("p50", "key", descending=[True, False], nulls_last=True)


def _box_names() -> list[str]:
    return [f"p{share * 100:g}" for share in SHARES]


@dataclass(frozen=True, slots=True)
class EvidenceFold:
    """Reduces a batch to its share of a report; it can be sent to another process."""

    def __call__(self, batch: Batch) -> Evidence:
        """The batch's share."""
        released = batch.records.filter(pl.col("released_at").is_not_null()).drop_nulls("duration_ms")
        durations = released.group_by(key="context", duration_ms=pl.col("duration_ms").round_sig_figs(DIGITS)).agg(
            times=pl.len()
        )
        found = batch.violations
        rules = found.group_by("rule", "severity").agg(
            rows=pl.len().cast(pl.Int64), occurrences=pl.col("count").cast(pl.Int64).sum()
        )
        contexts = batch.records["context"].unique()
        return Evidence(SummaryFold()(batch), contexts, durations, rules, _worst(found), list(_anchors(batch.records)))


def _worst(violations: pl.DataFrame) -> pl.DataFrame:
    """The first violations, errors before warnings before the rest."""
    rank = pl.col("severity").replace_strict(_RANKS, return_dtype=pl.UInt8)
    return in_order(violations).sort(rank, maintain_order=True).head(MOST_VIOLATIONS)


def _anchors(records: pl.DataFrame) -> Iterator[Anchors]:
    """The anchors of the latest session in a batch that has two of them with a usable acquisition, else one."""
    timed = records.select(_ANCHOR).drop_nulls("acquired_at")
    if timed.is_empty():
        return
    sessions = timed.group_by("source").agg(count=pl.len(), first=pl.col("acquired_at").min().dt.epoch("us"))
    source, count, first = sessions.sort(pl.col("count") > 1, "first", "source").row(-1)
    own = timed.filter(pl.col("source") == source).sort("acquired_at", maintain_order=True)
    yield Anchors(source, own.head(MOST_ANCHORS), count, first)


def _latest(parts: list[Anchors]) -> list[Anchors]:
    """The parts of the latest session, put together as one."""
    by_source: dict[str, list[Anchors]] = {}
    for part in parts:
        by_source.setdefault(part.source, []).append(part)
    whole = [
        Anchors(
            source,
            pl.concat([part.shown for part in own]).sort("acquired_at", maintain_order=True).head(MOST_ANCHORS),
            sum(part.count for part in own),
            min(part.first for part in own),
        )
        for source, own in by_source.items()
    ]
    return [max(whole, key=lambda one: (one.count > 1, one.first, one.source))] if whole else []


def added(parts: Sequence[Evidence]) -> Evidence:
    """The shares of several batches as one."""
    durations = pl.concat([part.durations for part in parts])
    rules = pl.concat([part.rules for part in parts])
    by_rule = rules.group_by("rule", "severity").agg(pl.col("rows", "occurrences").sum())
    rank = pl.col("severity").replace_strict(_RANKS, return_dtype=pl.UInt8)
    return Evidence(
        merge(part.summary for part in parts),
        pl.concat([part.context_names for part in parts]).unique(),
        durations.group_by("key", "duration_ms").agg(pl.col("times").sum()),
        by_rule.sort(rank, "rows", "rule", descending=[False, True, False]),
        _worst(pl.concat([part.violations for part in parts])),
        _latest([anchors for part in parts for anchors in part.anchors]),
    )


@dataclass(frozen=True, slots=True)
class Together(Generic[Result]):
    """Two reductions of one batch, so that the sources are read once."""

    other: Callable[[Batch], Result]
    own: EvidenceFold

    def __call__(self, batch: Batch) -> tuple[Result, Evidence]:
        """Both results."""
        return self.other(batch), self.own(batch)


class EvidenceReader:
    """Wraps a reader and gathers a report's evidence while something else folds over its batches.

    Args:
        reader: the reader; its columns must include ``COLUMNS``.

    Attributes:
        directory: see ``BatchReader``.
        skipped: see ``BatchReader``.
        build_info: see ``BatchReader``.
        evidence: what was gathered, complete when the fold has ended.
    """

    evidence: Evidence

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
        """Raise a ``SourceError`` where no usable session was read."""
        self._reader.require_sessions()

    def fold(self, reduce: Callable[[Batch], Result], *, needs_record_index: bool = True) -> Iterator[Result]:
        """Apply a function to every batch and yield its results in a fixed order.

        The evidence names records by their index, so the index is always needed.
        """
        del needs_record_index
        own = EvidenceFold()
        parts = [own(Batch.empty(COLUMNS))]
        for result, part in self._reader.fold(Together(reduce, own)):
            parts.append(part)
            if len(parts) > COMPACT_ABOVE_PARTS:
                parts = [added(parts)]
            yield result
        self.evidence = added(parts)
