"""The incidents of a report: what changed together, by how much, since when, and what may explain it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.incidents.grouping import SeriesChange
from clamp_analytics.analysis.incidents.mix import SHAPE as MIX
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.html_report.conclusion import worst_first
from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.markup import (
    Column,
    cell,
    details,
    format_change,
    format_levels,
    format_points,
    format_shares,
    format_time,
    group_attribute,
    paragraph,
    verdict_badge,
)
from clamp_analytics.html_report.session_names import session_button, session_day, session_label
from clamp_analytics.render.incidents import in_natural_order
from clamp_analytics.wording import plural

MOST_OPEN = 10
"""Number of incidents that are shown; further ones are folded."""

MOST_INCIDENTS = 50
"""Maximal number of incidents on the page."""

MOST_EFFECTS = 8
"""Number of effects of an incident that are shown; further ones are folded."""

MOST_SUSPECTS = 3
"""Maximal number of suspects per incident."""

NO_TRACES: Mapping[str, Mapping[str, Any]] = {}

DIRECTIONS = {"worse": ("✗", "Worse"), "better": ("✓", "Better"), "neither": ("!", "Changed")}
"""The mark and the word of each direction of an incident."""


def incidents(drift: Drift, links: SeriesLinks, traces: Mapping[str, Mapping[str, Any]] = NO_TRACES) -> str:
    """The blocks of all incidents, the worst and latest first.

    Args:
        drift: the history.
        links: the targets of links to series.
        traces: by incident, the pair of typical sessions that have a trace; see ``session_details``.
    """
    blocks = [
        _block(one, drift, links, traces.get(one.incident.id)) for one in worst_first(drift.incidents)[:MOST_INCIDENTS]
    ]
    parts = blocks[:MOST_OPEN]
    if folded := blocks[MOST_OPEN:]:
        parts.append(details(plural(len(folded), "further incident"), "".join(folded), kind="groups"))
    if left_out := len(drift.incidents) - len(blocks):
        parts.append(f'<p class="more">… and {left_out:,} more incidents</p>')
    return "".join(parts) or paragraph("No series changed.")


def _block(one: IncidentReport, drift: Drift, links: SeriesLinks, pair: Mapping[str, Any] | None) -> str:
    incident = one.incident
    mark, word = DIRECTIONS[incident.direction]
    state = "over" if incident.ended else "known" if one.is_acknowledged else ""
    kind = "closed" if state else incident.direction
    badge = f' <span class="state">{state}</span>' if state else ""
    title = f'<h3><span aria-hidden="true">{mark}</span> {word}: {incident.shape}{_since(one, drift)}{badge}</h3>'
    facts: list[tuple[str, str]] = []
    if incident.shape != "trend":
        if incident.last_good is not None:
            facts.append(("Last good session", _session(drift, incident.last_good)))
        facts.append(("First session after the change", _session(drift, incident.first_bad)))
    if pair is not None:
        buttons = " and ".join(session_button(drift.timeline, pair[side]) for side in ("before", "after"))
        save = f'<button data-trace="{incident.id}">Save their trace for Perfetto</button>'
        facts.append(("Typical sessions before and after", f'{buttons}<p class="needs-script">{save}</p>'))
    facts += _suspects(one)
    facts += [("Accepted", html.escape(plots.label(reason, 200))) for reason in _reasons(one)]
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    effects = _effects(in_natural_order(incident.changes), drift, links, incident.id)
    return (
        f'<article class="incident {kind}" id="incident-{incident.id}">{title}'
        f'<div class="evidence">{effects}<dl>{listed}</dl></div></article>'
    )


def _since(one: IncidentReport, drift: Drift) -> str:
    if one.incident.shape == "trend":
        return " over all sessions"
    at = one.incident.first_bad
    return f" since {session_day(drift.timeline, at)}, {html.escape(session_label(drift.timeline, at))}"


def _session(drift: Drift, index: int) -> str:
    """A button that opens the details of a session, with its start."""
    start = format_time(drift.timeline.started_at[index])
    return f"{session_button(drift.timeline, index)} <small>{start} UTC</small>"


def _suspects(one: IncidentReport) -> list[tuple[str, str]]:
    """What else changed with the first session, and the value before and after."""
    shown = [
        f"<li>{html.escape(plots.label(suspect.attribute, 40))}: "
        f"{cell(suspect.before)} → <strong>{cell(suspect.after)}</strong></li>"
        for suspect in one.suspects[:MOST_SUSPECTS]
    ]
    return [("Also changed with it", f"<ul>{''.join(shown)}</ul>")] if shown else []


def _reasons(one: IncidentReport) -> list[str]:
    return list(dict.fromkeys(entry.reason for entry in one.acknowledged if entry is not None))


def _effects(changes: Sequence[SeriesChange], drift: Drift, links: SeriesLinks, identifier: str) -> str:
    """The table of effects, of which the first ones are always shown."""
    rows = [_effect(change, drift, links) for change in changes]
    shown = _effects_table(rows[:MOST_EFFECTS], f"Effects of incident {identifier}")
    if len(rows) <= MOST_EFFECTS:
        return f"<div>{shown}</div>"
    rest = _effects_table(rows[MOST_EFFECTS:], f"Further effects of incident {identifier}")
    return f"<div>{shown}{details(plural(len(rows) - MOST_EFFECTS, 'more effect'), rest, kind='groups')}</div>"


def _effects_table(rows: Sequence[str], caption: str) -> str:
    columns = (
        Column("series"),
        Column("change", is_number=True),
        Column("before → after", is_number=True, is_optional=True),
        Column("verdict"),
    )
    heads = "".join(f"<th scope=col{column.attribute}>{column.name}</th>" for column in columns)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table class="effects">'
        f'<caption class="hidden">{caption}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _effect(change: SeriesChange, drift: Drift, links: SeriesLinks) -> str:
    group = plots.group_label(_shown_group(change, drift))
    name = f"<bdi>{html.escape(group)}</bdi> {html.escape(plots.metric_label(plots.label(change.metric)))}"
    target = links.target(change.metric, change.group)
    linked = f'<a href="#{target}">{name}</a>' if target else name
    metric = METRICS.get(change.metric)
    if metric is None:
        size = format_points(change.after - change.before)
        levels = format_shares(change.before, change.after)
    else:
        size = format_change(metric, change.before, change.after)
        levels = format_levels(change.metric, change.before, change.after)
    verdict = cell(verdict_badge(change.verdict)) if change.verdict in set(Verdict) else ""
    return (
        f"<tr{group_attribute(group)}><th scope=row>{linked}</th><td class=n>{size}</td>"
        f'<td class="n wide">{" → ".join(levels)}</td>'
        f"<td>{verdict}</td></tr>"
    )


def _shown_group(change: SeriesChange, drift: Drift) -> list[str | None]:
    """The values that name the group; a change of mix is one over all backends and devices."""
    if change.shape != MIX:
        return list(change.group)
    return [value for name, value in zip(drift.by, change.group, strict=True) if value is not None or name == "context"]
