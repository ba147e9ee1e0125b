"""Names of sessions for people: a label such as ``build-1134`` where sessions have one, else the name of the file."""

from __future__ import annotations

import html
from datetime import timedelta

from clamp_analytics import plots
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.html_report.markup import Html

ONE_YEAR = timedelta(days=330)
"""Dates within this span do not need a year."""

LONGEST = 36
"""Maximal length of a name, in characters."""


def session_name(timeline: Timeline, index: int) -> str:
    """A session for people: its day, and its label or else the name of its file."""
    return f"{session_day(timeline, index)}, {session_label(timeline, index)}"


def session_label(timeline: Timeline, index: int) -> str:
    """The label of a session, or the name of its file where it has none."""
    label = timeline.labels[index].get(timeline.naming_label) if timeline.naming_label else None
    if label is not None:
        return plots.label(label, LONGEST)
    name = timeline.sources[index].rpartition("/")[2].removesuffix(".json")
    return plots.shorten_path(name or timeline.sources[index], LONGEST)


def session_day(timeline: Timeline, index: int) -> str:
    """The day of a session, with its year where the history needs one."""
    at, times = timeline.started_at[index], timeline.started_at
    return f"{at.day} {at:%b %Y}" if times[-1] - times[0] > ONE_YEAR else f"{at.day} {at:%b}"


def session_button(timeline: Timeline, index: int) -> Html:
    """A button that opens the details of a session."""
    return Html(f"<button data-session={index}>{html.escape(session_label(timeline, index))}</button>")
