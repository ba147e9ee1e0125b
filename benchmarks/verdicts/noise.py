"""Noise without a change, with standard deviation 1 where it has one; one series per row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

Floats = npt.NDArray[np.float64]
Noise = Callable[[np.random.Generator, int, int], Floats]

_BURN_IN = 300


def normal(generator: np.random.Generator, rows: int, n: int) -> Floats:
    return generator.standard_normal((rows, n))


def autoregressive(phi: float) -> Noise:
    """Return noise whose neighbours have the correlation ``phi``."""

    def draw(generator: np.random.Generator, rows: int, n: int) -> Floats:
        innovations = normal(generator, rows, n + _BURN_IN) * np.sqrt(1 - phi * phi)
        series: Floats = lfilter([1.0], [1.0, -phi], innovations, axis=1)[:, _BURN_IN:]
        return series

    return draw


def wander_and_white(generator: np.random.Generator, rows: int, n: int) -> Floats:
    return autoregressive(0.9)(generator, rows, n) + normal(generator, rows, n)


def batches(generator: np.random.Generator, rows: int, n: int) -> Floats:
    """Two machines 3 standard deviations apart; a session runs on the one of the session before with probability .9."""
    switches = generator.random((rows, n)) > 0.9
    machine = (np.cumsum(switches, axis=1) + generator.integers(2, size=(rows, 1))) % 2
    return 3.0 * machine + normal(generator, rows, n)


def weekly(generator: np.random.Generator, rows: int, n: int) -> Floats:
    """Five days at one level, and two at another, 2 standard deviations higher."""
    day = (np.arange(n) + generator.integers(7, size=(rows, 1))) % 7
    return normal(generator, rows, n) + 2.0 * (day >= 5)


def season(generator: np.random.Generator, rows: int, n: int) -> Floats:
    """A sine wave with a period of 30 sessions."""
    phase = np.arange(n) + generator.integers(30, size=(rows, 1))
    return normal(generator, rows, n) + 1.5 * np.sin(2 * np.pi * phase / 30)


def outliers(generator: np.random.Generator, rows: int, n: int) -> Floats:
    return normal(generator, rows, n) + 20.0 * (generator.random((rows, n)) < 0.02)


def wider_at_half(generator: np.random.Generator, rows: int, n: int) -> Floats:
    return normal(generator, rows, n) * np.where(np.arange(n) < n // 2, 1.0, 4.0)


NOISE: dict[str, tuple[Noise, float]] = {
    "normal": (normal, 0.05),
    "lognormal": (lambda generator, rows, n: np.exp(normal(generator, rows, n)), 0.05),
    "t3": (lambda generator, rows, n: generator.standard_t(3, (rows, n)), 0.05),
    "Pareto 1.5": (lambda generator, rows, n: generator.pareto(1.5, (rows, n)) + 1, 0.05),
    "2 % outliers": (outliers, 0.05),
    "rounded": (lambda generator, rows, n: np.rint(5 + 0.5 * normal(generator, rows, n)), 0.05),
    "Bernoulli means, 20 of .98": (lambda generator, rows, n: generator.binomial(20, 0.98, (rows, n)) / 20, 0.05),
    "Bernoulli means, 40 of .998": (lambda generator, rows, n: generator.binomial(40, 0.998, (rows, n)) / 40, 0.05),
    "weekly pattern": (weekly, 0.05),
    "AR .3": (autoregressive(0.3), 0.05),
    "AR .5": (autoregressive(0.5), 0.05),
    "AR .7": (autoregressive(0.7), 0.05),
    "AR .9": (autoregressive(0.9), 0.05),
    "AR .9 plus white": (wander_and_white, 0.07),
    "season of 30": (season, 0.07),
    "sd times 4 at half": (wider_at_half, 0.07),
    "machines in batches": (batches, 0.10),
    "random walk": (lambda generator, rows, n: np.cumsum(normal(generator, rows, n), axis=1), 0.10),
}
"""By name: the noise, and the share of false verdicts that is the target."""
