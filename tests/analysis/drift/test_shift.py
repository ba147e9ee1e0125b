"""The test of one series whose neighbours may resemble each other."""

import numpy as np
import pytest

from clamp_analytics.analysis.drift.shift import (
    correlation,
    difference_correlation,
    find_shift,
    residual_correlation,
)
from clamp_analytics.analysis.stats import lag1, variance_inflation
from tests.analysis.drift.conftest import autoregressive


def test_independent_values_are_tested_as_they_are():
    generator = np.random.default_rng(1)

    shift = find_shift(np.concatenate([generator.normal(0, 1, 50), generator.normal(3, 1, 50)]), 10, 0.25)

    assert shift is not None
    assert (shift.place, shift.is_blocked, shift.p < 1e-6) == (50, False, True)


def test_correlated_values_are_tested_in_blocks():
    generator = np.random.default_rng(2)
    values = autoregressive(generator, 300, 0.7)

    shift = find_shift(values, 10, 0.25)

    assert shift is not None
    assert shift.is_blocked
    assert shift.autocorrelation == pytest.approx(0.7, abs=0.15)


def test_a_large_shift_of_correlated_values_is_found():
    generator = np.random.default_rng(3)
    values = autoregressive(generator, 200, 0.5)
    values[100:] += 8

    shift = find_shift(values, 10, 0.25)

    assert shift is not None
    assert (shift.is_blocked, shift.place, shift.p < 0.001) == (True, 100, True)


def test_a_series_shorter_than_two_margins_is_not_tested():
    assert find_shift(np.arange(19.0), 10, 0.25) is None


def test_equal_values_have_no_shift():
    shift = find_shift(np.ones(50), 10, 0.25)

    assert shift is not None
    assert (shift.p, shift.autocorrelation) == (1.0, 0.0)


def test_waves_are_no_shift():
    shift = find_shift(np.sin(np.arange(24) / 24 * 4 * np.pi), 10, 0.25)

    assert shift is not None
    assert (shift.is_blocked, shift.p > 0.5) == (True, True)


def test_a_shift_is_no_correlation():
    level = np.random.default_rng(5).normal(0, 1, 60)
    shifted = level + np.where(np.arange(60) < 30, 0, 100)

    assert residual_correlation(shifted, 30) == pytest.approx(lag1(level[:30], level[30:]))


def test_several_shifts_are_no_correlation():
    values = np.random.default_rng(6).normal(0, 1, 200) + np.repeat([0, 8, 0, 16, 8], 40)

    assert residual_correlation(values, 80) > 0.8
    assert correlation(values, 80)[0] < 0.25


@pytest.mark.parametrize("expected", [0.0, 0.5, 0.8])
def test_differences_tell_the_correlation_of_an_autoregressive_series(expected):
    generator = np.random.default_rng(20260105)

    found = [difference_correlation(autoregressive(generator, 200, expected)) for _ in range(200)]

    assert np.mean(found) == pytest.approx(expected, abs=0.05)


def test_differences_of_a_series_that_hardly_ever_differs_set_no_limit():
    values = np.concatenate([np.zeros(50), np.ones(50)])

    assert difference_correlation(values) == 1.0


def test_a_straight_line_is_no_correlation():
    generator = np.random.default_rng(4)
    noise = generator.normal(0, 1, 200)

    assert abs(residual_correlation(np.arange(200) * 5.0 + noise, 100)) < 0.2


@pytest.mark.parametrize("rho", [0.2, 0.35, 0.5, 0.8])
def test_correlation_raises_few_false_alarms_or_warnings(rho):
    generator = np.random.default_rng(20260104)

    shifts = [find_shift(autoregressive(generator, 100, rho), 10, 0.25) for _ in range(400)]

    assert sum(shift.p <= 0.05 for shift in shifts if shift) <= 20


def test_the_variance_of_a_sum_of_correlated_values_is_wider():
    # (1 + 0.5) / (1 - 0.5); values that avoid their neighbours are not trusted more.
    assert (variance_inflation(0.5), variance_inflation(0.0), variance_inflation(-0.5)) == (3.0, 1.0, 1.0)
