"""A baseline that changed itself, and a new run against a baseline that is its history."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clamp_analytics.analysis.compare import compare
from clamp_analytics.analysis.compare.new_run import check_run
from clamp_analytics.analysis.metrics import METRICS
from tests.analysis.compare.conftest import P50, noise, one, side


def test_a_baseline_that_changed_is_used_from_its_change_on():
    row = one([*noise(40, 1), *noise(30, 2, 2)], noise(30, 3, 2))

    assert (row["verdict"], row["baseline_since"], row["baseline_sessions"]) == ("unchanged", "s40.json", 30)
    assert "the baseline itself changed from 1.001 to 1.993 with s40.json" in row["reason"]


def test_a_comparison_says_in_how_many_series_the_baseline_changed():
    found = compare(side({"a": [*noise(40, 1), *noise(30, 2, 2)]}), side({"a": noise(30, 3, 2)}, name="t"))

    assert found.notes() == [
        "the baseline itself changed in 1 of 1 series, and only its sessions after the change are used"
    ]


def test_a_baseline_without_a_change_is_used_whole():
    row = one(noise(60, 1), noise(30, 3))

    assert (row["baseline_since"], row["baseline_sessions"]) == (None, 60)


def test_one_new_run_outside_the_range_of_its_history_is_a_suspect():
    row = one(noise(80, 1), [1.6])

    assert (row["verdict"], row["direction"], row["sessions_to_confirm"]) == ("suspect", "worse", 9)
    assert "outside the range of 80 sessions of the baseline" in row["reason"]


def test_one_new_run_within_the_range_is_unchanged_with_the_slow_down_that_would_have_been_found():
    row = one(noise(80, 1), [1.03])

    assert row["verdict"] == "unchanged"
    assert row["reason"].endswith(f"a shift of {100 * row['detectable']:.2g} % would have been found in 9 of 10 runs")


def test_a_faster_new_run_is_a_suspect_for_the_better():
    assert one(noise(80, 1), [0.5])["direction"] == "better"


def test_the_detectable_shift_takes_nine_of_ten_replayed_runs_out_of_the_range():
    history = noise(80, 1)
    check = check_run(METRICS[P50], history, [str(index) for index in range(80)], np.array([1.0]), 0.0)
    sources = [str(index) for index in range(80)]

    found = [
        check_run(METRICS[P50], history[:start], sources[:start], history[[start]] * (1 + check.detectable), 0.0).side
        for start in range(20, 80)
    ]

    assert np.mean(np.array(found) == 1) == pytest.approx(0.9, abs=0.04)


def test_the_replay_of_a_quiet_history_has_no_false_alarm_and_an_upper_bound():
    found = compare(side({"a": noise(80, 1), "b": noise(80, 2)}), side({"a": [1.6], "b": [1.0]}, name="t"))

    assert found.replay is not None
    assert (found.replay.sessions, found.replay.runs, found.replay.false_alarms) == (1, 70, 0)
    assert found.replay.text.startswith(
        "no false alarm in 70 replayed runs (below 4.2 % with 95 % confidence); it finds"
    )
    assert found.notes()[1] == "outside that range for the worse: 'a'"


def test_a_history_that_jumps_has_false_alarms():
    values = noise(80, 1)
    values[[30, 50, 70]] *= [3, 9, 27]

    found = compare(side({"a": values}), side({"a": [1.0]}, name="t"))

    assert found.replay is not None
    assert found.replay.text.startswith("a false alarm once in 23 runs (3 of 70 replayed runs)")


def test_a_run_against_a_short_history_is_not_enough_data():
    row = one(noise(19, 1), [1.0])

    assert (row["verdict"], row["missing_sessions"]) == ("not enough data", 9)


def test_enough_sessions_are_tested_and_not_replayed():
    assert compare(side({"a": noise(80, 1)}), side({"a": noise(20, 2)}, name="t")).replay is None


def test_a_score_that_cannot_fall_far_enough_is_not_enough_data():
    wild = np.random.default_rng(1).uniform(0, 1, 80)

    row = one(wild, [0.5], "mean_stability")

    assert (row["verdict"], row["detectable"]) == ("not enough data", None)
    assert not math.isnan(row["baseline"])


UNIFORM = np.random.default_rng(11).permutation(np.linspace(9.8, 10.2, 41))
"""A history whose sessions reach from 9.8 to 10.2, so that noise allows for a range of 9.5 to 10.5."""


def test_a_run_beyond_every_session_of_its_history_is_not_called_unchanged():
    row = one(UNIFORM, [10.3, 10.35, 10.3], floors={P50: 0.01})

    assert (row["verdict"], row["missing_sessions"]) == ("not enough data", 7)
    assert "beyond every session of the baseline" in row["reason"]


def test_a_run_outside_its_history_by_less_than_the_floor_is_unchanged_and_says_so():
    row = one(UNIFORM, [10.3, 10.35, 10.3], floors={P50: 0.05})

    assert (row["verdict"], row["direction"]) == ("unchanged", "none")
    assert row["reason"].endswith("outside the baseline but below the floor of 5 %")


def test_a_run_within_its_history_is_unchanged():
    row = one(UNIFORM, [10.3, 10.1, 10.3], floors={P50: 0.01})

    assert (row["verdict"], row["reason"].startswith("within the range")) == ("unchanged", True)
