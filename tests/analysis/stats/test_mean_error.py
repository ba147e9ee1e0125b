"""The error of means, against the covariance matrix of each noise model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.stats import t as student

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.mean_error import error_of_means, model_probabilities
from tests.analysis.stats import by_definition

CONSIDERED = [model for model, (phi, _) in enumerate(by_definition.MODELS) if phi <= 0.985]
PRIOR = [0.15, *[0.85 / 60] * 60]

SIDES = [
    np.array([1.0, 1.3, 0.7, 1.9, 2.2, 1.4, 1.1, 0.4, 0.9, 1.6, 1.5, 2.0]),
    np.array([2.1, 1.8, 2.9, 3.3, 2.5, 2.4, 2.7, 3.9, 3.1, 1.2]),
]


def variance_of_mean(n: int, model: int) -> float:
    """The variance of the mean of n values with unit variance: the mean of their covariance matrix."""
    phi, white = by_definition.MODELS[model]
    covariance = toeplitz(phi ** np.arange(n, dtype=float)) + white * np.eye(n)
    return float(covariance.mean()) / (1 + white)


def variance_and_likelihood(side: Floats, model: int) -> tuple[float, float]:
    """The variance of a value and the logarithm of Whittle's likelihood, up to a constant."""
    density = by_definition.densities(side.size)[model]
    variance = float(np.mean((by_definition.cosines(side.size) @ side) ** 2 / density))
    return variance, -0.5 * float(np.log(density * variance).sum())


def weights_of(sides: list[Floats]) -> Floats:
    logs = [
        math.log(prior) + sum(variance_and_likelihood(side, model)[1] for side in sides)
        for prior, model in zip(PRIOR, CONSIDERED, strict=True)
    ]
    weights = np.exp(np.array(logs) - max(logs))
    normalized: Floats = weights / weights.sum()
    return normalized


@pytest.mark.parametrize("sides", [SIDES[:1], SIDES], ids=["one side", "two sides"])
def test_models_are_weighted_by_their_prior_and_likelihood(sides: list[Floats]) -> None:
    models, weights, variances = model_probabilities(sides)

    assert models.tolist() == CONSIDERED
    assert weights == pytest.approx(weights_of(sides))
    for side, of_side in zip(sides, variances, strict=True):
        assert of_side == pytest.approx([variance_and_likelihood(side, model)[0] for model in CONSIDERED])


def test_independent_values_have_one_model() -> None:
    models, weights, (variances,) = model_probabilities(SIDES[1:], correlated=False)

    assert (models.tolist(), weights.tolist()) == ([0], [1.0])
    assert variances == pytest.approx([SIDES[1].var(ddof=1)])


@pytest.mark.parametrize("sides", [SIDES[:1], SIDES], ids=["one side", "two sides"])
def test_the_error_of_each_model_adds_the_variances_of_the_means(sides: list[Floats]) -> None:
    found = error_of_means(sides)

    assert found is not None
    of_means = np.array(
        [
            [variance_and_likelihood(side, model)[0] * variance_of_mean(side.size, model) for model in CONSIDERED]
            for side in sides
        ]
    )
    freedoms = np.array([side.size - 1 for side in sides])[:, None]
    assert found.weights == pytest.approx(weights_of(sides))
    assert found.errors == pytest.approx(np.sqrt(of_means.sum(axis=0)))
    assert found.freedoms == pytest.approx(of_means.sum(axis=0) ** 2 / (of_means**2 / freedoms).sum(axis=0))


def test_a_side_of_equal_values_adds_no_error() -> None:
    found = error_of_means([SIDES[0], np.full(10, 4.0)])

    alone = error_of_means(SIDES[:1])
    assert found is not None
    assert alone is not None
    assert found.errors == pytest.approx(alone.errors)
    assert found.freedoms == pytest.approx([11.0] * 61)


def test_equal_values_on_each_side_have_no_error() -> None:
    assert error_of_means([np.full(10, 4.0), np.full(12, 5.0)]) is None


@pytest.mark.parametrize("size, models", [(9, 1), (10, 61)])
def test_the_smaller_side_decides_whether_correlation_is_considered(size: int, models: int) -> None:
    found = error_of_means([SIDES[0], SIDES[1][:size]])

    assert found is not None
    assert found.weights.size == models


def test_probabilities_and_quantiles_are_those_of_the_mixture() -> None:
    found = error_of_means(SIDES)

    assert found is not None
    expected = sum(
        weight * 2 * student.sf(1.0, freedom, scale=error)
        for weight, error, freedom in zip(found.weights, found.errors, found.freedoms, strict=True)
    )
    assert found.exceeded(1.0) == found.exceeded(-1.0) == pytest.approx(expected)
    for share in (0.6, 0.975, 0.9999):
        assert found.exceeded(found.quantile(share)) == pytest.approx(2 * (1 - share), rel=1e-9)


def test_models_that_a_long_wander_rules_out_have_no_weight() -> None:
    wander = 1000 * np.cumsum(np.random.default_rng(1).standard_normal(2000))

    _, weights, _ = model_probabilities([wander])

    assert (weights.sum(), weights[0]) == (pytest.approx(1.0), 0.0)


def test_the_quantile_of_independent_values_is_that_of_student() -> None:
    side = np.array([1.0, 2.0, 4.0])

    found = error_of_means([side])

    assert found is not None
    assert found.quantile(0.975) == pytest.approx(student.ppf(0.975, 2, scale=side.std(ddof=1) / math.sqrt(3)))
