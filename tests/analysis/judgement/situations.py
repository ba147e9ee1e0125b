"""Series of situations in CI, as arrays: one value per session."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def p50(generator: np.random.Generator, levels: npt.ArrayLike, machine: float = 0.03, cycles: int = 40) -> Floats:
    """The median duration of each session: the level, times the noise of its machine, with that of its cycles."""
    level = np.asarray(levels, dtype=np.float64)
    run = level * np.exp(machine * generator.standard_normal(level.size))
    durations = run[:, None] * np.exp(0.1 * generator.standard_normal((level.size, cycles)))
    rounded: Floats = np.round(np.median(durations, axis=1), 3)
    return rounded


def stability(generator: np.random.Generator, failing: npt.ArrayLike, cycles: int = 20) -> Floats:
    """The mean score of each session, whose cycles fail with the given probability."""
    share = np.asarray(failing, dtype=np.float64)
    return 1.0 - generator.binomial(cycles, share) / cycles


def wandering(generator: np.random.Generator, n: int, phi: float, sd: float) -> Floats:
    """Logarithms of levels that follow a first-order autoregressive process with these innovations."""
    values = np.zeros(n)
    for index in range(1, n):
        values[index] = phi * values[index - 1] + generator.normal(0, sd)
    return values
