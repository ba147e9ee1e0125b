"""The metrics that a session has a value of, declared once: unit, polarity, scale, and what is too small to matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clamp_analytics.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

SMALLEST_MS = 0.001
"""Durations are written to a microsecond; on the logarithmic scale, what is shorter counts as this long."""


class Scale(StrEnum):
    """The scale on which the noise of a metric is even, so that a step means the same everywhere on it."""

    IDENTITY = "identity"
    """Counts, as they are."""
    LOG = "log"
    """Durations: their noise grows with them. Nothing is below ``SMALLEST_MS``, which 0 and negative ones become."""
    ARCSINE = "arcsine"
    """Scores and shares: the arcsine of the square root. Unlike the logit it is finite at 0 and 1, where most are."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a session can have one value of.

    Attributes:
        name: its name as a column and in every report.
        sentence: what it is.
        unit: the unit of its values.
        higher_is_better: whether more of it is good; None where neither is.
        scale: the scale on which its values are compared.
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
        """Whether floor and effect are shares of the value before."""
        return self.scale is Scale.LOG

    def to_scale(self, values: Floats) -> Floats:
        """Values on the metric's scale."""
        import numpy as np

        if self.scale is Scale.LOG:
            return np.log(np.maximum(values, SMALLEST_MS))
        if self.scale is Scale.ARCSINE:
            return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
        return np.asarray(values, dtype=np.float64)

    def from_scale(self, values: Floats) -> Floats:
        """Values on the metric's scale, back in its unit."""
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
        """The effect in the terms of the floor, without its sign.

        A fall by a third is as large as a rise by a half on the scale ``log``: the larger level is compared with
        the smaller one.
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
"""The share that each percentile metric is for."""

BY = ("context", "backend", "device_name", "thread_id")
"""What series can be told apart by: columns of ``records``."""


def checked_metrics(names: Iterable[str] | str | None) -> tuple[str, ...]:
    """The metrics that were named, each once and in the order of ``METRICS``; all of them for None.

    Raises:
        UsageError: there is no such metric, or none was named.
    """
    if names is None:
        return tuple(METRICS)
    wanted = _known(names, tuple(METRICS), "metric")
    if not wanted:
        raise UsageError("no metric was named", hint=f"one of {', '.join(METRICS)}")
    return tuple(name for name in METRICS if name in wanted)


def checked_by(names: Iterable[str] | str | None) -> tuple[str, ...]:
    """The columns that were named to tell series apart, each once, as they were given; none for None.

    Raises:
        UsageError: series cannot be told apart by a column.
    """
    return _known(names if names is not None else (), BY, "column to tell series apart by")


def _known(names: Iterable[str] | str, known: tuple[str, ...], kind: str) -> tuple[str, ...]:
    given = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known, f"one of {', '.join(known)}")
            raise UsageError(f"there is no {kind} {name!r}", hint=hint)
    return given
