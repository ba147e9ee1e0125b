"""Exact statistics of telemetry, of all records or by group, and the summary artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.summary.artifact_json import artifact, read_snapshot
from clamp_analytics.analysis.summary.fold import GROUPINGS, Group, SummaryFold, merge, percentiles
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.rules import Severity
from clamp_analytics.wording import plural

__all__ = ["GROUPINGS", "PERCENTILES", "Group", "Summary", "SummaryFold", "artifact", "read_snapshot", "summarize"]

PERCENTILES = (0.5, 0.95, 0.99)
"""The percentiles of durations in a grouped summary."""


@dataclass(frozen=True, slots=True, repr=False)
class Summary(Result):
    """The statistics of all sources.

    Attributes:
        total: the statistics of all records.
        counts: files seen, loaded, rejected and skipped.
        severities: violations by severity, worst first.
        rejected: name and reason of each file that could not be read as a session, by name.
        groups: the statistics by group, with percentiles of durations; None where records are not grouped.
        directory: the absolute folder that the sources have in common.
    """

    total: Group
    counts: Counts
    severities: dict[str, int]
    rejected: list[tuple[str, str]]
    groups: pl.DataFrame | None
    directory: str

    def describe(self) -> list[str]:
        """The statistics of all records, the violations, and the files."""
        total = self.total
        headline = f"{plural(self.counts.loaded, 'session')}, {plural(total.records, 'record')}"
        if self.groups is not None:
            headline += f", grouped by {self.groups.columns[0]}"
        mean, variance = total.scores.mean, total.scores.sample_variance
        return [
            headline,
            f"mean stability {_figure(mean)}, sample variance {_figure(variance)}, "
            f"drift index {total.drift_index_ms:,.3f} ms",
            "violations: " + ", ".join(f"{count:,} {name}" for name, count in self.severities.items()),
            f"files: {self.counts}",
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row per group; without groups the single row of ``frame``."""
        return self.frame() if self.groups is None else self.groups

    def to_dict(self) -> dict[str, Any]:
        """The figures of all records, the rejected files, the groups, and the folder."""
        return {
            **self.frame().row(0, named=True),
            "rejected_files": [{"source": source, "reason": reason} for source, reason in self.rejected],
            "groups": None if self.groups is None else self.groups.to_dicts(),
            "directory": self.directory,
        }

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


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def summarize(
    source: Source,
    *,
    by: str | None = None,
    released_only: bool = False,
    jobs: int | None = None,
    recursive: bool = True,
) -> Summary:
    """Compute counts, mean, sample variance, drift index and violations, exactly.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        by: one of ``GROUPINGS`` for the statistics and duration percentiles of each group; None for all records
            together.
        released_only: whether anchors without a usable release are left out.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        UsageError: the grouping is unknown, or the source was read without a column that is needed.
        SourceError: there is no usable session.
    """
    fold = SummaryFold(by, released_only)
    reader = open_source(source, columns=fold.columns, jobs=jobs, recursive=recursive)
    merged = merge(reader.fold(fold, needs_record_index=False))
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
