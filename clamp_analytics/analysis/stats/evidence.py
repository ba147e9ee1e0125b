"""The evidence for a change in a series: p-values of changes and trends, and the shift that would have been found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clamp_analytics.analysis.stats.arrays import Bools, Floats, Integers, np
from clamp_analytics.analysis.stats.calibration import p_if_independent, p_value, threshold
from clamp_analytics.analysis.stats.change_points import (
    Segmentations,
    allowed_indices,
    find_changes,
    fit_segments,
    residuals,
    smallest_variances,
)
from clamp_analytics.analysis.stats.noise_model import NoiseFit, cosine_transform, fit_noise, spectra
from clamp_analytics.analysis.stats.step_scan import inner_products, layout, step_gains
from clamp_analytics.analysis.stats.trend_fit import fit_trend

PERMUTATIONS = 200
"""Orders of a series with many equal values that its evidence is compared with."""

PERMUTED_AT_ONCE = 25
"""How many of them are drawn before it is checked whether the evidence is ordinary already."""

ORDINARY = 10
"""The number of orders with at least as much evidence at which no more are drawn: the p-value is large."""

MOST_PERMUTED = 400
"""The most values that are permuted; the sessions of a longer series are permuted in bins."""

MARGIN = 2.0
"""Evidence beyond the threshold that a shift needs to be found in about four of five series instead of in half."""


EXTENSIONS = (3, 5, 10, 20, 30, 50, 100)
"""Numbers of further sessions that are tried to confirm a step."""


@dataclass(frozen=True, slots=True)
class ChangeTests:
    """The tests for a change in series of one length, one row per series.

    Attributes:
        segmentations: the best segmentation of each series.
        trend: the gain in log-likelihood by a straight line.
        p_values: of a change or trend, against a wander plus white noise.
        p_independent: of a single step, against independent noise.
        independent_step: the index of that step.
    """

    segmentations: Segmentations
    trend: Floats
    p_values: Floats
    p_independent: Floats
    independent_step: Integers


def weigh(scores: Floats) -> ChangeTests:
    """Test each series for changes and for a trend.

    Args:
        scores: robust scores, one series per row, of at least ``MIN_BEFORE + MIN_AFTER`` values.
    """
    segmentations, trend = _fit(scores)
    n = scores.shape[1]
    p_values = p_value(np.maximum(segmentations.evidence, trend), n)
    # Gaussian likelihoods overrate rare events among equal values. Any order of such values is equally likely if they
    # are independent, so their own permutations show what evidence means.
    for row in np.flatnonzero((p_values <= 0.1) & mostly_equal(scores)):
        p_values[row] = max(p_values[row], _permutation_p(scores[row]))
    p_independent, step = _independent_step(scores)
    return ChangeTests(segmentations, trend, p_values, p_independent, step)


def _fit(scores: Floats) -> tuple[Segmentations, Floats]:
    without = fit_noise(cosine_transform(scores), smallest_variances(scores))
    trend: Floats = without.losses - fit_trend(scores).losses
    return find_changes(scores, without), trend


def mostly_equal(scores: Floats) -> Bools:
    """Return whether at least half of the values of each series equal its median."""
    middle = np.median(scores, axis=1, keepdims=True)
    result: Bools = np.mean(scores == middle, axis=1) >= 0.5
    return result


def _permutation_p(scores: Floats) -> float:
    """Return the p-value of the evidence among permutations of the series.

    The search ends early where it is large (Besag and Clifford, Sequential Monte Carlo p-values, 1991,
    doi:10.1093/biomet/78.2.301). Beyond the largest tenth of the permutations an exponential tail is fitted. The m
    values that differ from the median can be arranged in C(n, m) ways, of which about n m have them close together, so
    that no p-value is below n m / C(n, m).
    """
    values = _in_bins(scores)
    strongest = float(_evidence(values[None])[0])
    generator = np.random.default_rng(scores.size)
    null = np.zeros(0)
    while null.size < PERMUTATIONS:
        permuted = generator.permuted(np.tile(values, (PERMUTED_AT_ONCE, 1)), axis=1)
        null = np.append(null, _evidence(permuted))
        if np.sum(null >= strongest) >= ORDINARY:
            return float(np.mean(null >= strongest))
    null = np.sort(null)
    tail = null[int(0.9 * PERMUTATIONS) :]
    fitted = 0.1 * math.exp(-(strongest - tail[0]) / max(float(tail.mean() - tail[0]), 1.0))
    n, m = scores.size, int(np.sum(scores != np.median(scores)))
    return max(fitted, n * m / math.comb(n, m))


def _evidence(scores: Floats) -> Floats:
    segmentations, trend = _fit(scores)
    result: Floats = np.maximum(segmentations.evidence, trend)
    return result


def _in_bins(scores: Floats) -> Floats:
    """Return the means of neighbouring sessions, as few as leave at most ``MOST_PERMUTED``, without the oldest rest."""
    size = -(-scores.size // MOST_PERMUTED)
    result: Floats = scores[scores.size % size :].reshape(scores.size // size, size).mean(axis=1)
    return result


def _independent_step(scores: Floats) -> tuple[Floats, Integers]:
    """Return the p-value of the best single step if values are independent, and its index."""
    rows, n = scores.shape
    cells = np.zeros(rows, dtype=np.int64)
    transformed = cosine_transform(scores)
    gains = step_gains(inner_products(transformed, cells), cells)
    gains = np.where(allowed_indices(np.zeros((rows, n), dtype=bool)), gains, -np.inf)
    index = gains.argmax(axis=1)
    total = np.maximum(np.sum(transformed**2, axis=1), 1e-300)
    explained = np.minimum(gains.max(axis=1) / total, 1 - 1e-4)
    return p_if_independent(-0.5 * (n - 1) * np.log(1 - explained), n), index


def detectable_shift(scores: Floats, alphas: Floats) -> Floats:
    """Return the smallest step in the middle of each series that would have been found, in units of the scores.

    Evidence must exceed the threshold by ``MARGIN``, so that the step would have been found in about four of five
    series with this noise.

    Args:
        scores: robust scores without the changes that were found.
        alphas: the p-value that the step in each series must reach.
    """
    rows, n = scores.shape
    smallest = smallest_variances(scores)
    middle = np.zeros((rows, n), dtype=bool)
    middle[:, n // 2] = True
    transformed = cosine_transform(residuals(scores, middle))
    loss = fit_noise(transformed, smallest).losses
    table = spectra(n)
    frequency = np.arange(1, n)
    step = layout(n).amplitudes * np.sin(np.pi * (n // 2) * frequency / n)
    constant = transformed**2 @ table.inverse.T
    linear = 2 * (transformed * step) @ table.inverse.T
    square = step**2 @ table.inverse.T
    needed = threshold(alphas, n) + MARGIN
    result = np.full(rows, np.nan)
    for size in np.geomspace(0.1, 100, 80):
        variances = np.maximum((constant + size * linear + size**2 * square) / (n - 1), smallest[:, None])
        evidence = (0.5 * (n - 1) * np.log(variances) + table.offset).min(axis=1) - loss
        found = np.isnan(result) & (evidence >= needed)
        result[found] = size
    return result


def change_p_values(scores: Floats, is_change: Bools) -> Floats:
    """Return the p-value of each change of one series, given the others."""
    indices = np.flatnonzero(is_change)
    if not indices.size:
        return np.zeros(0)
    smallest = smallest_variances(scores[None])
    loss = fit_segments(scores[None], is_change[None], smallest).losses
    without = np.repeat(is_change[None], indices.size, axis=0)
    without[np.arange(indices.size), indices] = False
    fits = fit_segments(np.repeat(scores[None], indices.size, axis=0), without, np.repeat(smallest, indices.size))
    return p_value(fits.losses - loss, scores.size)


def change_intervals(scores: Floats, is_change: Bools, noise: NoiseFit) -> list[tuple[int, int]]:
    """Return the smallest and largest plausible index of each change of one series.

    They are the indices whose log-likelihood, given the other changes, is within 2 of the best: for a smooth parameter
    that is a 95 % interval.
    """
    n = scores.size
    result = []
    indices = np.flatnonzero(is_change)
    edges = [0, *indices.tolist(), n]
    for number, index in enumerate(indices.tolist(), start=1):
        others = is_change.copy()
        others[index] = False
        products = inner_products(cosine_transform(residuals(scores[None], others[None])), noise.cells)
        gains = step_gains(products, noise.cells)[0] / (2 * noise.variances[0])
        plausible = np.flatnonzero(gains >= gains[index] - 2)
        plausible = plausible[(plausible > edges[number - 1]) & (plausible < edges[number + 1])]
        result.append((int(plausible.min()), int(plausible.max())))
    return result


def rare_event_intervals(scores: Floats, is_change: Bools) -> list[tuple[int, int]]:
    """Return the smallest and largest plausible index of each change of one series of mostly equal values.

    Between its neighbouring changes each value counts as an event if it differs from the median of the series. The
    indices are those whose log-likelihood for two rates of events is within 2 of the best, as in ``change_intervals``,
    which takes such values for nearly noiseless and so is too sure of the index.
    """
    event = (scores != np.median(scores)).astype(np.float64)
    edges = [0, *np.flatnonzero(is_change).tolist(), scores.size]
    result = []
    for start, index, end in zip(edges, edges[1:], edges[2:], strict=False):
        part = event[start:end]
        before = np.arange(1, part.size)
        hits = np.cumsum(part)[:-1]
        likelihood = _log_likelihood(hits, before) + _log_likelihood(part.sum() - hits, part.size - before)
        plausible = start + before[likelihood >= likelihood.max() - 2]
        result.append((min(int(plausible.min()), index), max(int(plausible.max()), index)))
    return result


def _log_likelihood(events: Floats, trials: Floats | Integers) -> Floats:
    """Return the log-likelihood of events at their own rate."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (part * np.log(part / trials) for part in (events, trials - events))
        result: Floats = np.sum([np.nan_to_num(term) for term in terms], axis=0)
    return result


def sessions_until_found(scores: Floats, index: int, alpha: float) -> int | None:
    """Return how many further sessions at its latest level would make a step in one series significant.

    The sessions after the step are repeated in reverse order, so that they keep their correlation.

    Args:
        scores: the robust scores of the series.
        index: the first session after the step.
        alpha: the p-value that the step must reach.

    Returns:
        The smallest of ``EXTENSIONS`` that suffices; None where none does.
    """
    after = scores[index:]
    mirrored = np.concatenate([after[::-1], after])
    for count in EXTENSIONS:
        extended = np.concatenate([scores, np.resize(mirrored, count)])[None]
        is_change = np.zeros(extended.shape, dtype=bool)
        is_change[0, index] = True
        smallest = smallest_variances(extended)
        without = fit_noise(cosine_transform(extended), smallest).losses[0]
        if without - fit_segments(extended, is_change, smallest).losses[0] >= float(
            threshold(np.array(alpha), extended.size)
        ):
            return count
    return None
