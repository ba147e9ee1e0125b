"""A robust estimate of the standard deviation."""

from __future__ import annotations

import math

from clamp_analytics.analysis.stats.arrays import ArrayLike, np

MAD_TO_SD = 1.4826
"""The standard deviation of a normal distribution in units of its median absolute deviation."""

MEAN_DEVIATION_TO_SD = 1.2533
"""The same for the mean absolute deviation: the square root of pi / 2."""


def robust_sd(x: ArrayLike) -> float:
    """A robust estimate of the standard deviation: 1.4826 times the median absolute deviation.

    Where more than half of the values are equal, the median absolute deviation is 0. Then 1.2533 times the mean
    absolute deviation from the median is used, which is 0 only where all values are equal.

    Source: Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, 1993,
    doi:10.1080/01621459.1993.10476408; the fallback is that of Iglewicz and Hoaglin, How to Detect and Handle
    Outliers, 1993, ISBN 978-0-87389-247-6.

    Returns:
        The estimate in the unit of the values; nan without values.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.size == 0:
        return math.nan
    deviations = np.abs(values - np.median(values))
    middle = float(np.median(deviations))
    return MAD_TO_SD * middle if middle > 0 else MEAN_DEVIATION_TO_SD * float(deviations.mean())
