"""Autocorrelation, and the corrections of means, p-values and blocks for it."""

from __future__ import annotations

import math
from statistics import NormalDist

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np

HIGHEST = 0.98
"""The largest autocorrelation that is used in corrections; a series beyond it has no stable level."""

_NORMAL = NormalDist()


def lag1(*parts: ArrayLike) -> float:
    """The lag-1 autocorrelation: the correlation of neighbours in a series.

    Source: Box and Jenkins; as in Bartlett, On the Theoretical Specification and Sampling Properties of
    Autocorrelated Time-Series, 1946, doi:10.2307/2983611: r = sum of (x_t - m)(x_(t+1) - m) / sum of (x_t - m)^2.

    Args:
        parts: the series; or several parts of it, each in order and with a mean m of its own, so that a shift between
            two parts does not count as correlation. Numerators and denominators are added up.

    Returns:
        The correlation in [-1, 1]; 0 where all values are equal, nan for fewer than three values.
    """
    above = below = 0.0
    count = 0
    for part in parts:
        values = np.asarray(part, dtype=np.float64)
        if values.size == 0:
            continue
        spread = float(values.max() - values.min())
        centred = (values - values.mean()) if spread > 0 else np.zeros_like(values)
        above += float(centred[1:] @ centred[:-1])
        below += float(centred @ centred)
        count += values.size
    if count < 3:
        return math.nan
    return above / below if below > 0 else 0.0


def unbiased_lag1(*parts: ArrayLike) -> float:
    """The lag-1 autocorrelation, corrected for the bias of short series.

    The bias of one part of n values is about -(1 + 4 rho) / n, because the mean is estimated; with k parts of n values
    in all it is k times that. The biased estimate is used for rho, which leaves a bias of second order.

    Source: Marriott and Pope, Bias in the Estimation of Autocorrelations, 1954, doi:10.1093/biomet/41.3-4.390; Kendall,
    Note on Bias in the Estimation of Autocorrelation, 1954, doi:10.1093/biomet/41.3-4.403.

    Args:
        parts: see ``lag1``.

    Returns:
        The correlation in [-1, 1]; 0 where all values are equal, nan for fewer than three values.
    """
    filled = [values for part in parts if (values := np.asarray(part, dtype=np.float64)).size]
    r = lag1(*filled)
    if math.isnan(r) or all(values.max() == values.min() for values in filled):
        return r
    corrected = r + (1 + 4 * r) * len(filled) / sum(values.size for values in filled)
    return max(-1.0, min(corrected, 1.0))


def block_correlation(correlation: float, length: int) -> float:
    """Correlation between the means of neighbouring blocks of a first-order autoregressive series.

    From the covariances rho^|s - t| (Box and Jenkins, Time Series Analysis, doi:10.1002/9781118619193), summed over
    two neighbouring blocks of n values and over one: rho (1 - rho^n)^2 / (n (1 - rho^2) - 2 rho (1 - rho^n)).

    Args:
        correlation: rho, in (-1, 1).
        length: n, the values in a block; at least 1.
    """
    faded = 1 - correlation**length
    return correlation * faded**2 / (length * (1 - correlation**2) - 2 * correlation * faded)


def block_length(correlation: float, *, target: float = 0.1) -> int:
    """The number of neighbours in a block whose mean hardly correlates with that of the next block.

    It is the shortest length at which the means of neighbouring blocks of a first-order autoregressive series
    correlate by ``target`` at most (see ``block_correlation``). Blocks of fixed length: Carlstein, The Use of
    Subseries Values for Estimating the Variance of a General Statistic from a Stationary Sequence, 1986,
    doi:10.1214/aos/1176350057.

    Args:
        correlation: the lag-1 autocorrelation of the series, which is limited to ``HIGHEST``; nan counts as 0.
        target: the largest correlation between the means of neighbouring blocks.
    """
    rho = min(correlation, HIGHEST)
    if not rho > target:
        return 1
    length = 1
    while block_correlation(rho, length) > target:
        length += 1
    return length


def blocks(x: ArrayLike, length: int) -> Floats:
    """The means of consecutive blocks of at least ``length`` values; a shorter series is one block.

    No value is left out: where the length does not divide the series, some blocks are longer by one.

    Source: Carlstein, 1986, doi:10.1214/aos/1176350057.

    Args:
        x: the series in order.
        length: the least number of values in a block.
    """
    values = np.asarray(x, dtype=np.float64)
    if length <= 1 or values.size == 0:
        return values
    return np.array([part.mean() for part in np.array_split(values, max(values.size // length, 1))])


def variance_inflation(correlation: float) -> float:
    """The factor by which autocorrelation increases the variance of a mean, for first-order autoregressive values.

    Source: Bayley and Hammersley, The Effective Number of Independent Observations in an Autocorrelated Time Series,
    1946, doi:10.2307/2983560: (1 + rho) / (1 - rho) for long series.

    Args:
        correlation: the lag-1 autocorrelation, which is limited to ``HIGHEST``; negative values and nan count as 0.
    """
    rho = min(correlation, HIGHEST)
    return (1 + rho) / (1 - rho) if rho > 0 else 1.0


def widened_p(p: float, inflation: float) -> float:
    """A two-sided p-value, corrected for a larger variance of its normal statistic.

    Args:
        p: the p-value for independent values; nan stays nan.
        inflation: the factor of the variance, at least 1; see ``variance_inflation``.
    """
    if not 0 < p < 1 or inflation <= 1:
        return p
    return math.erfc(-_NORMAL.inv_cdf(max(p, 1e-300) / 2) / math.sqrt(2 * inflation))
