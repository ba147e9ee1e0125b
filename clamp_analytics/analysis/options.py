"""The options of the analyses, with their defaults. Importing them loads no engine, so that ``--help`` stays fast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from clamp_analytics.analysis.metrics import METRICS, Metric, checked_metrics
from clamp_analytics.errors import UsageError

MOST_SESSIONS = 10**9
"""More sessions than anybody has: the upper limit of counts, and what a negligible effect would need."""


STRATA = ("backend", "device_name")
"""The columns within which regressions are judged, unless the sessions are pooled."""


@dataclass(frozen=True)
class DriftOptions:
    """How changes are looked for and judged.

    Attributes:
        alpha: the false discovery rate over everything that is tested together.
        suspect_alpha: the p-value, if sessions were independent, at which a change that correlated noise explains is
            a suspect.
        pooled: whether sessions of all backends and devices are judged together. By default they are judged within
            each, so that a changed share of them is not taken for a regression.
        known_changes: the TOML file of accepted changes; None for none. ``drift`` of the Python API takes the entries
            themselves.
        floors: the smallest effect that matters, by metric, where it is not that of ``METRICS``: a share of the value
            before for durations (0.05 is 5 %), else a difference in the metric's unit.
        since: sessions that started before are left out; None for no limit. Without a zone it is UTC.
        until: sessions that started then or later are left out; None for no limit. Without a zone it is UTC.
        last: how many of the latest sessions are used; None for all.
        replays: how many histories without a change ``calibrate`` simulates.
        replayed_sessions: how many of the latest sessions of a series ``calibrate`` uses.
        seed: of the random numbers of ``calibrate``; ``drift`` uses none.

    Raises:
        UsageError: a value is out of its range, or a floor names an unknown metric.
    """

    alpha: float = 0.05
    suspect_alpha: float = 0.01
    pooled: bool = False
    known_changes: str | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    last: int | None = None
    replays: int = 200
    replayed_sessions: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        _check("alpha", self.alpha, ok=0 < self.alpha < 1, must="lie between 0 and 1")
        _check("suspect_alpha", self.suspect_alpha, ok=0 < self.suspect_alpha < 1, must="lie between 0 and 1")
        last, most = self.last, MOST_SESSIONS
        _check("last", last, ok=last is None or 1 <= last <= most, must=f"be from 1 to {most}")
        _check("replays", self.replays, ok=self.replays >= 1, must="be at least 1")
        _check("replayed_sessions", self.replayed_sessions, ok=self.replayed_sessions >= 1, must="be at least 1")
        _check("seed", self.seed, ok=self.seed >= 0, must="not be negative")
        _check_floors(self.floors)
        since, until = as_utc(self.since), as_utc(self.until)
        if since and until and since >= until:
            raise UsageError("since must be before until", where=f"{since} and {until}")

    @property
    def strata(self) -> tuple[str, ...]:
        """The columns within which series are judged where sessions differ in them."""
        return () if self.pooled else STRATA

    def floor(self, metric: Metric) -> float:
        """The smallest effect of a metric that matters."""
        return self.floors.get(metric.name, METRICS[metric.name].floor)


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How two sides are compared.

    Attributes:
        alpha: the false discovery rate over everything that is tested together.
        suspect_alpha: the p-value, if sessions were independent, at which a difference that correlated noise explains
            is a suspect.
        min_sessions: the least number of sessions per side for more than a suspect; correlation cannot be estimated
            from fewer than 10.
        confidence: the coverage of each interval.
        floors: the smallest effects that matter, by metric, in the terms of ``Metric.floor``; those of ``METRICS``
            for all others.

    Raises:
        UsageError: a value is out of its range, or a floor names an unknown metric.
    """

    alpha: float = 0.05
    suspect_alpha: float = 0.01
    min_sessions: int = 10
    confidence: float = 0.95
    floors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check("alpha", self.alpha, ok=0 < self.alpha < 1, must="lie between 0 and 1")
        _check("suspect_alpha", self.suspect_alpha, ok=0 < self.suspect_alpha < 1, must="lie between 0 and 1")
        _check("confidence", self.confidence, ok=0 < self.confidence < 1, must="lie between 0 and 1")
        _check("min_sessions", self.min_sessions, ok=self.min_sessions >= 2, must="be at least 2")
        _check_floors(self.floors)

    def floor(self, metric: Metric) -> float:
        """The smallest effect on a metric that matters."""
        return self.floors.get(metric.name, metric.floor)


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """How the cycles of one seed are compared.

    Attributes:
        score_tolerance: the largest difference between scores that count as the same; 0 to 1.

    Raises:
        UsageError: the tolerance is out of its range.
    """

    score_tolerance: float = 0.0

    def __post_init__(self) -> None:
        _check("score_tolerance", self.score_tolerance, ok=0 <= self.score_tolerance <= 1, must="be from 0 to 1")


def as_utc(at: datetime | None) -> datetime | None:
    """A time in UTC; one without a zone is taken to be in UTC."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _check(name: str, value: object, *, ok: bool, must: str) -> None:
    if not ok:
        raise UsageError(f"{name} must {must}, and it is {value}")


def _check_floors(floors: Mapping[str, float]) -> None:
    checked_metrics(floors or None)
    for name, floor in floors.items():
        _check(f"the floor of {name}", floor, ok=floor >= 0 and math.isfinite(floor), must="be 0 or more")


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How a series is judged.

    Attributes:
        alpha: the false discovery rate over everything that is judged together; for one series, its false alarm rate.
        suspect_alpha: the p-value, if sessions were independent, at which a change that correlated noise explains is
            a suspect. It is smaller than ``alpha``, because most such suspects come to nothing.
        further_alpha: the p-value, given the other changes, that each of several changes must reach. A larger one finds
            more of several small changes, and more dates at which nothing happened.
        smallest_effect: a shift from the first to the latest level below this is unchanged. It is relative for the
            scale ``log``, and in the unit of the values otherwise.
        outlier_sds: a session is an outlier beyond this many robust standard deviations from its level.

    Raises:
        UsageError: a value is out of its range.
    """

    alpha: float = 0.05
    suspect_alpha: float = 0.01
    further_alpha: float = 0.01
    smallest_effect: float = 0.0
    outlier_sds: float = 5.0

    def __post_init__(self) -> None:
        _check("alpha", self.alpha, ok=0 < self.alpha < 1, must="lie between 0 and 1")
        _check("suspect_alpha", self.suspect_alpha, ok=0 < self.suspect_alpha < 1, must="lie between 0 and 1")
        _check("further_alpha", self.further_alpha, ok=0 < self.further_alpha <= 1, must="be above 0 and at most 1")
        _check("smallest_effect", self.smallest_effect, ok=self.smallest_effect >= 0, must="be 0 or more")
        _check("outlier_sds", self.outlier_sds, ok=self.outlier_sds > 0, must="be above 0")
