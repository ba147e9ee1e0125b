"""The scale on which the noise of a series is even, and levels on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np
from clamp_analytics.analysis.stats.robust_scores import CLIP, MAD_TO_SD, power_of_two
from clamp_analytics.errors import UsageError

Scale = Literal["log", "linear", "arcsine"]

SCALES = ("log", "linear", "arcsine")


@dataclass(frozen=True, slots=True)
class ScaledSeries:
    """A series on its scale.

    Attributes:
        values: the values on the scale.
        scale: ``log`` for durations, ``arcsine`` for shares and scores, ``linear`` for everything else.
        unit: what values on the scale are multiplied by, so that huge ones do not overflow; 1 but for ``linear``.
    """

    values: Floats
    scale: Scale
    unit: float

    @classmethod
    def of(cls, values: ArrayLike, scale: Scale) -> ScaledSeries:
        """Put values on a scale.

        On the scale ``log``, zero and negative values count as the smallest positive one.

        Raises:
            UsageError: the values are not one finite series, or the scale is unknown.
        """
        series = np.asarray(values, dtype=np.float64)
        if series.ndim != 1:
            raise UsageError(f"a series has one dimension, and this one has {series.ndim}")
        if not np.isfinite(series).all():
            raise UsageError("a series must not contain nan or infinite values", hint="Leave such sessions out.")
        if scale == "log":
            positive = series[series > 0]
            return cls(np.log(np.maximum(series, positive.min(initial=np.inf) if positive.size else 1.0)), scale, 1.0)
        if scale == "arcsine":
            return cls(np.arcsin(np.sqrt(np.clip(series, 0.0, 1.0))), scale, 1.0)
        if scale == "linear":
            unit = float(power_of_two(series[None])[0])
            return cls(series / unit, scale, unit)
        raise UsageError(f"scale must be one of {', '.join(SCALES)}, and it is {scale!r}")

    def level(self, start: int, end: int, noise: float) -> float:
        """Return the level of some sessions on the scale: the mean, with values far from the median clipped."""
        part = self.values[start:end]
        if part.min() == part.max():
            return float(part[0])
        middle = float(np.median(part))
        return (
            float(np.clip(part, middle - CLIP * noise, middle + CLIP * noise).mean())
            if noise > 0
            else float(part.mean())
        )

    def in_unit(self, level: float) -> float:
        """Return a level on the scale in the unit of the values."""
        if self.scale == "log":
            with np.errstate(over="ignore"):
                return float(np.exp(level))
        if self.scale == "arcsine":
            return float(np.sin(np.clip(level, 0.0, np.pi / 2)) ** 2)
        return float(level) * self.unit

    def effect(self, before: float, after: float) -> float:
        """Return the size of a shift between levels on the scale: relative for ``log``, else in the values' unit."""
        if self.scale == "log":
            with np.errstate(over="ignore"):
                return float(np.expm1(after - before))
        return self.in_unit(after) - self.in_unit(before)


def robust_noise(residuals: Floats) -> float:
    """Return the standard deviation of residuals about 0, from their median magnitude; 0 if half of them are 0."""
    return MAD_TO_SD * float(np.median(np.abs(residuals)))
