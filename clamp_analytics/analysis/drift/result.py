"""The result of drift: incidents, and frames of verdicts, changes and series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import polars as pl

from clamp_analytics.analysis.incidents.changes import JudgedSeries
from clamp_analytics.analysis.incidents.grouping import Incident, SeriesChange
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.analysis.verdicts import RANK, verdict_lines
from clamp_analytics.wording import plural

_TIME = pl.Datetime("us", "UTC")
_FLOAT, _COUNT, _TEXT = pl.Float64(), pl.Int64(), pl.String()

VERDICT_COLUMNS: dict[str, pl.DataType] = {
    "metric": _TEXT,
    "unit": _TEXT,
    "verdict": _TEXT,
    "direction": _TEXT,
    "shape": _TEXT,
    "reason": _TEXT,
    "sessions": _COUNT,
    "before": _FLOAT,
    "after": _FLOAT,
    "effect": _FLOAT,
    "effect_relative": _FLOAT,
    "detectable": _FLOAT,
    "change_at": _TIME,
    "change_source": _TEXT,
    "last_good_source": _TEXT,
    "changes": _COUNT,
    "p_value": _FLOAT,
    "adjusted_p": _FLOAT,
    "slope_per_session": _FLOAT,
    "outliers": pl.List(pl.String()),
    "sessions_to_confirm": _COUNT,
    "acknowledged": pl.Boolean(),
    "incident": _TEXT,
}
"""The columns of ``Drift.verdicts`` behind those of ``by``."""

CHANGE_COLUMNS: dict[str, pl.DataType] = {
    "metric": _TEXT,
    "direction": _TEXT,
    "shape": _TEXT,
    "change_at": _TIME,
    "change_source": _TEXT,
    "earliest_source": _TEXT,
    "latest_source": _TEXT,
    "before": _FLOAT,
    "after": _FLOAT,
    "effect_relative": _FLOAT,
    "acknowledged": pl.Boolean(),
    "incident": _TEXT,
}
"""The columns of ``Drift.changes`` behind those of ``by``."""


Owners: TypeAlias = Mapping[SeriesChange, tuple[Incident, KnownChange | None]]
"""For each change its incident, and the entry that accepts it; None where no entry does."""


@dataclass(frozen=True, slots=True, repr=False)
class Drift(Result):
    """The incidents of a history, and the verdict on every metric of every group.

    Attributes:
        incidents: changes that began with the same session: those for the worse first, of these the latest first.
        verdicts: one row per group and metric, the worst first. ``before`` is the first level and ``after`` the latest
            one; without a change ``before`` is null. ``effect`` is their difference in ``unit`` and
            ``effect_relative`` the same as a share of ``before``. ``detectable`` is the smallest lasting shift to the
            worse that would have been found: a share for durations, else in ``unit``. ``change_at`` and
            ``change_source`` are the first session of the change that the verdict rests on. ``outliers`` names single
            sessions far from the others. ``incident`` is the id of the incident of that change.
        series: the values, long: the columns of ``by``, ``metric``, ``source``, ``started_at``, ``value``.
        changes: every change: one row each, by group, metric and time.
        by: the columns that series are grouped by: those of the call, then ``backend`` and ``device_name`` where
            sessions differ in them and ``pooled`` is off.
        timeline: the sessions in the order of time, with their labels and attributes.
        sessions: the number of sessions.
        untimed: usable sessions that are left out because they have no usable timestamp.
        tested: how many p-values were corrected together.
        unmatched: known changes that match nothing any more.
        options: the options.
    """

    verdicts: pl.DataFrame
    series: pl.DataFrame
    changes: pl.DataFrame
    by: tuple[str, ...]
    sessions: int
    untimed: int
    tested: int
    options: DriftOptions
    incidents: tuple[IncidentReport, ...] = ()
    timeline: Timeline = field(default_factory=Timeline.empty)
    unmatched: tuple[KnownChange, ...] = ()

    @classmethod
    def without_sessions(cls, values: SessionValues, options: DriftOptions) -> Drift:
        """The result for sessions of which none has a usable timestamp."""
        by, timeline = values.by, Timeline.of(values.attributes)
        kinds = {name: values.values.schema[name] for name in by}
        return cls(
            incidents=(),
            verdicts=verdict_frame([], {}, timeline, by, kinds),
            series=series_frame(values.values, by, values.metrics),
            changes=change_frame([], {}, timeline, by, kinds),
            by=by,
            timeline=timeline,
            sessions=0,
            untimed=values.untimed,
            tested=0,
            unmatched=(),
            options=options,
        )

    def describe(self) -> list[str]:
        """The sessions and incidents, how many series got which verdict, and the worst of them."""
        headline = f"{plural(self.sessions, 'session')}, {plural(len(self.incidents), 'incident')}"
        return [headline, *verdict_lines(self.verdicts, self.by)]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``verdicts``."""
        return self.verdicts

    def to_dict(self) -> dict[str, Any]:
        """The incidents, verdicts and changes as plain Python values."""
        return {
            "incidents": [one.to_dict(self.by, self.timeline) for one in self.incidents],
            "verdicts": self.verdicts.to_dicts(),
            "changes": self.changes.to_dicts(),
            "sessions": self.sessions,
            "untimed": self.untimed,
            "tested": self.tested,
        }

    def open_changes(self) -> list[SeriesChange]:
        """The changes that no known change accepts: those that a gate judges."""
        return [
            change
            for one in self.incidents
            for change, entry in zip(one.incident.changes, one.acknowledged, strict=True)
            if entry is None
        ]


def verdict_frame(
    judged: Sequence[JudgedSeries],
    owners: Owners,
    timeline: Timeline,
    by: Sequence[str],
    kinds: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """One row per series: the worst verdict first, then by p-value, group and metric."""
    rows = [_verdict_row(one, owners, timeline, by) for one in judged]
    frame = _frame(rows, by, kinds, VERDICT_COLUMNS)
    rank = pl.col("verdict").replace_strict(RANK, return_dtype=pl.UInt8)
    worse_first = pl.col("direction") != "worse"
    return frame.sort(rank, worse_first, "adjusted_p", maintain_order=True, nulls_last=True)


def change_frame(
    judged: Sequence[JudgedSeries],
    owners: Owners,
    timeline: Timeline,
    by: Sequence[str],
    kinds: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """One row per change, in the order of groups, metrics and time."""
    rows = []
    for change in (change for one in judged for change in one.changes()):
        incident, entry = owners[change]
        rows.append(
            {
                **dict(zip(by, change.group, strict=True)),
                "metric": change.metric,
                "direction": change.direction,
                "shape": change.shape,
                "change_at": timeline.started_at[change.first_bad],
                "change_source": timeline.sources[change.first_bad],
                "earliest_source": timeline.sources[change.earliest],
                "latest_source": timeline.sources[change.latest],
                "before": change.before,
                "after": change.after,
                "effect_relative": change.relative,
                "acknowledged": entry is not None,
                "incident": incident.id,
            }
        )
    return _frame(rows, by, kinds, CHANGE_COLUMNS)


def series_frame(table: pl.DataFrame, by: Sequence[str], metrics: Sequence[str]) -> pl.DataFrame:
    """The values of all series, metric by metric, each by time."""
    index = [*by, "source", "started_at"]
    long = table.unpivot(metrics, index=index, variable_name="metric", value_name="value")
    return long.drop_nulls("value").select(*by, "metric", "source", "started_at", "value")


def find_owners(incidents: Sequence[IncidentReport]) -> Owners:
    """The incident of each change, and the entry that accepts it."""
    return {
        change: (one.incident, entry)
        for one in incidents
        for change, entry in zip(one.incident.changes, one.acknowledged, strict=True)
    }


def _verdict_row(
    one: JudgedSeries,
    owners: Owners,
    timeline: Timeline,
    by: Sequence[str],
) -> dict[str, Any]:
    judgement, changes = one.judgement, list(one.changes())
    cause = _cause(changes, judgement.direction.value)
    first = judgement.first if changes else None
    effect = None if first is None else judgement.latest - first
    incident, _ = owners[cause] if cause else (None, None)
    worse = [change for change in changes if change.direction == "worse"]
    return {
        **dict(zip(by, one.group, strict=True)),
        "metric": one.metric,
        "unit": METRICS[one.metric].unit,
        "verdict": judgement.verdict.value,
        "direction": judgement.direction.value,
        "shape": judgement.shape.value,
        "reason": judgement.reason,
        "sessions": judgement.sessions,
        "before": first,
        "after": judgement.latest,
        "effect": effect,
        "effect_relative": effect / first if effect is not None and first else None,
        "detectable": judgement.detectable,
        "change_at": timeline.started_at[cause.first_bad] if cause else None,
        "change_source": timeline.sources[cause.first_bad] if cause else None,
        "last_good_source": timeline.sources[cause.first_bad - 1] if cause and cause.first_bad else None,
        "changes": len(changes),
        "p_value": judgement.p_value,
        "adjusted_p": judgement.adjusted_p,
        "slope_per_session": judgement.slope,
        "outliers": [timeline.sources[one.sessions[index]] for index in judgement.outliers],
        "sessions_to_confirm": judgement.sessions_to_confirm,
        "acknowledged": bool(worse) and all(owners[change][1] is not None for change in worse),
        "incident": incident.id if incident else None,
    }


def _cause(changes: Sequence[SeriesChange], direction: str) -> SeriesChange | None:
    """The change that the verdict rests on: the first one in its direction, else the last one."""
    return next((change for change in changes if change.direction == direction), changes[-1] if changes else None)


def _frame(
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    kinds: Mapping[str, pl.DataType],
    columns: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """Rows as a frame, in which numbers that are not finite are null."""
    frame = pl.DataFrame(rows, schema={**{name: kinds[name] for name in by}, **columns})
    floats = [name for name, kind in columns.items() if kind == _FLOAT]
    return frame.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in floats)
