"""A straight line through a series, as the alternative to steps."""

from __future__ import annotations

from clamp_analytics.analysis.stats.arrays import Floats, np
from clamp_analytics.analysis.stats.change_points import smallest_variances
from clamp_analytics.analysis.stats.noise_model import NoiseFit, cosine_transform, fit_noise


def slope_of(scores: Floats) -> Floats:
    """Return the slope per session of a least squares line through each series."""
    n = scores.shape[1]
    time = np.arange(n) - (n - 1) / 2
    slopes: Floats = scores @ time / (time @ time)
    return slopes


def remove_trend(scores: Floats) -> Floats:
    """Return what a least squares line leaves of each series."""
    n = scores.shape[1]
    lines = slope_of(scores)[:, None] * (np.arange(n) - (n - 1) / 2)
    result: Floats = scores - scores.mean(axis=1, keepdims=True) - lines
    return result


def fit_trend(scores: Floats) -> NoiseFit:
    """Fit the noise of what a least squares line leaves of each series."""
    return fit_noise(cosine_transform(remove_trend(scores)), smallest_variances(scores))
