"""The statistics of one series, computed from their definitions: the expected values of the tests of this folder.

Products with cosines replace fast transforms, loops replace arrays of series, and every gain is that of an explicit
least squares fit. The constants are those with which the table of thresholds was simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WANDER = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.96, 0.985, 0.996, 0.9992)
WHITE = (0.0, 0.15, 0.4, 1.0, 2.5, 6.0)
MODELS = [(0.0, 0.0), *((phi, white) for phi in WANDER for white in WHITE)]
COST = 5.25


@lru_cache
def cosines(n: int) -> Floats:
    """The orthonormal cosines with frequencies from 1 to n - 1, one per row."""
    times = np.arange(n) + 0.5
    return np.array([math.sqrt(2 / n) * np.cos(math.pi * frequency * times / n) for frequency in range(1, n)])


@lru_cache
def densities(n: int) -> Floats:
    """The spectral density of each model at the frequencies of ``cosines``, one row per model.

    A first-order autoregressive process with unit variance has the density (1 - phi²) / |1 - phi exp(-i w)|².
    """
    turns = np.exp(-1j * math.pi * np.arange(1, n) / n)
    return np.array(
        [((1 - phi**2) / np.abs(1 - phi * turns) ** 2 + white) / (1 + white) for phi, white in MODELS],
    )


def density_at_zero(model: int) -> float:
    phi, white = MODELS[model]
    return ((1 - phi**2) / (1 - phi) ** 2 + white) / (1 + white)


@lru_cache
def penalties(n: int) -> Floats:
    """The part of the loss of each model that does not depend on the series: half of the log-determinant, plus a prior.

    The prior is half of the logarithm of the density at frequency zero.
    """
    at_zero = [density_at_zero(model) for model in range(len(MODELS))]
    result: Floats = 0.5 * np.log(densities(n)).sum(axis=1) + 0.5 * np.log(at_zero)
    return result


@dataclass(frozen=True)
class Fit:
    """The noise model with the lowest loss."""

    loss: float
    model: int
    variance: float


def smallest_variance(series: Floats) -> float:
    """The smallest variance that noise may have: a share of the variance of the series."""
    return max(1e-4 * float(np.mean((series - series.mean()) ** 2)), 1e-12)


def fit(left: Floats, smallest: float) -> Fit:
    """Fit every noise model to what is left of a series: Whittle's loss plus the prior."""
    frequencies = left.size - 1
    variances = np.maximum(((cosines(left.size) @ left) ** 2 / densities(left.size)).mean(axis=1), smallest)
    losses = 0.5 * frequencies * np.log(variances) + penalties(left.size)
    model = int(losses.argmin())
    return Fit(float(losses[model]), model, float(variances[model]))


def less_means(series: Floats, changes: Sequence[int]) -> Floats:
    """What is left of a series when the mean of each segment is removed."""
    return np.concatenate([part - part.mean() for part in np.split(series, sorted(changes))])


def less_line(series: Floats) -> Floats:
    """What is left of a series when its line is removed."""
    time = np.arange(series.size)
    return series - np.polyval(np.polyfit(time, series, 1), time)


def fit_changes(series: Floats, changes: Sequence[int], smallest: float | None = None) -> Fit:
    return fit(less_means(series, changes), smallest_variance(series) if smallest is None else smallest)


def gain(series: Floats, start: int, end: int, model: int) -> float:
    """The weighted sum of squares that a level of its own from ``start`` to ``end`` explains."""
    n = series.size
    weights = 1 / densities(n)[model]
    y, x = cosines(n) @ series, cosines(n)[:, start:end].sum(axis=1)
    return float((y * weights * x).sum() ** 2 / (x * weights * x).sum())


def is_allowed(n: int, changes: Sequence[int], index: int) -> bool:
    """Whether a further change has 10 sessions before it, 3 after it, and a distance of 3 to the others."""
    return 10 <= index <= n - 3 and all(abs(index - change) >= 3 for change in changes)


def segments(n: int) -> list[tuple[int, int]]:
    """The segments that are tried: lengths from 3 on that grow by a fifth, in strides of an eighth or a fourth."""
    result = []
    length = 3
    while length <= n - 13:
        stride = length // (8 if n <= 400 else 4) or 1
        result += [(start, start + length) for start in range(10, n - 3 - length + 1, stride)]
        length = max(length + 1, length * 6 // 5)
    return result


def add_change(series: Floats, changes: list[int], model: int) -> tuple[list[int], Fit | None]:
    """Add the step or the segment with the lowest loss, of those that explain most under each weighting."""
    n = series.size
    left = less_means(series, changes)
    trials: list[list[int]] = []
    for weighting in (0, model) if model else (0,):
        steps = [index for index in range(n) if is_allowed(n, changes, index)]
        if steps:
            step = max(steps, key=lambda index: gain(left, index, n, weighting))
            trials.append([step])
        pairs = [pair for pair in segments(n) if all(is_allowed(n, changes, index) for index in pair)]
        if pairs:
            trials.append([*max(pairs, key=lambda pair: gain(left, pair[0], pair[1], weighting))])
    best, lowest, chosen = None, math.inf, changes
    for trial in trials:
        one = fit_changes(series, [*changes, *trial])
        if one.loss + COST * len(trial) < lowest:
            best, lowest, chosen = one, one.loss + COST * len(trial), sorted([*changes, *trial])
    return chosen, best


def move_changes(series: Floats, changes: list[int], best: Fit) -> tuple[list[int], Fit]:
    """Move each change in turn to the index between its neighbours that explains most, if the loss falls."""
    n = series.size
    for number in range(len(changes)):
        others = [*changes[:number], *changes[number + 1 :]]
        low = changes[number - 1] if number else 0
        high = changes[number + 1] if number + 1 < len(changes) else n
        left = less_means(series, others)
        indices = [index for index in range(low, high) if is_allowed(n, others, index)]
        moved = max(indices, key=lambda index: gain(left, index, n, best.model))
        one = fit_changes(series, [*others, moved])
        if one.loss < best.loss:
            changes, best = sorted([*others, moved]), one
    return changes, best


def find_changes(series: Floats) -> tuple[list[int], Fit, float]:
    """The changes with the most evidence, the noise that they leave, and the evidence."""
    without = fit_changes(series, [])
    best: tuple[list[int], Fit, float] = ([], without, -math.inf)
    changes: list[int] = []
    model, failed = without.model, 0
    for _ in range(30):
        changes, added = add_change(series, changes, model)
        if added is None:
            break
        changes, moved = move_changes(series, changes, added)
        evidence = without.loss - moved.loss - COST * (len(changes) - 1)
        failed = 0 if evidence > best[2] else failed + 1
        if evidence > best[2]:
            best = (changes, moved, evidence)
        if failed == 3:
            break
        model = moved.model
    return best


def trend_evidence(series: Floats) -> float:
    return fit_changes(series, []).loss - fit(less_line(series), smallest_variance(series)).loss


def evidence_of_change(series: Floats) -> float:
    """The evidence for changes or a trend, whichever is larger."""
    return max(find_changes(series)[2], trend_evidence(series))
