"""The order of verdicts, and the text of floors."""

from clamp_analytics.analysis.series import METRICS
from clamp_analytics.analysis.verdicts import RANK, floor_text


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
