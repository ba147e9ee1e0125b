"""p-values of the evidence for a change, from simulations of series without one."""

from __future__ import annotations

from clamp_analytics.analysis.stats.arrays import Floats, np

LENGTHS = (13, 16, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 1000, 2000, 5000)
"""Lengths of the simulated series; in between, the logarithm of the length is interpolated."""

EXCEEDED_BY_5_PERCENT = (5.4, 5.9, 6.2, 6.3, 6.4, 6.6, 6.8, 7.0, 7.1, 7.3, 7.5, 7.7, 8.2, 9.1, 9.8, 10.9)
"""The evidence that at most 5 % of series without a change exceed: autoregressive noise of 0.5, 0.7 or 0.9, or a random
walk. Autoregressive noise of 0.9 plus as much white noise exceeds it in at most 7 %. By length."""

TAIL = 1.45
"""Beyond that, the share of series falls by the factor e for each ``TAIL`` of evidence."""

INDEPENDENT_EXCEEDED_BY_5_PERCENT = (2.2, 3.1, 3.5, 3.8, 4.1, 4.2, 4.3, 4.5, 4.6, 4.7, 4.8, 5.0, 5.1, 5.4, 5.6, 5.8)
"""The same for the best single step in independent noise that is normal, lognormal or of Student's distribution with 3
degrees of freedom."""

INDEPENDENT_TAIL = 1.3


def p_value(evidence: Floats, n: int) -> Floats:
    """Return the p-value of the evidence for a change in series of ``n`` values."""
    return _p(evidence, n, EXCEEDED_BY_5_PERCENT, TAIL)


def p_if_independent(evidence: Floats, n: int) -> Floats:
    """Return the p-value of the evidence for a single step if the ``n`` values are independent."""
    return _p(evidence, n, INDEPENDENT_EXCEEDED_BY_5_PERCENT, INDEPENDENT_TAIL)


def threshold(alphas: Floats, n: int) -> Floats:
    """Return the evidence that has each p-value in series of ``n`` values."""
    return _at(n, EXCEEDED_BY_5_PERCENT) + TAIL * np.log(0.05 / alphas)


def _at(n: int, values: tuple[float, ...]) -> float:
    return float(np.interp(np.log(n), np.log(LENGTHS), values))


def _p(evidence: Floats, n: int, values: tuple[float, ...], tail: float) -> Floats:
    return np.minimum(0.05 * np.exp(np.minimum(-(evidence - _at(n, values)) / tail, 3.0)), 1.0)
