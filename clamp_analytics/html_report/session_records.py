"""What a report knows of each session: its figures, its violations, and its first anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics import trace
from clamp_analytics.batch import Batch
from clamp_analytics.schema import Status

MOST_ANCHORS = 300
"""Maximal number of anchors of one session, the first ones by acquisition."""

KEPT_ANCHORS = 500_000
"""Number of anchors above which only those of the latest sessions are kept, so that memory is bounded."""

ANCHOR_COLUMNS = trace.COLUMNS
"""The columns of ``records`` that an anchor has: those of the trace that the report offers."""


@dataclass(frozen=True, slots=True)
class SessionRecords:
    """The sessions of one batch, or of several batches.

    Attributes:
        figures: one row per loaded session: ``source``, ``records``, ``in_flight`` and ``mean_stability``.
        faults: ``times`` by ``source``, ``severity`` and ``rule``.
        anchors: the first anchors of each session by acquisition, with ``ANCHOR_COLUMNS``.
        totals: one row per session with a usable acquisition: ``source``, the ``start`` of the first one in
            microseconds since 1970, and the ``count`` of its anchors with one.
    """

    figures: pl.DataFrame
    faults: pl.DataFrame
    anchors: pl.DataFrame
    totals: pl.DataFrame

    @property
    def latest(self) -> str | None:
        """The latest session whose anchors are known, preferably one with more than one; None without any."""
        known = self.totals.join(self.anchors, on="source", how="semi")
        if known.is_empty():
            return None
        source: str = known.sort(pl.col("count") > 1, "start", "source")["source"].item(-1)
        return source

    def anchors_of(self, source: str) -> pl.DataFrame:
        """The first anchors of a session, by acquisition."""
        return self.anchors.filter(pl.col("source") == source)


def collect_sessions(batch: Batch) -> SessionRecords:
    """The sessions of a batch."""
    loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value)
    timed = batch.records.select(ANCHOR_COLUMNS).drop_nulls("acquired_at")
    return SessionRecords(
        loaded.select("source", "mean_stability", records="record_count", in_flight="in_flight_count"),
        batch.violations.group_by("source", "severity", "rule").agg(times=pl.col("count").cast(pl.Int64).sum()),
        _first(timed),
        timed.group_by("source").agg(count=pl.len().cast(pl.Int64), start=pl.col("acquired_at").min().dt.epoch("us")),
    )


def merge_sessions(parts: Sequence[SessionRecords]) -> SessionRecords:
    """The sessions of several batches; the records of one session may be in more than one of them."""
    faults = pl.concat([part.faults for part in parts])
    totals = pl.concat([part.totals for part in parts])
    counted = totals.group_by("source").agg(pl.col("count").sum(), pl.col("start").min())
    anchors = pl.concat([part.anchors for part in parts])
    return SessionRecords(
        pl.concat([part.figures for part in parts]),
        faults.group_by("source", "severity", "rule").agg(pl.col("times").sum()),
        _latest(_first(anchors), counted),
        counted,
    )


def _first(anchors: pl.DataFrame) -> pl.DataFrame:
    ordered = anchors.sort("source", "acquired_at", "record_index", maintain_order=True)
    return ordered.group_by("source", maintain_order=True).head(MOST_ANCHORS).select(ANCHOR_COLUMNS)


def _latest(anchors: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """The anchors, without those of the earliest sessions if there are too many."""
    if anchors.height <= KEPT_ANCHORS:
        return anchors
    sizes = anchors.group_by("source").len("size").join(totals, on="source")
    latest = sizes.sort("start", "source", descending=True).filter(pl.col("size").cum_sum() <= KEPT_ANCHORS)
    return anchors.join(latest, on="source", how="semi", maintain_order="left")
