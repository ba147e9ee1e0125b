"""Histories of one series, and the rate of false changes that ``calibrate`` states for them."""

from __future__ import annotations

import numpy as np

from benchmarks.verdicts.noise import Noise
from clamp_analytics.analysis.drift import DriftOptions, calibrate
from tests.analysis.drift.conftest import session_frame

METRIC = "in_flight"
"""A metric that is compared as it is, so that its noise is the simulated one."""

LEVEL = 100.0


def count_stated_alarms(generator: np.random.Generator, rows: int, *, noise: Noise, n: int) -> int:
    """Count the histories of which one replay, as ``calibrate`` simulates it, gives a false change.

    One replay for each history makes the counts independent, so that the interval of their share holds.
    """
    hits = 0
    for values in LEVEL + noise(generator, rows, n):
        options = DriftOptions(replays=1, seed=int(generator.integers(1 << 30)))
        hits += calibrate(session_frame({"context": values}, METRIC), options=options).false_changes > 0
    return hits
