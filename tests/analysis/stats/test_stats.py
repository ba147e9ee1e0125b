"""The statistics, against scipy, worked examples by hand, and what must always hold."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from clamp_analytics.analysis.stats import (
    EXACT_BELOW,
    LARGE,
    benjamini_hochberg,
    block_correlation,
    block_length,
    blocks,
    bootstrap_interval,
    cliffs_delta,
    lag1,
    mann_whitney,
    robust_sd,
    unbiased_lag1,
    variance_inflation,
    widened_p,
)
from tests.conftest import run_python

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)
shares = st.lists(st.floats(0, 1), max_size=30)


def autoregressive(rho: float, size: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=size)
    series = [noise[0] / math.sqrt(1 - rho**2)]
    for step in noise[1:]:
        series.append(rho * series[-1] + step)
    return np.array(series)


# Benjamini-Hochberg


def test_corrected_p_values_are_those_of_a_worked_example():
    # 0.01 * 5 / 1, 0.02 * 5 / 2, 0.03 * 5 / 3, 0.04 * 5 / 4 and 0.05 * 5 / 5.
    assert benjamini_hochberg([0.05, 0.01, 0.04, 0.02, 0.03]) == pytest.approx([0.05] * 5)


def test_corrected_p_values_do_not_fall_where_the_p_values_rise():
    # By hand: 0.03 * 3 / 2 = 0.045 and 0.04 * 3 / 3 = 0.04, the lesser of which counts for both.
    assert benjamini_hochberg([0.001, 0.03, 0.04]) == pytest.approx([0.003, 0.04, 0.04])


def test_a_test_that_was_not_made_is_not_counted():
    adjusted = benjamini_hochberg([0.01, math.nan, 0.5])

    assert adjusted == pytest.approx([0.02, math.nan, 0.5], nan_ok=True)


def test_nothing_tested_gives_nothing():
    assert benjamini_hochberg([]).tolist() == []


@given(shares)
def test_corrected_p_values_are_those_of_scipy(p):
    expected = stats.false_discovery_control(p) if p else []

    assert benjamini_hochberg(p) == pytest.approx(expected)


# Robust standard deviation


def test_a_robust_deviation_is_the_scaled_median_deviation():
    # Median 3, deviations 2, 1, 0, 1, 97: their median is 1.
    assert robust_sd([1, 2, 3, 4, 100]) == pytest.approx(1.4826)


def test_where_most_values_are_equal_the_mean_deviation_stands_in():
    # Median 1, one deviation of 0.5 among five values: mean deviation 0.1.
    assert robust_sd([1, 1, 1, 1, 0.5]) == pytest.approx(1.2533 * 0.1)


def test_equal_values_deviate_by_nothing():
    assert robust_sd([0.1, 0.1, 0.1]) == 0


def test_no_value_has_no_deviation():
    assert math.isnan(robust_sd([]))


@given(values)
def test_a_robust_deviation_is_that_of_scipy_where_it_has_one(x):
    expected = stats.median_abs_deviation(x, scale=1 / 1.4826)

    assert robust_sd(x) == pytest.approx(expected) or expected == 0


# Autocorrelation


def test_autocorrelation_is_that_of_a_worked_example():
    # Mean 2, deviations -1, 0, 1: the numerator is 0.
    assert lag1([1, 2, 3]) == 0
    # Mean 2.5, deviations -1.5, -0.5, 0.5, 1.5: (0.75 - 0.25 + 0.75) / 5.
    assert lag1([1, 2, 3, 4]) == pytest.approx(0.25)


def test_a_series_that_swings_has_a_negative_autocorrelation():
    assert lag1([0, 1, 0, 1]) == pytest.approx(-0.75)


def test_a_shift_between_two_stretches_is_no_correlation_within_them():
    swinging = [0, 1, 0, 1]

    assert lag1(swinging, [value + 100 for value in swinging]) == pytest.approx(-0.75)


def test_equal_values_do_not_correlate():
    assert lag1([0.1] * 7) == 0


def test_two_values_tell_of_no_correlation():
    assert math.isnan(lag1([1, 2]))


def test_the_correlation_of_an_autoregressive_series_is_found():
    assert lag1(autoregressive(0.5, 20_000, 1)) == pytest.approx(0.5, abs=0.02)


@given(values)
def test_a_correlation_lies_between_minus_one_and_one(x):
    found = lag1(x)

    assert math.isnan(found) or -1 <= found <= 1


def test_what_a_short_series_lacks_of_its_correlation_is_added():
    # r = 0.25 of four values in one stretch: 0.25 + (1 + 4 * 0.25) / 4.
    assert unbiased_lag1([1, 2, 3, 4]) == pytest.approx(0.75)
    # r = -0.75 of eight values in two stretches: -0.75 + (1 - 4 * 0.75) * 2 / 8.
    assert unbiased_lag1([0, 1, 0, 1], [5, 6, 5, 6]) == pytest.approx(-1)


def test_equal_values_do_not_correlate_when_corrected_either():
    assert unbiased_lag1([0.1] * 7, [0.2] * 3) == 0


def test_short_series_of_noise_correlate_by_their_bias_alone():
    draw = np.random.default_rng(3).normal
    parts = [(draw(size=10), draw(size=10)) for _ in range(2000)]

    # Two stretches of ten: -2 / 20, and when that is corrected, -0.1 + (1 - 4 * 0.1) * 2 / 20.
    assert np.mean([lag1(*pair) for pair in parts]) == pytest.approx(-0.1, abs=0.02)
    assert np.mean([unbiased_lag1(*pair) for pair in parts]) == pytest.approx(-0.04, abs=0.02)


def test_the_variance_of_a_mean_grows_as_that_of_an_autoregressive_series():
    rho, size = 0.5, 2_000
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))

    # The sum of all covariances, by that of the variances alone.
    assert variance_inflation(rho) == pytest.approx((rho**steps).sum() / size, rel=0.01)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, math.nan])
def test_no_correlation_makes_no_mean_less_sure(correlation):
    assert variance_inflation(correlation) == 1


def test_a_widened_p_value_is_that_of_the_smaller_deviate():
    # 1.96 standard deviations are 0.98 where the variance is four times as large.
    assert widened_p(2 * stats.norm.sf(1.96), 4) == pytest.approx(2 * stats.norm.sf(0.98))


def test_a_p_value_of_next_to_nothing_can_be_widened():
    assert 0 < widened_p(1e-320, 4) < 1e-50


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certainty_stays_certain(p):
    assert widened_p(p, 4) == p


# Blocks


def test_blocks_hold_every_value():
    assert blocks([1, 2, 3, 4, 5, 6, 7], 3).tolist() == [2.5, 6.0]


def test_a_block_is_as_long_as_the_series_at_most():
    assert blocks([1, 2], 5).tolist() == [1.5]


def test_blocks_of_one_are_the_series():
    assert blocks([3, 1], 1).tolist() == [3, 1]


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.1, math.nan])
def test_a_series_that_hardly_correlates_needs_no_blocks(correlation):
    assert block_length(correlation) == 1


def test_the_correlation_of_neighbouring_blocks_is_that_of_the_covariances():
    rho, size = 0.6, 4
    covariance = np.array([[rho ** abs(s - t) for s in range(2 * size)] for t in range(2 * size)])

    expected = covariance[:size, size:].mean() / covariance[:size, :size].mean()

    assert block_correlation(rho, size) == pytest.approx(expected)


def test_the_block_length_is_the_shortest_that_will_do():
    length = block_length(0.5)

    assert block_correlation(0.5, length) <= 0.1 < block_correlation(0.5, length - 1)


def test_blocks_of_an_autoregressive_series_hardly_correlate():
    series = autoregressive(0.5, 40_000, 2)

    assert abs(lag1(blocks(series, block_length(0.5)))) < 0.13


# Rank test


def test_sides_that_do_not_overlap_are_as_unlikely_as_can_be():
    # One of the C(6, 3) = 20 ways to deal six ranks, and its mirror image.
    assert mann_whitney([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)


def test_ties_are_counted_exactly():
    # Of the 6 ways to deal 1, 1, 2, 2 to two sides, 1 leaves both ones on the left: the doubled tail is 2 / 6.
    assert mann_whitney([1, 1], [2, 2]) == pytest.approx(2 / 6)


@pytest.mark.parametrize("size", [5, 500])
def test_equal_constants_are_one_distribution(size):
    assert mann_whitney([1.0] * size, [1.0] * size) == 1


def test_nothing_can_be_tested_against_an_empty_side():
    assert math.isnan(mann_whitney([], [1.0]))


@given(values, values)
def test_few_values_without_ties_are_tested_as_scipy_does_exactly(a, b):
    a, b = a[:20], b[:20]
    if len({*a, *b}) < len(a) + len(b):
        return

    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


@given(small, small)
def test_few_values_with_ties_are_tested_as_all_permutations_do(a, b):
    def rank_sum(x, y, axis):
        return stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)[..., : len(a)].sum(axis=axis)

    if len(a) + len(b) > 9 or len({*a, *b}) == 1 or min(len(a), len(b)) < 2:
        return
    expected = stats.permutation_test((a, b), rank_sum, vectorized=True, n_resamples=np.inf).pvalue

    assert mann_whitney(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_many_values_are_tested_as_scipy_approximates(seed):
    draw = np.random.default_rng(seed).integers
    a, b = draw(0, 9, EXACT_BELOW).astype(float), draw(1, 10, 70).astype(float)

    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue)


@given(values, values)
def test_the_rank_test_does_not_care_which_side_is_which(a, b):
    assert mann_whitney(a, b) == pytest.approx(mann_whitney(b, a))


@given(values, values)
def test_the_rank_test_does_not_care_for_a_rising_transform(a, b):
    assert mann_whitney(np.arctan(a) * 8, np.arctan(b) * 8) == pytest.approx(mann_whitney(np.arctan(a), np.arctan(b)))


# Cliff's delta


def test_dominance_counts_pairs():
    # Of the pairs (1, 2), (1, 3), (3, 2), (3, 3): two rise, one falls, one is equal.
    assert cliffs_delta([1, 3], [2, 3]) == pytest.approx(1 / 4)


def test_a_candidate_that_always_lies_above_dominates_wholly():
    assert cliffs_delta([1, 2], [3, 4]) == 1


def test_nothing_dominates_an_empty_side():
    assert math.isnan(cliffs_delta([1.0], []))


@given(values, values)
def test_dominance_is_that_of_all_pairs(a, b):
    expected = np.sign(np.subtract.outer(np.array(b), np.array(a))).mean()

    assert cliffs_delta(a, b) == pytest.approx(expected)


# Bootstrap


@pytest.mark.parametrize("seed", range(3))
def test_an_interval_is_that_of_scipy(seed):
    draw = np.random.default_rng(seed).lognormal
    a, b = draw(0, 1, 40), draw(0.2, 1, 30)
    expected = stats.bootstrap(
        (a, b),
        lambda x, y, axis: y.mean(axis) - x.mean(axis),
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval

    found = bootstrap_interval(a, b, resamples=20_000)

    # Both are random: the ends of 20,000 resamples are known to a few hundredths of the length.
    assert found == pytest.approx(expected, abs=0.05 * (expected.high - expected.low))


def test_a_large_sample_has_the_interval_of_welch():
    draw = np.random.default_rng(5).normal
    a, b = draw(0, 1, LARGE + 500), draw(1, 2, LARGE + 300)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)

    found = bootstrap_interval(a, b, resamples=20_000)

    assert found == pytest.approx(expected, abs=0.05 * (expected.high - expected.low))


def test_intervals_cover_the_true_difference_about_as_often_as_they_say():
    draw = np.random.default_rng(6).normal
    covered = 0
    for number in range(300):
        low, high = bootstrap_interval(draw(0, 1, 25), draw(1, 1, 25), resamples=500, seed=number)
        covered += low <= 1 <= high

    # 95 % of 300 is 285; a fair procedure of small samples falls a little short of it.
    assert 270 <= covered <= 296


def test_equal_arguments_give_equal_intervals():
    a, b = [1.0, 2.0, 4.0], [2.0, 5.0, 7.0]

    assert bootstrap_interval(a, b, seed=3) == bootstrap_interval(a, b, seed=3)


def test_constant_sides_have_an_interval_of_length_0():
    assert bootstrap_interval([0.1] * 7, [0.3] * 3) == pytest.approx((0.2, 0.2))


def test_an_end_that_is_0_is_shown_as_0():
    # More than 2.5 % of the resamples hold no 1 at all, so the lower end is the least there can be.
    assert bootstrap_interval([0.0] * 12, [0.0] * 11 + [1.0]).low == 0


def test_there_is_no_interval_against_an_empty_side():
    low, high = bootstrap_interval([], [1.0])

    assert math.isnan(low)
    assert math.isnan(high)


@given(values, values, st.floats(0.5, 0.99))
def test_an_interval_lies_within_what_the_values_can_differ_by(a, b, level):
    low, high = bootstrap_interval(a, b, level=level, resamples=100)

    slack = 1e-9 * (1 + max(map(abs, a + b)))
    assert min(b) - max(a) - slack <= low <= high <= max(b) - min(a) + slack


@given(st.floats(1e-200, 1e200))
def test_an_interval_grows_with_its_unit(unit):
    a, b = np.array([1.0, 2.0, 4.0, 5.0]), np.array([2.0, 5.0, 7.0, 8.0])

    assert bootstrap_interval(a * unit, b * unit) == pytest.approx(
        [end * unit for end in bootstrap_interval(a, b)], rel=1e-6
    )


def test_without_numpy_it_is_said_what_to_install():
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "try:\n  import clamp_analytics.analysis.stats\nexcept Exception as error:\n  print(error)"
    )

    assert b"pip install 'clamp-analytics[drift]'" in run_python(code).stdout
