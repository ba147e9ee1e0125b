"""The data of the sessions that a reader can open on the page: figures, violations, anchors, and traces of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.html_report.conclusion import worst_first
from clamp_analytics.html_report.session_records import SessionRecords
from clamp_analytics.html_report.typical_sessions import pair_trace, typical_pair
from clamp_analytics.plots import MetricPanels

MOST_SESSIONS = 5_000
"""Number of the latest sessions with figures on the page; those that the page names are added."""

MOST_ANCHORS = 10_000
"""Number of anchors on the page, of the sessions that the page names and then of the latest ones."""

MOST_TRACES = 4
"""Number of incidents with a trace."""

MOST_RULES = 6
"""Maximal number of violated rules per session."""

LONGEST_US = 10_000 * 366 * 86_400 * 1e6
"""Microseconds of the years that timestamps have."""

NAME_LENGTH = 60
"""Maximal length of a name in the details of a session, in characters."""


def session_details(drift: Drift, sessions: SessionRecords, panels: Iterable[MetricPanels]) -> dict[str, Any]:
    """The data of the sessions, as JSON values.

    Returns:
        ``folder``: the start that all sources share; ``label``: the label that names sessions; ``sessions``: by index
        on the time line the rest of the source, the start, the labels, the numbers of records and of those in flight,
        the mean stability, and the violated rules with severity and count, without nulls at the end; ``anchors``: by
        index the threads, the contexts, and for each anchor the index of its thread and context, its start and its
        length in microseconds (null if it is in flight), and as ``more`` how many are left out; ``traces``: by
        incident the indices of two sessions and their trace.
    """
    timeline = drift.timeline
    ordered = worst_first(drift.incidents)
    pairs = {one.incident.id: typical_pair(one.incident, drift) for one in ordered[:MOST_TRACES]}
    named = _named(drift, panels)
    for pair in pairs.values():
        named.update(dict.fromkeys(timeline.index_of[source] for source in pair or ()))
    count = len(timeline.sources)
    shown = sorted({*named, *range(max(count - MOST_SESSIONS, 0), count)})
    folder = _common_folder(timeline.sources)
    figures = {
        source: row
        for source, *row in sessions.figures.select("source", "records", "in_flight", "mean_stability").iter_rows()
    }
    faults = _faults(sessions)
    rows = {}
    for index in shown:
        source = timeline.sources[index]
        records, in_flight, mean = figures.get(source, (None, None, None))
        labels = {
            plots.label(name, NAME_LENGTH): plots.label(value, NAME_LENGTH)
            for name, value in timeline.labels[index].items()
        }
        row = [
            plots.label(source.removeprefix(folder), 300),
            round(timeline.started_at[index].timestamp() * 1000),
            labels or None,
            records,
            in_flight,
            None if mean is None else round(mean, 6),
            faults.get(source),
        ]
        while row[-1] is None:
            row.pop()
        rows[index] = row
    return {
        "label": timeline.naming_label and plots.label(timeline.naming_label, NAME_LENGTH),
        "folder": folder and plots.label(folder, 300),
        "sessions": rows,
        "anchors": _anchors([*named, *reversed(shown)], drift, sessions),
        "traces": _traces(pairs, drift, sessions),
    }


def _common_folder(sources: Sequence[str]) -> str:
    """The folder that all sources share, with its slash; empty without one."""
    low, high = min(sources, default=""), max(sources, default="")
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    start = "".join(letter for letter, _ in shared)
    return start[: start.rfind("/") + 1]


def _named(drift: Drift, panels: Iterable[MetricPanels]) -> dict[int, None]:
    """The indices of the sessions that the page names, the most important first."""
    named: dict[int, None] = {}
    for one in worst_first(drift.incidents):
        named[one.incident.first_bad] = None
        if one.incident.last_good is not None:
            named[one.incident.last_good] = None
    index_of = drift.timeline.index_of
    for panel in (panel for one in panels for panel in one.panels):
        sources = [*panel.changes["change_source"], *panel.outliers["source"]]
        named.update(dict.fromkeys(index_of[source] for source in sources if source in index_of))
    return named


def _faults(sessions: SessionRecords) -> dict[str, list[list[object]]]:
    ordered = sessions.faults.sort("source", "severity", "rule")
    result: dict[str, list[list[object]]] = {}
    for source, severity, rule, times in ordered.select("source", "severity", "rule", "times").iter_rows():
        own = result.setdefault(source, [])
        if len(own) < MOST_RULES:
            own.append([severity, rule, times])
    return result


def _anchors(order: Iterable[int], drift: Drift, sessions: SessionRecords) -> dict[int, dict[str, object]]:
    """The anchors of as many sessions as there is room for."""
    parts = sessions.anchors.partition_by("source", as_dict=True, maintain_order=True)
    totals = dict(sessions.totals.select("source", "count").iter_rows())
    found: dict[int, dict[str, object]] = {}
    room = MOST_ANCHORS
    for index in dict.fromkeys(order):
        source = drift.timeline.sources[index]
        frame = parts.get((source,))
        if frame is None:
            continue
        room -= frame.height
        if room < 0:
            break
        found[index] = _anchor_rows(frame, totals[source])
    return found


def _anchor_rows(frame: pl.DataFrame, total: int) -> dict[str, object]:
    acquired, released = pl.col("acquired_at").dt.epoch("us"), pl.col("released_at").dt.epoch("us")
    # A measured duration is more precise than the difference of timestamps, which may be whole seconds. One that is
    # longer than the calendar is not a measurement.
    measured = pl.col("duration_ms") * 1000
    length = pl.when(measured < LONGEST_US).then(measured).otherwise(None).fill_null(released - acquired).clip(0)
    columns = frame.select(
        "thread_id",
        "context",
        start=acquired - acquired.min(),
        length=pl.when(pl.col("released_at").is_not_null()).then(length.round()),
    )
    threads, contexts = (columns[name].unique(maintain_order=True).to_list() for name in ("thread_id", "context"))
    numbers = [{name: number for number, name in enumerate(names)} for names in (threads, contexts)]
    return {
        "threads": [plots.label(name, NAME_LENGTH) for name in threads],
        "contexts": plots.make_unique([plots.label(name, NAME_LENGTH) for name in contexts]),
        "rows": [
            [numbers[0][thread], numbers[1][context], start, None if length is None else int(length)]
            for thread, context, start, length in columns.iter_rows()
        ],
        "more": total - frame.height,
    }


def _traces(
    pairs: dict[str, tuple[str, str] | None], drift: Drift, sessions: SessionRecords
) -> dict[str, dict[str, object]]:
    found = {}
    for identifier, pair in pairs.items():
        text = None if pair is None else pair_trace(*pair, sessions)
        if pair is not None and text is not None:
            before, after = (drift.timeline.index_of[source] for source in pair)
            found[identifier] = {"before": before, "after": after, "trace": text}
    return found
