"""Compare a candidate with a baseline: the difference of each metric of each group, its certainty, and a verdict.

The unit is the session: a side has one value of a metric per session and group. The level of a side is the mean of
these, geometric for durations and arithmetic for all others, and the difference is the candidate's level minus that of
the baseline. A change must be explained neither by independent nor by correlated noise: both a rank test (Brunner and
Munzel) and a test of means that allows for correlation must reject noise, corrected for the number of contexts first
and of metrics within a context second. Intervals allow for correlation as well.

The sessions of a side are ordered by time, so sessions without a usable timestamp are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import polars as pl

from clamp_analytics.analysis.compare.incidents import find_incidents
from clamp_analytics.analysis.compare.measure import Key
from clamp_analytics.analysis.compare.result import VERDICT_COLUMNS, Comparison
from clamp_analytics.analysis.compare.table import compare_series, group_rows
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.series import SessionValues, checked_by, checked_metrics, session_values
from clamp_analytics.errors import SourceError, UsageError, did_you_mean
from clamp_analytics.reading.open_source import Source
from clamp_analytics.reading.reader import Progress

__all__ = ["VERDICT_COLUMNS", "CompareOptions", "Comparison", "compare", "compare_groups"]

MOST_NAMED = 5
"""Groups of a side that an error names."""


def compare(
    baseline: Source | SessionValues,
    candidate: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    options: CompareOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a candidate with a baseline.

    Args:
        baseline: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions.
        candidate: the sessions to judge, likewise.
        by: the columns of ``BY`` and labels, such as ``label:machine``, that sessions are grouped by; none for one
            group of all records. Values of sessions must have been computed by the same columns.
        metrics: names of ``METRICS``; by default all that both sides have.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        options: how the sides are compared.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with how much is done and how much there is to do.

    Raises:
        SourceError: a side has no usable session, or the sides have no group in common.
        UsageError: there is no such column or metric, or values of sessions were computed without it.
    """
    keys = checked_by(by)
    wanted, labels = checked_metrics(metrics), tuple(labels)
    one, other = (
        _values(
            side,
            keys,
            wanted,
            labels,
            required=metrics is not None,
            jobs=jobs,
            recursive=recursive,
            storage_options=storage_options,
        )
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
        progress=progress,
    )


def compare_groups(
    source: Source | SessionValues,
    *,
    split: str,
    baseline: str,
    candidate: str,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    options: CompareOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare two backends, devices, threads or contexts within the same sessions, or sessions of two labels.

    The two values of a session are compared with each other where enough sessions have both: what makes sessions alike
    or different cancels then.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions, which
            must have been computed by ``split`` and ``by``.
        split: the column of ``BY`` or the label that tells the sides apart, such as ``backend`` or ``label:branch``.
        baseline: the value of that column on the baseline's side.
        candidate: its value on the candidate's side.
        by: the columns of the groups, without ``split``.
        metrics: names of ``METRICS``; all by default.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        options: how the sides are compared.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with how much is done and how much there is to do.

    Raises:
        SourceError: there is no usable session, or the two values have no group in common.
        UsageError: there is no such column, metric or value, or the two values are the same.
    """
    (column,) = checked_by(split)
    keys = tuple(name for name in checked_by(by) if name != column)
    if baseline == candidate:
        raise UsageError(f"both sides are {column} {baseline!r}", hint="name two different ones")
    wanted = checked_metrics(metrics)
    found = _values(
        source,
        (column, *keys),
        wanted,
        labels,
        required=metrics is not None,
        jobs=jobs,
        recursive=recursive,
        storage_options=storage_options,
    )
    present = found.values[column].drop_nulls().unique().sort().to_list()
    for value in (baseline, candidate):
        if value not in present:
            known = f"there are {', '.join(map(repr, present[:10]))}" if present else f"no record names its {column}"
            raise UsageError(f"no record has the {column} {value!r}", hint=did_you_mean(value, present, known))
    one, other = (
        replace(found, values=found.values.filter(pl.col(column) == value)) for value in (baseline, candidate)
    )
    common = tuple(name for name in wanted if name in found.metrics)
    compared = _compare(
        (one, other),
        options or CompareOptions(),
        keys,
        common,
        untimed=found.untimed,
        paired=True,
        split=column,
        progress=progress,
    )
    return replace(compared, sides=(baseline, candidate))


def _values(
    side: Source | SessionValues,
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    labels: Iterable[str],
    *,
    required: bool,
    jobs: int | None,
    recursive: bool,
    storage_options: Mapping[str, str] | None,
) -> SessionValues:
    """The values of a side's sessions; ``required`` says whether it must have all of the metrics."""
    if not isinstance(side, SessionValues):
        return session_values(
            side, by=by, metrics=metrics, labels=labels, jobs=jobs, recursive=recursive, storage_options=storage_options
        )
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
    paired: bool = False,
    split: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    before, after = (side.values for side in sides)
    groups = group_rows(before, by), group_rows(after, by)
    if not groups[0].keys() & groups[1].keys():
        raise _nothing_in_common(groups, by)
    verdicts, replay = compare_series(groups, by, metrics, options, paired=paired, progress=progress)
    incidents, timeline = find_incidents(verdicts, by, sides, split)
    return Comparison(
        verdicts=verdicts,
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
        replay=replay,
        incidents=incidents,
        timeline=timeline,
    )


def _nothing_in_common(
    groups: tuple[Mapping[Key, pl.DataFrame], Mapping[Key, pl.DataFrame]], by: tuple[str, ...]
) -> SourceError:
    baseline, candidate = (_names(side) for side in groups)
    columns = ", ".join(by) or "session with a usable timestamp"
    return SourceError(
        f"the two sides have no {columns} in common, so there is nothing to compare",
        hint=f"the baseline has {baseline}; the candidate has {candidate}",
    )


def _names(groups: Mapping[Key, pl.DataFrame]) -> str:
    names = [", ".join("(none)" if value is None else repr(value) for value in key) for key in groups]
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"{'; '.join(filter(None, names[:MOST_NAMED])) or 'none'}{more}"


def _only(values: pl.DataFrame, others: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """The groups that one side has and the other has not, with their sessions and records."""
    if not by:
        return pl.DataFrame(schema={"sessions": pl.UInt32, "records": pl.UInt64})
    return (
        values.join(others, on=by, how="anti", nulls_equal=True)
        .group_by(by)
        .agg(sessions=pl.col("source").n_unique(), records=pl.col("records").cast(pl.UInt64).sum())
        .sort(by, nulls_last=True)
    )
