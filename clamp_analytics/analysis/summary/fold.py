"""Reduce batches to statistics by group, and merge them in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from clamp_analytics.analysis.percentiles import weighted_percentile
from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError, did_you_mean
from clamp_analytics.moments import ROWS_AT_ONCE, SUM_NAMES, Moments, from_sums, limb_sums, limbs
from clamp_analytics.rules import Severity, count_by_severity
from clamp_analytics.schema import Status

GROUPINGS = ("context", "thread_id", "backend", "device_name", "source", "day")
"""What records can be grouped by; ``day`` is the UTC day of the acquisition."""

COMPACT_ABOVE_ROWS = 2_000_000
"""The frequencies of durations are merged when they have more rows than this."""


@dataclass(frozen=True, slots=True)
class Group:
    """The statistics of one group of records.

    Attributes:
        sessions: the number of sessions that have a record in the group.
        records: the number of records.
        in_flight: the number of anchors without a usable release.
        scores: exact moments of the usable stability scores.
        first: the earliest usable acquisition, in microseconds since the epoch; None where there is none.
        last: the latest usable acquisition, likewise.
    """

    sessions: int = 0
    records: int = 0
    in_flight: int = 0
    scores: Moments = field(default_factory=Moments)
    first: int | None = None
    last: int | None = None

    def __add__(self, other: Group) -> Group:
        firsts = [at for at in (self.first, other.first) if at is not None]
        lasts = [at for at in (self.last, other.last) if at is not None]
        return Group(
            self.sessions + other.sessions,
            self.records + other.records,
            self.in_flight + other.in_flight,
            self.scores + other.scores,
            min(firsts, default=None),
            max(lasts, default=None),
        )

    @property
    def drift_index_ms(self) -> float:
        """Latest minus earliest usable acquisition in milliseconds; 0 where there are fewer than two."""
        return (self.last - self.first) / 1000 if self.first is not None and self.last is not None else 0.0


@dataclass(frozen=True, slots=True)
class SummaryPart:
    """The contribution of one batch to a summary.

    Attributes:
        groups: the statistics by the group's value; one group with the key None where records are not grouped.
        severities: the number of violations by severity.
        rejected: name and reason of each file that could not be read as a session.
        unexplained: names of such files whose reason comes in another batch, as in an export.
        reasons: name and message of the errors of whole files that come in another batch.
        durations: how many ``times`` each ``duration_ms`` occurs in each group (``key``).
        open_pairs: group (``key``) and ``source`` of sessions whose other records may come in another batch.
    """

    groups: dict[Any, Group]
    severities: Counter[str]
    rejected: list[tuple[str, str]] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    durations: pl.DataFrame | None = None
    open_pairs: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class SummaryFold:
    """Reduces a batch to its statistics; it can be pickled.

    Attributes:
        by: one of ``GROUPINGS``; None for all records together.
        released_only: whether anchors without a usable release are left out.

    Raises:
        UsageError: the grouping is unknown.
    """

    by: str | None = None
    released_only: bool = False

    def __post_init__(self) -> None:
        if self.by is not None and self.by not in GROUPINGS:
            hint = did_you_mean(self.by, GROUPINGS, f"one of {', '.join(GROUPINGS)}")
            raise UsageError(f"records cannot be grouped by {self.by}", hint=hint)

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that the fold needs."""
        needed = {"stability_score", "acquired_at", "released_at"}
        if self.by is not None:
            needed |= {"source", "duration_ms"} | ({self.by} - {"day"})
        return frozenset(needed)

    def __call__(self, batch: Batch) -> SummaryPart:
        """Reduce a batch."""
        severities = count_by_severity(batch.violations)
        rejected = _rejected(batch)
        records = batch.records
        if self.released_only:
            records = records.filter(pl.col("released_at").is_not_null())
        if records.is_empty():
            return SummaryPart({}, severities, *rejected)
        groups: dict[Any, Group] = {}
        keyed = records.with_columns(self._key().alias("key"))
        for rows in keyed.iter_slices(ROWS_AT_ONCE):
            _merge(groups, _groups(rows))
        if self.by is None:
            return SummaryPart(groups, severities, *rejected)
        pairs = keyed.select("key", "source").unique()
        complete = pairs.join(batch.sessions.select("source"), on="source", how="semi")
        for key, sessions in complete.group_by("key").len().iter_rows():
            groups[key] += Group(sessions=sessions)
        return SummaryPart(
            groups,
            severities,
            *rejected,
            keyed.drop_nulls("duration_ms").group_by("key", "duration_ms").agg(times=pl.len()),
            pairs.join(batch.sessions.select("source"), on="source", how="anti"),
        )

    def _key(self) -> pl.Expr:
        """The value that records are grouped by."""
        if self.by is None:
            return pl.lit(None)
        return pl.col("acquired_at").dt.date() if self.by == "day" else pl.col(self.by)


def _rejected(batch: Batch) -> tuple[list[tuple[str, str]], list[str], list[tuple[str, str]]]:
    """The fields ``rejected``, ``unexplained`` and ``reasons`` of a batch."""
    is_rejected = batch.sessions["status"] == Status.REJECTED.value
    is_error = batch.violations["severity"] == Severity.ERROR.value
    if not is_rejected.any() and not is_error.any():
        return [], [], []
    files = batch.sessions.filter(is_rejected).select("source")
    reasons = batch.violations.filter(is_error & batch.violations["record_index"].is_null())
    named = reasons.select("source", "message")
    return (
        list(named.join(files, on="source", how="semi").iter_rows()),
        files.join(named, on="source", how="anti")["source"].to_list(),
        list(named.join(batch.sessions, on="source", how="anti").iter_rows()),
    )


def _merge(into: dict[Any, Group], groups: dict[Any, Group]) -> None:
    for key, group in groups.items():
        into[key] = into.get(key, Group()) + group


def _groups(rows: pl.DataFrame) -> dict[Any, Group]:
    aggregates = _aggregate(
        rows,
        pl.len().alias("records"),
        pl.col("released_at").is_null().sum().alias("in_flight"),
        pl.col("acquired_at").min().dt.epoch("us").alias("first"),
        pl.col("acquired_at").max().dt.epoch("us").alias("last"),
        (pl.col("stability_score") == 1).sum().alias("ones"),
    )
    names = ("key", "records", "in_flight", "first", "last", "ones")
    groups = {
        key: Group(0, records, in_flight, Moments.of_ones(ones), first, last)
        for key, records, in_flight, first, last, ones in aggregates.select(names).iter_rows()
    }
    # Nearly every cycle is successful and scores 1, which needs no arithmetic.
    scores = rows.select("key", "stability_score")
    others = scores.filter(scores["stability_score"] != 1).with_columns(limbs(pl.col("stability_score")))
    is_tiny = others["below"] != 0
    if is_tiny.any():
        # Scores with digits below the limbs are rare enough to be added one at a time.
        for key, score in others.filter(is_tiny).select("key", "stability_score").iter_rows():
            groups[key] += Group(scores=Moments.of_value(score))
        others = others.filter(~is_tiny)
    for key, *limb_totals in _aggregate(others, *limb_sums()).select("key", *SUM_NAMES).iter_rows():
        groups[key] += Group(scores=from_sums(limb_totals))
    return groups


def _aggregate(rows: pl.DataFrame, *aggregates: pl.Expr) -> pl.DataFrame:
    """Aggregate by ``key``; without groups the aggregation needs no grouping, which would take most of the time."""
    if rows["key"].dtype == pl.Null:
        return rows.select(pl.lit(None).alias("key"), *aggregates)
    return rows.group_by("key").agg(aggregates)


def merge(parts: Iterable[SummaryPart]) -> SummaryPart:
    """Merge the contributions of all batches; their order does not matter."""
    groups: dict[Any, Group] = {}
    severities: Counter[str] = Counter()
    rejected: list[tuple[str, str]] = []
    unexplained: set[str] = set()
    reasons: list[tuple[str, str]] = []
    durations: list[pl.DataFrame] = []
    pairs: list[pl.DataFrame] = []
    for part in parts:
        _merge(groups, part.groups)
        severities.update(part.severities)
        rejected += part.rejected
        unexplained.update(part.unexplained)
        reasons += part.reasons
        if part.durations is not None:
            durations.append(part.durations)
            if sum(frame.height for frame in durations) > COMPACT_ABOVE_ROWS:
                durations = [_add_frequencies(durations)]
        if part.open_pairs is not None:
            pairs.append(part.open_pairs)
    if pairs:
        for key, sessions in pl.concat(pairs).unique().group_by("key").len().iter_rows():
            groups[key] += Group(sessions=sessions)
    rejected += [(source, message) for source, message in reasons if source in unexplained]
    return SummaryPart(
        groups, severities, sorted(rejected), durations=_add_frequencies(durations) if durations else None
    )


def _add_frequencies(durations: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(durations).group_by("key", "duration_ms").agg(pl.col("times").sum())


def percentiles(durations: pl.DataFrame, shares: Iterable[float]) -> pl.DataFrame:
    """Percentiles of durations by group, linear between neighbours (see ``weighted_percentile``).

    Args:
        durations: the columns ``key``, ``duration_ms`` and ``times``.
        shares: the quantiles, in [0, 1].

    Returns:
        One row per group: ``key``, then one column per share in milliseconds, named ``p50`` and so on.
    """
    value, times = pl.col("duration_ms"), pl.col("times")
    columns = [weighted_percentile(value, times, share).alias(f"p{share * 100:g}") for share in shares]
    return durations.sort("key", "duration_ms").group_by("key", maintain_order=True).agg(columns)
