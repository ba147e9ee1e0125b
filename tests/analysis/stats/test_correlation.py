"""Autocorrelation, and the corrections of means, p-values and blocks for it."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from clamp_analytics.analysis.stats import (
    block_correlation,
    block_length,
    blocks,
    lag1,
    unbiased_lag1,
    variance_inflation,
    widened_p,
)

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


def test_autocorrelation_agrees_with_a_worked_example():
    # Mean 2, deviations -1, 0, 1: the numerator is 0.
    assert lag1([1, 2, 3]) == 0
    # Mean 2.5, deviations -1.5, -0.5, 0.5, 1.5: (0.75 - 0.25 + 0.75) / 5.
    assert lag1([1, 2, 3, 4]) == pytest.approx(0.25)


def test_a_series_that_swings_has_a_negative_autocorrelation():
    assert lag1([0, 1, 0, 1]) == pytest.approx(-0.75)


def test_a_shift_between_two_parts_is_not_correlation_within_them():
    swinging = [0, 1, 0, 1]

    assert lag1(swinging, [value + 100 for value in swinging]) == pytest.approx(-0.75)


def test_equal_values_do_not_correlate():
    assert lag1([0.1] * 7) == 0


def test_two_values_have_no_correlation():
    assert math.isnan(lag1([1, 2]))


def test_the_correlation_of_an_autoregressive_series_is_found():
    assert lag1(autoregressive(0.5, 20_000, 1)) == pytest.approx(0.5, abs=0.02)


@given(values)
def test_a_correlation_lies_between_minus_one_and_one(x):
    found = lag1(x)

    assert math.isnan(found) or -1 <= found <= 1


def test_the_bias_of_a_short_series_is_corrected():
    # r = 0.25 of four values in one stretch: 0.25 + (1 + 4 * 0.25) / 4.
    assert unbiased_lag1([1, 2, 3, 4]) == pytest.approx(0.75)
    # r = -0.75 of eight values in two stretches: -0.75 + (1 - 4 * 0.75) * 2 / 8.
    assert unbiased_lag1([0, 1, 0, 1], [5, 6, 5, 6]) == pytest.approx(-1)


def test_equal_values_do_not_correlate_after_the_correction():
    assert unbiased_lag1([0.1] * 7, [0.2] * 3) == 0


def test_the_correction_removes_the_bias_of_short_series_of_noise():
    draw = np.random.default_rng(3).normal
    parts = [(draw(size=10), draw(size=10)) for _ in range(2000)]

    # Two stretches of ten: -2 / 20, and when that is corrected, -0.1 + (1 - 4 * 0.1) * 2 / 20.
    assert np.mean([lag1(*pair) for pair in parts]) == pytest.approx(-0.1, abs=0.02)
    assert np.mean([unbiased_lag1(*pair) for pair in parts]) == pytest.approx(-0.04, abs=0.02)


def test_the_inflation_is_that_of_the_mean_of_an_autoregressive_series():
    rho, size = 0.5, 2_000
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))

    # The sum of all covariances, by that of the variances alone.
    assert variance_inflation(rho) == pytest.approx((rho**steps).sum() / size, rel=0.01)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, math.nan])
def test_without_correlation_the_variance_is_not_inflated(correlation):
    assert variance_inflation(correlation) == 1


def test_a_widened_p_value_belongs_to_the_smaller_deviate():
    # 1.96 standard deviations are 0.98 where the variance is four times as large.
    assert widened_p(2 * stats.norm.sf(1.96), 4) == pytest.approx(2 * stats.norm.sf(0.98))


def test_a_tiny_p_value_can_be_widened():
    assert 0 < widened_p(1e-320, 4) < 1e-50


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_p_values_of_0_and_1_are_not_widened(p):
    assert widened_p(p, 4) == p


def test_blocks_hold_every_value():
    assert blocks([1, 2, 3, 4, 5, 6, 7], 3).tolist() == [2.5, 6.0]


def test_a_series_shorter_than_the_length_is_one_block():
    assert blocks([1, 2], 5).tolist() == [1.5]


def test_blocks_of_one_are_the_series():
    assert blocks([3, 1], 1).tolist() == [3, 1]


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.1, math.nan])
def test_a_series_with_little_correlation_has_blocks_of_one(correlation):
    assert block_length(correlation) == 1


def test_the_correlation_of_neighbouring_blocks_is_that_of_the_covariances():
    rho, size = 0.6, 4
    covariance = np.array([[rho ** abs(s - t) for s in range(2 * size)] for t in range(2 * size)])

    expected = covariance[:size, size:].mean() / covariance[:size, :size].mean()

    assert block_correlation(rho, size) == pytest.approx(expected)


def test_the_block_length_is_the_shortest_below_the_target():
    length = block_length(0.5)

    assert block_correlation(0.5, length) <= 0.1 < block_correlation(0.5, length - 1)


def test_blocks_of_an_autoregressive_series_hardly_correlate():
    series = autoregressive(0.5, 40_000, 2)

    assert abs(lag1(blocks(series, block_length(0.5)))) < 0.13
