"""Reduce batches to statistics by group, and merge them in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from clamp_analytics.analysis.groupings import PERIODS, checked_groupings, is_label
from clamp_analytics.analysis.label_columns import label_columns
from clamp_analytics.analysis.needed_columns import summary_columns
from clamp_analytics.analysis.percentiles import weighted_percentile
from clamp_analytics.batch import Batch
from clamp_analytics.moments import ROWS_AT_ONCE, SUM_NAMES, Moments, from_sums, limb_sums, limbs
from clamp_analytics.rules import Severity, count_by_severity
from clamp_analytics.schema import Status

Key = tuple[Any, ...]
"""The values that a group of records has in common, in the order of the groupings."""

OTHER_SOURCE = "other_source"
"""The column of records whose session comes in another batch: the source of that session, else null."""

COMPACT_ABOVE_ROWS = 2_000_000
"""Frequencies of durations are merged when so many rows were added to those that are merged already."""


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
        groups: the statistics by the group's key; one group with an empty key where records are not grouped.
        severities: the number of violations by severity.
        rejected: name and reason of each file that could not be read as a session.
        unexplained: names of such files whose reason comes in another batch, as in an export.
        reasons: name and message of the errors of whole files that come in another batch.
        durations: how many ``times`` each ``duration_ms`` of a released anchor occurs in each group.
        open_pairs: group and ``source`` of sessions whose other records may come in another batch.
        labels: the labels of sessions whose records come in other batches; None where records are not grouped by one.
    """

    groups: dict[Key, Group]
    severities: Counter[str]
    rejected: list[tuple[str, str]] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    durations: pl.DataFrame | None = None
    open_pairs: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class SummaryFold:
    """Reduces a batch to its statistics; it can be pickled.

    Attributes:
        by: ``GROUPINGS`` and labels, such as ``label:build``; none for all records together.
        released_only: whether anchors without a usable release are left out.

    Raises:
        UsageError: a grouping is unknown.
    """

    by: tuple[str, ...] = ()
    released_only: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", checked_groupings(self.by))

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that the fold needs."""
        return summary_columns(self.by)

    @property
    def label_names(self) -> list[str]:
        """The columns of labels."""
        return [name for name in self.by if is_label(name)]

    @property
    def keys(self) -> list[str]:
        """The columns of a group's key in a batch: ``by``, and ``OTHER_SOURCE`` where there are labels."""
        return [*self.by, OTHER_SOURCE] if self.label_names else list(self.by)

    def __call__(self, batch: Batch) -> SummaryPart:
        """Reduce a batch."""
        severities = count_by_severity(batch.violations)
        rejected = _rejected(batch)
        labels = self._labels(batch)
        records = batch.records
        if self.released_only:
            records = records.filter(pl.col("released_at").is_not_null())
        if records.is_empty():
            return SummaryPart({}, severities, *rejected, labels=labels)
        groups: dict[Key, Group] = {}
        keyed = self._keyed(records, labels)
        for rows in keyed.iter_slices(ROWS_AT_ONCE):
            _merge(groups, _groups(rows, self.keys))
        if not self.by:
            return SummaryPart(groups, severities, *rejected)
        pairs = keyed.select({*self.keys, "source"}).unique()
        complete = pairs.join(batch.sessions.select("source"), on="source", how="semi")
        for *key, sessions in complete.group_by(self.keys).len().iter_rows():
            groups[tuple(key)] += Group(sessions=sessions)
        # The duration of an anchor in flight is a placeholder.
        released = keyed.filter(pl.col("released_at").is_not_null()).drop_nulls("duration_ms")
        return SummaryPart(
            groups,
            severities,
            *rejected,
            released.group_by(*self.keys, "duration_ms").agg(times=pl.len()),
            pairs.join(batch.sessions.select("source"), on="source", how="anti"),
            None if labels is None else labels.join(records, on="source", how="anti"),
        )

    def _labels(self, batch: Batch) -> pl.DataFrame | None:
        return label_columns(batch.sessions, self.label_names) if self.label_names else None

    def _keyed(self, records: pl.DataFrame, labels: pl.DataFrame | None) -> pl.DataFrame:
        """Records with a column for each of ``keys``."""
        keyed = records.with_columns(_period(name) for name in self.by if name in PERIODS)
        if labels is None:
            return keyed
        joined = keyed.join(labels.with_columns(has_session=True), on="source", how="left", maintain_order="left")
        return joined.with_columns(pl.when(pl.col("has_session").is_null()).then("source").alias(OTHER_SOURCE))

    def with_labels(self, frame: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
        """Replace the source of a session by its labels.

        Args:
            frame: has the columns of ``keys``.
            labels: the labels of sessions.
        """
        if not self.label_names:
            return frame
        own = labels.rename({"source": OTHER_SOURCE})
        joined = frame.join(own, on=OTHER_SOURCE, how="left", suffix=OTHER_SOURCE)
        found = (pl.coalesce(name, f"{name}{OTHER_SOURCE}").alias(name) for name in self.label_names)
        return joined.with_columns(found).select(name for name in frame.columns if name != OTHER_SOURCE)


def _period(name: str) -> pl.Expr:
    """The start of the period of the acquisition."""
    at = pl.col("acquired_at")
    if name == "hour":
        return at.dt.truncate("1h").alias(name)
    return (at if name == "day" else at.dt.truncate("1w")).dt.date().alias(name)


def _rejected(batch: Batch) -> tuple[list[tuple[str, str]], list[str], list[tuple[str, str]]]:
    """The fields ``rejected``, ``unexplained`` and ``reasons`` of a batch."""
    is_rejected = batch.sessions["status"] == Status.REJECTED.value
    is_error = batch.violations["severity"] == Severity.ERROR.value
    if not is_rejected.any() and not is_error.any():
        return [], [], []
    sources = batch.sessions["source"]
    files = sources.filter(is_rejected).to_list()
    rejected, known = set(files), set(sources)
    reasons = batch.violations.filter(is_error & batch.violations["record_index"].is_null())
    named = list(reasons.select("source", "message").iter_rows())
    explained = {source for source, _ in named}
    return (
        [row for row in named if row[0] in rejected],
        [source for source in files if source not in explained],
        [row for row in named if row[0] not in known],
    )


def _merge(into: dict[Key, Group], groups: Mapping[Key, Group]) -> None:
    for key, group in groups.items():
        into[key] = into.get(key, Group()) + group


def _groups(rows: pl.DataFrame, keys: Sequence[str]) -> dict[Key, Group]:
    aggregates = _aggregate(
        rows,
        keys,
        pl.len().alias("_records"),
        pl.col("released_at").is_null().sum().alias("_in_flight"),
        pl.col("acquired_at").min().dt.epoch("us").alias("_first"),
        pl.col("acquired_at").max().dt.epoch("us").alias("_last"),
        (pl.col("stability_score") == 1).sum().alias("_ones"),
    )
    groups = {
        tuple(key): Group(0, records, in_flight, Moments.of_ones(ones), first, last)
        for *key, records, in_flight, first, last, ones in aggregates.iter_rows()
    }
    # Nearly every cycle is successful and scores 1, which needs no arithmetic.
    scores = rows.select(*keys, "stability_score")
    others = scores.filter(scores["stability_score"] != 1).with_columns(limbs(pl.col("stability_score")))
    is_tiny = others["below"] != 0
    if is_tiny.any():
        # Scores with digits below the limbs are rare enough to be added one at a time.
        for *key, score in others.filter(is_tiny).select(*keys, "stability_score").iter_rows():
            groups[tuple(key)] += Group(scores=Moments.of_value(score))
        others = others.filter(~is_tiny)
    for row in _aggregate(others, keys, *limb_sums()).select(*keys, *SUM_NAMES).iter_rows():
        groups[row[: len(keys)]] += Group(scores=from_sums(row[len(keys) :]))
    return groups


def _aggregate(rows: pl.DataFrame, keys: Sequence[str], *aggregates: pl.Expr) -> pl.DataFrame:
    """Aggregate by the keys; without keys there is one row, and grouping would take most of the time."""
    return rows.group_by(keys).agg(aggregates) if keys else rows.select(aggregates)


def merge(parts: Iterable[SummaryPart], fold: SummaryFold | None = None) -> SummaryPart:
    """Merge the contributions of all batches; where there are labels, sessions come before their records.

    Args:
        parts: the contributions.
        fold: what reduced the batches; by default one that does not group.
    """
    fold = fold or SummaryFold()
    unexplained: set[str] = set()
    reasons: list[tuple[str, str]] = []
    pairs: list[pl.DataFrame] = []

    def labeled() -> Iterator[SummaryPart]:
        labels = label_columns(Batch.empty().sessions, fold.label_names)
        texts: dict[str, tuple[str | None, ...]] = {}
        for part in parts:
            if part.labels is not None and not part.labels.is_empty():
                labels = pl.concat([labels, part.labels])
                texts.update((source, tuple(row)) for source, *row in part.labels.iter_rows())
            unexplained.update(part.unexplained)
            reasons.extend(part.reasons)
            if part.open_pairs is not None:
                pairs.append(fold.with_labels(part.open_pairs, labels))
            durations = None if part.durations is None else fold.with_labels(part.durations, labels)
            yield replace(part, groups=_with_texts(part.groups, fold, texts), durations=durations)

    merged = add_merged(labeled(), fold.by)
    if pairs:
        for *key, sessions in pl.concat(pairs).unique().group_by(fold.by).len().iter_rows():
            merged.groups[tuple(key)] += Group(sessions=sessions)
    rejected = [*merged.rejected, *(reason for reason in reasons if reason[0] in unexplained)]
    return replace(merged, rejected=sorted(rejected))


def add_merged(parts: Iterable[SummaryPart], by: Sequence[str]) -> SummaryPart:
    """Merge what ``merge`` has returned for different sessions, in any order.

    Args:
        parts: the contributions.
        by: the columns of a group.
    """
    groups: dict[Key, Group] = {}
    severities: Counter[str] = Counter()
    rejected: list[tuple[str, str]] = []
    durations: list[pl.DataFrame] = []
    for part in parts:
        _merge(groups, part.groups)
        severities.update(part.severities)
        rejected += part.rejected
        if part.durations is not None:
            durations = _compact([*durations, part.durations], by)
    return SummaryPart(
        groups, severities, sorted(rejected), durations=_add_frequencies(durations, by) if durations else None
    )


def _compact(durations: list[pl.DataFrame], by: Sequence[str]) -> list[pl.DataFrame]:
    """Frequencies of durations, merged where those that were added to the first ones have many rows."""
    is_large = sum(frame.height for frame in durations[1:]) > COMPACT_ABOVE_ROWS
    return [_add_frequencies(durations, by)] if is_large else durations


def _with_texts(
    groups: Mapping[Key, Group], fold: SummaryFold, texts: Mapping[str, tuple[str | None, ...]]
) -> dict[Key, Group]:
    """The groups of a batch by ``by``: those of a session in another batch get the texts of its labels."""
    if not fold.label_names:
        return dict(groups)
    missing = (None,) * len(fold.label_names)
    result: dict[Key, Group] = {}
    for (*values, source), group in groups.items():
        found = iter(texts.get(source, missing))
        key = tuple(
            next(found) if source is not None and is_label(name) else value
            for name, value in zip(fold.by, values, strict=True)
        )
        _merge(result, {key: group})
    return result


def _add_frequencies(durations: list[pl.DataFrame], by: Sequence[str]) -> pl.DataFrame:
    return pl.concat(durations).group_by(*by, "duration_ms").agg(pl.col("times").sum())


def percentiles(durations: pl.DataFrame, shares: Iterable[float], by: Sequence[str] = ("key",)) -> pl.DataFrame:
    """Percentiles of durations by group, linear between neighbours (see ``weighted_percentile``).

    Args:
        durations: the columns of ``by``, ``duration_ms`` and ``times``.
        shares: the quantiles, in [0, 1].
        by: the columns of a group.

    Returns:
        One row per group: its columns, then one column per share in milliseconds, named ``p50`` and so on.
    """
    value, times = pl.col("duration_ms"), pl.col("times")
    columns = [weighted_percentile(value, times, share).alias(f"p{share * 100:g}") for share in shares]
    return durations.sort(*by, "duration_ms").group_by(by, maintain_order=True).agg(columns)
