"""Statistics over arrays: pure functions, each with the source of its formula.

The arrays hold one finite value per session. The functions do not depend on metrics or contexts, and resampling draws
from a generator that is seeded by the arguments, so that equal arguments give equal results.
"""

from __future__ import annotations

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.bootstrap import LARGE, Interval, bootstrap_interval
from clamp_analytics.analysis.stats.correlation import (
    block_correlation,
    block_length,
    blocks,
    lag1,
    unbiased_lag1,
    variance_inflation,
    widened_p,
)
from clamp_analytics.analysis.stats.ranks import EXACT_BELOW, benjamini_hochberg, cliffs_delta, mann_whitney
from clamp_analytics.analysis.stats.spread import robust_sd

__all__ = [
    "EXACT_BELOW",
    "LARGE",
    "Floats",
    "Interval",
    "benjamini_hochberg",
    "block_correlation",
    "block_length",
    "blocks",
    "bootstrap_interval",
    "cliffs_delta",
    "lag1",
    "mann_whitney",
    "robust_sd",
    "unbiased_lag1",
    "variance_inflation",
    "widened_p",
]
