"""Whether the newest values of a series are outside the range of the others."""

from __future__ import annotations

from clamp_analytics.analysis.stats.arrays import Floats, np
from clamp_analytics.analysis.stats.robust_scores import MAD_TO_SD

LIMITS = (5.0, 3.5, 3.0, 3.0, 3.0)
"""Robust standard deviations that one, two and more newest values must all be beyond."""


def newest_outside(residuals: Floats) -> int:
    """Return how many of the newest values are outside the range of the values before them.

    All of them must be beyond every earlier value and beyond a multiple of the noise, on the same side. A single
    value must clear the earlier ones by the noise of one value, because of heavy tails. With n exchangeable earlier
    values, the newest m are all beyond them on one side with probability 1 / C(n + m, m), whatever the distribution.

    Source: the distribution-free prediction interval of order statistics: Wilks, Determination of Sample Sizes for
    Setting Tolerance Limits, 1941, doi:10.1214/aoms/1177731788.

    Args:
        residuals: the values less their level, in the order of time.

    Returns:
        The number, negative where the values are below the range; 0 where they are within it.
    """
    for count in range(len(LIMITS), 0, -1):
        history, newest = residuals[:-count], residuals[-count:]
        if history.size < 2 * count:
            continue
        low, high = prediction_band(history, count)
        if newest.min() > high:
            return count
        if newest.max() < low:
            return -count
    return 0


def prediction_band(history: Floats, count: int) -> tuple[float, float]:
    """Return the ends of the band beyond which the next ``count`` values are outside the range of the history.

    They are outside if all of them are beyond the same end.

    Args:
        history: the values less their level.
        count: the number of new values.
    """
    noise = MAD_TO_SD * float(np.median(np.abs(history))) or float(history.std())
    # A single value must clear the earlier ones by the noise of one value, because of heavy tails.
    margin = noise if count == 1 else 0.0
    limit = LIMITS[min(count, len(LIMITS)) - 1] * noise
    return min(float(history.min()) - margin, -limit), max(float(history.max()) + margin, limit)
