"""Whether the newest values are outside the range of the history."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.prediction_band import newest_outside

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
