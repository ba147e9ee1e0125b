"""Outlier sessions for people: each session that is far from the level of series that it did not change."""

from __future__ import annotations

from collections.abc import Callable

from clamp_analytics.analysis.drift.result import Drift
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.render.text import group_name
from clamp_analytics.wording import plural

MOST_SESSIONS = 3
"""Outlier sessions that are named before the others are counted."""

MOST_GROUPS = 3
"""Groups that are named for each of them before the others are counted."""


def outlier_lines(found: Drift, name: Callable[[int], str], escape: Callable[[str], str]) -> list[str]:
    """One line per outlier session with the series in which it is one, the newest session first.

    The newest sessions of a suspect are left out, because its incident names them.

    Args:
        found: the result of drift.
        name: the name of a session by its index, escaped for where it goes.
        escape: escapes the names of groups and metrics.
    """
    index_of = {source: index for index, source in enumerate(found.timeline.sources)}
    series: dict[int, dict[str, list[str]]] = {}
    for row in found.verdicts.iter_rows(named=True):
        for source in row["outliers"] if row["verdict"] != Verdict.SUSPECT else ():
            metrics = series.setdefault(index_of[source], {}).setdefault(group_name(row, found.by), [])
            metrics.append(row["metric"])
    lines = [
        f"outlier session {name(index)}: {_groups(series[index], escape)}"
        for index in sorted(series, reverse=True)[:MOST_SESSIONS]
    ]
    if len(series) > MOST_SESSIONS:
        lines.append(f"… and {plural(len(series) - MOST_SESSIONS, 'more outlier session')}")
    return lines


def _groups(metrics_of: dict[str, list[str]], escape: Callable[[str], str]) -> str:
    parts = [f"{escape(group)} {', '.join(map(escape, metrics))}" for group, metrics in metrics_of.items()]
    more = f" and {plural(len(parts) - MOST_GROUPS, 'more group')}" if len(parts) > MOST_GROUPS else ""
    return "; ".join(parts[:MOST_GROUPS]) + more
