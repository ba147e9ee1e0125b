"""Generalized least squares fits of one step, or of one segment, at every position of a series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from clamp_analytics.analysis.stats.arrays import Floats, Integers, np
from clamp_analytics.analysis.stats.noise_model import spectra

MIN_BEFORE = 10
"""Sessions before the first change, at least."""

MIN_AFTER = 3
"""Sessions at each level after the first change, at least."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Steps and segments in series of one length.

    Attributes:
        amplitudes: the cosine transform of a step at index k has the coefficient ``amplitudes[f - 1]`` times
            sin(pi k f / n) at frequency f.
        starts: the first index of each segment that is tried.
        ends: the index after the last one of each segment.
    """

    amplitudes: Floats
    starts: Integers
    ends: Integers


@lru_cache(maxsize=32)
def layout(n: int) -> Layout:
    """Return the steps and segments of series of ``n`` values."""
    frequency = np.arange(1, n)
    starts, ends = [], []
    length = MIN_AFTER
    while length <= n - MIN_BEFORE - MIN_AFTER:
        stride = max(1, length // 8) if n <= 400 else max(1, length // 4)
        first = np.arange(MIN_BEFORE, n - MIN_AFTER - length + 1, stride)
        starts.append(first)
        ends.append(first + length)
        length = max(length + 1, int(length * 1.2))
    none = np.zeros(0, dtype=np.int64)
    return Layout(
        amplitudes=-np.sqrt(2 / n) / (2 * np.sin(np.pi * frequency / (2 * n))),
        starts=np.concatenate([none, *starts]),
        ends=np.concatenate([none, *ends]),
    )


@lru_cache(maxsize=256)
def information(n: int, cell: int) -> tuple[Floats, Floats]:
    """Return the weighted sums of squares of the step at each index from 0 to n, and of each segment of ``layout``.

    The inner product of steps at j and k is half of C(j - k) - C(j + k), with C the cosine sums of the weights.
    """
    from scipy.fft import dct

    table = layout(n)
    weights = spectra(n).inverse[cell] * table.amplitudes**2
    cosines = dct(np.concatenate([[0.0], weights, [0.0]]), type=1) / 2
    doubled = 2 * np.arange(n + 1)
    steps = 0.5 * (cosines[0] - cosines[np.minimum(doubled, 2 * n - doubled)])
    a, b = table.starts, table.ends
    cross = 0.5 * (cosines[b - a] - cosines[np.minimum(a + b, 2 * n - a - b)])
    return steps, steps[a] + steps[b] - 2 * cross


def inner_products(transformed: Floats, cells: Integers) -> Floats:
    """Return the weighted inner product of each series with the step at each index from 0 to n.

    Args:
        transformed: the cosine transforms, one per row.
        cells: the index of the noise model of each row; its inverse density are the weights.
    """
    from scipy.fft import dst

    n = transformed.shape[1] + 1
    products = np.zeros((len(transformed), n + 1))
    products[:, 1:n] = dst(transformed * spectra(n).inverse[cells] * layout(n).amplitudes, type=1, axis=1) / 2
    return products


def step_gains(products: Floats, cells: Integers) -> Floats:
    """Return how much a step at each index from 0 to n explains of each series; 0 at both ends.

    The gain is the square of the inner product over the information: the reduction of the weighted sum of squares by a
    generalized least squares fit.

    Source: Robbins, Gallagher and Lund, A General Regression Changepoint Test for Time Series Data, 2016,
    doi:10.1080/01621459.2015.1029130.

    Args:
        products: the inner products of each series with steps.
        cells: the index of the noise model of each series.
    """
    n = products.shape[1] - 1
    result = np.zeros_like(products)
    for cell in np.unique(cells):
        rows = cells == cell
        result[rows, 1:n] = products[rows, 1:n] ** 2 / information(n, int(cell))[0][1:n]
    return result


def segment_gains(products: Floats, cells: Integers) -> Floats:
    """Return how much each segment of ``layout`` with a level of its own explains of each series.

    The segments are of lengths that grow geometrically, so that their number grows hardly faster than n.

    Source: Kovacs, Buehlmann, Li and Munk, Seeded Binary Segmentation, 2023, doi:10.1093/biomet/asac052.

    Args:
        products: the inner products of each series with steps.
        cells: the index of the noise model of each series.
    """
    n = products.shape[1] - 1
    table = layout(n)
    result = (products[:, table.starts] - products[:, table.ends]) ** 2
    for cell in np.unique(cells):
        result[cells == cell] /= information(n, int(cell))[1]
    return result
