"""The columns of ``records`` that each analysis needs.

The module imports no engine, because the native decoder begins with these columns while one is imported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from clamp_analytics.analysis.groupings import BY, is_label
from clamp_analytics.analysis.metrics import PERCENTILES

ATTRIBUTES = ("backend", "device_name", "thread_id")
"""The columns whose values in a session are its attributes."""

SCORES = frozenset({"source", "seed", "duration_ms", "acquired_at"})
"""The columns for the scores of sessions."""

SEEDS = frozenset({"source", "record_index", "context", "seed", "acquired_at", "released_at", "stability_score"})
"""The columns for the reproducibility of seeds."""

METRICS_OF_SCORES = frozenset({"mean_stability", "unstable_share"})
METRICS_OF_DURATIONS = frozenset({*PERCENTILES, "hold_total_ms"})


def summary_columns(by: Iterable[str]) -> frozenset[str]:
    """The columns for a summary.

    Args:
        by: what records are grouped by.
    """
    columns = {"stability_score", "acquired_at", "released_at"}
    if names := set(by):
        columns |= {"source", "duration_ms"} | names & set(BY)
    return frozenset(columns)


def series_columns(by: Iterable[str], metrics: Collection[str]) -> frozenset[str]:
    """The columns for the values of sessions.

    Args:
        by: the columns of ``records`` and labels that series are grouped by.
        metrics: the metrics.
    """
    grouped = {name for name in by if not is_label(name)}
    columns = {"source", "released_at", *grouped}
    if not METRICS_OF_SCORES.isdisjoint(metrics):
        columns.add("stability_score")
    if not METRICS_OF_DURATIONS.isdisjoint(metrics):
        columns.add("duration_ms")
    if grouped and "violations" in metrics:
        # Records are joined with violations, which name a record by its index in the file.
        columns.add("record_index")
    return frozenset(columns)
