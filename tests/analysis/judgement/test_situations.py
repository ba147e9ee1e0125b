"""Each situation gets the verdict that a user needs, with several seeds and sizes."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.judgement import (
    Direction,
    JudgeOptions,
    SeriesJudgement,
    Shape,
    Verdict,
    judge_many,
    judge_series,
)
from tests.analysis.judgement.situations import p50, stability, wandering

SEEDS = range(6)


def indices(judgement: SeriesJudgement) -> list[int]:
    return [change.index for change in judgement.changes]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("before", [40, 60, 150])
@pytest.mark.parametrize("after", [3, 5, 8])
def test_a_few_sessions_at_three_times_the_duration_are_worse(seed: int, before: int, after: int) -> None:
    values = p50(np.random.default_rng(seed), [1.0] * before + [3.0] * after)

    judgement = judge_series(values)

    assert judgement.verdict in {Verdict.REGRESSED, Verdict.SUSPECT}
    assert judgement.direction is Direction.WORSE
    assert before in {*indices(judgement), *judgement.outliers}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("before", [30, 60, 200])
def test_a_slow_newest_session_is_named(seed: int, before: int) -> None:
    values = p50(np.random.default_rng(seed), [1.0] * before + [10.0])

    judgement = judge_series(values)

    assert judgement.verdict in {Verdict.SUSPECT, Verdict.REGRESSED}
    assert judgement.direction is Direction.WORSE
    assert before in judgement.outliers
    assert f"the newest session {before} is outside the range" in judgement.reason


def test_a_slow_newest_session_after_even_ones_is_a_suspect() -> None:
    judgement = judge_series([*([1.0, 1.02, 0.98] * 20), 10.0])

    assert (judgement.verdict, judgement.shape, judgement.outliers) == (Verdict.SUSPECT, Shape.OUTLIER, (60,))
    assert judgement.sessions_to_confirm == 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [40, 60, 200])
def test_one_slow_session_in_the_past_is_an_outlier(seed: int, n: int) -> None:
    values = p50(np.random.default_rng(seed), [1.0] * 30 + [6.0] + [1.0] * (n - 31))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.shape) == (Verdict.UNCHANGED, Shape.OUTLIER)
    assert 30 in judgement.outliers
    assert len(judgement.outliers) <= 2


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("half", [40, 80])
def test_a_speed_up_among_correlated_sessions_is_never_worse(seed: int, half: int) -> None:
    generator = np.random.default_rng(seed)
    levels = np.exp(wandering(generator, 2 * half, 0.6, 0.05)) * np.repeat([1.0, 0.42], half)

    judgement = judge_series(p50(generator, levels, machine=0.0))

    assert judgement.verdict in {Verdict.IMPROVED, Verdict.UNCHANGED}
    assert judgement.direction is not Direction.WORSE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [80, 120, 300])
def test_a_creep_is_a_trend_with_its_total_change(seed: int, n: int) -> None:
    values = p50(np.random.default_rng(seed), np.linspace(1.0, 2.2, n))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.shape) == (Verdict.REGRESSED, Shape.TREND)
    assert judgement.total_change == pytest.approx(1.2, abs=0.15)
    assert judgement.slope == pytest.approx(np.log(2.2) / n, rel=0.2)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("third", [20, 40, 70])
def test_up_and_partly_down_again_is_worse_than_at_first(seed: int, third: int) -> None:
    values = p50(np.random.default_rng(seed), np.repeat([1.0, 2.0, 1.6], third))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.direction) == (Verdict.REGRESSED, Direction.WORSE)
    assert indices(judgement) == [third, 2 * third]
    assert judgement.latest / judgement.first == pytest.approx(1.6, rel=0.1)


@pytest.mark.parametrize("scale", ["linear", "arcsine"])
@pytest.mark.parametrize("length", [5, 15, 30])
def test_an_outage_of_a_steady_score_is_over(scale: str, length: int) -> None:
    values = np.ones(100)
    values[40 : 40 + length] = 0.8

    judgement = judge_series(values, better="higher", scale=scale)  # type: ignore[arg-type]

    assert (judgement.verdict, judgement.shape) == (Verdict.RECOVERED, Shape.OUTAGE)
    assert judgement.direction is Direction.NONE
    assert indices(judgement) == [40, 40 + length]
    assert f"({length} sessions)" in judgement.reason


@pytest.mark.parametrize("third", [12, 40, 100])
def test_steps_without_noise_are_certain(third: int) -> None:
    judgement = judge_series(np.repeat([100.0, 200.0, 300.0], third))

    assert judgement.verdict is Verdict.REGRESSED
    assert [(change.index, change.earliest, change.latest) for change in judgement.changes] == [
        (third, third, third),
        (2 * third, 2 * third, 2 * third),
    ]
    assert [change.after for change in judgement.changes] == pytest.approx([200.0, 300.0])
    assert judgement.p_value < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lasting_step_is_found_where_it_is(seed: int) -> None:
    values = p50(np.random.default_rng(seed), [1.0] * 60 + [1.2] * 100)

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.shape) == (Verdict.REGRESSED, Shape.STEP)
    assert judgement.changes[0].earliest <= 60 <= judgement.changes[0].latest
    assert abs(judgement.changes[0].index - 60) <= 1


@pytest.mark.parametrize("scale", ["linear", "arcsine"])
@pytest.mark.parametrize("seed", SEEDS)
def test_more_failing_cycles_are_worse_and_rare_ones_are_not(seed: int, scale: str) -> None:
    generator = np.random.default_rng(seed)
    hit = stability(generator, np.repeat([0.01, 0.15], [60, 40]))
    innocent = stability(generator, [0.01] * 100)

    judgement = judge_series(hit, better="higher", scale=scale)  # type: ignore[arg-type]
    other = judge_series(innocent, better="higher", scale=scale)  # type: ignore[arg-type]

    assert (judgement.verdict, judgement.direction) == (Verdict.REGRESSED, Direction.WORSE)
    assert any(abs(index - 60) <= 5 for index in indices(judgement))
    assert other.verdict is Verdict.UNCHANGED


def test_equal_values_are_unchanged_and_any_shift_would_have_shown() -> None:
    judgement = judge_series([1.0] * 50)

    assert (judgement.verdict, judgement.detectable) == (Verdict.UNCHANGED, 0.0)
    assert judgement.reason == "all 50 values are 1; any lasting shift would have shown"


def test_too_few_sessions_are_not_enough_data() -> None:
    judgement = judge_series([1.0, 1.1] * 6)

    assert judgement.verdict is Verdict.NOT_ENOUGH_DATA
    assert judgement.reason == "12 sessions, and at least 13 are needed: 1 more"


def test_a_series_that_switches_between_two_levels_is_a_suspect() -> None:
    values = p50(np.random.default_rng(3), np.repeat([1.0, 1.5, 1.0, 1.5], 25))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.shape) == (Verdict.SUSPECT, Shape.SEVERAL)
    assert "switches between levels" in judgement.reason


def test_the_loss_of_an_improvement_is_a_suspect_for_the_worse() -> None:
    values = p50(np.random.default_rng(4), np.repeat([1.0, 0.6, 1.0], 40))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.direction) == (Verdict.SUSPECT, Direction.WORSE)


def test_a_step_that_a_wander_explains_is_a_suspect_that_names_what_would_confirm_it() -> None:
    generator = np.random.default_rng(2)
    values = np.exp(0.1 * generator.standard_normal(30) + np.repeat([0.0, 0.17], [18, 12]))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.direction) == (Verdict.SUSPECT, Direction.WORSE)
    assert judgement.sessions_to_confirm is not None
    assert "would confirm it" in judgement.reason


def test_a_reason_names_sessions_where_they_have_names() -> None:
    values = [100.0 + index % 3 for index in range(40)] + [200.0 + index % 3 for index in range(20)]

    (judgement,) = judge_many([values], names=[[f"build-{index}" for index in range(60)]])

    assert judgement.reason.startswith("101.0, then 200.9 since build-40 (+")


def test_a_level_that_the_first_sessions_had_already_is_not_a_regression() -> None:
    # The first change lies among the first ten sessions, where none is searched for.
    values = p50(np.random.default_rng(3), np.repeat([1.5, 1.0, 1.5], [6, 24, 20]))

    judgement = judge_series(values)

    assert (judgement.verdict, judgement.direction) == (Verdict.SUSPECT, Direction.WORSE)
    assert "this level also held from session 0 to 5: the series switches between levels" in judgement.reason


def test_a_larger_limit_finds_more_of_several_small_changes() -> None:
    values = np.random.default_rng(5).standard_normal((40, 100))
    for index in (25, 50, 75):
        values[:, index:] += 2

    strict, loose = (
        sum(len(judge_series(one, scale="linear", options=JudgeOptions(further_alpha=limit)).changes) for one in values)
        for limit in (0.001, 0.1)
    )

    assert strict < loose <= 3 * 40
