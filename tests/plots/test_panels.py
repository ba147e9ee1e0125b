"""Panels: which series are drawn, and how many points of each."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots
from tests.plots.builders import P95, STABILITY, START, drift_result, values


def test_few_sessions_are_each_a_point():
    drawn = plots.bin_series(values(3.0, 1.0, 2.0), P95)

    assert drawn["value"].to_list() == [3.0, 1.0, 2.0]
    assert drawn["low"].to_list() == [None, None, None]
    assert drawn["sessions"].to_list() == [1, 1, 1]


def test_many_sessions_become_bins_of_equal_time():
    drawn = plots.bin_series(values(*range(1000)), P95, most=120, bins=10)

    assert drawn["sessions"].to_list() == [100] * 10
    assert drawn["at"][0] == START + timedelta(hours=49.5)


def test_a_bin_of_durations_is_their_median_with_the_5th_and_the_95th_percentile():
    drawn = plots.bin_series(values(*range(101)), P95, most=10, bins=1)

    assert drawn.select("value", "low", "high").rows() == [(50.0, 5.0, 95.0)]


def test_a_bin_of_scores_is_their_mean_so_that_few_failures_show():
    drawn = plots.bin_series(values(1, 1, 1, 0), STABILITY, most=1, bins=1)

    assert drawn["value"].to_list() == [0.75]


def test_sessions_at_one_moment_are_one_bin():
    drawn = plots.bin_series(values(*range(200), hours=0), P95)

    assert drawn["sessions"].to_list() == [200]


def test_a_span_without_a_session_gives_no_bin():
    pause = pl.concat([values(1, 2), values(3, 4).with_columns(pl.col("started_at") + timedelta(days=30))])

    drawn = plots.bin_series(pause, P95, most=1, bins=10)

    assert drawn["sessions"].to_list() == [2, 2]


def test_what_changed_comes_first():
    given = drift_result(
        {"group": {"context": "a"}, "values": [1, 2]},
        {"group": {"context": "b"}, "values": [1, 2], "verdict": "improved", "effect_relative": -2.0},
        {"group": {"context": "c"}, "values": [1, 2], "verdict": "regressed", "effect_relative": 1.0},
        {"group": {"context": "d"}, "values": [1, 2], "verdict": "regressed", "effect_relative": -3.0},
    )

    (metric_panels,) = plots.select_panels(given, ["context"])

    assert [one.group for one in metric_panels.panels] == ["d", "c", "b", "a"]


def test_equal_series_are_in_natural_order():
    given = drift_result(*({"group": {"context": name}, "values": [1]} for name in ("stage-10", "stage-9", "stage-2")))

    (metric_panels,) = plots.select_panels(given, ["context"])

    assert [one.group for one in metric_panels.panels] == ["stage-2", "stage-9", "stage-10"]


def test_no_more_series_are_drawn_than_allowed_and_the_others_are_counted():
    given = drift_result(*({"group": {"context": name}, "values": [1]} for name in "abcde"))

    (metric_panels,) = plots.select_panels(given, ["context"], at_most=2)

    assert ([one.group for one in metric_panels.panels], metric_panels.left_out) == (["a", "b"], 3)


def test_of_other_metrics_only_what_changed_is_drawn():
    given = drift_result(
        {"group": {"context": "a"}, "metric": "hold_total_ms", "values": [1]},
        {"group": {"context": "b"}, "metric": "hold_total_ms", "values": [1], "verdict": "suspect"},
        {"group": {"context": "a"}, "metric": "mean_stability", "values": [1]},
    )

    metrics = plots.select_panels(given, ["context"])

    assert [(one.metric.name, [each.group for each in one.panels]) for one in metrics] == [
        ("mean_stability", ["a"]),
        ("hold_total_ms", ["b"]),
    ]


def test_metrics_that_were_asked_for_are_drawn_and_no_others():
    given = drift_result(
        {"group": {"context": "a"}, "metric": "in_flight", "values": [1]},
        {"group": {"context": "a"}, "metric": "violations", "values": [1], "verdict": "regressed"},
    )

    metrics = plots.select_panels(given, ["context"], ["in_flight"])

    assert [one.metric.name for one in metrics] == ["in_flight"]


def test_groups_of_several_columns_and_groups_without_a_name_have_one():
    given = drift_result(
        {"group": {"context": "a", "backend": "HIP"}, "values": [1]},
        {"group": {"context": "b", "backend": None}, "values": [1]},
        by=("context", "backend"),
    )

    (metric_panels,) = plots.select_panels(given, ["context", "backend"])

    assert [one.group for one in metric_panels.panels] == ["a · HIP", "b · (none)"]
    assert plots.group_label([]) == "all records"
