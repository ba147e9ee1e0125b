"""p-values of evidence, from the table of thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clamp_analytics.analysis.stats.calibration import p_if_independent, p_value, threshold


def test_a_p_value_and_its_threshold_are_inverse_and_longer_series_need_more_evidence() -> None:
    alphas = np.array([0.05, 0.01, 1e-6])

    assert p_value(threshold(alphas, 80), 80) == pytest.approx(alphas)
    assert (threshold(alphas, 500) > threshold(alphas, 50)).all()


def test_thresholds_between_two_lengths_are_interpolated_by_the_logarithm_of_the_length() -> None:
    share = math.log(60 / 50) / math.log(70 / 50)

    # 6.8 and 4.3 at 50 sessions, 7.0 and 4.5 at 70.
    assert p_value(np.array([6.8 + share * 0.2]), 60) == pytest.approx([0.05])
    assert p_if_independent(np.array([4.3 + share * 0.2]), 60) == pytest.approx([0.05])


def test_the_p_value_falls_exponentially_beyond_the_threshold() -> None:
    assert p_value(np.array([6.8 + 1.45, 6.8 + 2.9]), 50) == pytest.approx([0.05 / math.e, 0.05 / math.e**2])
    assert p_if_independent(np.array([4.3 + 1.3]), 50) == pytest.approx([0.05 / math.e])


def test_a_p_value_is_at_most_1() -> None:
    assert p_value(np.array([6.8 - 1.45 * 2.9, -5.0, -math.inf]), 50) == pytest.approx([0.05 * math.exp(2.9), 1, 1])
