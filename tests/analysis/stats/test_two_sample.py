"""Comparison of the means of two sets of values, against scipy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind, ttest_rel

from benchmarks.verdicts.noise import Noise, autoregressive, normal, wander_and_white
from clamp_analytics.analysis.stats.two_sample import compare_means, compare_pairs


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
