"""How far the gate can be trusted on a history."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import polars as pl

from clamp_analytics.analysis.drift import DriftOptions, calibrate, drift
from tests.analysis.drift.conftest import session_frame

FEW = DriftOptions(replays=40)


def history(*levels: tuple[float, int], seed: int = 4, spread: float = 0.05) -> list[float]:
    means = np.array(list(chain.from_iterable([level] * count for level, count in levels)))
    return (means * np.exp(spread * np.random.default_rng(seed).standard_normal(means.size))).tolist()


def test_a_steady_history_raises_few_false_alarms():
    found = calibrate(session_frame({"gemm": history((1.0, 60))}), options=FEW)

    # With a rate of 5 %, eight of 40 or more happen in one of 3,000 runs.
    assert found.false_alarms <= 8 / 40
    assert (found.gates > 0, found.unfounded) == (True, 0)


def test_a_true_change_is_an_alarm_that_is_founded():
    found = calibrate(session_frame({"gemm": history((1.0, 40), (1.6, 30))}), options=FEW)

    assert (found.alarms > 0, found.unfounded) == (True, 0)


def test_simulated_histories_have_no_change_although_the_history_has_one():
    found = calibrate(session_frame({"gemm": history((1.0, 40), (1.6, 30))}), options=FEW)

    assert found.false_alarms <= 8 / 40


def test_what_is_detectable_is_what_the_verdict_says():
    values = session_frame({"gemm": history((1.0, 60))})

    assert calibrate(values, options=FEW).figures["detectable"].item() == drift(values).verdicts["detectable"].item()


def test_a_shift_well_above_the_detectable_one_is_found():
    detectable = calibrate(session_frame({"gemm": history((1.0, 60))}), options=FEW).figures["detectable"].item()

    found = [
        drift(session_frame({"gemm": history((1.0, 30), (1.0 + 1.5 * detectable, 30), seed=seed)}))
        for seed in range(20)
    ]

    caught = sum(one.verdicts["verdict"].item() == "regressed" for one in found)
    assert caught >= 14


def test_a_short_series_is_not_tested():
    found = calibrate(session_frame({"gemm": history((1.0, 12)), "copy": history((1.0, 12), seed=5)}), options=FEW)

    assert (found.untested, found.gates) == (2, 0)
    assert found.figures["false_alarms"].to_list() == [None, None]


def test_only_the_latest_sessions_are_replayed():
    options = DriftOptions(replays=5, replayed_sessions=30)

    assert calibrate(session_frame({"gemm": history((1.0, 60))}), options=options).figures["sessions"].item() == 30


def test_the_same_seed_gives_the_same_figures():
    values = session_frame({"gemm": history((1.0, 40)), "copy": history((2.0, 40), seed=9)})

    one, other = (calibrate(values, options=DriftOptions(replays=20, seed=3)) for _ in range(2))

    assert one.to_dict() == other.to_dict()


def test_every_share_is_one_and_every_number_finite():
    found = calibrate(session_frame({"gemm": history((1.0, 40)), "none": [1.0] * 40}), options=FEW)

    floats = found.figures.select(pl.selectors.float())
    assert all(value is None or math.isfinite(value) for row in floats.rows() for value in row)
    assert found.figures["false_alarms"].is_between(0, 1).all()


def test_one_session_is_not_an_error():
    assert calibrate(session_frame({"gemm": [1.0]}), options=DriftOptions(replays=1)).untested == 1
