"""What a difference amounts to, in one word and one sentence."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from clamp_analytics.analysis.series import METRICS, Metric, Scale
from clamp_analytics.analysis.verdicts import (
    MOST_SESSIONS,
    RANK,
    Evidence,
    Verdict,
    floor_text,
    judge,
    needed_sessions,
    smallest_step,
    too_few,
)

DURATION = METRICS["duration_p50_ms"]
STABILITY = METRICS["mean_stability"]
SLOWER = Evidence(before=10.0, after=12.0, adjusted_p=0.001, sessions_before=20, sessions_after=30)


def verdict(evidence: Evidence, metric: Metric = DURATION, **changes: float) -> Verdict:
    limits = {"alpha": 0.05, "floor": 0.05, "min_sessions": 10, **changes}
    return judge(metric, evidence, **limits).verdict  # type: ignore[arg-type]


def reason(evidence: Evidence, metric: Metric = DURATION, floor: float = 0.05) -> str:
    return judge(metric, evidence, alpha=0.05, floor=floor, min_sessions=10).reason


def test_a_longer_duration_is_a_regression():
    assert verdict(SLOWER) is Verdict.REGRESSED
    assert reason(SLOWER) == "10 to 12 ms, +20.0% (corrected p 0.001)"


def test_a_shorter_duration_is_an_improvement():
    assert verdict(replace(SLOWER, before=12.0, after=10.0)) is Verdict.IMPROVED


def test_a_lower_stability_is_a_regression():
    lower = replace(SLOWER, before=1.0, after=0.9)

    assert verdict(lower, STABILITY) is Verdict.REGRESSED
    assert reason(lower, STABILITY) == "1 to 0.9 (corrected p 0.001)"


def test_a_higher_stability_is_an_improvement():
    assert verdict(replace(SLOWER, before=0.5, after=1.0), STABILITY) is Verdict.IMPROVED


def test_a_p_value_above_alpha_is_no_change():
    noisy = replace(SLOWER, adjusted_p=0.0501)

    assert verdict(noisy) is Verdict.UNCHANGED
    assert reason(noisy) == "no shift beyond noise (corrected p 0.05, limit 0.05)"


def test_a_p_value_of_alpha_is_a_change():
    assert verdict(replace(SLOWER, adjusted_p=0.05)) is Verdict.REGRESSED


def test_nothing_tested_is_no_change():
    assert verdict(replace(SLOWER, adjusted_p=math.nan)) is Verdict.UNCHANGED


def test_an_effect_below_the_floor_is_no_change():
    small = replace(SLOWER, after=10.49)

    assert verdict(small) is Verdict.UNCHANGED
    assert reason(small) == "10 to 10.49 ms, +4.9% (corrected p 0.001), below the floor of 5 %"


def test_an_effect_of_the_floor_is_a_change():
    assert verdict(replace(SLOWER, before=0.99, after=0.98), STABILITY, floor=0.01) is Verdict.REGRESSED


def test_the_floor_of_a_score_is_a_difference():
    assert verdict(replace(SLOWER, before=0.1, after=0.108), STABILITY, floor=0.01) is Verdict.UNCHANGED


@pytest.mark.parametrize("sides", [(9, 30), (30, 9), (0, 0)])
def test_too_few_sessions_on_a_side_are_not_enough_data(sides):
    before, after = sides

    few = replace(SLOWER, sessions_before=before, sessions_after=after)

    assert verdict(few) is Verdict.NOT_ENOUGH_DATA
    assert reason(few) == f"{before} and {after} sessions, and it takes 10 a side"


def test_a_series_that_is_too_short_says_how_many_sessions_it_takes():
    assert too_few(7, 20).reason == "7 sessions, and it takes 20 at least"
    assert too_few(7, 20).verdict is Verdict.NOT_ENOUGH_DATA


@pytest.mark.parametrize("after", [5.0, 20.0])
def test_correlated_sessions_are_a_suspect_at_most(after):
    correlated = replace(SLOWER, after=after, autocorrelation=0.5)

    assert verdict(correlated) is Verdict.SUSPECT
    assert reason(correlated).endswith("but neighbouring sessions are correlated (0.50)")


def test_correlated_sessions_without_a_shift_are_no_warning():
    assert verdict(replace(SLOWER, adjusted_p=0.5, autocorrelation=0.5)) is Verdict.UNCHANGED


def test_a_metric_without_a_better_direction_is_a_suspect_at_most():
    neutral = Metric("records", "Records.", "count", None, Scale.IDENTITY, 1.0)

    assert verdict(SLOWER, neutral) is Verdict.SUSPECT


def test_a_duration_that_was_zero_can_regress():
    assert verdict(replace(SLOWER, before=0.0)) is Verdict.REGRESSED


def test_regressions_come_first_and_what_is_unchanged_last():
    assert sorted(RANK, key=lambda name: RANK[name]) == [
        "regressed",
        "suspect",
        "improved",
        "recovered",
        "not enough data",
        "unchanged",
    ]


@given(st.floats(0, 1), st.integers(0, 40), st.integers(0, 40), st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_a_change_takes_sessions_certainty_and_effect_together(p, before_n, after_n, before, after):
    evidence = Evidence(before, after, p, before_n, after_n)
    is_change = min(before_n, after_n) >= 10 and p <= 0.05 and max(before, after) / min(before, after) - 1 > 0.05

    assert (verdict(evidence) in (Verdict.REGRESSED, Verdict.IMPROVED)) == is_change


def test_floors_read_as_they_are_meant():
    assert (floor_text(DURATION, 0.05), floor_text(STABILITY, 0.01)) == ("5 %", "0.01")


def test_the_step_of_a_duration_is_the_logarithm_of_its_ratio():
    assert smallest_step(DURATION, 7.0, 0.05) == pytest.approx(math.log(1.05))


def test_the_step_of_a_count_is_its_floor():
    assert smallest_step(METRICS["violations"], 3.0, 0.5) == 0.5


def test_the_step_of_a_score_depends_on_where_it_is():
    # From 1 only the way down is left; in the middle, both are about floor / (2 sqrt(p (1 - p))).
    assert smallest_step(STABILITY, 1.0, 0.01) == pytest.approx(math.pi / 2 - math.asin(math.sqrt(0.99)))
    assert smallest_step(STABILITY, 0.5, 0.01) == pytest.approx(0.01, rel=1e-3)


def test_the_sessions_needed_are_those_of_noethers_formula():
    # 2 (1.96 + 0.8416)^2 = 15.70 a side for a step of one sd by a t test, pi / 3 times as many by ranks: 16.44.
    assert needed_sessions(1.0, 1.0, alpha=0.05, min_sessions=10) == 2 * 17


def test_no_fewer_sessions_are_needed_than_the_least_number():
    assert needed_sessions(1.0, 0.0, alpha=0.05, min_sessions=10) == 20


@pytest.mark.parametrize(("step", "sd"), [(0.0, 1.0), (1.0, math.inf), (1.0, math.nan), (1e-200, 1.0)])
def test_what_cannot_be_seen_needs_more_sessions_than_there_are(step, sd):
    assert needed_sessions(step, sd, alpha=0.05, min_sessions=10) == MOST_SESSIONS


def test_as_many_sessions_catch_the_step_in_four_of_five_cases():
    generator = np.random.default_rng(20260101)
    each = needed_sessions(0.8, 1.0, alpha=0.05, min_sessions=10) // 2
    before, after = generator.normal(0, 1, (1000, each)), generator.normal(0.8, 1, (1000, each))

    caught = (mannwhitneyu(before, after, axis=1, method="asymptotic").pvalue <= 0.05).mean()

    assert caught == pytest.approx(0.8, abs=3 * math.sqrt(0.8 * 0.2 / 1000))


def test_a_stricter_level_needs_more_sessions():
    needed = [needed_sessions(1.0, 1.0, alpha=alpha, min_sessions=2) for alpha in (0.05, 0.01, 1e-6)]

    assert needed == sorted(needed)
