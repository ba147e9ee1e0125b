"""Evidence for changes, p-values, intervals and detectable shifts, from their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clamp_analytics.analysis.stats.arrays import Bools, Floats
from clamp_analytics.analysis.stats.calibration import p_if_independent, p_value, threshold
from clamp_analytics.analysis.stats.change_points import fit_segments, smallest_variances
from clamp_analytics.analysis.stats.evidence import (
    change_intervals,
    change_p_values,
    detectable_shift,
    mostly_equal,
    rare_event_intervals,
    sessions_until_found,
    weigh,
)
from clamp_analytics.analysis.stats.noise_model import cosine_transform, fit_noise
from clamp_analytics.analysis.stats.robust_scores import robust_scores
from tests.analysis.stats import by_definition


def noise(seed: int, n: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(n)


def with_steps(series: Floats, *steps: tuple[int, float]) -> Floats:
    for index, size in steps:
        series = series + size * (np.arange(series.size) >= index)
    return series


def changes_at(n: int, *indices: int) -> Bools:
    return np.isin(np.arange(n), indices)


@pytest.mark.parametrize("n", [13, 24])
def test_the_p_value_is_that_of_the_evidence_for_changes_or_a_trend(n: int) -> None:
    scores = np.stack([noise(1, n), np.cumsum(noise(2, n)), with_steps(noise(3, n), (11, 4.0)), 0.5 * np.arange(n)])
    scores[3] += noise(4, n)

    found = weigh(scores)

    assert found.trend == pytest.approx([by_definition.trend_evidence(row) for row in scores])
    evidence = np.array([by_definition.evidence_of_change(row) for row in scores])
    assert found.p_values == pytest.approx(p_value(evidence, n))


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_best_single_step_in_independent_noise_explains_most_of_the_variance(scale: float) -> None:
    scores = np.stack([noise(1, 20), with_steps(noise(3, 20), (12, 3.0)), with_steps(noise(4, 20), (5, 9.0))])

    found = weigh(scores * scale)

    for row, series in enumerate(scores):
        explained = {
            index: 1 - by_definition.less_means(series, [index]).var() / series.var()
            for index in range(10, 18)
        }  # fmt: skip
        best = max(explained, key=lambda index: explained[index])
        evidence = -9.5 * math.log(1 - explained[best])
        assert found.independent_step[row] == best
        assert found.p_independent[row] == pytest.approx(p_if_independent(np.array(evidence), 20))


def test_a_step_without_noise_explains_at_most_9999_of_10000_parts_of_the_variance() -> None:
    found = weigh(np.repeat([[0.0, 1.0]], [10, 10], axis=1))

    assert found.independent_step.tolist() == [10]
    assert found.p_independent == pytest.approx(p_if_independent(np.array([-9.5 * math.log(1e-4)]), 20))


def test_a_series_without_any_variance_has_no_step() -> None:
    found = weigh(np.zeros((1, 20)))

    assert found.p_independent == pytest.approx(p_if_independent(np.zeros(1), 20))


def test_values_are_mostly_equal_where_half_of_them_equal_the_median() -> None:
    series = np.array([[0.0, 0.0, 0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0, 3.0, 4.0]])

    # The medians are 0.5, 1.5 and 0.
    assert mostly_equal(series).tolist() == [False, False, True]
    assert mostly_equal(np.array([[0.0, 1.0, 1.0, 2.0]])).tolist() == [True]


def test_the_p_value_of_a_change_is_that_of_what_it_adds_to_the_others() -> None:
    scores = with_steps(noise(5, 40), (15, 2.0), (30, -3.0))

    found = change_p_values(scores, changes_at(40, 15, 30))

    both = by_definition.fit_changes(scores, [15, 30]).loss
    gains = [by_definition.fit_changes(scores, [other]).loss - both for other in (30, 15)]
    assert found == pytest.approx(p_value(np.array(gains), 40))


def test_a_series_without_changes_has_no_p_values_and_no_intervals() -> None:
    scores, none = noise(5, 20), changes_at(20)

    assert change_p_values(scores, none).size == 0
    assert change_intervals(scores, none, fit_noise(cosine_transform(scores[None]), np.array([0.1]))) == []
    assert rare_event_intervals(scores, none) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [0.0, 1.5])
def test_the_interval_of_a_change_holds_the_indices_within_2_of_the_best_log_likelihood(seed: int, size: float) -> None:
    scores, indices = with_steps(noise(seed, 40), (15, size), (30, -1.3 * size)), (15, 30)
    is_change = changes_at(40, *indices)
    fit = fit_segments(scores[None], is_change[None], smallest_variances(scores[None]))

    found = change_intervals(scores, is_change, fit)

    best = by_definition.fit_changes(scores, indices)
    expected = []
    for low, index, high in [(0, 15, 30), (15, 30, 40)]:
        left = by_definition.less_means(scores, [other for other in indices if other != index])
        gains = {at: by_definition.gain(left, at, 40, best.model) / (2 * best.variance) for at in range(low + 1, high)}
        plausible = [at for at, gain in gains.items() if gain >= gains[index] - 2]
        expected.append((min(plausible), max(plausible)))
    assert found == expected


def log_likelihood(events: float, trials: int) -> float:
    """The log-likelihood of events at their own rate; 0 where the rate is 0 or 1."""
    return sum(part * math.log(part / trials) for part in (events, trials - events) if part)


@pytest.mark.parametrize(
    "values, changes",
    [
        ([0] * 20 + [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1], [20]),
        ([0] * 12 + [3, 0, 0, 2, 5, 0, 3, 0, 2, 4, 4, 0] + [0] * 20 + [1, 0], [12, 24]),
        ([1, 1] * 5 + [0, 1] * 5 + [1] * 20, [10]),
        ([0, 1, 0, 0, 1, 0] + [1, 0, 0, 0, 1, 0, 0, 1] + [0] * 9, [3]),
    ],
)
def test_the_interval_of_rare_events_holds_the_indices_within_2_of_the_best_log_likelihood(
    values: list[int], changes: list[int]
) -> None:
    scores = np.array(values, dtype=float)

    found = rare_event_intervals(scores, changes_at(scores.size, *changes))

    event = [value != float(np.median(scores)) for value in values]
    expected = []
    edges = [0, *changes, len(values)]
    for low, index, high in zip(edges, edges[1:], edges[2:], strict=False):
        likelihoods = {
            at: log_likelihood(sum(event[low:at]), at - low) + log_likelihood(sum(event[at:high]), high - at)
            for at in range(low + 1, high)
        }
        plausible = [at for at, one in likelihoods.items() if one >= max(likelihoods.values()) - 2]
        expected.append((min(*plausible, index), max(*plausible, index)))
    assert found == expected


def test_the_detectable_shift_is_the_smallest_step_with_evidence_beyond_the_threshold() -> None:
    scores = np.stack([noise(9, 25), np.cumsum(noise(8, 25)), 1e-4 * noise(7, 25)])
    alphas = np.array([0.05, 0.01, 0.05])

    found = detectable_shift(scores, alphas)

    for row, (series, alpha) in enumerate(zip(scores, alphas, strict=True)):
        left = by_definition.less_means(series, [12])
        smallest = by_definition.smallest_variance(series)
        needed = by_definition.fit(left, smallest).loss + float(threshold(np.array(alpha), 25)) + 2
        sizes = [0.1 * 1000 ** (number / 79) for number in range(80)]
        expected = next(
            size for size in sizes if by_definition.fit(with_steps(left, (12, size)), smallest).loss >= needed
        )
        assert found[row] == pytest.approx(expected)


def test_a_shift_that_no_step_reaches_is_not_detectable() -> None:
    assert np.isnan(detectable_shift(1e4 * noise(9, 25)[None], np.array([0.05]))).all()


EXTENSIONS = (3, 5, 10, 20, 30, 50, 100)


def p_value_after(scores: Floats, index: int, count: int) -> float:
    """The p-value of a step when the sessions after it are repeated, backwards and forwards in turn."""
    after = scores[index:].tolist()
    series = np.array(scores.tolist() + (after[::-1] + after) * count)[: scores.size + count]
    gain = by_definition.fit_changes(series, []).loss - by_definition.fit_changes(series, [index]).loss
    return float(p_value(np.array(gain), series.size))


def test_as_many_further_sessions_are_needed_as_reach_the_p_value() -> None:
    scores = with_steps(noise(13, 30), (25, 3.0))
    p_values = [p_value_after(scores, 25, count) for count in EXTENSIONS]
    assert p_values == sorted(p_values, reverse=True)

    found = [sessions_until_found(scores, 25, 1.001 * p) for p in p_values]

    assert found == list(EXTENSIONS)
    assert sessions_until_found(scores, 25, 0.999 * p_values[-1]) is None


def test_a_batch_gives_what_each_series_gives_alone() -> None:
    scores, _ = robust_scores(np.cumsum(np.random.default_rng(6).standard_normal((20, 60)), axis=1))

    together = weigh(scores)
    alone = [weigh(row[None]) for row in scores]

    assert together.p_values == pytest.approx([one.p_values[0] for one in alone])
    assert (together.segmentations.is_change == np.concatenate([one.segmentations.is_change for one in alone])).all()


def test_rare_events_close_together_are_judged_by_their_permutations() -> None:
    series = np.zeros((1, 100))
    series[0, [60, 62, 63]] = 1.0

    clustered = weigh(robust_scores(series)[0]).p_values[0]

    assert clustered > 0.001


def test_more_sessions_after_a_step_confirm_it() -> None:
    scores = np.random.default_rng(10).standard_normal(40)
    scores[34:] += 2.5

    assert sessions_until_found(scores, 34, 0.05) in {3, 5, 10, 20}
    assert sessions_until_found(np.zeros(40), 34, 0.05) is None
