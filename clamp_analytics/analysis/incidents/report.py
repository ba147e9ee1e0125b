"""An incident with what is known of it: who accepted it, and what else changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clamp_analytics.analysis.incidents.grouping import Incident, SeriesChange
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.incidents.suspects import Suspect
from clamp_analytics.analysis.incidents.timeline import Timeline


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """An incident with what is known of it.

    Attributes:
        incident: the incident.
        acknowledged: the entry that accepts each of its changes; None for a change that no entry accepts.
        suspects: what else changed with its first session, the most likely first.
    """

    incident: Incident
    acknowledged: tuple[KnownChange | None, ...]
    suspects: tuple[Suspect, ...]

    @property
    def is_acknowledged(self) -> bool:
        """Whether every change for the worse is accepted; an incident without one needs no entry."""
        changes = zip(self.incident.changes, self.acknowledged, strict=True)
        worse = [entry for change, entry in changes if change.direction == "worse"]
        return bool(worse) and None not in worse

    def to_dict(self, by: Sequence[str], timeline: Timeline) -> dict[str, Any]:
        """The incident as plain Python values."""
        found = self.incident
        return {
            "id": found.id,
            "direction": found.direction,
            "shape": found.shape,
            "ended": found.ended,
            "groups": [dict(zip(by, group, strict=True)) for group in found.groups],
            "contexts": list(dict.fromkeys(_context(group, by) for group in found.groups)),
            "metrics": found.metrics,
            "last_good": _session(found.last_good, timeline),
            "first_bad": _session(found.first_bad, timeline),
            "total_change": [_total_change(change, by) for change in found.changes],
            "acknowledged": self.is_acknowledged,
            "reasons": list(dict.fromkeys(entry.reason for entry in self.acknowledged if entry is not None)),
            "suspects": [
                {"attribute": one.attribute, "before": one.before, "after": one.after, "score": one.score}
                for one in self.suspects
            ],
        }


def _total_change(change: SeriesChange, by: Sequence[str]) -> dict[str, Any]:
    values = {
        **dict(zip(by, change.group, strict=True)),
        "metric": change.metric,
        "direction": change.direction,
        "verdict": change.verdict,
        "before": change.before,
        "after": change.after,
        "relative": change.relative,
    }
    return values if change.interval is None else {**values, "interval": list(change.interval)}


def _context(group: Sequence[str | None], by: Sequence[str]) -> str | None:
    return group[by.index("context")] if "context" in by else None


def _session(index: int | None, timeline: Timeline) -> dict[str, Any] | None:
    if index is None:
        return None
    return {
        "source": timeline.sources[index],
        "started_at": timeline.started_at[index].isoformat().replace("+00:00", "Z"),
        "labels": dict(timeline.labels[index]),
    }
