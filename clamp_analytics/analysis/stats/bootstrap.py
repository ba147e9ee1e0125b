"""Confidence intervals by resampling."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np

LARGE = 500
"""Above this many values a resampled mean is drawn from its normal limit, which it agrees with to many digits."""

ROUNDING = 1e-9
"""An end of an interval is rounded to 0 below this share of the largest absolute value."""

_NORMAL = NormalDist()
_WEIGHTS_AT_ONCE = 2**22
_GRAIN = 2.0**-36
"""The unit that influences are rounded to, relative to the largest influence."""


class Interval(NamedTuple):
    """A confidence interval; both ends are nan where there are no values."""

    low: float
    high: float


def bootstrap_interval(
    a: ArrayLike, b: ArrayLike, *, level: float = 0.95, resamples: int = 2_000, seed: int = 0
) -> Interval:
    """Confidence interval of mean(b) - mean(a) by the bias-corrected and accelerated bootstrap (BCa) of both sides.

    The acceleration is computed from the influence of each value on the difference: for a mean, the deviation of the
    value divided by the number of values. Above ``LARGE`` values a resampled mean is drawn from its normal limit.

    Source: Efron, Better Bootstrap Confidence Intervals, 1987, doi:10.1080/01621459.1987.10478410, and for two
    samples Efron and Tibshirani, An Introduction to the Bootstrap, 1993, doi:10.1007/978-1-4899-4541-9, chapters 14
    and 22.

    Args:
        a: the values of one side.
        b: the values of the other side.
        level: the coverage of the interval, in (0, 1).
        resamples: how many times both sides are resampled.
        seed: the seed of the generator; equal arguments give equal intervals.

    Returns:
        The interval; of length 0 where both sides are constant, nan where a side is empty.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.size == 0 or right.size == 0:
        return Interval(math.nan, math.nan)
    estimate = _mean(right) - _mean(left)
    # In units of the largest influence, so that the magnitude of the values does not matter.
    influences = [_influence(right), -_influence(left)]
    unit = max(float(np.abs(influence).max()) for influence in influences)
    if unit == 0:
        return Interval(estimate, estimate)
    influences = [influence / unit for influence in influences]
    drawn = _resampled_sums(influences[0], resamples, 2 * seed) + _resampled_sums(
        influences[1], resamples, 2 * seed + 1
    )
    pooled = np.concatenate(influences)
    acceleration = float((pooled**3).sum() / (6 * (pooled**2).sum() ** 1.5))
    low, high = _bca_shares(drawn, acceleration, level)
    ends = estimate + unit * np.quantile(drawn, [low, high])
    # An end that differs from 0 by rounding errors only is shown as 0.
    ends[np.abs(ends) < ROUNDING * max(float(np.abs(left).max()), float(np.abs(right).max()))] = 0.0
    return Interval(float(ends[0]), float(ends[1]))


def _mean(values: Floats) -> float:
    # The rounded mean of equal numbers may differ from them.
    return float(values[0]) if values.max() == values.min() else float(values.mean())


def _influence(values: Floats) -> Floats:
    """The influence of each value on the mean; exactly 0 for equal values, whose mean may be rounded."""
    if values.max() == values.min():
        return np.zeros_like(values)
    centred: Floats = values - values.mean()
    return centred / values.size


def _bca_shares(drawn: Floats, acceleration: float, level: float) -> tuple[float, float]:
    """The shares of the resampled differences below the ends of the interval."""
    tied = np.abs(drawn) < _GRAIN * 2 * LARGE
    below = (float(((drawn < 0) & ~tied).sum()) + float(tied.sum()) / 2) / drawn.size
    # A share of 0 or 1 has no normal quantile; half a resample is the resolution.
    bias = _NORMAL.inv_cdf(min(max(below, 0.5 / drawn.size), 1 - 0.5 / drawn.size))
    shares = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + _NORMAL.inv_cdf(share)
        stretch = 1 - acceleration * shifted
        shares.append(_NORMAL.cdf(bias + shifted / stretch) if stretch > 0 else share)
    return min(shares), max(shares)


def _resampled_sums(influence: Floats, resamples: int, seed: int) -> Floats:
    """Sums of as many influences, drawn with replacement."""
    size = influence.size
    if size > LARGE:
        spread = math.sqrt(float(influence @ influence))
        return np.random.default_rng((seed, size)).normal(0.0, spread, resamples)
    # Sums of integers are exact, so the result does not depend on the order of the values.
    whole = np.rint(influence / _GRAIN)
    step = max(_WEIGHTS_AT_ONCE // size, 1)
    parts = [
        _weights(size, min(step, resamples - start), seed, number) @ whole
        for number, start in enumerate(range(0, resamples, step))
    ]
    return np.concatenate(parts) * _GRAIN


@lru_cache(maxsize=4)
def _weights(size: int, resamples: int, seed: int, number: int) -> Floats:
    """How many times each of ``size`` values is drawn in each resample.

    Series of one length share the draws, because drawing takes most of the time. Each single interval is as good as
    with draws of its own.
    """
    generator = np.random.default_rng((seed, size, number))
    drawn = generator.integers(0, size, (resamples, size), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * size
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(np.float64)
