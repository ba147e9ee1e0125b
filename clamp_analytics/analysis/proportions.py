"""An upper bound on the probability of an outcome that was never observed."""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def bound_of_none(trials: int, confidence: float = CONFIDENCE) -> float:
    """The upper confidence bound of a share, where none of some independent trials was a case.

    It is exact: with a larger share, all trials miss with a probability below ``1 - confidence``. For many trials and
    95 % it is 3 / trials, the rule of three.

    Source: Clopper and Pearson, The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial, 1934,
    doi:10.1093/biomet/26.4.404 (one-sided); Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right?,
    1983, doi:10.1001/jama.1983.03330370053031.
    """
    return 1.0 if trials < 1 else -math.expm1(math.log1p(-confidence) / trials)


def bound_text(trials: int, confidence: float = CONFIDENCE) -> str:
    """The bound in percent with its confidence, rounded up to two digits: ``below 1 % with 95 % confidence``."""
    percent = 100 * bound_of_none(trials, confidence)
    digits = 1 - math.floor(math.log10(percent))
    rounded = math.ceil(percent * 10**digits - 1e-9) / 10**digits
    return f"below {rounded:.2g} % with {100 * confidence:.3g} % confidence"
