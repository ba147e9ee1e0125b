"""Comparison of two sets of sessions whose neighbours may be correlated, or that are paired."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from clamp_analytics.analysis.stats.arrays import ArrayLike, Floats, np
from clamp_analytics.analysis.stats.noise_model import CELLS, cosine_transform, low_frequency_density, spectra
from clamp_analytics.analysis.stats.robust_scores import CLIP, MAD_TO_SD

FLATNESS = 0.8
"""The mean density of the frequencies that are used is at least this share of that at frequency 0."""

FEWEST_FOR_CORRELATION = 10
"""Values of a side whose correlation can be estimated; fewer are taken as independent."""

FEWEST_FREQUENCIES = 2
"""Frequencies that are used at least, or all where there are fewer: with one alone an interval has no useful end."""

FEWEST_FOR_CORRELATED_PAIRS = 20
"""The same for differences of pairs: what makes sessions alike cancels in them, so that correlation is rare."""

PERMUTATIONS = 9999
"""Permutations that are drawn where there are more of them."""

PERMUTED_BELOW = 15
"""Values of the smaller set below which its statistic is compared with permutations."""

PERMUTED_UP_TO = 100
"""Values of both sets together up to which that is done; with more, Student's distribution is accurate enough."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of means.

    Attributes:
        estimate: the second mean less the first.
        low: the lower end of its interval; minus infinity where there are too few values.
        high: the upper end.
        p_value: two-sided, of no difference; nan where there are too few values.
        error: the standard error of the estimate; infinity where there are too few values.
        freedom: its degrees of freedom.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    error: float
    freedom: float

    def detectable(self, alpha: float, power: float = 0.8) -> float:
        """Return the smallest difference that a two-sided test of this standard error finds.

        Args:
            alpha: the level of the test.
            power: the share of cases in which the difference is found.
        """
        if self.error == 0 or math.isinf(self.error):
            return self.error
        from scipy.special import stdtrit

        return self.error * float(stdtrit(self.freedom, 1 - alpha / 2) + stdtrit(self.freedom, power))


def compare_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Difference:
    """Compare the means of two sets of values, each in the order of time.

    The variance of each mean is estimated from the lowest frequencies of the cosine transform, because correlated
    noise has more power there. How many are used depends on the noise model that fits both sides best: all of them
    for independent values, which gives Welch's test, and few for a wander, with as few degrees of freedom.

    Source: Lazarus, Lewis, Stock and Watson, HAR Inference: Recommendations for Practice, 2018,
    doi:10.1080/07350015.2018.1506926 (equal-weighted cosine estimator); degrees of freedom: Welch, 1947,
    doi:10.1093/biomet/34.1-2.28.

    Args:
        a: the first set, the baseline.
        b: the second set.
        confidence: the coverage of the interval.
    """
    sides = [np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)]
    if min(side.size for side in sides) < 1:
        return _without_interval(math.nan)
    estimate = _mean(sides[1]) - _mean(sides[0])
    if min(side.size for side in sides) < 2:
        return _without_interval(estimate)
    cell = _common_noise(sides)
    variances, freedoms = zip(*(_variance_of_mean(side, cell) for side in sides), strict=True)
    variance = sum(variances)
    if variance == 0:
        return _without_noise(estimate)
    terms = (one * one / freedom for one, freedom in zip(variances, freedoms, strict=True))
    return _interval(estimate, variance, variance * variance / sum(terms), confidence)


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
    estimate = _mean(differences)
    cell = _common_noise([differences]) if differences.size >= FEWEST_FOR_CORRELATED_PAIRS else 0
    variance, freedom = _variance_of_mean(differences, cell)
    if variance == 0:
        return _without_noise(estimate)
    return _interval(estimate, variance, freedom, confidence)


def clip_outliers(values: Floats) -> Floats:
    """Clip values far from the median, so that a few wild ones do not hide a difference of means.

    Small sets and those of which most values are equal are returned as they are: there, noise cannot be told from
    outliers.
    """
    if values.size < FEWEST_FOR_CORRELATION:
        return values
    middle = float(np.median(values))
    reach = CLIP * MAD_TO_SD * float(np.median(np.abs(values - middle)))
    return np.clip(values, middle - reach, middle + reach) if reach > 0 else values


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


def _mean(values: Floats) -> float:
    # The rounded mean of equal numbers may differ from them.
    return float(values[0]) if values.min() == values.max() else float(values.mean())


def _common_noise(sides: list[Floats]) -> int:
    """Return the index of the noise model that fits all sides best, each about its own mean."""
    if min(side.size for side in sides) < FEWEST_FOR_CORRELATION:
        return 0
    losses = np.zeros(len(CELLS))
    for side in sides:
        transformed = cosine_transform(side[None])
        table = spectra(side.size)
        variances = (transformed**2 @ table.inverse.T)[0] / (side.size - 1)
        if not variances.min() > 0:
            return 0
        losses += 0.5 * (side.size - 1) * np.log(variances) + table.offset
    return int(losses.argmin())


def _variance_of_mean(side: Floats, cell: int) -> tuple[float, float]:
    """Return the variance of the mean of one side and its degrees of freedom."""
    n = side.size
    if side.min() == side.max():
        return 0.0, n - 1.0
    density = 1 / spectra(n).inverse[cell] / low_frequency_density(cell)
    means = np.cumsum(density) / np.arange(1, n)
    count = max(int(np.sum(means >= FLATNESS)), min(FEWEST_FREQUENCIES, n - 1))
    power = float(np.mean(cosine_transform(side[None])[0, :count] ** 2))
    # What the density falls by within the frequencies that are used is made up for.
    return power / float(means[count - 1]) / n, float(count)


def _without_interval(estimate: float) -> Difference:
    return Difference(estimate, -math.inf, math.inf, math.nan, math.inf, math.nan)


def _without_noise(estimate: float) -> Difference:
    return Difference(estimate, estimate, estimate, float(estimate == 0), 0.0, math.nan)


def _interval(estimate: float, variance: float, freedom: float, confidence: float) -> Difference:
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(estimate) / error))
    return Difference(estimate, estimate - half, estimate + half, p, error, freedom)
