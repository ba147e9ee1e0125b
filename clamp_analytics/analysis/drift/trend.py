"""Slow change: how much a series rises per unit of time, and how steadily."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from clamp_analytics.analysis.stats import Floats

MOST_POINTS = 256
"""A longer series is made into about as many blocks, because the slopes of all its pairs would not fit in memory."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope and its interval; nan where there are no two different times."""

    slope: float
    low: float
    high: float


NO_SLOPE = Slope(math.nan, math.nan, math.nan)


def theil_sen(x: Floats, y: Floats, confidence: float) -> Slope:
    """The median of the slopes of all pairs of points, with Sen's interval.

    A series of more than ``MOST_POINTS`` is made into blocks of neighbours first: the mean of their times and the
    median of their values. The interval takes points as independent: where neighbours are correlated it is too narrow.

    Source: Sen, Estimates of the Regression Coefficient Based on Kendall's Tau, 1968,
    doi:10.1080/01621459.1968.10480934.

    Args:
        x: times in ascending order.
        y: values.
        confidence: the coverage of the interval.
    """
    x, y = thinned(x, y)
    first, second = _pairs(x.size)
    run = x[second] - x[first]
    # The difference of two extreme values may be infinite, which the result then shows as no slope.
    with np.errstate(over="ignore"):
        slopes = (y[second] - y[first])[run > 0] / run[run > 0]
    if slopes.size == 0:
        return NO_SLOPE
    n = x.size
    variance = (n * (n - 1) * (2 * n + 5) - _tied(x) - _tied(y)) / 18
    # Nearly everything tied, the variance can come out below 0.
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(max(variance, 0.0))
    low = max(round((slopes.size - reach) / 2) - 1, 0)
    high = min(round((slopes.size + reach) / 2), slopes.size - 1)
    places = sorted({low, high, (slopes.size - 1) // 2, slopes.size // 2})
    ordered = np.partition(slopes, places)
    with np.errstate(over="ignore", invalid="ignore"):
        middle = (ordered[(slopes.size - 1) // 2] + ordered[slopes.size // 2]) / 2
    return Slope(float(middle), float(ordered[low]), float(ordered[high]))


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most about ``MOST_POINTS`` points: blocks of neighbours, the first of which takes what is left over."""
    length = math.ceil(x.size / MOST_POINTS)
    if length <= 1:
        return x, y
    rest = x.size % length
    times = x[rest:].reshape(-1, length).mean(axis=1)
    values = np.median(y[rest:].reshape(-1, length), axis=1)
    if rest:
        times[0], values[0] = x[: rest + length].mean(), np.median(y[: rest + length])
    return times, values


@lru_cache(maxsize=8)
def _pairs(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    first, second = np.triu_indices(n, 1)
    return first, second


def _tied(values: Floats) -> float:
    times = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((times * (times - 1) * (2 * times + 5)).sum())


def kendall_tau(y: Floats) -> float:
    """Kendall's tau-b of values and their order: 1 where they only rise, -1 where they only fall.

    Source: Kendall, The Treatment of Ties in Ranking Problems, 1945, doi:10.1093/biomet/33.3.239.

    Returns:
        The coefficient; nan where all values are equal or there are fewer than two.
    """
    from scipy.stats import kendalltau

    if y.size < 2 or y.min() == y.max():
        return math.nan
    # The p-value is not asked for; the exact one would cost, and the asymptotic one fails on two values.
    return float(kendalltau(np.arange(y.size), y, method="auto" if y.size < 10 else "asymptotic").statistic)
