"""TemporalScoring: one score per session from its seeds, durations and acquisitions, and their mean.

Source: the C++ ``TemporalScoring`` of the producer (v0.5). For the records of a session,

    nv(x) = sample_variance(x) / (abs(mean(x)) + 1)^2, 0 where n < 2, clamped to [0, 1]
    entropy_variance = nv(seeds as doubles)
    duration_variance = nv(duration_ms)
    drift_ms = latest minus earliest acquired_at
    score = clamp01(1 - (entropy_variance + duration_variance + clamp01(drift_ms / 1000)) / 3)

A session without records scores 1. Over sessions, each figure is the unweighted mean, and samples are summed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.needed_columns import SCORES
from clamp_analytics.analysis.result import Result
from clamp_analytics.batch import Batch
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.schema import Status
from clamp_analytics.wording import plural

FIGURES = ("stability_score", "entropy_variance", "duration_variance", "drift_ms", "samples")
"""The figures of a session, as the producer names them."""

_FULL_DRIFT_MS = 1000
_DEFAULTS = {"entropy_variance": 0.0, "duration_variance": 0.0, "drift_ms": 0.0, "samples": 0}


@dataclass(frozen=True, slots=True, repr=False)
class Scores(Result):
    """The scores of sessions.

    Attributes:
        sessions: one row per loaded session, by name: ``source`` and ``FIGURES`` (drift in milliseconds).
        aggregated: the same figures over all sessions.
    """

    sessions: pl.DataFrame
    aggregated: dict[str, float | int]

    def describe(self) -> list[str]:
        """The mean of every figure over all sessions."""
        headline = f"mean score {self.aggregated['stability_score']:.6g} of {plural(self.sessions.height, 'session')}"
        figures = (f"{name} {value:.6g}" for name, value in self.aggregated.items() if name != "stability_score")
        return [headline, ", ".join(figures)]

    def to_polars(self) -> pl.DataFrame:
        """One row per session: ``sessions``."""
        return self.sessions


@dataclass(frozen=True, slots=True)
class _ScoresPart:
    """The contribution of one batch.

    Attributes:
        scored: the figures of sessions that are complete in the batch.
        sources: the names of its usable sessions.
        open_records: the records of sessions that may have more of them in other batches.
    """

    scored: pl.DataFrame
    sources: pl.DataFrame
    open_records: pl.DataFrame


def score(
    source: Source, *, jobs: int | None = None, recursive: bool = True, storage_options: Mapping[str, str] | None = None
) -> Scores:
    """Score every session as the producer's ``TemporalScoring`` does.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        UsageError: the source was read without a column that is needed.
        SourceError: there is no usable session.
    """
    reader = open_source(source, columns=SCORES, jobs=jobs, recursive=recursive, storage_options=storage_options)
    parts = list(reader.fold(_reduce))
    reader.require_sessions()
    open_records = pl.concat([part.open_records for part in parts])
    scored = pl.concat([*(part.scored for part in parts), score_records(open_records)])
    sources = pl.concat([part.sources for part in parts])
    sessions = _complete(sources.join(scored, on="source", how="left")).sort("source")
    return Scores(sessions, aggregate(sessions))


def _reduce(batch: Batch) -> _ScoresPart:
    loaded = batch.sessions.filter(pl.col("status") == Status.LOADED.value).select("source")
    records = batch.records.select(sorted(SCORES))
    # An export gives records separately from their sessions, possibly in several batches.
    complete = records.join(loaded, on="source", how="semi")
    return _ScoresPart(score_records(complete), loaded, records.join(loaded, on="source", how="anti"))


def _normalized_variance(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    mean = value.mean()
    sample_variance = ((value - mean) ** 2).sum() / (value.count().cast(pl.Float64) - 1)
    normalized = (sample_variance / (mean.abs() + 1) ** 2).clip(0, 1)
    return pl.when(value.count() < 2).then(0.0).otherwise(normalized)


def score_records(records: pl.DataFrame) -> pl.DataFrame:
    """The figures without the score itself, one row per ``source`` that has records."""
    acquired = pl.col("acquired_at")
    return records.group_by("source", maintain_order=True).agg(
        entropy_variance=_normalized_variance("seed"),
        duration_variance=_normalized_variance("duration_ms"),
        drift_ms=(acquired.max() - acquired.min()).dt.total_microseconds().fill_null(0) / 1000,
        samples=pl.len().cast(pl.Int64),
    )


def _complete(figures: pl.DataFrame) -> pl.DataFrame:
    filled = figures.with_columns(pl.col(name).fill_null(value) for name, value in _DEFAULTS.items())
    share = (pl.col("drift_ms") / _FULL_DRIFT_MS).clip(0, 1)
    score = (1 - (pl.col("entropy_variance") + pl.col("duration_variance") + share) / 3).clip(0, 1)
    return filled.with_columns(stability_score=score).select("source", *FIGURES)


def aggregate(sessions: pl.DataFrame) -> dict[str, float | int]:
    """The unweighted mean of each figure over sessions, and the sum of ``samples``."""
    means = {name: _mean(sessions[name]) for name in FIGURES if name != "samples"}
    return {**means, "samples": int(sessions["samples"].sum())}


def _mean(values: Iterable[float]) -> float:
    # Correctly rounded, so that it does not depend on the order of the sessions.
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
