"""Findings as frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import polars as pl

from clamp_analytics.analysis.drift.findings import Finding, levels_of
from clamp_analytics.analysis.drift.trend import NO_SLOPE, kendall_tau, theil_sen
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.verdicts import RANK, verdict_lines
from clamp_analytics.wording import plural

_TIME = pl.Datetime("us", "UTC")
_FLOAT, _COUNT, _TEXT = pl.Float64(), pl.Int64(), pl.String()

VERDICT_COLUMNS: dict[str, pl.DataType] = {
    "metric": _TEXT,
    "unit": _TEXT,
    "verdict": _TEXT,
    "reason": _TEXT,
    "sessions": _COUNT,
    "change_at": _TIME,
    "change_source": _TEXT,
    "before": _FLOAT,
    "after": _FLOAT,
    "effect": _FLOAT,
    "effect_relative": _FLOAT,
    "effect_sd": _FLOAT,
    "p_value": _FLOAT,
    "adjusted_p": _FLOAT,
    "slope_per_day": _FLOAT,
    "slope_per_day_low": _FLOAT,
    "slope_per_day_high": _FLOAT,
    "slope_per_session": _FLOAT,
    "slope_per_session_low": _FLOAT,
    "slope_per_session_high": _FLOAT,
    "tau": _FLOAT,
    "autocorrelation": _FLOAT,
    "sessions_before": _COUNT,
    "sessions_after": _COUNT,
    "needed_sessions": _COUNT,
}
"""The columns of ``Drift.verdicts`` behind those of ``by``."""

CHANGE_COLUMNS: dict[str, pl.DataType] = {
    "metric": _TEXT,
    "change_at": _TIME,
    "change_source": _TEXT,
    "place": _COUNT,
    "before": _FLOAT,
    "after": _FLOAT,
    "effect_sd": _FLOAT,
}
"""The columns of ``Drift.changes`` behind those of ``by``."""


@dataclass(frozen=True, slots=True, repr=False)
class Drift(Result):
    """The verdict on every metric of every group.

    Attributes:
        verdicts: one row a group and metric, changes first. ``change_at`` and ``change_source`` are the first session
            after the last change; ``before`` and ``after`` are the levels around it, and where there is none,
            ``before`` is null and ``after`` the level of all. ``effect`` is their difference in ``unit``,
            ``effect_relative`` as a share of ``before``, ``effect_sd`` on the metric's scale in robust standard
            deviations (null where there is no noise to compare with). Null stands for what cannot be said.
        series: the values, long: the columns of ``by``, ``metric``, ``source``, ``started_at``, ``value``.
        changes: every change point beyond noise; ``place`` counts the sessions of its series before it.
        by: the columns that series are grouped by.
        sessions: sessions that were looked at.
        untimed: usable sessions that were left out because they have no usable timestamp.
        tested: how many p-values were corrected together; series whose values are all equal are not among them.
        options: how it was looked for.
    """

    verdicts: pl.DataFrame
    series: pl.DataFrame
    changes: pl.DataFrame
    by: tuple[str, ...]
    sessions: int
    untimed: int
    tested: int
    options: DriftOptions

    def describe(self) -> list[str]:
        """The sessions, how many series got which verdict, and the worst of them."""
        return [f"{plural(self.sessions, 'session')} examined", *verdict_lines(self.verdicts, self.by)]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``verdicts``."""
        return self.verdicts


def verdict_frame(findings: list[Finding], table: pl.DataFrame, by: tuple[str, ...], confidence: float) -> pl.DataFrame:
    """One row a finding: changes first, then by the size of the effect, its p-value, the group and the metric."""
    # Findings come in the order of groups and metrics, which decides where all else is equal.
    ordered = sorted(findings, key=_urgency)
    return _frame(
        ordered, [_verdict_row(finding, table, confidence) for finding in ordered], table, by, VERDICT_COLUMNS
    )


def _urgency(finding: Finding) -> tuple[float, ...]:
    p = finding.adjusted_p
    return RANK[finding.judgement.verdict.value], -abs(finding.levels.in_sds), math.inf if math.isnan(p) else p


def change_frame(findings: list[Finding], table: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """One row a change point, in the order of groups, metrics and time."""
    owners, rows = [], []
    for finding in findings:
        for change in finding.changes:
            levels = levels_of(finding.series, change)
            owners.append(finding)
            rows.append(
                {
                    "metric": finding.series.metric.name,
                    **_session_at(finding, change.place, table),
                    "place": change.place,
                    "before": levels.before,
                    "after": levels.after,
                    "effect_sd": levels.in_sds,
                }
            )
    return _frame(owners, rows, table, by, CHANGE_COLUMNS)


def series_frame(table: pl.DataFrame, by: tuple[str, ...], metrics: tuple[str, ...]) -> pl.DataFrame:
    """The values of all series, metric by metric, each by time."""
    index = [*by, "source", "started_at"]
    long = table.unpivot(metrics, index=index, variable_name="metric", value_name="value")
    return long.drop_nulls("value").select(*by, "metric", "source", "started_at", "value")


def _verdict_row(finding: Finding, table: pl.DataFrame, confidence: float) -> dict[str, Any]:
    series, levels, shift = finding.series, finding.levels, finding.shift
    last = finding.changes[-1] if finding.changes else None
    per_day = theil_sen(series.days, series.values, confidence) if series.values.size > 1 else NO_SLOPE
    steps = pl.int_range(series.values.size, eager=True).cast(pl.Float64).to_numpy()
    per_session = theil_sen(steps, series.values, confidence) if series.values.size > 1 else NO_SLOPE
    effect = levels.after - levels.before
    return {
        "metric": series.metric.name,
        "unit": series.metric.unit,
        "verdict": finding.judgement.verdict.value,
        "reason": finding.judgement.reason,
        "sessions": series.values.size,
        **(_session_at(finding, last.place, table) if last else {"change_at": None, "change_source": None}),
        "before": levels.before,
        "after": levels.after,
        "effect": effect,
        "effect_relative": effect / levels.before if levels.before > 0 else None,
        "effect_sd": levels.in_sds if last else None,
        "p_value": shift.p if shift else None,
        "adjusted_p": finding.adjusted_p,
        "slope_per_day": per_day.slope,
        "slope_per_day_low": per_day.low,
        "slope_per_day_high": per_day.high,
        "slope_per_session": per_session.slope,
        "slope_per_session_low": per_session.low,
        "slope_per_session_high": per_session.high,
        "tau": kendall_tau(series.values),
        "autocorrelation": shift.autocorrelation if shift else None,
        "sessions_before": last.place - last.start if last else None,
        "sessions_after": last.end - last.place if last else None,
        "needed_sessions": finding.needed,
    }


def _session_at(finding: Finding, place: int, table: pl.DataFrame) -> dict[str, Any]:
    row = int(finding.series.rows[place])
    return {"change_at": table["started_at"][row], "change_source": table["source"][row]}


def _frame(
    owners: list[Finding],
    rows: list[dict[str, Any]],
    table: pl.DataFrame,
    by: tuple[str, ...],
    columns: dict[str, pl.DataType],
) -> pl.DataFrame:
    """Rows with the group of each in front; what is no finite number is null."""
    keyed = [{**dict(zip(by, owner.series.group, strict=True)), **row} for owner, row in zip(owners, rows, strict=True)]
    frame = pl.DataFrame(keyed, schema={**{name: table.schema[name] for name in by}, **columns})
    floats = [name for name, kind in columns.items() if kind == _FLOAT]
    return frame.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in floats)
