"""Group the changes of several series into incidents.

Metrics of one context are nearly copies of each other, and one cause often reaches several contexts. So changes that
may have begun with the same session are one incident, with one date.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["worse", "better", "neither"]
"""``neither`` where the metric has no better side."""

_ORDER = ("worse", "better", "neither")

ID_DIGITS = 8
"""Hexadecimal digits of the id of an incident; two incidents of one history do not share an id in practice."""


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """One change of one series, on the time line of all sessions.

    Attributes:
        group: the values of the columns that tell series apart, for example the context.
        metric: the name of the metric.
        direction: whether the metric became worse or better.
        shape: ``step``, ``trend``, ``outage``, ``outlier``, ``mix``, or ``difference`` between two sides.
        first_bad: index of the first session after the change, as the best estimate.
        earliest: the smallest index that the data allows for ``first_bad``.
        latest: the largest index that the data allows for ``first_bad``.
        before: the level before, in the unit of the metric.
        after: the level after, in the unit of the metric.
        relative: the change as a share of the level before; None where a share means nothing.
        verdict: the verdict on the series, as in ``Drift.verdicts``.
        ended: whether the change is over, as an outage that has recovered is.
        p_value: how likely noise alone gives as much; the smaller, the more the estimate of ``first_bad`` counts.
        interval: the ends of the confidence interval of ``after - before``; None where there is none.
    """

    group: tuple[str | None, ...]
    metric: str
    direction: Direction
    shape: str
    first_bad: int
    earliest: int
    latest: int
    before: float
    after: float
    relative: float | None
    verdict: str
    ended: bool = False
    p_value: float = 0.0
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Changes that may all have begun with the same session.

    Attributes:
        id: a short name, the same for the same changes in every run.
        direction: ``worse`` where any of the changes is for the worse, else ``better`` where any is for the better.
        shape: the shape that most of the changes have.
        first_bad: index of the first session of the incident, on the time line of all sessions.
        earliest: the first session with which all of the changes may have begun.
        latest: the last session with which all of the changes may have begun.
        changes: the changes: those for the worse first, then by group and metric.
        ended: whether all changes are over.
    """

    id: str
    direction: Direction
    shape: str
    first_bad: int
    earliest: int
    latest: int
    changes: tuple[SeriesChange, ...]
    ended: bool

    @property
    def last_good(self) -> int | None:
        """Index of the last session before the incident; None where it began with the first one."""
        return self.first_bad - 1 if self.first_bad > 0 else None

    @property
    def groups(self) -> list[tuple[str | None, ...]]:
        """The groups that changed, in the order of ``changes``."""
        return list(dict.fromkeys(change.group for change in self.changes))

    @property
    def metrics(self) -> list[str]:
        """The metrics that changed, in the order of ``changes``."""
        return list(dict.fromkeys(change.metric for change in self.changes))


def group_changes(changes: Iterable[SeriesChange], started_at: Sequence[datetime]) -> list[Incident]:
    """Group changes into the fewest incidents such that the changes of each may have begun with one session.

    Each group is the change that must have begun first, with all changes that may have begun with it. This greedy
    choice gives the fewest groups (interval stabbing; Cormen et al., Introduction to Algorithms, section 16.1).

    Args:
        changes: the changes, in any order.
        started_at: when each session of the time line began; ids are derived from it.

    Returns:
        The incidents: those for the worse first, of these the latest first.
    """
    waiting = sorted(changes, key=lambda change: (change.latest, change.earliest, _name(change)))
    incidents = []
    while waiting:
        session = waiting[0].latest
        incidents.append(_incident([change for change in waiting if change.earliest <= session], started_at))
        waiting = [change for change in waiting if change.earliest > session]
    return sorted(incidents, key=lambda found: (_ORDER.index(found.direction), found.ended, -found.first_bad))


def _incident(changes: list[SeriesChange], started_at: Sequence[datetime]) -> Incident:
    earliest = max(change.earliest for change in changes)
    latest = min(change.latest for change in changes)
    first_bad = _most_likely_session(changes, earliest, latest)
    ordered = sorted(changes, key=lambda change: (_ORDER.index(change.direction), *_name(change)))
    shapes = Counter(change.shape for change in ordered)
    return Incident(
        id=_identifier(ordered, started_at[first_bad]),
        direction=ordered[0].direction,
        shape=shapes.most_common(1)[0][0],
        first_bad=first_bad,
        earliest=earliest,
        latest=latest,
        changes=tuple(ordered),
        ended=all(change.ended for change in ordered),
    )


def _most_likely_session(changes: Sequence[SeriesChange], earliest: int, latest: int) -> int:
    """The estimate of the clearest change, within what all of them allow."""
    clearest = min(changes, key=lambda change: (change.p_value, change.latest - change.earliest, _name(change)))
    return min(max(clearest.first_bad, earliest), latest)


def _name(change: SeriesChange) -> tuple[tuple[tuple[bool, str], ...], str]:
    """A key that sorts changes by group (nulls last) and metric."""
    return tuple((value is None, value or "") for value in change.group), change.metric


def _identifier(changes: Sequence[SeriesChange], started_at: datetime) -> str:
    parts = [started_at.isoformat(), *(f"{change.group!r} {change.metric} {change.direction}" for change in changes)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:ID_DIGITS]
