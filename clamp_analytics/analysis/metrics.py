"""The metrics of a session, declared once: unit, better direction, scale, and smallest effect that matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clamp_analytics.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SMALLEST_MS = 0.001
"""Durations have a resolution of one microsecond; on the logarithmic scale, shorter ones count as this long."""


class Scale(StrEnum):
    """The scale on which the noise of a metric does not depend on its level."""

    IDENTITY = "identity"
    """Counts: the values themselves."""
    LOG = "log"
    """Durations, whose noise grows with them: the logarithm, of ``SMALLEST_MS`` for shorter and negative ones."""
    ARCSINE = "arcsine"
    """Scores and shares: the arcsine of the square root, which is finite at 0 and 1, unlike the logit."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: a figure that each session has one value of.

    Attributes:
        name: the name as a column and in reports.
        sentence: the definition.
        unit: the unit of its values.
        higher_is_better: whether larger values are better; None where neither direction is.
        scale: the scale on which values are compared.
        floor: the smallest effect that matters: a share of the value before for the scale ``log``,
            else a difference in the metric's unit.
    """

    name: str
    sentence: str
    unit: str
    higher_is_better: bool | None
    scale: Scale
    floor: float

    @property
    def is_relative(self) -> bool:
        """Whether the floor and the effect are shares of the value before."""
        return self.scale is Scale.LOG

    def to_scale(self, values: Floats) -> Floats:
        """Convert values in the metric's unit to its scale."""
        import numpy as np

        if self.scale is Scale.LOG:
            return np.log(np.maximum(values, SMALLEST_MS))
        if self.scale is Scale.ARCSINE:
            return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
        return np.asarray(values, dtype=np.float64)

    def from_scale(self, values: Floats) -> Floats:
        """Convert values on the metric's scale to its unit."""
        import numpy as np

        if self.scale is Scale.LOG:
            return np.exp(values)
        if self.scale is Scale.ARCSINE:
            return np.asarray(np.sin(np.clip(values, 0.0, np.pi / 2)) ** 2, dtype=np.float64)
        return np.asarray(values, dtype=np.float64)

    def level(self, values: Floats) -> float:
        """The mean of values in the metric's unit: geometric for the scale ``log``, else arithmetic."""
        import numpy as np

        if self.scale is Scale.LOG:
            return float(np.exp(self.to_scale(values).mean()))
        return float(values.mean())

    def size(self, before: float, after: float) -> float:
        """The absolute effect, as a share or as a difference like the floor.

        On the scale ``log`` the larger level is divided by the smaller one, so that a fall by a third is as large as
        a rise by a half.
        """
        if not self.is_relative:
            return abs(after - before)
        low, high = sorted((max(before, SMALLEST_MS), max(after, SMALLEST_MS)))
        return high / low - 1


_DURATION_OF = "durations of the released anchors, linear between neighbours."

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mean_stability", "Mean of the usable stability scores.", "0 to 1", True, Scale.ARCSINE, 0.01),
        Metric(
            "unstable_share",
            "Share of the usable scores below 1, the score of a successful cycle.",
            "share",
            False,
            Scale.ARCSINE,
            0.02,
        ),
        Metric("duration_p50_ms", f"Median of the {_DURATION_OF}", "ms", False, Scale.LOG, 0.05),
        Metric("duration_p95_ms", f"95th percentile of the {_DURATION_OF}", "ms", False, Scale.LOG, 0.1),
        Metric("duration_p99_ms", f"99th percentile of the {_DURATION_OF}", "ms", False, Scale.LOG, 0.1),
        Metric("hold_total_ms", "Sum of the durations of the released anchors.", "ms", False, Scale.LOG, 0.1),
        Metric("violations", "Violations that are errors or warnings.", "count", False, Scale.IDENTITY, 0.5),
        Metric("in_flight", "Anchors without a usable release.", "count", False, Scale.IDENTITY, 0.5),
    )
}
"""All metrics by name, in the order of reports. The specification gives a successful cycle the score 1."""

PERCENTILES = {"duration_p50_ms": 0.5, "duration_p95_ms": 0.95, "duration_p99_ms": 0.99}
"""The percentile metrics, with the share of durations below each."""


def checked_metrics(names: Iterable[str] | str | None) -> tuple[str, ...]:
    """The given metrics, each once and in the order of ``METRICS``; all metrics for None.

    Raises:
        UsageError: there is no such metric, or none is given.
    """
    if names is None:
        return tuple(METRICS)
    wanted = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in wanted:
        if name not in METRICS:
            raise UsageError.unknown("metric", name, METRICS)
    if not wanted:
        raise UsageError("no metric is given", hint=f"one of {', '.join(METRICS)}")
    return tuple(name for name in METRICS if name in wanted)
