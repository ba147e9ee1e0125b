"""Change points against correlated noise, checked against explicit least squares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.calibration import p_value, threshold
from clamp_analytics.analysis.stats.change_points import (
    allowed_indices,
    find_changes,
    refine_changes,
    residuals,
    smallest_variances,
)
from clamp_analytics.analysis.stats.evidence import detectable_shift, sessions_until_found, weigh
from clamp_analytics.analysis.stats.noise_model import (
    CELLS,
    cosine_transform,
    fit_noise,
    low_frequency_density,
    spectra,
)
from clamp_analytics.analysis.stats.robust_scores import robust_scores
from clamp_analytics.analysis.stats.step_scan import inner_products, layout, segment_gains, step_gains
from clamp_analytics.analysis.stats.trend_fit import remove_trend, slope_of


def autoregressive(generator: np.random.Generator, rows: int, n: int, phi: float) -> Floats:
    values = np.zeros((rows, n + 200))
    for index in range(1, n + 200):
        values[:, index] = phi * values[:, index - 1] + generator.standard_normal(rows)
    return values[:, 200:]


def explained(series: Floats, regressor: Floats, cell: int) -> float:
    """The reduction of the weighted sum of squares by a regressor, from the definition."""
    weights = spectra(series.size).inverse[cell]
    y, x = dct(series, norm="ortho")[1:], dct(regressor, norm="ortho")[1:]
    return float((y * weights * x).sum() ** 2 / (x * weights * x).sum())


@pytest.mark.parametrize("n", [20, 31])
@pytest.mark.parametrize("cell", [0, 17, 60])
def test_gains_are_those_of_weighted_least_squares(n: int, cell: int) -> None:
    series = np.random.default_rng(1).standard_normal(n)
    cells = np.array([cell])
    products = inner_products(cosine_transform(series[None]), cells)
    index = np.arange(n)

    steps, segments = step_gains(products, cells)[0], segment_gains(products, cells)[0]

    assert steps[1:n] == pytest.approx([explained(series, (index >= k).astype(float), cell) for k in range(1, n)])
    table = layout(n)
    expected = [
        explained(series, ((index >= a) & (index < b)).astype(float), cell)
        for a, b in zip(table.starts, table.ends, strict=True)
    ]
    assert segments == pytest.approx(expected)


@pytest.mark.parametrize("phi, low, high", [(0.0, 1.0, 1.7), (0.5, 1.7, 6.0), (0.9, 6.0, 500.0)])
def test_the_noise_fit_sees_how_strongly_neighbours_are_correlated(phi: float, low: float, high: float) -> None:
    series = autoregressive(np.random.default_rng(2), 40, 300, phi)

    cells = fit_noise(cosine_transform(series), smallest_variances(series)).cells

    density = np.median([low_frequency_density(int(cell)) for cell in cells])
    assert low <= density <= high


def test_the_density_at_frequency_zero_is_the_variance_of_a_mean_times_its_number() -> None:
    phi, rho = CELLS[16]
    lags = np.arange(1, 2000)
    correlations = phi**lags / (1 + rho)

    assert low_frequency_density(16) == pytest.approx(1 + 2 * correlations.sum())


def test_residuals_are_taken_about_the_mean_of_each_segment() -> None:
    is_change = np.array([[False, False, True, False]])

    assert residuals(np.array([[1.0, 3.0, 10.0, 30.0]]), is_change).tolist() == [[-1.0, 1.0, -10.0, 10.0]]


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

    found = find_changes(scores, fit_noise(cosine_transform(scores), smallest_variances(scores)))

    assert np.flatnonzero(found.is_change[0]).tolist() == pytest.approx([index for index, _ in changes], abs=1)
    assert found.evidence[0] > threshold(np.array(0.001), 100)


def test_a_batch_gives_what_each_series_gives_alone() -> None:
    scores, _ = robust_scores(np.cumsum(np.random.default_rng(6).standard_normal((20, 60)), axis=1))

    together = weigh(scores)
    alone = [weigh(row[None]) for row in scores]

    assert together.p_values == pytest.approx([one.p_values[0] for one in alone])
    assert (together.segmentations.is_change == np.concatenate([one.segmentations.is_change for one in alone])).all()


def test_a_change_moves_to_its_index_where_the_clipped_scores_were_equal() -> None:
    values = np.array([0.1, -0.4, 0.3, 0.0, -0.2, 0.4, -0.1, 0.2, -0.3, 0.1, 0.5, 2.9, 40.0, 41.0, 39.5, 40.2, 40.1])
    is_change = np.zeros(17, dtype=bool)
    is_change[11] = True

    refined, clipped, _ = refine_changes(values, is_change)

    assert np.flatnonzero(refined).tolist() == [12]
    assert clipped.tolist() == values.tolist()


def test_a_p_value_and_its_threshold_are_inverse_and_longer_series_need_more_evidence() -> None:
    alphas = np.array([0.05, 0.01, 1e-6])

    assert p_value(threshold(alphas, 80), 80) == pytest.approx(alphas)
    assert (threshold(alphas, 500) > threshold(alphas, 50)).all()


def test_rare_events_close_together_are_judged_by_their_permutations() -> None:
    series = np.zeros((1, 100))
    series[0, [60, 62, 63]] = 1.0

    clustered = weigh(robust_scores(series)[0]).p_values[0]

    assert clustered > 0.001


def test_a_line_is_removed_with_its_slope() -> None:
    series = 3.0 + 0.5 * np.arange(20)[None]

    assert slope_of(series) == pytest.approx([0.5])
    assert remove_trend(series)[0] == pytest.approx(np.zeros(20), abs=1e-12)


def test_the_detectable_shift_is_where_its_evidence_reaches_the_threshold() -> None:
    noise = np.random.default_rng(9).standard_normal((1, 80))
    noise[:, 40:] -= noise[:, 40:].mean()
    noise[:, :40] -= noise[:, :40].mean()

    size = detectable_shift(noise, np.array([0.05]))[0]

    def evidence(step: float) -> float:
        series = noise.copy()
        series[:, 40:] += step
        smallest = smallest_variances(noise)
        return float(
            (
                fit_noise(cosine_transform(series), smallest).losses
                - fit_noise(cosine_transform(noise), smallest).losses
            )[0]
        )

    needed = float(threshold(np.array(0.05), 80)) + 2.0
    assert evidence(size) >= needed > evidence(size / 1.1)


def test_more_sessions_after_a_step_confirm_it() -> None:
    scores = np.random.default_rng(10).standard_normal(40)
    scores[34:] += 2.5

    assert sessions_until_found(scores, 34, 0.05) in {3, 5, 10, 20}
    assert sessions_until_found(np.zeros(40), 34, 0.05) is None
