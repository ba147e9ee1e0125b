"""Rank test, effect size by ranks, and the correction of several p-values."""

from __future__ import annotations

import math

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, Integers, np

EXACT_BELOW = 50
"""Up to this many values on both sides together, the p-value of the rank test is exact."""


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """p-values corrected for the number of tests, so that the false discovery rate is bounded.

    Source: Benjamini and Hochberg, Controlling the False Discovery Rate, 1995,
    doi:10.1111/j.2517-6161.1995.tb02031.x, in the adjusted form of Yekutieli and Benjamini, 1999,
    doi:10.1016/S0378-3758(99)00041-5: with m p-values in ascending order, q_i = min over k >= i of p_k m / k.

    Args:
        p_values: nan for a test that was not made; it stays nan and is not counted.

    Returns:
        The corrected values in the order given, at most 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    stepped = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum.accumulate(stepped[::-1])[::-1]
    return adjusted


def mann_whitney(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p-value of the rank test that the values of ``a`` and ``b`` come from the same distribution.

    Up to ``EXACT_BELOW`` values it is exact, with ties, too: all assignments of the pooled midranks to the two sides
    are counted, and the smaller tail is doubled. Above, it is the normal approximation with the corrections for ties
    and for continuity.

    Source: Mann and Whitney, On a Test of Whether One of Two Random Variables Is Stochastically Larger than the
    Other, 1947, doi:10.1214/aoms/1177730491; counting with ties as in Mehta, Patel and Tsiatis, 1984,
    doi:10.2307/2530927; ties in the variance: Kruskal and Wallis, 1952, doi:10.1080/01621459.1952.10483441.

    Returns:
        The p-value; 1 where all values are equal, nan where a side is empty.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.size == 0 or right.size == 0:
        return math.nan
    doubled, ties = _doubled_midranks(np.concatenate([left, right]))
    if ties.size == 1:
        return 1.0
    rank_sum = int(doubled[: left.size].sum())
    if doubled.size <= EXACT_BELOW:
        return _exact_p(doubled, left.size, rank_sum)
    n, total = left.size * right.size, doubled.size
    distance = abs(rank_sum / 2 - left.size * (total + 1) / 2)
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1))
    z = max(distance - 0.5, 0.0) / math.sqrt(n / 12 * (total + 1 - tied))
    return math.erfc(z / math.sqrt(2))


def _doubled_midranks(values: Floats) -> tuple[Integers, Integers]:
    """Twice the midrank of each value, which is an integer, and the number of values that share each midrank."""
    _, position, ties = np.unique(values, return_inverse=True, return_counts=True)
    up_to = np.cumsum(ties)
    return (2 * up_to - ties + 1)[position], ties


def _exact_p(doubled: Integers, size: int, rank_sum: int) -> float:
    """The doubled smaller tail of the distribution of the sum of ``size`` of the ranks."""
    ranks = doubled - doubled.min()
    rank_sum -= size * int(doubled.min())
    # ways[k, s] is the number of choices of k ranks so far whose sum is s. It stays below 2^50, exact as a double.
    ways = np.zeros((size + 1, int(np.sort(ranks)[-size:].sum()) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        width = ways.shape[1] - rank
        # The copy is taken before the addition, so that no rank is chosen twice.
        ways[1:, rank:] += ways[:-1, :width].copy()
    tails = ways[size, : rank_sum + 1].sum(), ways[size, rank_sum:].sum()
    return float(min(1.0, 2 * min(tails) / ways[size].sum()))


def cliffs_delta(a: ArrayLike, b: ArrayLike) -> float:
    """Cliff's delta: the share of pairs in which ``b`` is larger than ``a``, minus the share in which it is smaller.

    Source: Cliff, Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions, 1993,
    doi:10.1037/0033-2909.114.3.494.

    Returns:
        A number in [-1, 1], 0 where neither side dominates; nan where a side is empty.
    """
    left, right = np.sort(np.asarray(a, dtype=np.float64)), np.asarray(b, dtype=np.float64)
    if left.size == 0 or right.size == 0:
        return math.nan
    smaller = np.searchsorted(left, right, side="left").sum(dtype=np.int64)
    larger = (left.size - np.searchsorted(left, right, side="right")).sum(dtype=np.int64)
    return float(smaller - larger) / (left.size * right.size)
