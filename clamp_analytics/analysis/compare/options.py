"""How two sides are compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from clamp_analytics.analysis.series import Metric, checked_metrics
from clamp_analytics.errors import UsageError

FEWEST_RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """How two sides are compared.

    Attributes:
        alpha: the false discovery rate that is put up with among everything tested.
        min_sessions: the least number of sessions a side for a verdict.
        confidence: the coverage of each interval.
        resamples: how often the sessions are drawn anew for an interval.
        seed: of these draws; equal sides and options give equal results.
        autocorrelation_limit: the lag-1 correlation of sessions, corrected for the bias of short series, above which
            blocks of them are compared, and the verdict is at most a warning.
        floors: the smallest effects that matter, by metric, in the terms of ``Metric.floor``; those of ``METRICS``
            for all others.

    Raises:
        UsageError: a number is out of its range, or there is no such metric.
    """

    alpha: float = 0.05
    min_sessions: int = 10
    confidence: float = 0.95
    resamples: int = 2_000
    seed: int = 0
    autocorrelation_limit: float = 0.3
    floors: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("alpha", "confidence", "autocorrelation_limit"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", hint="it lies between 0 and 1")
        for name, least in (("min_sessions", 2), ("resamples", FEWEST_RESAMPLES), ("seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}", hint=f"it is at least {least}")
        checked_metrics(self.floors or None)
        for name, floor in self.floors.items():
            if not 0 <= floor < math.inf:
                raise UsageError(f"the floor of {name} is {floor}", hint="it is a number from 0 up")

    def floor(self, metric: Metric) -> float:
        """The smallest effect on a metric that matters."""
        return self.floors.get(metric.name, metric.floor)


DEFAULTS = CompareOptions()
