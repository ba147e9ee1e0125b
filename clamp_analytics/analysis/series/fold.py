"""One value per session, group and metric: the share of each batch, and all shares together.

A session that is whole in its batch is reduced to its values there. Of a session whose records come in several
batches (exports, large files) each batch keeps how often each score and duration stands in it, which is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from clamp_analytics.analysis.metrics import METRICS, PERCENTILES, checked_by, checked_metrics
from clamp_analytics.batch import Batch
from clamp_analytics.rules import Severity
from clamp_analytics.schema import Status

COMPACT_ABOVE_ROWS = 2_000_000
"""Counts of split sessions are merged when this many rows have piled up."""

_SCORED = {"mean_stability", "unstable_share"}
_TIMED = {*PERCENTILES, "hold_total_ms"}
_COUNTED = (Severity.ERROR.value, Severity.WARNING.value)


@dataclass(frozen=True, slots=True)
class Counted:
    """Records reduced to what statistics need, by session and group; shares of it can be added up.

    Attributes:
        facts: ``records`` and ``in_flight``.
        scores: how often (``times``) each ``stability_score`` stands.
        durations: how often (``times``) each ``duration_ms`` of a released anchor stands.
    """

    facts: pl.DataFrame
    scores: pl.DataFrame
    durations: pl.DataFrame

    @property
    def height(self) -> int:
        """Rows in all."""
        return self.facts.height + self.scores.height + self.durations.height


@dataclass(frozen=True, slots=True)
class Partial:
    """What one batch adds.

    Attributes:
        sessions: ``source`` and ``started_at`` of the usable sessions.
        values: the values of sessions that are whole in the batch, but for their violations.
        open: the counts of the records of all others; None where there are none.
        faults: ``violations`` of groups, by session and group.
        pending: violations (``times``) of records that are not in the batch, by ``source`` and ``record_index``.
        places: where the records of ``open`` stand, by ``source``, ``record_index`` and group;
            None where it is not asked for.
    """

    sessions: pl.DataFrame
    values: pl.DataFrame
    open: Counted | None
    faults: pl.DataFrame
    pending: pl.DataFrame
    places: pl.DataFrame | None


@dataclass(frozen=True)
class SessionFold:
    """Reduces a batch to the values of its sessions; it can be sent to another process.

    Attributes:
        by: the columns of ``BY`` that tell series apart; none for one series of everything.
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
    def keys(self) -> list[str]:
        """What tells values apart: the session, then the columns of ``by``."""
        return ["source", *self.by]

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that it needs."""
        needed = {"source", "released_at", *self.by}
        if _SCORED & set(self.metrics):
            needed.add("stability_score")
        if _TIMED & set(self.metrics):
            needed.add("duration_ms")
        if self.needs_record_index:
            needed.add("record_index")
        return frozenset(needed)

    @property
    def needs_record_index(self) -> bool:
        """Whether records are joined with violations, which name a record by its index in the file."""
        return bool(self.by) and "violations" in self.metrics

    def __call__(self, batch: Batch) -> Partial:
        """The values and counts of a batch."""
        loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value)
        sessions = loaded.select("source", started_at="first_acquired_at")
        # The batch that a large file's session comes with has none of its records.
        whole = batch.records.join(sessions, on="source", how="semi", maintain_order="left")
        others = batch.records.join(sessions, on="source", how="anti", maintain_order="left")
        faults, pending = self._faults(batch)
        return Partial(
            sessions,
            self.values(self.counted(whole)),
            None if others.is_empty() else self.counted(others),
            faults,
            pending,
            others.select("record_index", *self.keys) if self.needs_record_index and not others.is_empty() else None,
        )

    def counted(self, records: pl.DataFrame) -> Counted:
        """Records reduced to counts."""
        facts = records.group_by(self.keys).agg(
            records=pl.len().cast(pl.UInt32), in_flight=pl.col("released_at").is_null().sum().cast(pl.UInt32)
        )
        released = pl.col("released_at").is_not_null()
        return Counted(
            facts,
            self._times(records, "stability_score", wanted=bool(_SCORED & set(self.metrics))),
            self._times(records.filter(released), "duration_ms", wanted=bool(_TIMED & set(self.metrics))),
        )

    def _times(self, records: pl.DataFrame, name: str, *, wanted: bool) -> pl.DataFrame:
        rows = records if wanted else records.clear().with_columns(pl.lit(None, pl.Float64).alias(name))
        return rows.drop_nulls(name).group_by(*self.keys, name).agg(times=pl.len().cast(pl.UInt32))

    def added(self, shares: list[Counted]) -> Counted:
        """Counts of several batches as one."""
        facts = pl.concat([share.facts for share in shares])
        scores = pl.concat([share.scores for share in shares])
        durations = pl.concat([share.durations for share in shares])
        return Counted(
            facts.group_by(self.keys).agg(pl.col("records", "in_flight").sum()),
            scores.group_by(*self.keys, "stability_score").agg(pl.col("times").sum()),
            durations.group_by(*self.keys, "duration_ms").agg(pl.col("times").sum()),
        )

    def values(self, counted: Counted) -> pl.DataFrame:
        """The values of sessions and groups, in no order; violations are still 0."""
        score, duration, times = pl.col("stability_score"), pl.col("duration_ms"), pl.col("times")
        # Sums of floats depend on the order of their terms, so every one is made in ascending order.
        scores = self._in_order(counted.scores, "stability_score").agg(
            mean_stability=(score * times).sum() / times.sum(),
            unstable_share=times.filter(score < 1).sum() / times.sum(),
        )
        durations = self._in_order(counted.durations, "duration_ms").agg(
            hold_total_ms=(duration * times).sum(),
            **{name: _percentile(share) for name, share in PERCENTILES.items()},
        )
        # Each duration is finite, but what is made of the largest ones may not be, and that is no value.
        made = pl.selectors.float()
        durations = durations.with_columns(pl.when(made.is_finite()).then(made).name.keep())
        return (
            counted.facts.join(scores, on=self.keys, how="left", nulls_equal=True)
            .join(durations, on=self.keys, how="left", nulls_equal=True)
            .with_columns(pl.lit(0.0).alias("violations"), pl.col("in_flight").cast(pl.Float64))
            .select(*self.keys, "records", *self.metrics)
        )

    def _in_order(self, counts: pl.DataFrame, name: str) -> pl.dataframe.group_by.GroupBy:
        return counts.sort(*self.keys, name).group_by(self.keys, maintain_order=True)

    def _faults(self, batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Violations by session and group, and those of records that are elsewhere."""
        counted = (
            batch.violations.filter(pl.col("severity").is_in(_COUNTED))
            .group_by("source", "record_index")
            .agg(times=pl.col("count").sum())
        )
        if not self.needs_record_index:
            return counted.group_by("source").agg(violations=pl.col("times").sum()), counted.clear()
        # What is wrong with a whole file is wrong with no group in particular.
        of_records = counted.drop_nulls("record_index")
        return self.attributed(of_records, batch.records)

    def attributed(self, faults: pl.DataFrame, records: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Violations of records as violations of their groups, and those whose records are not among these."""
        place = ["source", "record_index"]
        found = faults.join(records.select(*place, *self.by), on=place, how="inner")
        rest = faults.join(records, on=place, how="anti")
        return found.group_by(self.keys).agg(violations=pl.col("times").sum()), rest


def _percentile(share: float) -> pl.Expr:
    """A percentile of sorted values that stand ``times`` each, linear between neighbours.

    Source: Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996, definition 7,
    doi:10.1080/00031305.1996.10473566.
    """
    value, upto = pl.col("duration_ms"), pl.col("times").cast(pl.Int64).cum_sum()
    place = (upto.last() - 1) * share
    below = value.filter(upto > place.floor()).first()
    above = value.filter(upto > place.ceil()).first()
    return below + (above - below) * (place - place.floor())


def merge(fold: SessionFold, partials: Iterable[Partial]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All partials together.

    Args:
        fold: what made them.
        partials: in the order of the reader, which gives the violations of split sessions before their records.

    Returns:
        ``source`` and ``started_at`` of the usable sessions, and the values of sessions and groups.
    """
    # There may be no batch at all, and frames of no rows have their columns nevertheless.
    none = fold(Batch.empty())
    sessions, values, faults, pending = [none.sessions], [none.values], [none.faults], none.pending
    split: list[Counted] = []
    for partial in partials:
        sessions.append(partial.sessions)
        values.append(partial.values)
        faults.append(partial.faults)
        pending = pl.concat([pending, partial.pending])
        if partial.open is not None:
            split.append(partial.open)
            if len(split) > 1 and sum(share.height for share in split) > COMPACT_ABOVE_ROWS:
                split = [fold.added(split)]
        if partial.places is not None and not pending.is_empty():
            found, pending = fold.attributed(pending, partial.places)
            faults.append(found)
    if split:
        values.append(fold.values(fold.added(split)))
    table = pl.concat(values)
    if "violations" in fold.metrics:
        total = pl.concat(faults).group_by(fold.keys).agg(pl.col("violations").sum().cast(pl.Float64))
        joined = table.drop("violations").join(total, on=fold.keys, how="left", nulls_equal=True)
        table = joined.with_columns(pl.col("violations").fill_null(0.0)).select(table.columns)
    return pl.concat(sessions).unique("source", keep="first", maintain_order=True), table
