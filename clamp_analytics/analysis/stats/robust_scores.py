"""Values in units of their noise, with extreme values clipped."""

from __future__ import annotations

from clamp_analytics.analysis.stats.arrays import Floats, np

MAD_TO_SD = 1.4826
"""The standard deviation of a normal distribution in units of its median absolute deviation."""

CLIP = 3.0
"""Scores are clipped at this many standard deviations, so that one session cannot look like a change of level."""

ROUNDING = 1e-12
"""Relative differences below this one are rounding errors."""


def robust_scores(series: Floats) -> tuple[Floats, Floats]:
    """Return each series in units of its noise, centred at its median and clipped; and these units.

    The unit is the noise as seen by the differences of neighbours, which a change of level does not inflate. The limit
    of the clipping is ``CLIP`` times the larger of this noise and of the median absolute deviation of the values, so
    that the levels of a series that changes often, or wanders, survive.

    Source: clipping at a multiple of a robust scale is Huber's psi function (Robust Estimation of a Location
    Parameter, 1964, doi:10.1214/aoms/1177703732); for change points see Fearnhead and Rigaill, Changepoint Detection
    in the Presence of Outliers, 2019, doi:10.1080/01621459.2017.1385466.

    Args:
        series: one series per row, finite.

    Returns:
        The scores, of the same shape, zeros for a row of equal values; and the unit of each row, 0 for equal values.
    """
    powers = power_of_two(series)[:, None]
    scaled = series / powers
    middle = np.median(scaled, axis=1, keepdims=True)
    noise = local_noise(scaled)[:, None]
    overall = MAD_TO_SD * np.median(np.abs(scaled - middle), axis=1, keepdims=True)
    unit = np.where(noise > 0, noise, 1.0)
    limit = CLIP * np.maximum(noise, overall) / unit
    scores = np.where(noise > 0, np.clip((scaled - middle) / unit, -limit, limit), 0.0)
    return scores, (noise * powers)[:, 0]


def power_of_two(series: Floats) -> Floats:
    """Return a power of two near the largest magnitude of each row: dividing by it is exact and prevents overflow."""
    _, exponents = np.frexp(np.abs(series).max(axis=1, initial=0.0))
    result: Floats = np.exp2(exponents - 1.0)
    return result


def local_noise(series: Floats) -> Floats:
    """Return the standard deviation of the noise of each series, from the differences of neighbours.

    Where more than half of the differences are equal, their median says nothing, and their root mean square replaces
    it. What is left of equal values by rounding is not noise.

    Args:
        series: one series per row, of magnitude 1 or so.
    """
    steps = np.diff(series, axis=1)
    if steps.shape[1] == 0:
        return np.zeros(len(series))
    centred = np.abs(steps - np.median(steps, axis=1, keepdims=True))
    noise = MAD_TO_SD * np.median(centred, axis=1)
    noise = np.where(noise > ROUNDING, noise, np.sqrt(np.mean(steps * steps, axis=1))) / np.sqrt(2.0)
    result: Floats = np.where(noise > ROUNDING, noise, 0.0)
    return result
