"""Bootstrap intervals, against scipy and what must always hold."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from clamp_analytics.analysis.stats import (
    LARGE,
    bootstrap_interval,
)

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)
shares = st.lists(st.floats(0, 1), max_size=30)


@pytest.mark.parametrize("seed", range(3))
def test_an_interval_agrees_with_scipy(seed):
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


def test_the_interval_of_a_large_sample_agrees_with_welch():
    draw = np.random.default_rng(5).normal
    a, b = draw(0, 1, LARGE + 500), draw(1, 2, LARGE + 300)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)

    found = bootstrap_interval(a, b, resamples=20_000)

    assert found == pytest.approx(expected, abs=0.05 * (expected.high - expected.low))


def test_intervals_cover_the_true_difference_at_about_their_level():
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


def test_rounding_errors_do_not_move_an_end_from_0():
    # More than 2.5 % of the resamples hold no 1 at all, so the lower end is the least there can be.
    assert bootstrap_interval([0.0] * 12, [0.0] * 11 + [1.0]).low == 0


def test_an_empty_side_has_no_interval():
    low, high = bootstrap_interval([], [1.0])

    assert math.isnan(low)
    assert math.isnan(high)


@given(values, values, st.floats(0.5, 0.99))
def test_an_interval_is_within_the_range_of_differences(a, b, level):
    low, high = bootstrap_interval(a, b, level=level, resamples=100)

    slack = 1e-9 * (1 + max(map(abs, a + b)))
    assert min(b) - max(a) - slack <= low <= high <= max(b) - min(a) + slack


@given(st.floats(1e-200, 1e200))
def test_an_interval_grows_with_its_unit(unit):
    a, b = np.array([1.0, 2.0, 4.0, 5.0]), np.array([2.0, 5.0, 7.0, 8.0])

    assert bootstrap_interval(a * unit, b * unit) == pytest.approx(
        [end * unit for end in bootstrap_interval(a, b)], rel=1e-6
    )
