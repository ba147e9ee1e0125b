"""``python -m benchmarks.verdicts.calibrate``: simulate the table of thresholds in ``analysis/stats/calibration.py``.

For each length it simulates series without a change, and prints the evidence that 5 % of them exceed, by kind of noise.
A threshold is the largest of these quantiles. The interval behind it is that of simulation alone: two order statistics
between which the true quantile lies in about 95 % of runs.

The seed differs from that of ``python -m benchmarks.verdicts``, so that error rates are not judged on the series that
fixed the thresholds. A quantile has a standard error of about 0.3 with 400 series of each kind, and 0.06 with 10,000.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.verdicts.noise import NOISE, Floats, Noise
from clamp_analytics.analysis.stats.calibration import (
    EXCEEDED_BY_5_PERCENT,
    INDEPENDENT_EXCEEDED_BY_5_PERCENT,
    INDEPENDENT_TAIL,
    LENGTHS,
)
from clamp_analytics.analysis.stats.evidence import weigh
from clamp_analytics.analysis.stats.robust_scores import robust_scores

VALUES_AT_ONCE = 200_000
"""Values that are drawn at once; it bounds the memory."""

CORRELATED = {"AR .5": 0.05, "AR .7": 0.05, "AR .9": 0.05, "random walk": 0.05, "AR .9 plus white": 0.07}
"""The kinds of noise that fix the threshold of a change, with the share that may exceed it."""

INDEPENDENT = {"normal": 0.05, "lognormal": 0.05, "t3": 0.05}
"""The same for a single step if sessions are independent."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """An upper quantile of simulated evidence.

    Attributes:
        value: the quantile.
        low: the lower end of its interval.
        high: the upper end of it.
    """

    value: float
    low: float
    high: float


def evidence(noise: Noise, n: int, series: int, seed: Sequence[int], *, independent: bool) -> Floats:
    """Simulate series without a change, and return the evidence for one in each.

    Args:
        noise: draws series.
        n: their length.
        series: their number.
        seed: of the random numbers.
        independent: whether the evidence is that for a single step against independent noise.
    """
    generator = np.random.default_rng(seed)
    at_once = max(VALUES_AT_ONCE // n, 1)
    parts = []
    for first in range(0, series, at_once):
        found = weigh(robust_scores(noise(generator, min(at_once, series - first), n))[0])
        if independent:
            # The p-value is an exponential function of the evidence about the threshold.
            known = INDEPENDENT_EXCEEDED_BY_5_PERCENT[LENGTHS.index(n)]
            parts.append(known + INDEPENDENT_TAIL * np.log(0.05 / found.p_independent))
        else:
            parts.append(np.maximum(found.segmentations.evidence, found.trend))
    return np.concatenate(parts)


def exceeded_by(values: Floats, share: float) -> Quantile:
    """Return the value that a share of the values exceeds, with the interval of its order statistics."""
    n = values.size
    ordered = np.sort(values)
    error = 2 * np.sqrt(n * share * (1 - share))
    ranks = np.clip(np.array([0.0, -error, error]) + n * (1 - share), 0, n - 1).astype(int)
    return Quantile(*ordered[ranks].tolist())


def measure(n: int, kinds: dict[str, float], series: int, seed: int, *, independent: bool) -> dict[str, Quantile]:
    """Return the quantile of each kind of noise."""
    return {
        name: exceeded_by(evidence(NOISE[name][0], n, series, (seed, n, number), independent=independent), share)
        for number, (name, share) in enumerate(kinds.items())
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts.calibrate", description=__doc__)
    parser.add_argument("--series", type=int, default=400, help="series of each kind and length (default 400)")
    parser.add_argument(
        "--lengths", type=int, nargs="+", default=[30, 100], choices=LENGTHS, metavar="N", help="default 30 100"
    )
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    arguments = parser.parse_args()
    if arguments.series < 100:
        parser.error("a quantile of 5 % needs at least 100 series")
    return arguments


def main() -> int:
    """Print a line per table and length."""
    wanted = _arguments()
    for title, kinds, table, independent in (
        ("change", CORRELATED, EXCEEDED_BY_5_PERCENT, False),
        ("step if independent", INDEPENDENT, INDEPENDENT_EXCEEDED_BY_5_PERCENT, True),
    ):
        for n in wanted.lengths:
            found = measure(n, kinds, wanted.series, wanted.seed, independent=independent)
            largest = max(found.values(), key=lambda quantile: quantile.value)
            parts = ", ".join(f"{name} {quantile.value:.1f}" for name, quantile in found.items())
            sys.stdout.write(
                f"{title}, n = {n}: {largest.value:.1f} ({largest.low:.1f} to {largest.high:.1f}), "
                f"in the table {table[LENGTHS.index(n)]}; {parts}\n"
            )
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
