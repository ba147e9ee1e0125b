"""The rules from levels and p-values to a verdict."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.analysis.compare.judging import Judgement, judge
from clamp_analytics.analysis.compare.measure import Measure
from clamp_analytics.analysis.metrics import METRICS, Metric, Scale
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.stats.mean_error import MeanError
from clamp_analytics.analysis.stats.two_sample import Difference
from clamp_analytics.analysis.verdicts import Verdict

DURATION, STABILITY = METRICS["duration_p50_ms"], METRICS["mean_stability"]


def judged(
    before: float,
    after: float,
    *,
    metric: Metric = DURATION,
    p: float = 0.001,
    independent: float | None = None,
    sessions: tuple[int, int] = (20, 30),
    error: float = 0.02,
    **options: Any,
) -> Judgement:
    sides = np.full(sessions[0], before), np.full(sessions[1], after)
    clipped = Difference(0.1, 0.06, 0.14, p, MeanError(np.ones(1), np.array([error]), np.array([40.0])))
    found = Measure(metric, ("a",), sides, False, (before, after), (math.nan, math.nan), p, p, clipped, 1.0)
    return judge(found, p, p if independent is None else independent, 0.05, CompareOptions(**options))


def test_a_longer_duration_is_a_regression():
    found = judged(10.0, 12.0)

    assert (found.verdict, found.direction, found.reason) == (
        "regressed",
        "worse",
        "10 to 12 ms, +20.0 % (corrected p 0.001)",
    )


def test_a_shorter_duration_is_an_improvement():
    assert judged(12.0, 10.0).verdict is Verdict.IMPROVED


def test_a_lower_stability_is_a_regression():
    assert judged(1.0, 0.9, metric=STABILITY).verdict is Verdict.REGRESSED


def test_a_p_value_of_alpha_is_a_change_and_a_larger_one_is_not():
    assert judged(10.0, 12.0, p=0.05).verdict is Verdict.REGRESSED
    assert judged(10.0, 12.0, p=0.0501).verdict is Verdict.UNCHANGED


def test_an_effect_below_the_floor_is_not_a_change():
    found = judged(10.0, 10.49)

    assert found.verdict is Verdict.UNCHANGED
    assert found.reason == "10.00 to 10.49 ms, +4.9 % (corrected p 0.001), below the floor of 5 %"


def test_an_effect_of_the_floor_is_a_change():
    assert judged(0.99, 0.98, metric=STABILITY).verdict is Verdict.REGRESSED


def test_only_independent_noise_that_is_ruled_out_makes_a_suspect():
    found = judged(10.0, 12.0, p=0.2, independent=0.001, error=0.06)

    # (2.02 + 0.85) standard errors of 0.06 take (0.172 / 0.1)^2 = 2.97 times the sessions of the smaller side, 20.
    assert (found.verdict, found.direction, found.sessions_to_confirm) == ("suspect", "worse", 40)
    assert found.reason == (
        "10 to 12 ms, +20.0 %; independent noise does not explain it, but correlated noise may (corrected p 0.2); "
        "about 40 more sessions of each side would confirm it"
    )


@pytest.mark.parametrize(
    "sessions, missing, side",
    [((9, 30), 1, "of the baseline is"), ((30, 4), 6, "of the candidate are"), ((3, 4), 7, "of each side are")],
)
def test_too_few_sessions_say_how_many_are_missing(sessions, missing, side):
    found = judged(10.0, 12.0, p=math.nan, independent=0.5, sessions=sessions)

    assert (found.verdict, found.missing_sessions) == ("not enough data", missing)
    assert f"more session{'s' * (missing > 1)} {side} needed" in found.reason


def test_a_metric_without_a_better_direction_is_a_suspect_at_most():
    neutral = Metric("records", "Records.", "count", None, Scale.IDENTITY, 1.0)

    assert judged(10.0, 12.0, metric=neutral, floors={}).verdict is Verdict.SUSPECT


def test_noise_that_hides_every_fall_of_a_share_is_not_enough_data():
    assert judged(0.5, 0.5, metric=STABILITY, p=0.9, error=0.3).verdict is Verdict.NOT_ENOUGH_DATA


@given(st.floats(0, 1), st.integers(1, 40), st.integers(1, 40), st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_a_change_takes_sessions_certainty_and_effect_together(p, before_n, after_n, before, after):
    is_change = min(before_n, after_n) >= 10 and p <= 0.05 and max(before, after) / min(before, after) - 1 > 0.05

    found = judged(before, after, p=p, independent=1.0, sessions=(before_n, after_n))

    assert (found.verdict in (Verdict.REGRESSED, Verdict.IMPROVED)) == is_change
