"""The fit of a straight line, against polynomial least squares."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.trend_fit import fit_trend, remove_trend, slope_of
from tests.analysis.stats import by_definition


def test_a_line_is_removed_with_its_slope() -> None:
    series = 3.0 + 0.5 * np.arange(20)[None]

    assert slope_of(series) == pytest.approx([0.5])
    assert remove_trend(series)[0] == pytest.approx(np.zeros(20), abs=1e-12)


@pytest.mark.parametrize("n", [13, 20])
def test_each_series_has_the_line_of_least_squares(n: int) -> None:
    series = np.random.default_rng(1).standard_normal((3, n)) + 0.3 * np.arange(n)

    assert slope_of(series) == pytest.approx([np.polyfit(np.arange(n), row, 1)[0] for row in series])
    assert remove_trend(series) == pytest.approx(np.array([by_definition.less_line(row) for row in series]))


def test_the_noise_about_a_line_is_fitted_to_what_the_line_leaves() -> None:
    series = np.random.default_rng(2).standard_normal((2, 20)) + 0.3 * np.arange(20)
    series[1] = 40.0 * np.arange(20)

    found = fit_trend(series)

    expected = [by_definition.fit(by_definition.less_line(row), by_definition.smallest_variance(row)) for row in series]
    assert found.losses == pytest.approx([one.loss for one in expected])
    assert found.variances == pytest.approx([one.variance for one in expected])
