"""The opening sentence of a report: whether the sessions are stable, and if not, what changed and since when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.compare import Comparison
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.incidents.mix import SHAPE as MIX
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import Direction, Verdict
from clamp_analytics.html_report.markup import format_change
from clamp_analytics.html_report.session_names import session_name
from clamp_analytics.render.natural_order import natural_key
from clamp_analytics.wording import plural

MOST_METRICS = 3
"""Maximal number of metrics in the sentence."""

GROUP_LENGTH = 60
"""Maximal length of the name of a group in the sentence, in characters."""

MOST_TELLING = ("duration_p50_ms", "mean_stability", "duration_p95_ms")
"""The metrics that are named first: other metrics of a context mostly repeat these."""

Group = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The opening sentence.

    Attributes:
        verdict: the verdict on all sessions together, which decides the colour.
        lead: the first words.
        text: the rest of the sentence.
    """

    verdict: Verdict
    lead: str
    text: str


def conclude(drift: Drift, comparison: Comparison | None = None) -> Conclusion:
    """Summarize the incidents of a history; a regression against the baseline takes precedence."""
    if comparison is not None and (regressed := _against_baseline(comparison)):
        return Conclusion(Verdict.REGRESSED, "Not stable", regressed)
    ordered = worst_first(drift.incidents)
    worse = [one for one in ordered if one.incident.direction == "worse" and not one.incident.ended]
    if opened := [one for one in worse if not one.is_acknowledged]:
        text = f"{_incident_text(opened[0], drift)} ({_counts(opened, drift)})"
        if _is_certain(opened[0]):
            return Conclusion(Verdict.REGRESSED, "Not stable", text)
        return Conclusion(Verdict.SUSPECT, "Possibly not stable", text)
    sessions = plural(drift.sessions, "session")
    if worse:
        known = plural(len(worse), "known incident")
        return Conclusion(Verdict.UNCHANGED, "Stable", f"nothing new in {sessions}; {known}.")
    if improved := [one for one in drift.incidents if one.incident.direction == "better"]:
        text = f"no regression in {sessions}. Improved: {_incident_text(improved[0], drift)}."
        return Conclusion(Verdict.IMPROVED, "Stable", text)
    return _without_incident(drift)


def _without_incident(drift: Drift) -> Conclusion:
    verdicts, sessions = drift.verdicts, plural(drift.sessions, "session")
    unchanged = pl.col("verdict").is_in([Verdict.UNCHANGED.value, Verdict.RECOVERED.value])
    if verdicts.filter(unchanged).is_empty():
        reason = f"{sessions} with a usable timestamp are too few" if drift.sessions else "no usable timestamp"
        return Conclusion(Verdict.NOT_ENOUGH_DATA, "Not enough data", f"{reason} to find a change.")
    parts = [f"no change in {sessions}"]
    if over := [one for one in drift.incidents if one.incident.ended]:
        parts = [f"in {sessions} {plural(len(over), 'outage')}, which {'is' if len(over) == 1 else 'are'} over"]
    if any(one.incident.shape == MIX for one in drift.incidents):
        parts.append("the mix of backends or devices changed")
    if smallest := _detectable(verdicts):
        parts.append(f"a shift of {smallest} would have shown")
    short = verdicts.filter(verdict=Verdict.NOT_ENOUGH_DATA.value).height
    rest = f" {plural(short, 'series has', 'series have')} too few sessions for a verdict." if short else ""
    return Conclusion(Verdict.UNCHANGED, "Stable", "; ".join(parts) + f".{rest}")


def _detectable(verdicts: pl.DataFrame) -> str:
    """The shift of the most telling metric that would have been found in every unchanged series of it."""
    for name in MOST_TELLING:
        rows = verdicts.filter(verdict=Verdict.UNCHANGED.value, metric=name)
        largest = rows["detectable"].cast(pl.Float64).max()
        if isinstance(largest, float) and math.isfinite(largest):
            size = f"{100 * largest:.2g} %" if METRICS[name].is_relative else f"{largest:.2g} in"
            return f"{size} {plots.metric_label(name)}" if name != MOST_TELLING[0] else size
    return ""


def worst_first(incidents: Sequence[IncidentReport]) -> list[IncidentReport]:
    """The incidents: open regressions, then suspects, then known ones, then all others; each the latest first."""

    def rank(one: IncidentReport) -> int:
        if one.incident.direction != "worse" or one.incident.ended:
            return 3
        return 2 if one.is_acknowledged else 0 if _is_certain(one) else 1

    return sorted(incidents, key=rank)


def _is_certain(one: IncidentReport) -> bool:
    return any(change.direction == "worse" and change.verdict == Verdict.REGRESSED for change in one.incident.changes)


def _incident_text(one: IncidentReport, drift: Drift) -> str:
    """What changed in an incident, and since when."""
    incident, timeline = one.incident, drift.timeline
    first, *others = sorted(incident.groups, key=lambda group: [natural_key(value) for value in group])
    same = (change for change in incident.changes if change.direction == incident.direction)
    effects = [
        f"{plots.metric_label(change.metric)} {format_change(METRICS[change.metric], change.before, change.after)}"
        for change in sorted(same, key=lambda change: _rank(change.metric))
        if change.group == first and change.metric in METRICS
    ]
    since = (
        f" since {session_name(timeline, incident.first_bad)}" if incident.shape != "trend" else " over all sessions"
    )
    name = _group_name(first)
    if others:
        name += f" and {plural(len(others), f'more {_noun(drift.by)}')}"
    return f"{name}{since}: {_listed(effects)}"


def _counts(opened: Sequence[IncidentReport], drift: Drift) -> str:
    """How many incidents are open, and how many contexts have none of them."""
    parts = [plural(len(opened), "incident")]
    if drift.by:
        affected = {group for one in opened for group in one.incident.groups}
        verdicts = drift.verdicts.filter(pl.col("verdict") == Verdict.UNCHANGED.value)
        fine = {group for group in verdicts.select(drift.by).iter_rows() if group not in affected}
        parts.append(f"{plural(len(fine), _noun(drift.by))} fine")
    return ", ".join(parts)


def _against_baseline(comparison: Comparison) -> str:
    """The regressions against the baseline, worst group first; empty without any."""
    rows = comparison.verdicts.filter(
        pl.col("verdict") == Verdict.REGRESSED.value, pl.col("direction") == Direction.WORSE.value
    )
    if rows.is_empty():
        return ""
    by = comparison.by
    groups = list(dict.fromkeys(rows.select(by).iter_rows())) if by else [()]
    effects = [
        f"{plots.metric_label(row['metric'])} "
        f"{format_change(METRICS[row['metric']], row['baseline'], row['candidate'])}"
        for row in sorted(rows.iter_rows(named=True), key=lambda row: _rank(row["metric"]))
        if tuple(row[name] for name in by) == groups[0]
    ]
    total = len(set(comparison.verdicts.select(by).iter_rows())) if by else 1
    text = f"against the baseline, {_group_name(groups[0])}: {_listed(effects)}"
    return f"{text} ({len(groups):,} of {plural(total, _noun(by))} regressed)" if by else text


def _rank(metric: str) -> int:
    order = [*MOST_TELLING, *METRICS]
    return order.index(metric) if metric in order else len(order)


def _listed(effects: Iterable[str]) -> str:
    listed = list(effects)
    more = len(listed) - MOST_METRICS
    return ", ".join(listed[:MOST_METRICS]) + (f" and {plural(more, 'more metric')}" if more > 0 else "")


def _group_name(group: Group) -> str:
    return plots.group_label(group, GROUP_LENGTH) if group else "all records"


def _noun(by: Sequence[str]) -> str:
    return "context" if tuple(by) == ("context",) else "group"
