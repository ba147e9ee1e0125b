"""Outliers: sessions far from the level of their segment."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytest.importorskip("numpy", reason="the drift extra is not installed")

from clamp_analytics.plots.outliers import find_outliers
from tests.plots.builders import P95, STABILITY, START, values

NORMAL = [1.0, 1.1, 0.9, 1.05, 0.95] * 4


def test_a_spike_is_an_outlier_with_its_file():
    found = find_outliers(values(*NORMAL, 9.0, *NORMAL), P95, [])

    assert found.select("value", "source").rows() == [(9.0, "run_020.json")]


def test_noise_has_no_outlier():
    assert find_outliers(values(*NORMAL), P95, []).is_empty()


def test_the_level_after_a_change_is_not_an_outlier():
    slower = [3 * value for value in NORMAL[:9]]

    found = find_outliers(values(*NORMAL, *slower), P95, [START + timedelta(hours=len(NORMAL))])

    assert found.is_empty()


def test_a_single_failure_among_equal_scores_is_an_outlier():
    found = find_outliers(values(*[1.0] * 50, 0.5, *[1.0] * 50), STABILITY, [])

    assert found["value"].to_list() == [0.5]


def test_frequent_failures_are_not_outliers():
    assert find_outliers(values(*[1.0, 1.0, 1.0, 0.5] * 10), STABILITY, []).is_empty()


def test_only_the_most_extreme_outliers_are_named_in_order_of_time():
    found = find_outliers(values(*NORMAL, 5.0, 9.0, 7.0, 8.0, *NORMAL), P95, [], most=2)

    assert found["value"].to_list() == [9.0, 8.0]


def test_a_short_series_has_no_outlier():
    assert find_outliers(values(1.0, 1.0, 1.0, 9.0), P95, []).is_empty()
