"""Comparison of the means of two sets of values, against scipy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, t, ttest_ind, ttest_rel

from benchmarks.verdicts.noise import Noise, autoregressive, normal, wander_and_white
from clamp_analytics.analysis.stats.two_sample import clip_outliers, compare_means, compare_pairs


def test_independent_values_are_compared_as_by_welch() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.standard_normal(7), 2 * generator.standard_normal(9) + 1

    difference = compare_means(a, b)

    expected = ttest_ind(b, a, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert difference.estimate == pytest.approx(b.mean() - a.mean())
    assert difference.p_value == pytest.approx(expected.pvalue)
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))


def test_few_pairs_are_compared_as_by_a_paired_t_test() -> None:
    generator = np.random.default_rng(2)
    shared = generator.standard_normal(10)
    a, b = shared + 0.1 * generator.standard_normal(10), shared + 0.1 * generator.standard_normal(10) + 0.2

    assert compare_pairs(a, b).p_value == pytest.approx(ttest_rel(b, a).pvalue)


@pytest.mark.parametrize("phi, n, coverage", [(0.0, 5, 0.93), (0.0, 30, 0.93), (0.7, 20, 0.90), (0.7, 50, 0.93)])
def test_intervals_cover_the_truth_for_independent_and_correlated_values(phi: float, n: int, coverage: float) -> None:
    generator = np.random.default_rng(n)
    noise = autoregressive(phi) if phi else normal
    sides = noise(generator, 300, n), noise(generator, 300, n)

    intervals = [compare_means(a, b) for a, b in zip(*sides, strict=True)]

    covered = sum(one.low <= 0 <= one.high for one in intervals)
    assert covered >= binom.ppf(1e-6, 300, coverage)


def test_what_pairs_share_cancels() -> None:
    generator = np.random.default_rng(3)
    found = 0
    for _ in range(60):
        session = 0.15 * generator.standard_normal(10)
        own = 0.03 * generator.standard_normal((2, 10))
        found += compare_pairs(session + own[0], session + own[1] + math.log(1.08)).p_value <= 0.05

    assert found >= 54


def test_equal_values_do_not_differ() -> None:
    assert compare_means([1.0, 1.0], [1.0, 1.0]).p_value == 1.0
    assert compare_pairs([1.0, 1.0], [1.0, 1.0]).p_value == 1.0


def test_a_difference_without_any_noise_is_certain() -> None:
    difference = compare_means([1.0, 1.0], [2.0, 2.0])

    assert (difference.low, difference.high, difference.p_value) == (1.0, 1.0, 0.0)


def test_too_few_values_have_no_interval() -> None:
    assert math.isinf(compare_means([1.0], [2.0, 3.0]).high)
    assert math.isnan(compare_means([], [2.0]).estimate)
    assert math.isnan(compare_pairs([1.0], [2.0]).p_value)


@pytest.mark.parametrize("n", [10, 20, 50])
@pytest.mark.parametrize("noise, share", [(autoregressive(0.7), 0.06), (wander_and_white, 0.10)])
def test_correlated_values_without_a_difference_seldom_differ(noise: Noise, share: float, n: int) -> None:
    generator = np.random.default_rng(n)
    sides = noise(generator, 300, n), noise(generator, 300, n)

    alarms = sum(compare_means(a, b).p_value <= 0.05 for a, b in zip(*sides, strict=True))

    assert alarms <= binom.ppf(1 - 1e-6, 300, share)


def test_the_smallest_sets_with_an_interval_have_two_values() -> None:
    difference = compare_means([1.0, 2.0], [4.0, 6.0], confidence=0.9)

    expected = ttest_ind([4.0, 6.0], [1.0, 2.0], equal_var=False).confidence_interval(0.9)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))
    assert difference.is_bounded


@pytest.mark.parametrize("a, b", [([1.0], [2.0, 3.0]), ([0.0, 2.0], [2.5])])
def test_a_side_of_one_value_has_a_difference_without_an_interval(a: list[float], b: list[float]) -> None:
    difference = compare_means(a, b)

    assert difference.estimate == 1.5
    assert (difference.low, difference.high) == (-math.inf, math.inf)
    assert math.isnan(difference.p_value)
    assert not difference.is_bounded


@pytest.mark.parametrize("a, b", [([], [2.0]), ([2.0], []), ([], [])])
def test_an_empty_side_has_no_difference(a: list[float], b: list[float]) -> None:
    assert math.isnan(compare_means(a, b).estimate)


def test_two_pairs_have_an_interval_and_one_has_none() -> None:
    two, one, none = compare_pairs([1.0, 2.0], [2.0, 5.0]), compare_pairs([1.0], [2.5]), compare_pairs([], [])

    # The differences are 1 and 3.
    half = t.ppf(0.975, 1) * math.sqrt(2) / math.sqrt(2)
    assert (two.low, two.high) == pytest.approx((2 - half, 2 + half))
    assert (one.estimate, one.is_bounded) == (1.5, False)
    assert math.isnan(none.estimate)


@pytest.mark.parametrize("pairs, models", [(19, 1), (20, 61)])
def test_differences_of_twenty_pairs_may_be_correlated(pairs: int, models: int) -> None:
    differences = np.random.default_rng(7).standard_normal(pairs)

    error = compare_pairs(np.zeros(pairs), differences).error

    assert error is not None
    assert error.weights.size == models


def test_the_mean_of_equal_values_is_their_value() -> None:
    # The sum of three times 0.1 is not 0.3.
    assert compare_means([0.0, 0.0, 0.0], [0.1, 0.1, 0.1]).estimate == 0.1


def test_the_detectable_difference_adds_the_quantiles_of_the_level_and_of_the_power() -> None:
    difference = compare_pairs([0.0, 0.0, 0.0], [1.0, 2.0, 4.0])

    error = math.sqrt(7 / 3) / math.sqrt(3)
    assert difference.detectable(0.05) == pytest.approx(error * (t.ppf(0.975, 2) + t.ppf(0.8, 2)))
    assert difference.detectable(0.2, power=0.9) == pytest.approx(error * (t.ppf(0.9, 2) + t.ppf(0.9, 2)))


def test_any_difference_is_detectable_without_noise_and_none_with_too_few_values() -> None:
    assert compare_means([1.0, 1.0], [2.0, 2.0]).detectable(0.05) == 0.0
    assert compare_means([1.0], [2.0]).detectable(0.05) == math.inf


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_outliers_are_clipped_at_three_robust_standard_deviations(scale: float) -> None:
    values = np.array([11.0, 9.0, 12.0, 8.0, 13.0, 7.0, 10.0, 10.0, 40.0, -90.0])

    # The median is 10 and the median absolute deviation 2.
    clipped = np.array([*values[:8], 10 + 3 * 1.4826 * 2, 10 - 3 * 1.4826 * 2])
    assert clip_outliers(scale * values) == pytest.approx(scale * clipped)


@pytest.mark.parametrize("values", [[11.0, 9.0, 12.0, 8.0, 13.0, 7.0, 10.0, 10.0, 40.0], [10.0] * 9 + [40.0]])
def test_small_sets_and_mostly_equal_values_are_not_clipped(values: list[float]) -> None:
    assert clip_outliers(np.array(values)).tolist() == values
