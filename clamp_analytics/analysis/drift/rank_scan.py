"""Where in a series the one place is that splits it best, and how likely noise alone splits it as well.

The statistic is the rank sum of the values before a place, standardised by what it would be in any order of the
values; its largest value over all places tells where the shift is. Ranks make it indifferent to the scale and to
single wild sessions. The p-value is that of the largest one, so it pays for the search.

Source: Pettitt, A Non-Parametric Approach to the Change-Point Problem, 1979, doi:10.2307/2346729, standardised at
each place as in James, James and Siegmund, Tests for a Change-Point, 1987, doi:10.1093/biomet/74.1.71.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from clamp_analytics.analysis.stats import Floats

SPARSE_SHARE = 0.5
"""Where more than this share of a series has one value, the other values are counted, too, and not only ranked."""

EXPECTED = 5
"""A rank sum counts as normal where at least this many values beside the most frequent one are expected a side."""

SMALLEST_B = 1.5
"""Below it the tail formula is no probability; the p-value is near 1 there."""


@dataclass(frozen=True, slots=True)
class Split:
    """The best split of a series.

    Attributes:
        place: the first position after the shift.
        z: how many standard deviations the rank sum there is from its mean; positive where the values rise.
        p: how likely noise alone splits a series of this length as well, anywhere.
    """

    place: int
    z: float
    p: float


def best_split(values: Floats, margin: int, *, inflation: float = 1.0) -> Split | None:
    """The best split of a series.

    Args:
        values: the series in order.
        margin: the least number of values a side.
        inflation: how many times the variance of a rank sum exceeds that of independent values.

    Returns:
        The split; None where the series is shorter than two margins.
    """
    n = values.size
    if n < 2 * margin:
        return None
    ranks, most, mode = _midranks(values)
    spread = float(ranks @ ranks)
    if spread == 0:
        return Split(margin, 0.0, 1.0)
    k, weight = _places(n, margin)
    # The values after a place are high where those before it are low.
    z = -np.cumsum(ranks)[k - 1] / np.sqrt(weight * (spread / (n - 1) * inflation))
    if most <= SPARSE_SHARE * n:
        at = int(np.argmax(np.abs(z)))
        return Split(int(k[at]), float(z[at]), tail(abs(float(z[at])), n, margin))
    return _sparse_split(values, mode, margin, k, z, inflation)


def _midranks(values: Floats) -> tuple[Floats, int, float]:
    """Midranks about their mean; how often the most frequent value stands, and which one it is."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    times = np.diff(np.append(starts, values.size))
    ranks = np.empty(values.size)
    ranks[order] = np.repeat(starts + (times - 1) / 2 - (values.size - 1) / 2, times)
    most = int(np.argmax(times))
    return ranks, int(times[most]), float(ordered[starts[most]])


@lru_cache(maxsize=64)
def _places(n: int, margin: int) -> tuple[np.ndarray, Floats]:
    """The places looked at, and the variance of the sum of as many of n values in units of theirs."""
    k = np.arange(margin, n - margin + 1)
    return k, k * (n - k) / n


def _sparse_split(values: Floats, mode: float, margin: int, k: np.ndarray, z: Floats, inflation: float) -> Split:
    """The best split of a series that mostly has one value.

    There the rank sum near an end is far from normal: two failures among the last ten of a hundred sessions look like
    four standard deviations. So ranks are trusted only where enough other values are expected on either side, and
    over all places the other values are counted, which has an exact distribution. The better of the two p-values
    counts twice, because it was chosen.
    """
    n = values.size
    others = values != mode
    total = int(others.sum())
    wide = max(margin, math.ceil(EXPECTED * n / total)) if total else n
    best: list[Split] = []
    if 2 * wide <= n:
        inner = slice(wide - margin, k.size - (wide - margin))
        at = int(np.argmax(np.abs(z[inner]))) + inner.start
        best.append(Split(int(k[at]), float(z[at]), tail(abs(float(z[at])), n, wide)))
    after = total - np.cumsum(others)[k - 1]
    log_p = _log_count_tail(after, n - k, total, n)
    at = int(np.argmin(log_p))
    sign = 1.0 if after[at] * n > total * (n - k[at]) else -1.0
    rising = values[others].mean() > mode
    counted = _z_of(float(log_p[at])) / math.sqrt(inflation)
    best.append(Split(int(k[at]), sign * counted * (1 if rising else -1), tail(counted, n, margin)))
    chosen = min(best, key=lambda split: split.p)
    return Split(chosen.place, chosen.z, min(2 * chosen.p, 1.0))


def _log_count_tail(found: np.ndarray, drawn: np.ndarray, total: int, n: int) -> Floats:
    """Logarithms of upper bounds of the tail beyond ``found`` of a hypergeometric distribution, on its side.

    Beyond the mean each probability is the one before times a ratio that falls, so a geometric series bounds their
    sum, and closely where it matters.
    """
    high = found * n > total * drawn
    # The lower tail of those found is the upper tail of those not found.
    count = np.where(high, found, drawn - found)
    marked = np.where(high, total, n - total)
    logs = _log_factorials(n)
    probability = (
        logs[marked]
        - logs[count]
        - logs[marked - count]
        + logs[n - marked]
        - logs[drawn - count]
        - logs[n - marked - drawn + count]
        - (logs[n] - logs[drawn] - logs[n - drawn])
    )
    ratio = (marked - count) * (drawn - count) / ((count + 1.0) * (n - marked - drawn + count + 1.0))
    bounds: Floats = np.minimum(probability - np.log(np.maximum(1 - ratio, 1e-3)), math.log(0.5))
    return bounds


@lru_cache(maxsize=64)
def _log_factorials(n: int) -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])


def _z_of(log_p: float) -> float:
    """The normal deviate with this logarithm of the upper tail."""
    from scipy.special import ndtri_exp

    return -float(ndtri_exp(log_p))


def tail(b: float, n: int, margin: int) -> float:
    """How likely the largest standardised sum over all places exceeds b in either direction.

    It is the approximation of James, James and Siegmund for a Brownian bridge that is looked at n times, with
    nu(x) = exp(-0.583 x) for the overshoot (Siegmund, Sequential Analysis, 1985, doi:10.1007/978-1-4757-1862-1); never
    more than the sum over the places of what each one exceeds b with.
    """
    if b <= SMALLEST_B:
        return 1.0
    _, weight = _places(n, margin)
    each = math.erfc(b / math.sqrt(2))
    density = math.exp(-b * b / 2) / math.sqrt(2 * math.pi)
    climbs = float((np.exp(-0.583 * b / np.sqrt(weight)) / weight).sum())
    return min(1.0, weight.size * each, b * density * climbs + each)


@lru_cache(maxsize=1024)
def single_level(level: float, n: int, margin: int) -> float:
    """The level of a test at one given place that is as strict as ``level`` is for the search over all places."""
    low, high = SMALLEST_B, 40.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, n, margin) > level else (low, middle)
    return math.erfc(high / math.sqrt(2))
