"""The pair of typical sessions around the first session of an incident, and their trace for Perfetto."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.incidents.grouping import Incident, SeriesChange
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.html_report.session_records import SessionRecords
from clamp_analytics.reading import Counts, Telemetry
from clamp_analytics.rewrite import align_records
from clamp_analytics.schema import VIOLATIONS, Status, empty_frame
from clamp_analytics.trace import trace

WINDOW = 20
"""Number of sessions on each side of a change among which the typical one is chosen."""


def typical_pair(incident: Incident, drift: Drift) -> tuple[str, str] | None:
    """The sources of a typical session before and after an incident; None where a side has no session.

    A session is typical if its value is the closest one to the median of up to ``WINDOW`` sessions on its side. The
    value is that of the first change of the incident.
    """
    change = next((one for one in incident.changes if one.metric in METRICS), None)
    if change is None:
        return None
    values = _series(change, drift)
    first = drift.timeline.started_at[incident.first_bad]
    before = values.filter(pl.col("started_at") < first).tail(WINDOW)
    after = values.filter(pl.col("started_at") >= first).head(WINDOW)
    if before.is_empty() or after.is_empty():
        return None
    return _typical(before), _typical(after)


def _series(change: SeriesChange, drift: Drift) -> pl.DataFrame:
    group = (
        pl.col(name).eq_missing(pl.lit(value, pl.String)) for name, value in zip(drift.by, change.group, strict=True)
    )
    return drift.series.filter(pl.col("metric") == change.metric, *group).sort("started_at")


def _typical(values: pl.DataFrame) -> str:
    distance = (pl.col("value") - pl.col("value").median()).abs()
    source: str = values.sort(distance, maintain_order=True)["source"].item(0)
    return source


def pair_trace(before: str, after: str, sessions: SessionRecords) -> str | None:
    """The first anchors of two sessions as a trace; None where those of a session are not known.

    Both sessions begin at the same time, that of the first one: days apart, they could not be compared in one view.
    """
    names = {before: f"before: {PurePath(before).name}", after: f"after: {PurePath(after).name}"}
    records = sessions.anchors.filter(pl.col("source").is_in(list(names)))
    start = records["acquired_at"].min()
    if records["source"].n_unique() < len(names) or not isinstance(start, datetime):
        return None
    telemetry = Telemetry(
        sessions=pl.DataFrame({"source": list(names.values()), "status": Status.LOADED.value}),
        records=align_records(records, start).with_columns(
            pl.col("source").replace_strict(names, return_dtype=pl.String),
            pl.col("context", "thread_id").map_elements(plots.label, return_dtype=pl.String),
        ),
        violations=empty_frame(VIOLATIONS),
        counts=Counts(len(names), 0, 0),
        directory="",
    )
    return b"".join(trace(telemetry).chunks()).decode()
