"""Statistics of telemetry: mergeable, exact, by group; and the summary artifact."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.summary.artifact import artifact, read_snapshot
from clamp_analytics.analysis.summary.fold import GROUPINGS, Fold, Group, merge, percentiles
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Counts, Reader
from clamp_analytics.rules import Severity

__all__ = ["GROUPINGS", "PERCENTILES", "Fold", "Group", "Summary", "artifact", "read_snapshot", "summarize"]

PERCENTILES = (0.5, 0.95, 0.99)
"""The duration percentiles that a grouped summary gives."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The statistics of all sources.

    Attributes:
        total: the statistics of all records.
        counts: files seen, loaded, rejected and skipped.
        severities: violations by severity, worst first.
        rejected: name and reason of each file that is no session, by name.
        groups: by group, with percentiles; None where nothing was grouped.
        directory: the absolute folder that the sources have in common.
    """

    total: Group
    counts: Counts
    severities: dict[str, int]
    rejected: list[tuple[str, str]]
    groups: pl.DataFrame | None
    directory: str

    def frame(self) -> pl.DataFrame:
        """One row with every figure: counts, mean, sample variance (null of fewer than two), drift index in ms."""
        return pl.DataFrame(
            [
                {
                    "sessions": self.counts.loaded,
                    **_figures(self.total),
                    **{f"{name}_violations": count for name, count in self.severities.items()},
                    "seen": self.counts.seen,
                    "loaded": self.counts.loaded,
                    "rejected": self.counts.rejected,
                    "skipped": self.counts.skipped,
                }
            ],
            schema_overrides={"mean_stability": pl.Float64, "sample_variance": pl.Float64},
        )


def _figures(group: Group) -> dict[str, float | int | None]:
    return {
        "records": group.records,
        "in_flight": group.in_flight,
        "scored": group.scores.count,
        "mean_stability": group.scores.mean,
        "sample_variance": group.scores.sample_variance,
        "drift_index_ms": group.drift_index_ms,
    }


def summarize(reader: Reader, fold: Fold) -> Summary:
    """Summarize what a reader gives.

    Args:
        reader: the sources; its columns must include ``fold.columns``.
        fold: how to group, and what to leave out.

    Raises:
        UsageError: the grouping is unknown.
        SourceError: no usable session was met.
    """
    if fold.by is not None and fold.by not in GROUPINGS:
        raise UsageError(f"records cannot be grouped by {fold.by}", hint=f"one of {', '.join(GROUPINGS)}")
    merged = merge(reader.fold(fold))
    reader.require_sessions()
    total = sum(merged.groups.values(), Group())
    groups = None
    if fold.by is not None:
        rows = [{"key": key, "sessions": group.sessions, **_figures(group)} for key, group in merged.groups.items()]
        key_type = pl.Date if fold.by == "day" else pl.String
        overrides = {"key": key_type, "mean_stability": pl.Float64, "sample_variance": pl.Float64}
        groups = pl.DataFrame(rows, schema_overrides=overrides, infer_schema_length=None)
        if merged.durations is not None:
            shares = percentiles(merged.durations, PERCENTILES).rename(
                lambda name: f"duration_{name}_ms" if name != "key" else name
            )
            groups = groups.join(shares, on="key", how="left", nulls_equal=True)
        groups = groups.sort("key", nulls_last=True).rename({"key": fold.by})
    return Summary(
        total=total,
        counts=reader.counts,
        severities={severity.value: merged.severities[severity.value] for severity in Severity},
        rejected=merged.rejected,
        groups=groups,
        directory=reader.directory,
    )
