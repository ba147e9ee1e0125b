"""Exact statistics of telemetry, of all records or by group, and the summary artifact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from clamp_analytics.analysis.groupings import GROUPINGS, checked_groupings
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.summary.artifact_json import artifact, read_snapshot
from clamp_analytics.analysis.summary.fold import Group, SummaryFold, SummaryPart, add_merged, merge, percentiles
from clamp_analytics.reading import Counts, Reader
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
        by: what records are grouped by; empty where they are not.
        groups: the statistics by group, with percentiles of the durations of released anchors; None where records are
            not grouped.
        directory: the absolute folder that the sources have in common.
    """

    total: Group
    counts: Counts
    severities: dict[str, int]
    rejected: list[tuple[str, str]]
    groups: pl.DataFrame | None
    directory: str
    by: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """The statistics of all records, the violations, and the files."""
        total = self.total
        headline = f"{plural(self.counts.loaded, 'session')}, {plural(total.records, 'record')}"
        if self.groups is not None:
            headline += f", grouped by {', '.join(self.by)}"
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

    def groups_and_total(self) -> pl.DataFrame:
        """One row per group, then one of all records, which has the violations and files as well.

        The column ``row`` is ``group`` or ``total``. Without groups it is the single row of ``frame``.
        """
        if self.groups is None:
            return self.frame()
        rows = [self.groups.with_columns(row=pl.lit("group")), self.frame().with_columns(row=pl.lit("total"))]
        return pl.concat(rows, how="diagonal").select("row", pl.all().exclude("row"))

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
            schema_overrides=FIGURES,
        )


FIGURES: dict[str, pl.DataType] = {
    "records": pl.Int64(),
    "in_flight": pl.Int64(),
    "scored": pl.Int64(),
    "mean_stability": pl.Float64(),
    "sample_variance": pl.Float64(),
    "drift_index_ms": pl.Float64(),
}
"""The statistics of records as columns."""


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
    by: Iterable[str] | str | None = None,
    released_only: bool = False,
    labels: Iterable[str] = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> Summary:
    """Compute counts, mean, sample variance, drift index and violations, exactly.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        by: ``GROUPINGS`` and labels, such as ``label:build``, for the statistics and duration percentiles of each
            group; None for all records together.
        released_only: whether anchors without a usable release are left out.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        UsageError: a grouping is unknown, or the source was read without a column that is needed.
        SourceError: there is no usable session.
    """
    fold = SummaryFold(checked_groupings(by), released_only)
    reader = open_source(
        source, columns=fold.columns, labels=labels, jobs=jobs, recursive=recursive, storage_options=storage_options
    )
    if isinstance(reader, Reader):
        merged = reader.fold_merged(fold, partial(merge, fold=fold), partial(add_merged, by=fold.by))
    else:
        merged = merge(reader.fold(fold), fold)
    reader.require_sessions()
    return Summary(
        total=sum(merged.groups.values(), Group()),
        counts=reader.counts,
        severities={severity.value: merged.severities[severity.value] for severity in Severity},
        rejected=merged.rejected,
        groups=_group_frame(merged, fold.by) if fold.by else None,
        directory=reader.directory,
        by=fold.by,
    )


def _group_frame(merged: SummaryPart, by: Sequence[str]) -> pl.DataFrame:
    """One row per group, by its key with nulls last: its statistics and the percentiles of its durations."""
    rows = [
        {**dict(zip(by, key, strict=True)), "sessions": group.sessions, **_figures(group)}
        for key, group in merged.groups.items()
    ]
    groups = pl.DataFrame(rows, schema={**_key_types(by), "sessions": pl.Int64(), **FIGURES})
    if merged.durations is not None:
        names = {f"p{share * 100:g}": f"duration_p{share * 100:g}_ms" for share in PERCENTILES}
        shares = percentiles(merged.durations, PERCENTILES, by).rename(names)
        groups = groups.join(shares, on=by, how="left", nulls_equal=True)
    return groups.sort(by, nulls_last=True)


def _key_types(by: Iterable[str]) -> dict[str, pl.DataType]:
    periods = {"day": pl.Date(), "week": pl.Date(), "hour": pl.Datetime("us", "UTC")}
    return {name: periods.get(name, pl.String()) for name in by}
