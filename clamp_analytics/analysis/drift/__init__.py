"""Drift: what changed over sessions, since when, by how much, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec

import polars as pl

from clamp_analytics.analysis.drift.calibration import Calibration, replay_history
from clamp_analytics.analysis.drift.judging import judge_all
from clamp_analytics.analysis.drift.result import (
    Drift,
    change_frame,
    find_owners,
    series_frame,
    verdict_frame,
)
from clamp_analytics.analysis.drift.selection import all_series, select_rows
from clamp_analytics.analysis.incidents.grouping import Incident, SeriesChange, group_changes
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.incidents.mix import mix_changes
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.incidents.suspects import find_suspects
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.options import STRATA, DriftOptions, JudgeOptions
from clamp_analytics.analysis.series import SessionValues, session_values
from clamp_analytics.errors import UsageError
from clamp_analytics.reading.open_source import Source
from clamp_analytics.reading.reader import Progress

__all__ = ["Calibration", "Drift", "DriftOptions", "calibrate", "drift"]


def drift(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    known_changes: Sequence[KnownChange] = (),
    options: DriftOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Drift:
    """Find out for every metric of every group whether it changed over the sessions, when, and by how much.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions, which
            bring their own ``by`` and ``metrics``.
        by: the columns of ``BY`` and labels, such as ``label:build``, that series are grouped by; none for one series
            of all records. ``backend`` and ``device_name`` are added where sessions differ in them, unless
            ``options.pooled``.
        metrics: names of ``METRICS``; all by default.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        known_changes: changes that are accepted.
        options: which sessions are examined, and when a change counts.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with the number of series that were searched and of all series.

    Raises:
        UsageError: there is no such column or metric, or scipy is not installed.
        SourceError: there is no session to examine.
    """
    require_scipy()
    chosen = options or DriftOptions()
    values = _values(source, by, metrics, labels, chosen, jobs, recursive=recursive, storage_options=storage_options)
    return judge_values(values, known_changes, chosen, progress)


def judge_values(
    values: SessionValues,
    known_changes: Sequence[KnownChange],
    options: DriftOptions,
    progress: Progress | None = None,
) -> Drift:
    """Judge values of sessions; see ``drift``."""
    table = select_rows(values, options)
    by = series_columns(values, table)
    selected = values.attributes.join(table.select("source"), on="source", how="semi", maintain_order="left")
    timeline = Timeline.of(selected)
    judged = judge_all(
        list(all_series(table, by, values.metrics)),
        timeline.index_of,
        table["source"].to_list(),
        options,
        [timeline.name(index) for index in range(len(timeline.sources))],
        progress,
    )
    changes = [change for one in judged for change in one.changes()]
    strata = [name for name in by if name in STRATA]
    mixed = _mix_changes(table, by, strata, timeline, options) if strata else []
    incidents = group_changes(changes, timeline.started_at) + group_changes(mixed, timeline.started_at)
    reports = tuple(_report(incident, known_changes, timeline, by) for incident in incidents)
    owners = find_owners(reports)
    kinds = {name: table.schema[name] for name in by}
    matched = [entry for report in reports for entry in report.acknowledged if entry is not None]
    return Drift(
        incidents=reports,
        verdicts=verdict_frame(judged, owners, timeline, by, kinds),
        series=series_frame(table, by, values.metrics),
        changes=change_frame(judged, owners, timeline, by, kinds),
        by=by,
        timeline=timeline,
        sessions=len(timeline.sources),
        untimed=values.untimed,
        tested=sum(not math.isnan(one.judgement.p_value) for one in judged),
        unmatched=tuple(entry for entry in known_changes if entry not in matched),
        options=options,
    )


def series_columns(values: SessionValues, table: pl.DataFrame) -> tuple[str, ...]:
    """The columns that series are grouped by: all but the strata in which the selected sessions do not differ."""
    return tuple(name for name in values.by if name not in values.strata or table[name].n_unique() > 1)


def _mix_changes(
    table: pl.DataFrame, by: Sequence[str], strata: Sequence[str], timeline: Timeline, options: DriftOptions
) -> list[SeriesChange]:
    """The changes of the mix of strata, in the groups of all strata together."""
    groups = [name for name in by if name not in strata]
    records = table.select("source", *by, "records")
    found = mix_changes(records, groups, strata, timeline.index_of, JudgeOptions(alpha=options.alpha))
    values = [dict(zip(groups, change.group, strict=True)) for change in found]
    return [
        replace(change, group=tuple(of_group.get(name) for name in by))
        for change, of_group in zip(found, values, strict=True)
    ]


def _report(
    incident: Incident, known_changes: Sequence[KnownChange], timeline: Timeline, by: Sequence[str]
) -> IncidentReport:
    entries = tuple(
        next(
            (entry for entry in known_changes if entry.describes(change, by, timeline.started_at, timeline.labels)),
            None,
        )
        for change in incident.changes
    )
    return IncidentReport(incident, entries, tuple(find_suspects(timeline.attributes, incident.first_bad)))


def calibrate(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    labels: Iterable[str] = (),
    options: DriftOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Estimate on this very history how often ``drift`` raises a false alarm, and which shifts it detects.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions, which
            bring their own ``by`` and ``metrics``.
        by: the columns of ``BY`` and labels that series are grouped by; none for one series of all records.
        metrics: names of ``METRICS``; all by default.
        labels: rules for labels of sessions, each ``NAME=RULE``; see ``reading.labels``.
        options: which sessions are examined, when a change counts, and how many histories are simulated.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        progress: called with the number of histories that were judged and of all that will be.

    Raises:
        UsageError: there is no such column or metric, or scipy is not installed.
        SourceError: there is no session to examine.
    """
    require_scipy()
    chosen = options or DriftOptions()
    values = _values(source, by, metrics, labels, chosen, jobs, recursive=recursive, storage_options=storage_options)
    table = select_rows(values, chosen)
    columns = series_columns(values, table)
    index_of = {name: index for index, name in enumerate(table["source"].unique(maintain_order=True))}
    sources = table["source"].to_list()
    return replay_history(
        list(all_series(table, columns, values.metrics)),
        lambda series: judge_all(series, index_of, sources, chosen),
        columns,
        {name: table.schema[name] for name in columns},
        chosen,
        progress,
    )


def _values(
    source: Source | SessionValues,
    by: Iterable[str] | str | None,
    metrics: Iterable[str] | str | None,
    labels: Iterable[str],
    options: DriftOptions,
    jobs: int | None,
    *,
    recursive: bool,
    storage_options: Mapping[str, str] | None,
) -> SessionValues:
    if isinstance(source, SessionValues):
        return source
    return session_values(
        source,
        by=by,
        strata=options.strata,
        metrics=metrics,
        labels=labels,
        jobs=jobs,
        recursive=recursive,
        storage_options=storage_options,
    )


def require_scipy() -> None:
    """Check that the library of the statistics is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("scipy") is None:
        raise UsageError.not_installed(["scipy"], "drift")
