"""Noise of a series: a slow wander plus white noise, fitted in the frequency domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from clamp_analytics.analysis.stats.arrays import Floats, Integers, np

WANDER = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.985, 0.996, 0.9992)
"""Correlations of neighbours in the wander that the fit tries; the last is close to a random walk."""

WHITE = (0.0, 0.15, 0.4, 1.0, 2.5, 6.0)
"""Variances of the white noise that the fit tries, in units of the variance of the wander."""

CELLS: tuple[tuple[float, float], ...] = ((0.0, 0.0), *((phi, rho) for phi in WANDER for rho in WHITE))
"""Every combination that the fit tries: white noise alone first."""

SMALLEST_SHARE = 1e-4
"""The variance of the noise is at least this share of the variance of the series: the likelihood of values without any
noise would be infinite otherwise."""

PRIOR = 0.5
"""Weight of the prior for noise with little power at low frequencies. A step in white noise resembles a slow wander,
and then the residuals are white; the residuals of a true wander are not. The prior tells the two apart."""


@dataclass(frozen=True, slots=True)
class Spectra:
    """The spectral densities of ``CELLS`` at the frequencies of series of one length.

    Attributes:
        inverse: one over the density, one row per cell.
        offset: half the sum of the logarithms of the densities, plus the prior, by cell.
    """

    inverse: Floats
    offset: Floats


def low_frequency_density(cell: int) -> float:
    """Return the spectral density of one of ``CELLS`` at frequency 0: the variance of a mean times its number."""
    phi, rho = CELLS[cell]
    return ((1 + phi) / (1 - phi) + rho) / (1 + rho)


@lru_cache(maxsize=32)
def spectra(n: int) -> Spectra:
    """Return the spectra for series of ``n`` values."""
    cosine = np.cos(np.pi * np.arange(1, n) / n)
    density = np.empty((len(CELLS), n - 1))
    lowest = np.array([low_frequency_density(cell) for cell in range(len(CELLS))])
    for row, (phi, rho) in zip(density, CELLS, strict=True):
        wander = (1 - phi * phi) / (1 - 2 * phi * cosine + phi * phi)
        row[:] = (wander + rho) / (1 + rho)
    return Spectra(1 / density, 0.5 * np.log(density).sum(axis=1) + PRIOR * np.log(lowest))


def cosine_transform(series: Floats) -> Floats:
    """Return the orthonormal discrete cosine transform of each row, without its constant term."""
    from scipy.fft import dct

    transformed: Floats = dct(series, axis=1, norm="ortho")[:, 1:]
    return transformed


@dataclass(frozen=True, slots=True)
class NoiseFit:
    """The noise of several series.

    Attributes:
        losses: the negative log-likelihood of each series, up to a constant that depends on its length only.
        cells: the index of the noise model of each series in ``CELLS``.
        variances: the variance of the noise of each series.
    """

    losses: Floats
    cells: Integers
    variances: Floats


def fit_noise(transformed: Floats, smallest: Floats) -> NoiseFit:
    """Fit the noise of each series by Whittle's likelihood, with a prior for noise that wanders little.

    The coefficients of the cosine transform of a stationary series are nearly independent, with the spectral density
    as their variance. Unlike the Fourier transform, the cosine transform does not see a jump between the last and the
    first value of a series that wanders.

    Source: Whittle, Estimation and Information in Stationary Time Series, 1953, doi:10.1007/BF02590998. A wander plus
    white noise as the alternative to changes: Romano, Rigaill, Runge and Fearnhead, Detecting Abrupt Changes in the
    Presence of Local Fluctuations and Autocorrelated Noise, 2022, doi:10.1080/01621459.2021.1909598.

    Args:
        transformed: the cosine transforms, one per row.
        smallest: the smallest variance that the noise of each series may have.
    """
    frequencies = transformed.shape[1]
    table = spectra(frequencies + 1)
    variances = np.maximum(transformed**2 @ table.inverse.T / frequencies, smallest[:, None])
    losses = 0.5 * frequencies * np.log(variances) + table.offset
    best = losses.argmin(axis=1)
    rows = np.arange(best.size)
    return NoiseFit(losses[rows, best], best, variances[rows, best])
