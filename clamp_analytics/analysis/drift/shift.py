"""The test of one series, honest about neighbouring sessions that resemble each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clamp_analytics.analysis.drift.rank_scan import best_split
from clamp_analytics.analysis.stats import Floats, block_correlation, block_length, blocks, lag1, variance_inflation

FEWEST_BLOCKS = 2
"""Blocks a side that a split of blocks leaves."""


BIAS, BIAS_SLOPE = 2.0, 6.0
"""What removing the means of two parts takes from the correlation r: (2 + 6 r) / n, twice what one mean takes.

Source: Kendall, Note on Bias in the Estimation of Autocorrelation, 1954, doi:10.1093/biomet/41.3-4.403.
"""

CUT = 0.1
"""The share of differences that may be shifts or wild values."""

ERROR = 1.0
"""The margin of error of ``difference_correlation``, times the root of the number of values.

Its standard deviation was measured to be 1.5 over that root, on series of 30 to 200 values.
"""

HIGHEST = 0.98
"""The highest correlation that is reckoned with; a series beyond it has no level to speak of."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The most likely shift of a series.

    Attributes:
        place: the first position after it.
        p: how likely noise alone shows as much, anywhere; correlation is allowed for.
        autocorrelation: lag-1 correlation of what remains when shifts are removed.
        is_blocked: whether that is so high that blocks of neighbours were tested.
    """

    place: int
    p: float
    autocorrelation: float
    is_blocked: bool


def find_shift(values: Floats, margin: int, limit: float) -> Shift | None:
    """The most likely shift of a series on its scale.

    The variance of the statistic is widened by (1 + r) / (1 - r), as that of a mean of first-order autoregressive
    values is. Above ``limit`` the test is also made on means of blocks, widened by the little correlation that is left
    between those: it sees one shift better, while the other sees one of several. The better p-value counts twice.

    Source: Bayley and Hammersley, The Effective Number of Independent Observations in an Autocorrelated Time Series,
    1946, doi:10.2307/2983560.

    Args:
        values: the series in order.
        margin: the least number of sessions a side.
        limit: the autocorrelation up to which sessions are tested as they are.

    Returns:
        The shift; None where the series is shorter than two margins.
    """
    split = best_split(values, margin)
    if split is None:
        return None
    r, unbiased = correlation(values, split.place)
    widened = best_split(values, margin, inflation=variance_inflation(unbiased))
    assert widened is not None
    if r <= limit:
        return Shift(split.place, widened.p, r, is_blocked=False)
    length = block_length(unbiased)
    left = block_correlation(min(unbiased, HIGHEST), length)
    coarse = best_split(
        blocks(values, length), max(FEWEST_BLOCKS, math.ceil(margin / length)), inflation=variance_inflation(left)
    )
    better = widened.p if coarse is None else min(coarse.p, widened.p)
    return Shift(split.place, min(2 * better, 1.0), r, is_blocked=True)


def correlation(values: Floats, place: int) -> tuple[float, float]:
    """Lag-1 autocorrelation of what remains of a series when its shifts are removed; and without its bias.

    What remains around the best split is exact where that is the only shift. Every other shift looks like correlation
    there, but hardly in the differences of neighbours, so what these say, with its margin of error, is an upper limit.
    """
    r = residual_correlation(values, place)
    limit = difference_correlation(values) + ERROR / math.sqrt(values.size)
    return min(r, limit), min(r + (BIAS + BIAS_SLOPE * r) / values.size, limit)


def difference_correlation(values: Floats) -> float:
    """Lag-1 autocorrelation of a first-order autoregressive series, from the differences of neighbours.

    Neighbouring differences of such a series correlate by (r - 1) / 2, whatever its level. The largest tenth of them is
    cut to the next one's size, because a shift is one large difference.

    Source: the idea is that of Chakar, Lebarbier, Levy-Leduc and Robin, A Robust Approach for Estimating Change-Points
    in the Mean of an AR(1) Process, 2017, doi:10.3150/15-BEJ782.
    """
    differences = np.diff(values)
    if differences.size < 2:
        return 0.0
    largest = float(np.quantile(np.abs(differences), 1 - CUT))
    cut = np.clip(differences, -largest, largest)
    square = float(cut @ cut)
    # Where hardly any value differs from the one before it, there is nothing to see in differences.
    return 1 + 2 * float(cut[1:] @ cut[:-1]) / square if square > 0 else 1.0


def residual_correlation(values: Floats, place: int) -> float:
    """Lag-1 autocorrelation when a shift or a straight line is removed, whichever leaves less.

    A slow trend is no correlation of neighbours, and a step function would leave much of it.
    """
    parts = values[:place], values[place:]
    stepped = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    t = np.arange(values.size) - (values.size - 1) / 2
    centred = values - values.mean()
    line = centred - t * (float(t @ centred) / max(float(t @ t), 1.0))
    r = lag1(line) if float(line @ line) < stepped else lag1(*parts)
    return 0.0 if math.isnan(r) else r
