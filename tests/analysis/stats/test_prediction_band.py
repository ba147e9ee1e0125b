"""Whether the newest values are outside the range of the history."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.prediction_band import newest_outside, prediction_band

HISTORY = [0.5, -0.5, 1.0, -1.0, 0.0, 0.7, -0.7, 0.2, -0.2, 0.9, -0.9, 0.4]


@pytest.mark.parametrize(
    "newest, outside",
    [([9.0], 1), ([-9.0], -1), ([5.0, 5.0], 2), ([4.0] * 5, 5), ([-4.0] * 3, -3), ([2.0], 0), ([9.0, 0.0], 0)],
)
def test_newest_values_far_from_all_others_are_counted(newest: list[float], outside: int) -> None:
    assert newest_outside(np.array(HISTORY + newest)) == outside


def test_a_value_just_beyond_an_earlier_one_is_not_outside() -> None:
    assert newest_outside(np.array([*HISTORY, 20.0, *HISTORY, 20.1])) == 0


def test_any_other_value_is_outside_of_equal_ones() -> None:
    assert newest_outside(np.array([0.0] * 10 + [1.0])) == 1
    assert newest_outside(np.zeros(11)) == 0


def test_a_short_history_has_no_range() -> None:
    assert newest_outside(np.array([0.0, 1.0])) == 0


# Its median absolute deviation is 1, so that its noise is 1.4826.
EVEN = [1.0, -1.0] * 10


@pytest.mark.parametrize("count, sds", [(1, 5.0), (2, 3.5), (3, 3.0), (4, 3.0), (5, 3.0), (6, 3.0)])
def test_the_band_of_an_even_history_is_a_multiple_of_its_noise(count: int, sds: float) -> None:
    assert prediction_band(np.array(EVEN), count) == pytest.approx((-sds * 1.4826, sds * 1.4826))


def test_the_band_of_one_value_reaches_the_noise_beyond_earlier_outliers() -> None:
    history = np.array([*EVEN, 20.0, -30.0])

    assert prediction_band(history, 1) == pytest.approx((-30 - 1.4826, 20 + 1.4826))


def test_the_band_of_several_values_ends_at_earlier_outliers() -> None:
    assert prediction_band(np.array([*EVEN, 20.0, -30.0]), 2) == (-30, 20)


def test_the_noise_of_mostly_equal_values_is_their_standard_deviation() -> None:
    # Nine zeros and one: the standard deviation is sqrt(0.1 * 0.9) = 0.3.
    assert prediction_band(np.array([0.0] * 9 + [1.0]), 1) == pytest.approx((-1.5, 1.5))
    assert prediction_band(np.array([0.0] * 9 + [1.0]), 3) == pytest.approx((-0.9, 1.0))


@pytest.mark.parametrize("count", range(1, 6))
@pytest.mark.parametrize("sign", [1, -1])
def test_as_many_values_as_are_beyond_the_band_are_counted(count: int, sign: int) -> None:
    limit = (7.413, 5.1891, 4.4478, 4.4478, 4.4478)[count - 1]
    beyond, within = [sign * (limit + 0.01)] * count, [sign * (limit - 0.01)] * count

    assert newest_outside(np.array(EVEN + beyond)) == sign * count
    assert abs(newest_outside(np.array(EVEN + within))) < count


@pytest.mark.parametrize("count", range(1, 6))
def test_the_history_has_at_least_twice_as_many_values_as_are_counted(count: int) -> None:
    history = ([0.1, -0.1] * count)[-2 * count :]

    assert newest_outside(np.array(history + [9.0] * count)) == count
    assert newest_outside(np.array(history[1:] + [9.0] * count)) < count


def test_a_value_at_the_end_of_the_band_is_not_outside() -> None:
    assert newest_outside(np.array([20.0, -30.0, *EVEN, 20.0, 20.0])) == 0
    assert newest_outside(np.array([20.0, -30.0, *EVEN, -30.0, -30.0])) == 0
