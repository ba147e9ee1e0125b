"""What holds for every series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.analysis.judgement import Direction, Verdict, judge_many, judge_series
from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.errors import UsageError
from tests.conftest import EXAMPLES

FINITE = st.floats(allow_nan=False, allow_infinity=False)
FEW_VALUES = st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 0.975, 5e-324, -1.7e308, 1.7e308])
ORDINARY = st.floats(min_value=0.001, max_value=1e6)
SERIES = st.one_of(*(st.lists(values, max_size=40) for values in (FINITE, FEW_VALUES, ORDINARY)))


@given(SERIES, st.sampled_from(["log", "linear", "arcsine"]), st.sampled_from(["lower", "higher", "neither"]))
@settings(max_examples=100 * EXAMPLES, deadline=None)
def test_any_finite_series_is_judged(values: list[float], scale: str, better: str) -> None:
    judgement = judge_series(values, scale=scale, better=better)  # type: ignore[arg-type]

    assert judgement.reason
    assert judgement.sessions == len(values)
    assert len(values) >= 13 or judgement.verdict is Verdict.NOT_ENOUGH_DATA
    assert all(
        change.earliest <= change.index <= change.latest and 10 <= change.index <= len(values) - 3
        for change in judgement.changes
    )
    assert judgement.verdict is not Verdict.UNCHANGED or judgement.detectable >= 0


@pytest.mark.parametrize("seed", range(8))
def test_a_factor_does_not_change_the_verdict_on_a_log_scale(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.exp(0.1 * generator.standard_normal(60) + 0.3 * (np.arange(60) >= 35))

    one, other = judge_series(values), judge_series(1024 * values)

    assert other.verdict is one.verdict
    assert [change.index for change in other.changes] == [change.index for change in one.changes]
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)
    assert other.detectable == pytest.approx(one.detectable, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_a_shift_and_a_factor_do_not_change_the_verdict_on_a_linear_scale(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(60) + 3.0 * (np.arange(60) >= 35)

    one, other = judge_series(values, scale="linear"), judge_series(1e6 * values - 5e7, scale="linear")

    assert other.verdict is one.verdict
    assert [change.index for change in other.changes] == [change.index for change in one.changes]
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)
    assert other.detectable == pytest.approx(1e6 * one.detectable, rel=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_better_and_worse_swap_where_higher_is_better(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(60) + 3.0 * (np.arange(60) >= 35)

    lower, higher = judge_series(values, scale="linear"), judge_series(values, scale="linear", better="higher")

    assert (lower.verdict, lower.direction) == (Verdict.REGRESSED, Direction.WORSE)
    assert (higher.verdict, higher.direction) == (Verdict.IMPROVED, Direction.BETTER)
    assert judge_series(-values, scale="linear", better="higher").verdict is lower.verdict


def test_a_change_where_neither_direction_is_better_is_a_suspect_without_direction() -> None:
    judgement = judge_series([1.0, 1.1] * 20 + [2.0, 2.1] * 20, better="neither")

    assert (judgement.verdict, judgement.direction) == (Verdict.SUSPECT, Direction.NONE)
    assert "neither direction is better" in judgement.reason


def test_the_same_series_is_judged_alike_alone_and_in_a_batch() -> None:
    generator = np.random.default_rng(1)
    series = [np.exp(0.1 * generator.standard_normal(n)) for n in (20, 50, 50, 13, 5)]

    together = judge_many(series, families=range(5))

    assert [str(one) for one in together] == [str(judge_series(one)) for one in series]


@pytest.mark.parametrize("n", [40, 100])
def test_the_detectable_shift_is_found_in_most_series(n: int) -> None:
    generator = np.random.default_rng(5)
    noise = [np.exp(0.05 * generator.standard_normal(n)) for _ in range(60)]
    shifts = [judgement.detectable for judgement in judge_many(noise, families=range(60))]

    # The shift is applied to other noise than that from which it was computed.
    shifted = [
        np.where(np.arange(n) >= n // 2, 1 + shift, 1.0) * other
        for shift, other in zip(shifts, noise[1:] + noise[:1], strict=True)
    ]
    found = [one.verdict is Verdict.REGRESSED for one in judge_many(shifted, families=range(60))]

    assert sum(found) >= 36


def test_a_shift_below_the_smallest_effect_is_unchanged() -> None:
    values = [1.0, 1.01] * 40 + [1.05, 1.06] * 40

    assert judge_series(values).verdict is Verdict.REGRESSED

    judgement = judge_series(values, options=JudgeOptions(smallest_effect=0.1))

    assert judgement.verdict is Verdict.UNCHANGED
    assert "below the limit of 10 %" in judgement.reason


def test_no_values_are_not_enough_data() -> None:
    judgement = judge_series([])

    assert judgement.verdict is Verdict.NOT_ENOUGH_DATA
    assert math.isnan(judgement.first)


@pytest.mark.parametrize("values", [[1.0, math.nan], [1.0, math.inf], [[1.0]]])
def test_what_is_not_a_finite_series_is_a_usage_error(values: list[float]) -> None:
    with pytest.raises(UsageError):
        judge_series(values)


def test_an_unknown_scale_or_side_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="scale must be one of"):
        judge_series([1.0], scale="cubic")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="better must be"):
        judge_series([1.0], better="none")  # type: ignore[arg-type]
