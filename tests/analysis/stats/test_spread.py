"""The robust standard deviation, against scipy and worked examples."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from clamp_analytics.analysis.stats import (
    robust_sd,
)

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)
shares = st.lists(st.floats(0, 1), max_size=30)


def test_a_robust_deviation_is_the_scaled_median_deviation():
    # Median 3, deviations 2, 1, 0, 1, 97: their median is 1.
    assert robust_sd([1, 2, 3, 4, 100]) == pytest.approx(1.4826)


def test_where_most_values_are_equal_the_mean_deviation_is_used():
    # Median 1, one deviation of 0.5 among five values: mean deviation 0.1.
    assert robust_sd([1, 1, 1, 1, 0.5]) == pytest.approx(1.2533 * 0.1)


def test_equal_values_have_a_deviation_of_0():
    assert robust_sd([0.1, 0.1, 0.1]) == 0


def test_no_value_has_no_deviation():
    assert math.isnan(robust_sd([]))


@given(values)
def test_a_robust_deviation_agrees_with_scipy(x):
    expected = stats.median_abs_deviation(x, scale=1 / 1.4826)

    assert robust_sd(x) == pytest.approx(expected) or expected == 0
