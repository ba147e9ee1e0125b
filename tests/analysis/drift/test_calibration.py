"""How far the gate can be trusted on a history: how often it cries wolf, and what it catches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.drift import Calibration, DriftOptions, calibrate
from clamp_analytics.analysis.drift.findings import judge_all
from clamp_analytics.analysis.series import METRICS
from tests.analysis.drift.conftest import autoregressive, of_values, session_frame

QUICK = DriftOptions(replays=40)


def noisy(seed: int, length: int = 60) -> list[float]:
    return np.random.default_rng(seed).lognormal(2, 0.2, length).tolist()


def row_of(found: Calibration) -> dict[str, Any]:
    (row,) = found.figures.iter_rows(named=True)
    return row


def test_a_quiet_history_raises_few_alarms():
    found = calibrate(session_frame({f"{number}": noisy(number) for number in range(5)}), options=QUICK)

    assert (found.replays, found.untested) == (40, 0)
    assert found.false_alarms <= found.false_changes <= 0.1
    assert found.figures["false_alarms"].max() <= 0.1


def test_a_change_that_happened_is_no_noise():
    values = np.array(noisy(1))
    values[30:] *= 3

    found = calibrate(session_frame({"alpha": values}), options=QUICK)

    assert found.false_alarms <= 0.1
    assert row_of(found)["catches_80_sd"] < 2.5


def test_the_growing_history_is_judged_from_the_first_session_that_suffices():
    # From 20 sessions to 45, one at a time.
    found = calibrate(session_frame({"alpha": noisy(2, 45)}), options=QUICK)

    assert (found.gates, row_of(found)["gates"]) == (26, 26)


def test_an_alarm_about_a_change_that_stayed_is_founded():
    values = np.array(noisy(3))
    values[30:] *= 3

    found = calibrate(session_frame({"alpha": values}), options=QUICK)

    assert found.alarms == row_of(found)["alarms"] > 10
    assert found.unfounded == row_of(found)["unfounded"] == 0


def test_a_shift_that_is_caught_is_larger_where_fewer_cases_may_be_missed():
    row = row_of(calibrate(session_frame({"alpha": noisy(4)}), options=QUICK))

    assert 0 < row["catches_80_sd"] < row["catches_90_sd"] < 3
    assert 0 < row["catches_80"] < row["catches_90"]


def test_the_shift_in_its_unit_is_the_one_in_deviations_on_the_scale():
    values = noisy(5)
    row = row_of(calibrate(session_frame({"alpha": values}), options=QUICK))
    logs = np.log(values)
    sd = 1.4826 * np.median(np.abs(logs - np.median(logs)))

    middle = float(np.exp(np.median(logs)))
    assert row["catches_80"] == pytest.approx(middle * (np.exp(row["catches_80_sd"] * sd) - 1), rel=1e-3)


def test_a_shift_of_the_size_that_is_caught_is_caught_about_as_often():
    values = np.random.default_rng(6).normal(100, 10, 80)
    row = row_of(calibrate(session_frame({"alpha": values}, "violations"), options=DriftOptions(replays=100)))
    generator = np.random.default_rng(7)
    sd = 1.4826 * np.median(np.abs(values - np.median(values)))
    caught = 0

    for _ in range(200):
        drawn = generator.choice(values, 80)
        drawn[40:] += row["catches_80_sd"] * sd
        (finding,), _ = judge_all([of_values(drawn, "violations")], DriftOptions())
        caught += finding.judgement.verdict == "regressed"

    assert caught / 200 == pytest.approx(0.8, abs=0.12)


def test_a_history_without_noise_has_no_shift_in_deviations():
    row = row_of(calibrate(session_frame({"alpha": [1.0] * 40}, "mean_stability"), options=QUICK))

    assert (row["false_alarms"], row["catches_80"], row["catches_80_sd"]) == (0.0, None, None)


def test_a_history_that_is_too_short_is_not_tested():
    found = calibrate(session_frame({"alpha": noisy(8, 19), "beta": noisy(9, 40)}), options=QUICK)

    assert (found.untested, found.figures["false_alarms"].null_count()) == (1, 1)


def test_a_history_that_is_too_short_throughout_says_nothing():
    found = calibrate(session_frame({"alpha": noisy(8, 5)}), options=QUICK)

    assert (found.untested, found.gates, found.alarms, found.false_alarms) == (1, 0, 0, 0.0)


def test_correlated_sessions_have_correlated_replays():
    # Were single sessions drawn anew, the correlation would be gone, and the gate would seem to catch shifts.
    values = np.exp(2 + 0.2 * autoregressive(np.random.default_rng(10), 120, 0.8))

    assert row_of(calibrate(session_frame({"alpha": values}), options=QUICK))["catches_80"] is None


def test_only_the_latest_sessions_are_replayed():
    options = DriftOptions(replays=5, replayed_sessions=30)

    assert row_of(calibrate(session_frame({"alpha": noisy(11, 90)}), options=options))["sessions"] == 30


def test_equal_seeds_give_equal_figures():
    given = session_frame({"alpha": noisy(12), "beta": noisy(13)})

    one, other = calibrate(given, options=QUICK), calibrate(given, options=QUICK)

    assert_frame_equal(one.figures, other.figures, check_exact=True)
    assert one.false_alarms == other.false_alarms


def test_scores_stay_scores():
    values = np.random.default_rng(14).beta(30, 2, 60)

    row = row_of(calibrate(session_frame({"alpha": values}, "mean_stability"), options=QUICK))

    assert 0 < row["catches_80"] < 1
    assert METRICS["mean_stability"].higher_is_better
