"""The noise model, against spectral densities and likelihoods from their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.change_points import smallest_variances
from clamp_analytics.analysis.stats.noise_model import (
    CELLS,
    cosine_transform,
    fit_noise,
    low_frequency_density,
    spectra,
)
from tests.analysis.stats import by_definition


def autoregressive(generator: np.random.Generator, rows: int, n: int, phi: float) -> Floats:
    values = np.zeros((rows, n + 200))
    for index in range(1, n + 200):
        values[:, index] = phi * values[:, index - 1] + generator.standard_normal(rows)
    return values[:, 200:]


def test_the_models_are_those_with_which_the_thresholds_were_simulated() -> None:
    assert list(CELLS) == by_definition.MODELS


@pytest.mark.parametrize("n", [13, 40])
def test_spectra_are_those_of_autoregressive_processes_plus_white_noise(n: int) -> None:
    density = by_definition.densities(n)
    at_zero = [by_definition.density_at_zero(model) for model in range(73)]

    assert spectra(n).inverse == pytest.approx(1 / density)
    assert spectra(n).offset == pytest.approx(0.5 * np.log(density).sum(axis=1) + 0.5 * np.log(at_zero))


def test_the_density_at_frequency_zero_is_the_variance_of_a_mean_times_its_number() -> None:
    phi, rho = CELLS[16]
    lags = np.arange(1, 2000)
    correlations = phi**lags / (1 + rho)

    assert low_frequency_density(16) == pytest.approx(1 + 2 * correlations.sum())


@pytest.mark.parametrize("n", [13, 20])
def test_the_cosine_transform_is_the_product_with_cosines(n: int) -> None:
    series = np.random.default_rng(1).standard_normal((3, n)) + 5

    assert cosine_transform(series) == pytest.approx(series @ by_definition.cosines(n).T)


def test_the_noise_fit_has_the_lowest_loss_of_all_models() -> None:
    generator = np.random.default_rng(3)
    series = np.concatenate([autoregressive(generator, 3, 30, phi) for phi in (0.0, 0.6, 0.95)])
    smallest = np.array([1e-12, 1e-12, 2.5] * 3)

    found = fit_noise(cosine_transform(series), smallest)

    expected = [by_definition.fit(row, limit) for row, limit in zip(series, smallest, strict=True)]
    assert found.cells.tolist() == [one.model for one in expected]
    assert found.losses == pytest.approx([one.loss for one in expected])
    assert found.variances == pytest.approx([one.variance for one in expected])


def test_the_smallest_variance_of_noise_is_a_share_of_the_variance_of_the_series() -> None:
    series = np.array([[0.0, 2.0, 4.0, 6.0], [1.0, 1.0, 1.0, 1.0]])

    # The variance of the first series is (9 + 1 + 1 + 9) / 4 = 5.
    assert smallest_variances(series) == pytest.approx([5e-4, 1e-12], rel=1e-12)


@pytest.mark.parametrize("phi, low, high", [(0.0, 1.0, 1.7), (0.5, 1.7, 6.0), (0.9, 6.0, 500.0)])
def test_the_noise_fit_sees_how_strongly_neighbours_are_correlated(phi: float, low: float, high: float) -> None:
    series = autoregressive(np.random.default_rng(2), 40, 300, phi)

    cells = fit_noise(cosine_transform(series), smallest_variances(series)).cells

    density = np.median([low_frequency_density(int(cell)) for cell in cells])
    assert low <= density <= high
