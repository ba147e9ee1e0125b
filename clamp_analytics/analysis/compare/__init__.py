"""Compare a candidate with a baseline: for each metric of each group the difference, its interval, and a verdict.

The unit is the session: a side has one value of a metric per session and group. The level of a side is the mean of its
values, geometric for durations and arithmetic for all other metrics; the difference is the level of the candidate minus
that of the baseline. Its confidence interval is a bootstrap over sessions; for durations the ratio of the two means is
resampled. Whether the difference is noise is tested by ranks (Mann-Whitney), with a correction for the number of tests
(Benjamini-Hochberg), so that neither outlier sessions nor many contexts raise false alarms.

A comparison does not depend on the order of the sessions, but neighbouring sessions may be correlated. The lag-1
autocorrelation of the sessions by time widens the p-value and the interval. Where it is above a limit, the verdict is
at most a warning, and blocks of neighbours are compared where there are enough of them. Sessions without a usable
timestamp have no position in that order: they are left out and counted, as in a series.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from clamp_analytics.analysis.compare.measure import VERDICT_COLUMNS, measure_all
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import SessionValues, checked_by, checked_metrics, session_values
from clamp_analytics.analysis.verdicts import Verdict, verdict_lines
from clamp_analytics.errors import UsageError, did_you_mean
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source
from clamp_analytics.wording import plural

__all__ = ["VERDICT_COLUMNS", "CompareOptions", "Comparison", "compare", "compare_groups"]


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Result):
    """A candidate compared with a baseline.

    Attributes:
        verdicts: one row per group and metric that both sides have, see ``VERDICT_COLUMNS``; the worst first, and
            among equal verdicts the largest effect relative to its floor first.
        appeared: one row per group that only the candidate has: the columns of ``by``, ``sessions`` and ``records``.
        vanished: one row per group that only the baseline has, likewise.
        by: the columns of the groups.
        metrics: the names of the metrics.
        baseline_sessions: sessions of the baseline that were compared.
        candidate_sessions: sessions of the candidate that were compared.
        untimed: usable sessions of both sides that were left out, because they have no usable timestamp.
        in_both: the number of sessions that are on both sides by name, which makes the sides more similar.
        baseline_counts: files seen, loaded, rejected and skipped.
        candidate_counts: likewise.
    """

    verdicts: pl.DataFrame
    appeared: pl.DataFrame
    vanished: pl.DataFrame
    by: tuple[str, ...]
    metrics: tuple[str, ...]
    baseline_sessions: int
    candidate_sessions: int
    untimed: int
    in_both: int
    baseline_counts: Counts
    candidate_counts: Counts

    def describe(self) -> list[str]:
        """The sessions of both sides, how many metrics got which verdict, and the worst of them."""
        sides = (
            f"{plural(self.candidate_sessions, 'session')} of the candidate against "
            f"{plural(self.baseline_sessions, 'session')} of the baseline"
        )
        return [sides, *verdict_lines(self.verdicts, self.by)]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``verdicts``."""
        return self.verdicts

    @property
    def worst(self) -> Verdict | None:
        """The worst verdict; None where the sides have no group in common."""
        return None if self.verdicts.is_empty() else Verdict(self.verdicts["verdict"][0])


def compare(
    baseline: Source | SessionValues,
    candidate: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    options: CompareOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
) -> Comparison:
    """Compare a candidate with a baseline.

    Args:
        baseline: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions.
        candidate: the sessions to judge, likewise.
        by: the columns of ``BY`` that sessions are grouped by; none for one group of all records. Values of sessions
            must have been computed by the same columns.
        metrics: names of ``METRICS``; by default all that both sides have.
        options: how the sides are compared.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        SourceError: a side has no usable session.
        UsageError: there is no such column or metric, or values of sessions were computed without it.
    """
    keys = checked_by(by)
    wanted = checked_metrics(metrics)
    one, other = (
        _values(side, keys, wanted, required=metrics is not None, jobs=jobs, recursive=recursive)
        for side in (baseline, candidate)
    )
    common = tuple(name for name in wanted if name in one.metrics and name in other.metrics)
    return _compare(
        (one, other),
        options or CompareOptions(),
        keys,
        common,
        untimed=one.untimed + other.untimed,
        in_both=len(set(one.values["source"]) & set(other.values["source"])),
    )


def compare_groups(
    source: Source | SessionValues,
    *,
    split: str,
    baseline: str,
    candidate: str,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    options: CompareOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
) -> Comparison:
    """Compare two backends, devices, threads or contexts within the same sessions.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions, which
            must have been computed by ``split`` and ``by``.
        split: the column of ``BY`` that tells the sides apart, such as ``backend``.
        baseline: the value of that column on the baseline's side.
        candidate: its value on the candidate's side.
        by: the columns of the groups, without ``split``.
        metrics: names of ``METRICS``; all by default.
        options: how the sides are compared.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        SourceError: there is no usable session.
        UsageError: there is no such column, metric or value, or the two values are the same.
    """
    (column,) = checked_by(split)
    keys = tuple(name for name in checked_by(by) if name != column)
    if baseline == candidate:
        raise UsageError(f"both sides are {column} {baseline!r}", hint="name two different ones")
    wanted = checked_metrics(metrics)
    found = _values(source, (column, *keys), wanted, required=metrics is not None, jobs=jobs, recursive=recursive)
    present = found.values[column].drop_nulls().unique().sort().to_list()
    for value in (baseline, candidate):
        if value not in present:
            known = f"there are {', '.join(map(repr, present[:10]))}" if present else f"no record names its {column}"
            raise UsageError(f"no record has the {column} {value!r}", hint=did_you_mean(value, present, known))
    one, other = (
        replace(found, values=found.values.filter(pl.col(column) == value)) for value in (baseline, candidate)
    )
    common = tuple(name for name in wanted if name in found.metrics)
    return _compare((one, other), options or CompareOptions(), keys, common, untimed=found.untimed)


def _values(
    side: Source | SessionValues,
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    *,
    required: bool,
    jobs: int | None,
    recursive: bool,
) -> SessionValues:
    """The values of a side's sessions; ``required`` says whether it must have all of the metrics."""
    if not isinstance(side, SessionValues):
        return session_values(side, by=by, metrics=metrics, jobs=jobs, recursive=recursive)
    if set(side.by) != set(by):
        raise UsageError(
            f"the values of sessions were computed by {', '.join(side.by) or 'no column'}",
            hint=f"compute them by {', '.join(by) or 'no column'}, or compare by the former",
        )
    if required and (missing := [name for name in metrics if name not in side.metrics]):
        raise UsageError(f"the values of sessions were computed without {', '.join(missing)}")
    return side


def _compare(
    sides: tuple[SessionValues, SessionValues],
    options: CompareOptions,
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    *,
    untimed: int,
    in_both: int = 0,
) -> Comparison:
    before, after = (side.values for side in sides)
    return Comparison(
        verdicts=measure_all(before, after, by, metrics, options),
        appeared=_only(after, before, by),
        vanished=_only(before, after, by),
        by=by,
        metrics=metrics,
        baseline_sessions=before["source"].n_unique(),
        candidate_sessions=after["source"].n_unique(),
        untimed=untimed,
        in_both=in_both,
        baseline_counts=sides[0].counts,
        candidate_counts=sides[1].counts,
    )


def _only(values: pl.DataFrame, others: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """The groups that only one side has, with their sessions and records."""
    if not by:
        return pl.DataFrame(schema={"sessions": pl.UInt32, "records": pl.UInt64})
    return (
        values.join(others, on=by, how="anti", nulls_equal=True)
        .group_by(by)
        .agg(sessions=pl.col("source").n_unique(), records=pl.col("records").cast(pl.UInt64).sum())
        .sort(by, nulls_last=True)
    )
