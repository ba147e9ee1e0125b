"""The test of Brunner and Munzel for two sets of independent values."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np

PERMUTATIONS = 9999
"""Permutations that are drawn where there are more of them."""

PERMUTED_BELOW = 15
"""Values of the smaller set below which its statistic is compared with permutations."""

PERMUTED_UP_TO = 100
"""Values of both sets together up to which that is done; with more, Student's distribution is accurate enough."""


def brunner_munzel(a: ArrayLike, b: ArrayLike) -> float:
    """Return the two-sided p-value that neither of two sets of independent values tends to be larger.

    Unlike a rank sum test it holds for unequal spreads. Where a set is small, its statistic is compared with that of
    permutations, so that it holds from small sets on, and with Student's distribution otherwise.

    Source: Brunner and Munzel, The Nonparametric Behrens-Fisher Problem, 2000,
    doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U; permutations: Neubert and Brunner, A Studentized
    Permutation Test for the Non-parametric Behrens-Fisher Problem, 2007, doi:10.1016/j.csda.2006.05.024.

    Returns:
        The p-value; nan where a set has fewer than two values, 1 where all values are equal.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(left.size, right.size) < 2:
        return math.nan
    pooled = np.concatenate([left, right])
    if pooled.min() == pooled.max():
        return 1.0
    if min(left.size, right.size) < PERMUTED_BELOW and pooled.size <= PERMUTED_UP_TO:
        below = (pooled[:, None] > pooled).astype(np.float64) + 0.5 * (pooled[:, None] == pooled)
        dealt = _dealings(left.size, right.size)
        # The share of the other side that is below each value; 0 for the values of the other side themselves.
        from_left = dealt @ below.T
        of_left = (below.sum(axis=1) - from_left) / right.size * dealt
        of_right = from_left / left.size * (1 - dealt)
        statistics = _studentized(of_left, of_right, left.size, right.size)[0]
        # Equal statistics may differ by rounding.
        return float(np.mean(np.abs(statistics) >= abs(statistics[0]) * (1 - 1e-9)))
    from scipy.special import stdtr

    of_left, of_right = _share_below(left, right)[None], _share_below(right, left)[None]
    statistic, freedom = _studentized(of_left, of_right, left.size, right.size)
    return 2 * float(stdtr(freedom[0], -abs(statistic[0])))


def _share_below(values: Floats, others: Floats) -> Floats:
    """Return the share of the others that is below each value; equal values count half."""
    ordered = np.sort(others)
    shares: Floats = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (
        2.0 * others.size
    )
    return shares


@lru_cache(maxsize=8)
def _dealings(left: int, right: int) -> Floats:
    """Return ways to deal values to two sides, 1 where a value goes to the left one: the given one first.

    All others follow, or a random sample of them. Sets of the same sizes share it.
    """
    n = left + right
    given = (np.arange(n) < left).astype(np.float64)
    if math.comb(n, left) <= PERMUTATIONS:
        result = np.zeros((math.comb(n, left), n))
        np.put_along_axis(result, np.array(list(combinations(range(n), left))), 1.0, axis=1)
        return result
    generator = np.random.default_rng((left, right))
    return np.concatenate([given[None], generator.permuted(np.tile(given, (PERMUTATIONS, 1)), axis=1)])


def _studentized(of_left: Floats, of_right: Floats, m: int, n: int) -> tuple[Floats, Floats]:
    """Return the statistic of Brunner and Munzel for placements, one dealing per row, and its degrees of freedom.

    Each row has the placements of the m values of the left side and those of the n values of the right side; zeros
    among them are ignored by the sums.
    """
    means = of_left.sum(axis=1) / m, of_right.sum(axis=1) / n
    left = np.maximum((of_left**2).sum(axis=1) - m * means[0] ** 2, 0.0) / (m - 1) / m
    right = np.maximum((of_right**2).sum(axis=1) - n * means[1] ** 2, 0.0) / (n - 1) / n
    # Where the sides do not overlap, both spreads are 0, and the statistic is as large as one pair allows.
    variance = np.maximum(left + right, 0.25 / (m * n) ** 2)
    freedoms = variance**2 / np.maximum(left**2 / (m - 1) + right**2 / (n - 1), variance**2 / (m + n - 2))
    return (means[1] - means[0]) / np.sqrt(variance) / 2, freedoms
