"""Slopes and tau, against scipy and by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, theilslopes

from clamp_analytics.analysis.drift.trend import MOST_POINTS, kendall_tau, theil_sen, thinned

SERIES = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=60)


@given(SERIES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_slope_and_interval_are_scipys(values, confidence):
    x, y = np.arange(len(values), dtype=float), np.array(values)
    expected = theilslopes(y, x, alpha=confidence)

    found = theil_sen(x, y, confidence)

    assert (found.slope, found.low, found.high) == pytest.approx(
        (expected.slope, expected.low_slope, expected.high_slope)
    )


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(-9, 9)), min_size=5, max_size=40))
def test_sessions_of_one_time_give_no_slope_among_themselves(points):
    points.sort()
    x, y = np.array(points, dtype=float).T
    run, rise = x - x[:, None], y - y[:, None]
    expected = np.median(rise[run > 0] / run[run > 0]) if len(set(x)) > 1 else math.nan

    assert theil_sen(x, y, 0.95).slope == pytest.approx(expected, nan_ok=True)


def test_the_slope_of_four_points_by_hand():
    # The slopes of the pairs are 1, 1, 3, 1, 4, 7: their median lies between 1 and 3.
    assert theil_sen(np.arange(4.0), np.array([0.0, 1.0, 2.0, 9.0]), 0.95).slope == 2.0


def test_one_wild_session_does_not_bend_the_slope():
    y = np.arange(50.0) * 2
    y[20] = 1e6

    assert theil_sen(np.arange(50.0), y, 0.95).slope == 2.0


def test_sessions_all_of_one_time_have_no_slope():
    found = theil_sen(np.zeros(5), np.arange(5.0), 0.95)

    assert all(map(math.isnan, (found.slope, found.low, found.high)))


def test_a_long_series_is_made_into_blocks_without_leaving_anything_out():
    x = np.arange(2 * MOST_POINTS + 3.0)

    times, values = thinned(x, 10 * x)

    # Blocks of three; the first one takes the two that are left over.
    assert times.size == (2 * MOST_POINTS + 3) // 3
    assert times[0] == np.mean(x[: 3 + x.size % 3])
    assert times[1:] == pytest.approx(x[3 + x.size % 3 :].reshape(-1, 3).mean(axis=1))
    assert values == pytest.approx(10 * times)


def test_a_long_straight_line_keeps_its_slope():
    x = np.arange(5000.0)

    assert theil_sen(x, 3 * x - 7, 0.95).slope == pytest.approx(3.0)


def test_a_long_noisy_line_has_its_slope_in_the_interval():
    generator = np.random.default_rng(7)
    x = np.arange(5000.0)

    found = theil_sen(x, 0.01 * x + generator.normal(0, 5, x.size), 0.95)

    assert found.low < 0.01 < found.high
    assert found.high - found.low < 0.001


@given(SERIES)
def test_tau_is_scipys(values):
    expected = kendalltau(range(len(values)), values).statistic

    assert kendall_tau(np.array(values)) == pytest.approx(expected, nan_ok=True)


def test_tau_of_a_rise_is_one_and_of_a_fall_minus_one():
    assert (kendall_tau(np.arange(9.0)), kendall_tau(-np.arange(9.0))) == (pytest.approx(1), pytest.approx(-1))


def test_tau_by_hand():
    # Of the six pairs of 1 3 2 4 five rise and one falls.
    assert kendall_tau(np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(4 / 6)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0]])
def test_tau_of_nothing_that_differs_cannot_be_said(values):
    assert math.isnan(kendall_tau(np.array(values)))


def test_differences_beyond_the_largest_float_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slope = theil_sen(np.arange(4.0), np.array([1e308, -1e308, 1e308, -1e308]), 0.95)

    assert not math.isfinite(slope.low)
