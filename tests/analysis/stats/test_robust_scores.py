"""Scores in units of the noise."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.robust_scores import robust_scores


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

    assert robust_scores(series)[1].tolist() == [0.0]


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
