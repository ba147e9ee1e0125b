"""Scores in units of the noise."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median

import numpy as np
import pytest

from clamp_analytics.analysis.stats.robust_scores import local_noise, power_of_two, robust_scores


def test_scores_of_normal_noise_have_about_unit_variance() -> None:
    scores, units = robust_scores(5.0 + 3.0 * np.random.default_rng(1).standard_normal((1, 2000)))

    assert scores.std() == pytest.approx(1.0, rel=0.1)
    assert units == pytest.approx([3.0], rel=0.1)


def test_a_step_does_not_change_the_unit() -> None:
    noise = np.random.default_rng(2).standard_normal((1, 300))
    stepped = noise + 50.0 * (np.arange(300) >= 150)

    assert robust_scores(stepped)[1] == pytest.approx(robust_scores(noise)[1], rel=0.05)


def test_an_outlier_is_clipped_and_the_levels_of_a_step_are_not() -> None:
    noise = np.random.default_rng(3).standard_normal(100)
    spiked, stepped = noise.copy(), noise + 20.0 * (np.arange(100) >= 50)
    spiked[50] = 1000.0

    scores, _ = robust_scores(np.stack([spiked, stepped]))

    assert scores[0].max() < 5
    assert scores[1, 50:].mean() - scores[1, :50].mean() > 15


def test_a_shift_and_a_factor_do_not_change_scores() -> None:
    series = np.random.default_rng(4).standard_normal((3, 50))

    scores, units = robust_scores(series)
    others, other_units = robust_scores(7.0 * series - 3.0)

    assert others == pytest.approx(scores, abs=1e-9)
    assert other_units == pytest.approx(7.0 * units)


def test_equal_values_have_scores_of_zero() -> None:
    scores, units = robust_scores(np.full((1, 10), 0.1))

    assert scores.tolist() == [[0.0] * 10]
    assert units.tolist() == [0.0]


def test_rounding_errors_are_not_noise() -> None:
    series = np.full((1, 30), 0.1) + np.array([0.0, 1e-17, -1e-17] * 10)

    scores, units = robust_scores(series)

    assert (scores.tolist(), units.tolist()) == ([[0.0] * 30], [0.0])


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_tiny_and_huge_values_have_scores(factor: float) -> None:
    series = np.random.default_rng(5).standard_normal((1, 40))

    assert robust_scores(series * factor)[0] == pytest.approx(robust_scores(series)[0], abs=1e-9)


def test_mostly_equal_values_have_a_unit_from_all_their_differences() -> None:
    series = np.ones((1, 40))
    series[0, 20] = 0.5

    scores, units = robust_scores(series)

    assert units == pytest.approx([np.sqrt(0.5 / 39 / 2)])
    assert np.flatnonzero(scores[0]).tolist() == [20]


def scores_by_definition(series: list[float]) -> tuple[list[float], float]:
    steps = [after - before for before, after in pairwise(series)]
    unit = 1.4826 * median(abs(step - median(steps)) for step in steps) / math.sqrt(2)
    middle = median(series)
    limit = 3 * max(unit, 1.4826 * median(abs(value - middle) for value in series)) / unit
    return [min(max((value - middle) / unit, -limit), limit) for value in series], unit


@pytest.mark.parametrize(
    "series",
    [
        [0.3, 0.5, 0.1, 0.9, 0.4, 0.6, 0.2],
        [0.3, 0.5, 0.1, 90.0, 0.4, -60.0, 0.2, 0.7],
        [1.0, 2.1, 2.9, 4.2, 5.0, 5.8, 7.1, 8.0, 9.3, 50.0],
    ],
    ids=["noise", "outliers", "wander"],
)
def test_scores_are_differences_from_the_median_in_units_of_the_noise_of_neighbours(series: list[float]) -> None:
    scores, units = robust_scores(np.array([series, series[::-1]]))

    expected, unit = scores_by_definition(series)
    assert units == pytest.approx([unit, unit])
    assert scores[0] == pytest.approx(expected)
    assert scores[1] == pytest.approx(expected[::-1])


def test_series_with_and_without_noise_do_not_change_each_other() -> None:
    series = np.array([[2.0] * 7, [0.3, 0.5, 0.1, 0.9, 0.4, 0.6, 0.2]])

    scores, units = robust_scores(series)

    assert (scores[0].tolist(), units[0]) == ([0.0] * 7, 0.0)
    assert scores[1] == pytest.approx(scores_by_definition(series[1].tolist())[0])


def test_the_power_of_two_is_at_most_the_largest_magnitude_and_more_than_its_half() -> None:
    series = np.array([[0.0, -5.0, 3.0], [1.0, 0.5, 0.0], [0.3, 0.1, -0.2], [0.0, 0.0, 0.0]])

    # Zeros have the exponent 0.
    assert power_of_two(series).tolist() == [4.0, 1.0, 0.25, 0.5]


def test_a_single_value_has_no_noise() -> None:
    assert local_noise(np.array([[3.0], [4.0]])).tolist() == [0.0, 0.0]


def test_differences_by_rounding_are_not_noise_and_larger_ones_are() -> None:
    ends = np.array([[0.0] * 20 + [1e-11], [0.0] * 20 + [1e-12]])

    # The root mean squares of the differences are 1e-11 / sqrt(20) and 1e-12 / sqrt(20).
    assert local_noise(ends) == pytest.approx([1e-11 / math.sqrt(20) / math.sqrt(2), 0.0])
