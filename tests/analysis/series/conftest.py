"""Sessions, and the values of their metrics."""

from pathlib import Path
from typing import Any

from clamp_analytics.analysis.series import (
    AttributeFold,
    SessionFold,
    SessionValues,
    checked_by,
    checked_metrics,
    session_values,
)
from clamp_analytics.reading import Reader, ReadingOptions
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from tests.conftest import Raw, record, session, write


def values_of(
    source: Path | list[Path],
    by: Any = ("context",),
    metrics: Any = None,
    options: ReadingOptions = DEFAULT_OPTIONS,
) -> SessionValues:
    fold = AttributeFold(SessionFold(checked_by(by), checked_metrics(metrics)))
    return session_values(Reader(source, columns=fold.columns, jobs=1, options=options), by=by, metrics=metrics)


def one_session(folder: Path, *records: dict[str, Any]) -> dict[str, Any]:
    """The only row of values of a session, with everything in one series."""
    (row,) = values_of(write(folder, {"a.json": session(*records)}), ()).values.iter_rows(named=True)
    return row


def timed(duration: float | str, **changes: Any) -> dict[str, Any]:
    return record(duration_ms=Raw(str(duration)), **changes)


def in_flight(**changes: Any) -> dict[str, Any]:
    return record(released_at=None, duration_ms=0, stability_score=0, **changes)
