"""Comparison of the means of two sets of sessions whose neighbours may be correlated, or that are paired."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np
from clamp_analytics.analysis.stats.mean_error import FEWEST_FOR_CORRELATION, MeanError, error_of_means
from clamp_analytics.analysis.stats.robust_scores import CLIP, MAD_TO_SD

FEWEST_FOR_CORRELATED_PAIRS = 20
"""Pairs from which on their differences may be correlated: what makes sessions alike cancels in them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of means.

    Attributes:
        estimate: the second mean less the first.
        low: the lower end of its interval; minus infinity where there are too few values.
        high: the upper end.
        p_value: two-sided, of no difference; nan where there are too few values.
        error: the distribution of the error of the estimate; None without noise or with too few values.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    error: MeanError | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether there are enough values for an interval."""
        return math.isfinite(self.low)

    def detectable(self, alpha: float, power: float = 0.8) -> float:
        """Return the smallest difference that a two-sided test with this error finds; infinity where it finds none.

        Args:
            alpha: the level of the test.
            power: the share of cases in which the difference is found.
        """
        if self.error is None:
            return 0.0 if self.is_bounded else math.inf
        return self.error.quantile(1 - alpha / 2) + self.error.quantile(power)


def compare_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Difference:
    """Compare the means of two sets of values, each in the order of time.

    Both may be correlated; see ``error_of_means``. Fewer than ``FEWEST_FOR_CORRELATION`` values on a side are
    taken as independent, which gives Welch's test.

    Args:
        a: the first set, the baseline.
        b: the second set.
        confidence: the coverage of the interval.
    """
    sides = [np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)]
    fewest = min(side.size for side in sides)
    if fewest < 1:
        return _without_interval(math.nan)
    estimate = _mean(sides[1]) - _mean(sides[0])
    if fewest < 2:
        return _without_interval(estimate)
    return _with_interval(estimate, error_of_means(sides), confidence)


def compare_pairs(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Difference:
    """Compare values in pairs, such as two contexts of the same sessions: what a pair shares cancels.

    Args:
        a: the first value of each pair, in the order of time.
        b: the second value of each pair.
        confidence: the coverage of the interval.
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    if differences.size < 2:
        return _without_interval(_mean(differences) if differences.size else math.nan)
    error = error_of_means([differences], fewest=FEWEST_FOR_CORRELATED_PAIRS)
    return _with_interval(_mean(differences), error, confidence)


def clip_outliers(values: Floats) -> Floats:
    """Clip values far from the median, so that a few wild ones do not hide a difference of means.

    Small sets and those of which most values are equal are returned unchanged, because noise and outliers cannot be
    distinguished in them.
    """
    if values.size < FEWEST_FOR_CORRELATION:
        return values
    middle = float(np.median(values))
    reach = CLIP * MAD_TO_SD * float(np.median(np.abs(values - middle)))
    return np.clip(values, middle - reach, middle + reach) if reach > 0 else values


def _mean(values: Floats) -> float:
    # The rounded mean of equal numbers may differ from them.
    return float(values[0]) if values.min() == values.max() else float(values.mean())


def _without_interval(estimate: float) -> Difference:
    return Difference(estimate, -math.inf, math.inf, math.nan)


def _with_interval(estimate: float, error: MeanError | None, confidence: float) -> Difference:
    if error is None:
        return Difference(estimate, estimate, estimate, float(estimate == 0))
    half = error.quantile((1 + confidence) / 2)
    return Difference(estimate, estimate - half, estimate + half, error.exceeded(estimate), error)
