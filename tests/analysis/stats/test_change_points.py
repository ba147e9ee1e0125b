"""Change points against correlated noise, checked against explicit least squares."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.arrays import Bools, Floats
from clamp_analytics.analysis.stats.calibration import threshold
from clamp_analytics.analysis.stats.change_points import (
    Segmentations,
    add_early_change,
    allowed_indices,
    find_changes,
    fit_segments,
    refine_changes,
    residuals,
    smallest_variances,
)
from clamp_analytics.analysis.stats.noise_model import cosine_transform, fit_noise
from clamp_analytics.analysis.stats.robust_scores import robust_scores
from tests.analysis.stats import by_definition


def normal(seed: int, n: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(n)


def changes_at(n: int, *indices: int) -> Bools:
    return np.isin(np.arange(n), indices)


def search(scores: Floats) -> Segmentations:
    return find_changes(scores, fit_noise(cosine_transform(scores), smallest_variances(scores)))


def test_residuals_are_taken_about_the_mean_of_each_segment() -> None:
    is_change = np.array([[False, False, True, False], [False, True, False, True]])
    scores = np.array([[1.0, 3.0, 10.0, 30.0], [5.0, 1.0, 2.0, 7.0]])

    assert residuals(scores, is_change).tolist() == [[-1.0, 1.0, -10.0, 10.0], [0.0, -0.5, 0.5, 0.0]]


def test_changes_keep_their_distance_from_both_ends_and_from_each_other() -> None:
    is_change = np.zeros((1, 24), dtype=bool)
    is_change[0, 16] = True

    assert np.flatnonzero(allowed_indices(is_change)[0]).tolist() == [10, 11, 12, 13, 19, 20, 21]


@pytest.mark.parametrize(
    "changes", [[(50, 6.0)], [(30, 6.0), (70, -4.0)], [(20, 5.0), (40, 5.0), (60, -5.0), (80, 5.0)]]
)
def test_large_changes_are_found_at_their_index(changes: list[tuple[int, float]]) -> None:
    series = np.random.default_rng(4).standard_normal((1, 100))
    for index, size in changes:
        series[:, index:] += size
    scores, _ = robust_scores(series)

    found = search(scores)

    assert np.flatnonzero(found.is_change[0]).tolist() == pytest.approx([index for index, _ in changes], abs=1)
    assert found.evidence[0] > threshold(np.array(0.001), 100)


def test_a_change_moves_to_its_index_where_the_clipped_scores_were_equal() -> None:
    values = np.array([0.1, -0.4, 0.3, 0.0, -0.2, 0.4, -0.1, 0.2, -0.3, 0.1, 0.5, 2.9, 40.0, 41.0, 39.5, 40.2, 40.1])
    is_change = np.zeros(17, dtype=bool)
    is_change[11] = True

    refined, clipped, _ = refine_changes(values, is_change)

    assert np.flatnonzero(refined).tolist() == [12]
    assert clipped.tolist() == values.tolist()


def series_of_length(n: int) -> Floats:
    """Noise, a wander, a step, steps up and down, an outage, many levels, and squares; one per row."""
    time = np.arange(n)
    return np.stack(
        [
            normal(1, n),
            np.cumsum(normal(2, n)),
            normal(3, n) + 5.0 * (time >= n // 2 + 2),
            normal(4, n) + 4.0 * (time >= 12) - 6.0 * (time >= n - 4),
            normal(1, n) + 3.0 * ((time >= n // 3) & (time < 2 * n // 3)),
            0.2 * normal(5, n) + np.repeat(4.0 * normal(6, n), 3)[:n],
            # The evidence falls twice before the best segmentation, or rises again after it has fallen three times.
            0.5 * normal(11, n) + 4.0 * (time // 5 % 2),
            0.5 * normal(12, n) + 4.0 * (time // 5 % 2),
        ]
    )


@pytest.mark.parametrize("n", [13, 16, 20, 31, 45])
def test_the_search_finds_what_a_search_of_each_series_by_definition_finds(n: int) -> None:
    scores = series_of_length(n)

    found = search(scores)

    for row, series in enumerate(scores):
        changes, fit, evidence = by_definition.find_changes(series)
        assert np.flatnonzero(found.is_change[row]).tolist() == changes
        assert found.cells[row] == fit.model
        assert (found.losses[row], found.variances[row]) == pytest.approx((fit.loss, fit.variance))
        assert found.evidence[row] == pytest.approx(evidence)


@pytest.mark.parametrize("seed", range(3))
def test_segments_are_fitted_with_the_smallest_variance_that_is_given(seed: int) -> None:
    scores = normal(seed, 20)

    found = fit_segments(np.stack([scores, scores]), np.stack([changes_at(20, 12)] * 2), np.array([1e-12, 3.0]))

    expected = [by_definition.fit_changes(scores, [12], smallest) for smallest in (1e-12, 3.0)]
    assert found.losses == pytest.approx([one.loss for one in expected])
    assert found.variances == pytest.approx([one.variance for one in expected])


@pytest.mark.parametrize("changes", [(), (11,), (14, 22), (12, 17, 25)])
@pytest.mark.parametrize("seed", [1, 2])
def test_changes_are_refined_on_values_that_are_clipped_about_the_levels(seed: int, changes: tuple[int, ...]) -> None:
    n = 31
    values = normal(seed, n) + 5.0 * (np.arange(n) >= 14) - 3.0 * (np.arange(n) >= 24)
    values[[4, 20]] = (-40.0, 50.0)

    refined, clipped, noise = refine_changes(values, changes_at(n, *changes))

    medians = [float(np.median(part)) for part in np.split(values, list(changes))]
    about_levels = np.minimum(np.maximum(values, min(medians) - 3), max(medians) + 3)
    expected, fit = list(changes), by_definition.fit_changes(about_levels, changes)
    for _ in range(2):
        expected, fit = by_definition.move_changes(about_levels, expected, fit)
    assert clipped == pytest.approx(about_levels)
    assert np.flatnonzero(refined).tolist() == expected
    assert (noise.losses[0], noise.variances[0], noise.cells[0]) == pytest.approx((fit.loss, fit.variance, fit.model))


@pytest.mark.parametrize("first", [10, 11, 12, 13, 20])
def test_an_early_change_is_added_where_it_adds_more_than_its_cost(first: int) -> None:
    n = 30
    early_ones = range(3, min(9, first - 3) + 1)
    for early in range(2, 11):
        for size in (1.0, 3.0, 6.0):
            level = np.where(np.arange(n) < early, size, 0.0) + 4.0 * (np.arange(n) >= first)
            scores = level + 0.7 * normal(early, n)

            found = add_early_change(scores, changes_at(n, first))

            losses = {index: by_definition.fit_changes(scores, [index, first]).loss + 5.25 for index in early_ones}
            best = min(early_ones, key=lambda index: losses[index])
            pays = losses[best] < by_definition.fit_changes(scores, [first]).loss
            assert np.flatnonzero(found).tolist() == ([best, first] if pays else [first])


def test_changes_are_moved_twice() -> None:
    # A third round would move the first two again.
    values = normal(8506, 40) + np.repeat([0.0, 2.0, 0.5, 3.0], 10)

    refined, clipped, _ = refine_changes(values, changes_at(40, 11, 14, 17))

    changes, fit = [11, 14, 17], by_definition.fit_changes(clipped, [11, 14, 17])
    for _ in range(2):
        changes, fit = by_definition.move_changes(clipped, changes, fit)
    assert np.flatnonzero(refined).tolist() == changes
    assert by_definition.move_changes(clipped, changes, fit)[0] != changes
