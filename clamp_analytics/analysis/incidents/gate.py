"""The gate: which changes fail a check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from clamp_analytics.analysis.incidents.grouping import SeriesChange
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.errors import UsageError

REGRESSED = "regressed"
SUSPECT = "suspect"


class FailOn(StrEnum):
    """From which verdict on a check fails; only changes for the worse count."""

    REGRESSION = "regression"
    SUSPECT = "suspect"
    NEVER = "never"

    @property
    def verdicts(self) -> frozenset[str]:
        """The verdicts that fail a check."""
        failing = {FailOn.REGRESSION: {REGRESSED}, FailOn.SUSPECT: {REGRESSED, SUSPECT}, FailOn.NEVER: set[str]()}
        return frozenset(failing[self])


@dataclass(frozen=True, slots=True)
class Gate:
    """What fails a check.

    Attributes:
        fail_on: from which verdict on it fails.
        changed_within: only changes that began within this many of the latest sessions count; all where None.
        since_label: name and value of a label: only changes that began with the first session that has it, or later,
            count.

    Raises:
        UsageError: ``changed_within`` is below 1.
    """

    fail_on: FailOn = FailOn.REGRESSION
    changed_within: int | None = None
    since_label: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.changed_within is not None and self.changed_within < 1:
            raise UsageError(f"changed_within must be at least 1, and it is {self.changed_within}")

    def failing(self, changes: Iterable[SeriesChange], timeline: Timeline) -> list[SeriesChange]:
        """The changes that fail the check: for the worse, not over, with a failing verdict, and recent enough.

        Args:
            changes: the changes that are not acknowledged.
            timeline: the sessions.

        Raises:
            UsageError: no session has the label of ``since_label``.
        """
        first = 0
        if self.changed_within is not None:
            first = max(len(timeline.sources) - self.changed_within, 0)
        if self.since_label is not None:
            first = max(first, timeline.first_with_label(*self.since_label))
        verdicts = self.fail_on.verdicts
        return [
            change
            for change in changes
            if change.direction == "worse"
            and not change.ended
            and change.verdict in verdicts
            and change.first_bad >= first
        ]
