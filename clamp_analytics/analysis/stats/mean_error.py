"""The error of a mean of values that may be correlated, averaged over the noise models that may explain them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from clamp_analytics.analysis.stats.arrays import Floats, Integers, np
from clamp_analytics.analysis.stats.noise_model import CELLS, cosine_transform, spectra

FEWEST_FOR_CORRELATION = 10
"""Values of a side whose correlation can be estimated; fewer are taken as independent."""

INDEPENDENT_WEIGHT = 0.15
"""The prior probability of independent values. All other noise models share the rest equally."""

STRONGEST_WANDER = 0.985
"""The largest correlation of neighbours that is considered: beyond it, hardly any difference of means would differ from
a wander."""

BISECTIONS = 60
"""Halvings of the interval that holds a quantile, which is then exact to the last digits."""


@dataclass(frozen=True, slots=True)
class MeanError:
    """The distribution of the error of a mean or of a difference of means.

    It is a mixture of Student's distributions, one for each noise model. A mixture allows for the fact that the
    correlation of few values is hardly known.

    Attributes:
        weights: the probability of each model; their sum is 1.
        errors: the standard error if the model holds.
        freedoms: its degrees of freedom.
    """

    weights: Floats
    errors: Floats
    freedoms: Floats

    def exceeded(self, size: float) -> float:
        """Return the probability that the magnitude of the error exceeds a size."""
        from scipy.special import stdtr

        return 2 * float(self.weights @ stdtr(self.freedoms, -abs(size) / self.errors))

    def quantile(self, share: float) -> float:
        """Return the error below which a share of at least a half of all errors are."""
        from scipy.special import stdtrit

        ends = self.errors * stdtrit(self.freedoms, share)
        low, high = float(ends.min()), float(ends.max())
        for _ in range(BISECTIONS if low < high else 0):
            middle = (low + high) / 2
            if self.exceeded(middle) > 2 * (1 - share):
                low = middle
            else:
                high = middle
        return high


def error_of_means(sides: Sequence[Floats], *, fewest: int = FEWEST_FOR_CORRELATION) -> MeanError | None:
    """Return the error of the mean of one side, or of the difference of the means of two, whose noise is alike.

    Under each noise model, the variance of a side is estimated from the coefficients of its cosine transform, and its
    likelihood is Whittle's; see ``fit_noise``. The models are averaged by their posterior probabilities.

    Source: Hoeting, Madigan, Raftery and Volinsky, Bayesian Model Averaging, 1999, doi:10.1214/ss/1009212519; degrees
    of freedom of two variances: Welch, 1947, doi:10.1093/biomet/34.1-2.28.

    Args:
        sides: one or two, each with at least two values in the order of time.
        fewest: values of a side whose correlation can be estimated; fewer are taken as independent.

    Returns:
        The error; None where all values of each side are equal.
    """
    noisy = [side for side in sides if side.min() < side.max()]
    if not noisy:
        return None
    correlated = min(side.size for side in sides) >= fewest
    cells, weights, scales = model_probabilities(noisy, correlated=correlated)
    variances, terms = np.zeros(cells.size), np.zeros(cells.size)
    for side, scale in zip(noisy, scales, strict=True):
        of_mean = scale * _mean_variances(side.size)[cells]
        variances += of_mean
        terms += of_mean**2 / (side.size - 1)
    return MeanError(weights, np.sqrt(variances), variances**2 / terms)


def model_probabilities(sides: Sequence[Floats], *, correlated: bool = True) -> tuple[Integers, Floats, list[Floats]]:
    """Return the noise models that may explain all sides, as indices of ``CELLS``, with their probabilities.

    Args:
        sides: the values of each side in the order of time, not all of them equal.
        correlated: whether models with correlation are considered.

    Returns:
        The models, the probability of each, and for each side the variance of a value under each.
    """
    cells = _cells() if correlated else np.zeros(1, dtype=np.int64)
    log_weights = np.log(_prior()[cells])
    scales = []
    for side in sides:
        inverse, freedom = spectra(side.size).inverse[cells], side.size - 1
        scales.append((cosine_transform(side[None]) ** 2 @ inverse.T)[0] / freedom)
        log_weights += 0.5 * (np.log(inverse).sum(axis=1) - freedom * np.log(scales[-1]))
    weights = np.exp(log_weights - log_weights.max())
    return cells, weights / weights.sum(), scales


@lru_cache(maxsize=1)
def _cells() -> Integers:
    """Return the noise models that are considered, as indices of ``CELLS``: independent values first."""
    return np.array([index for index, (phi, _) in enumerate(CELLS) if phi <= STRONGEST_WANDER], dtype=np.int64)


@lru_cache(maxsize=1)
def _prior() -> Floats:
    """Return the prior probability of each of ``CELLS``; of those that are not considered, it is not used."""
    result = np.full(len(CELLS), (1 - INDEPENDENT_WEIGHT) / (_cells().size - 1))
    result[0] = INDEPENDENT_WEIGHT
    return result


@lru_cache(maxsize=64)
def _mean_variances(n: int) -> Floats:
    """Return the variance of the mean of ``n`` values in units of that of one value, for each of ``CELLS``."""
    lags = np.arange(1, n)
    phi, rho = np.array(CELLS).T
    wander = (1 + 2 * (phi[:, None] ** lags @ (1 - lags / n))) / n
    result: Floats = (wander + rho / n) / (1 + rho)
    return result
