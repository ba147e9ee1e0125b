"""Drift: which metrics changed over sessions, when, by how much, and whether the change is more than noise."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from clamp_analytics.analysis.drift.calibration import Calibration, replayed
from clamp_analytics.analysis.drift.findings import judge_all
from clamp_analytics.analysis.drift.result import Drift, change_frame, series_frame, verdict_frame
from clamp_analytics.analysis.drift.selection import all_series, selected
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.series import SessionValues, session_values
from clamp_analytics.errors import UsageError
from clamp_analytics.reading.open_source import Source

__all__ = ["Calibration", "Drift", "DriftOptions", "calibrate", "drift"]


def drift(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    options: DriftOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
) -> Drift:
    """Find out for every metric of every group whether it changed over the sessions, when, and by how much.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection (see ``open_source``); or values of sessions, which
            bring their own ``by`` and ``metrics``.
        by: the columns of ``BY`` that series are grouped by; none for one series of all records.
        metrics: names of ``METRICS``; all by default.
        options: which sessions are examined, and when a change counts.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.

    Raises:
        UsageError: there is no such column or metric, or scipy is not installed.
        SourceError: there is no session to examine.
    """
    require_scipy()
    chosen = options or DriftOptions()
    values = _values(source, by, metrics, jobs, recursive=recursive)
    table = selected(values, chosen)
    findings, tested = judge_all(list(all_series(table, values.by, values.metrics)), chosen)
    return Drift(
        verdicts=verdict_frame(findings, table, values.by, chosen.confidence),
        series=series_frame(table, values.by, values.metrics),
        changes=change_frame(findings, table, values.by),
        by=values.by,
        sessions=table.select("started_at", "source").n_unique(),
        untimed=values.untimed,
        tested=tested,
        options=chosen,
    )


def calibrate(
    source: Source | SessionValues,
    *,
    by: Iterable[str] | str | None = ("context",),
    metrics: Iterable[str] | str | None = None,
    options: DriftOptions | None = None,
    jobs: int | None = None,
    recursive: bool = True,
) -> Calibration:
    """Estimate on this very history how often ``drift`` raises a false alarm, and which shifts it detects.

    The noise of the history, without the changes that were found, is resampled in blocks of neighbouring sessions, and
    ``drift`` is applied to each resampled history. Args and errors are those of ``drift``.
    """
    require_scipy()
    chosen = options or DriftOptions()
    values = _values(source, by, metrics, jobs, recursive=recursive)
    table = selected(values, chosen)
    return replayed(table, values.by, list(all_series(table, values.by, values.metrics)), chosen)


def _values(
    source: Source | SessionValues,
    by: Iterable[str] | str | None,
    metrics: Iterable[str] | str | None,
    jobs: int | None,
    *,
    recursive: bool,
) -> SessionValues:
    if isinstance(source, SessionValues):
        return source
    return session_values(source, by=by, metrics=metrics, jobs=jobs, recursive=recursive)


def require_scipy() -> None:
    """Check that scipy is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("scipy") is None:
        raise UsageError("drift needs scipy, which is not installed", hint="pip install 'clamp-analytics[drift]'")
