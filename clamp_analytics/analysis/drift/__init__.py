"""Drift: what changed over sessions, when, by how much, and whether it is more than noise."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from clamp_analytics.analysis.drift.calibrate import Calibration, replayed
from clamp_analytics.analysis.drift.findings import judge_all
from clamp_analytics.analysis.drift.result import Drift, change_frame, series_frame, verdict_frame
from clamp_analytics.analysis.drift.selection import all_series, selected
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.series import SessionValues, session_values
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Reader, Telemetry

__all__ = ["Calibration", "Drift", "DriftOptions", "calibrate", "drift"]


def drift(
    given: Reader | Telemetry | SessionValues,
    options: DriftOptions | None = None,
    by: Iterable[str] | str = ("context",),
    metrics: Iterable[str] | str | None = None,
) -> Drift:
    """Say of every metric of every group whether it changed, when, and by how much.

    Args:
        given: what reads the sources (its columns must include ``SessionFold(by, metrics).columns``), telemetry that
            was loaded, or values; those bring their own ``by`` and ``metrics``.
        options: how changes are looked for and judged.
        by: the columns of ``BY`` that tell series apart; none for one series of everything.
        metrics: names of ``METRICS``; all by default.

    Raises:
        UsageError: there is no such column or metric, or scipy is not installed.
        SourceError: no session is left to look at.
    """
    require_scipy()
    chosen = options or DriftOptions()
    found = given if isinstance(given, SessionValues) else session_values(given, by, metrics)
    table = selected(found, chosen)
    findings, tested = judge_all(list(all_series(table, found.by, found.metrics)), chosen)
    return Drift(
        verdicts=verdict_frame(findings, table, found.by, chosen.confidence),
        series=series_frame(table, found.by, found.metrics),
        changes=change_frame(findings, table, found.by),
        by=found.by,
        sessions=table.select("started_at", "source").n_unique(),
        untimed=found.untimed,
        tested=tested,
        options=chosen,
    )


def calibrate(
    given: Reader | Telemetry | SessionValues,
    options: DriftOptions | None = None,
    by: Iterable[str] | str = ("context",),
    metrics: Iterable[str] | str | None = None,
) -> Calibration:
    """Say how far ``drift`` can be trusted on this very history: how often it cries wolf, and what it catches.

    The history's own noise, without the changes that were found, is drawn anew in blocks of neighbours, and everything
    that ``drift`` does is done to it. Args and errors are those of ``drift``.
    """
    require_scipy()
    chosen = options or DriftOptions()
    found = given if isinstance(given, SessionValues) else session_values(given, by, metrics)
    table = selected(found, chosen)
    return replayed(table, found.by, list(all_series(table, found.by, found.metrics)), chosen)


def require_scipy() -> None:
    """Check that what the statistics are computed with is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("scipy") is None:
        raise UsageError("drift needs scipy, which is not installed", hint="pip install 'clamp-analytics[drift]'")
