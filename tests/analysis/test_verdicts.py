"""The order of verdicts, and the texts of floors and sizes."""

import pytest

from clamp_analytics.analysis.series import METRICS
from clamp_analytics.analysis.verdicts import RANK, floor_text, size_text


def test_regressions_come_first_and_unchanged_series_last():
    assert sorted(RANK, key=lambda name: RANK[name]) == [
        "regressed",
        "suspect",
        "improved",
        "recovered",
        "not enough data",
        "unchanged",
    ]


def test_a_floor_is_a_share_for_durations_and_a_difference_otherwise():
    assert floor_text(METRICS["duration_p50_ms"], 0.05) == "5 %"
    assert floor_text(METRICS["mean_stability"], 0.01) == "0.01"


@pytest.mark.parametrize(
    "size, is_relative, text",
    [
        (0.087, True, "8.7 %"),
        (1.204, True, "120 %"),
        (12.34, True, "1,200 %"),
        (0.5, False, "0.5"),
        (123.0, False, "120"),
    ],
)
def test_a_size_has_two_digits_and_no_exponent(size, is_relative, text):
    assert size_text(size, is_relative=is_relative) == text
