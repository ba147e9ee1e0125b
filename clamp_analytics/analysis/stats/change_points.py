"""Change points of many series of one length, against noise that is a slow wander plus white noise."""

from __future__ import annotations

from dataclasses import dataclass

from clamp_analytics.analysis.stats.arrays import Bools, Floats, Integers, np
from clamp_analytics.analysis.stats.noise_model import (
    SMALLEST_SHARE,
    NoiseFit,
    cosine_transform,
    fit_noise,
)
from clamp_analytics.analysis.stats.robust_scores import CLIP
from clamp_analytics.analysis.stats.step_scan import (
    MIN_AFTER,
    MIN_BEFORE,
    inner_products,
    layout,
    segment_gains,
    step_gains,
)

COST = 5.25
"""What a further change must add to the log-likelihood at least."""

MOST_STAGES = 30
"""Steps or segments that are added to a series at most."""

PATIENCE = 3
"""Additions in a row that may fail to raise the evidence before the search of a series ends. A staircase needs it: its
first step alone explains little."""


@dataclass(frozen=True, slots=True)
class Segmentations:
    """The segmentation of each series with the most evidence, at least one change each.

    Attributes:
        is_change: whether a level begins at each index but the first, one row per series.
        losses: the negative log-likelihood with these changes.
        cells: the noise model of the residuals, an index of ``CELLS``.
        variances: the variance of the residuals' noise.
        evidence: the gain in log-likelihood over no change, less ``COST`` for each change but one.
    """

    is_change: Bools
    losses: Floats
    cells: Integers
    variances: Floats
    evidence: Floats


def smallest_variances(scores: Floats) -> Floats:
    """Return the smallest variance that the noise of each series may have."""
    result: Floats = np.maximum(SMALLEST_SHARE * scores.var(axis=1), 1e-12)
    return result


def residuals(scores: Floats, is_change: Bools) -> Floats:
    """Return the scores less the mean of their segment."""
    rows, n = scores.shape
    label = np.cumsum(is_change, axis=1) + np.arange(rows)[:, None] * n
    sums = np.bincount(label.ravel(), scores.ravel(), rows * n)
    counts = np.bincount(label.ravel(), minlength=rows * n)
    result: Floats = scores - (sums / np.maximum(counts, 1))[label]
    return result


def find_changes(scores: Floats, without: NoiseFit) -> Segmentations:
    """Find the segmentation of each series with the most evidence.

    Changes are added one or two at a time, as a step or a segment. After each addition every change moves to its best
    index between its neighbours.

    Source: nested models along a path, chosen by likelihood and a penalty for each change: Cho and Fryzlewicz, Multiple
    Change Point Detection Under Serial Dependence, 2024, doi:10.1111/jtsa.12722.

    Args:
        scores: robust scores, one series per row, of at least ``MIN_BEFORE + MIN_AFTER`` values.
        without: the noise of the series when nothing is removed.
    """
    rows, n = scores.shape
    smallest = smallest_variances(scores)
    is_change = np.zeros((rows, n), dtype=bool)
    cells = without.cells
    best = Segmentations(
        is_change.copy(), without.losses.copy(), cells.copy(), without.variances.copy(), np.full(rows, -np.inf)
    )
    active, waited = np.arange(rows), np.zeros(rows)
    for _ in range(MOST_STAGES):
        if not active.size:
            break
        is_change, fit = _add_change(scores[active], is_change, cells, smallest[active])
        is_change, fit = _move_changes(scores[active], is_change, fit, smallest[active])
        evidence = without.losses[active] - fit.losses - COST * (is_change.sum(axis=1) - 1)
        better = evidence > best.evidence[active]
        chosen = active[better]
        best.is_change[chosen] = is_change[better]
        best.losses[chosen] = fit.losses[better]
        best.cells[chosen] = fit.cells[better]
        best.variances[chosen] = fit.variances[better]
        best.evidence[chosen] = evidence[better]
        waited = np.where(better, 0, waited + 1)
        go_on = waited < PATIENCE
        active, is_change, cells, waited = active[go_on], is_change[go_on], fit.cells[go_on], waited[go_on]
    return best


def fit_segments(scores: Floats, is_change: Bools, smallest: Floats) -> NoiseFit:
    """Fit the noise of what is left of each series when the means of its segments are removed."""
    return fit_noise(cosine_transform(residuals(scores, is_change)), smallest)


def allowed_indices(is_change: Bools) -> Bools:
    """Return at which index, from 0 to n, a further change keeps its distance from the others and from both ends."""
    rows, n = is_change.shape
    allowed = np.zeros((rows, n + 1), dtype=bool)
    allowed[:, MIN_BEFORE : n - MIN_AFTER + 1] = True
    for shift in range(-MIN_AFTER + 1, MIN_AFTER):
        low, high = max(shift, 0), n + min(shift, 0)
        allowed[:, low:high] &= ~is_change[:, low - shift : high - shift]
    return allowed


def refine_changes(values: Floats, is_change: Bools) -> tuple[Bools, Floats, NoiseFit]:
    """Move the changes of one series to their best indices on values that are clipped about its levels.

    Scores are clipped about the median of the whole series, so that a session in the tail of the noise and one at a
    far level may be equal. About the levels that were found, they are not.

    Args:
        values: the values in units of their noise, not clipped.
        is_change: whether a level begins at each index.

    Returns:
        Whether a level begins at each index; the values clipped about the levels; and the noise of what is left.
    """
    indices = np.flatnonzero(is_change)
    medians = [float(np.median(part)) for part in np.split(values, indices)]
    clipped = np.clip(values, min(medians) - CLIP, max(medians) + CLIP)[None]
    smallest = smallest_variances(clipped)
    refined, fit = is_change[None], fit_segments(clipped, is_change[None], smallest)
    for _ in range(2):
        refined, fit = _move_changes(clipped, refined, fit, smallest)
    return refined[0], clipped[0], fit


def add_early_change(scores: Floats, is_change: Bools) -> Bools:
    """Add a change before the first one of a series, among the sessions where the search allows none.

    It is added where its gain in log-likelihood exceeds ``COST``. A single change that is found so early would say
    little, but beside a later one it shows that the first level is not the only one that the series had before.

    Args:
        scores: the robust scores of one series.
        is_change: whether a level begins at each index, at least once.
    """
    first = int(is_change.argmax())
    indices = np.arange(MIN_AFTER, min(MIN_BEFORE, first - MIN_AFTER + 1))
    trials = np.repeat(is_change[None], indices.size + 1, axis=0)
    trials[np.arange(indices.size), indices] = True
    repeated = np.repeat(scores[None], indices.size + 1, axis=0)
    losses = fit_segments(repeated, trials, smallest_variances(repeated)).losses
    losses[: indices.size] += COST
    chosen: Bools = trials[losses.argmin()]
    return chosen


def _add_change(scores: Floats, is_change: Bools, cells: Integers, smallest: Floats) -> tuple[Bools, NoiseFit]:
    """Add the step or the segment that lowers the penalized loss of each series most."""
    rows, n = scores.shape
    index = np.arange(rows)
    transformed = cosine_transform(residuals(scores, is_change))
    at_step = allowed_indices(is_change)
    table = layout(n)
    at_segment = at_step[:, table.starts] & at_step[:, table.ends]
    lowest = np.full(rows, np.inf)
    chosen = is_change.copy()
    fit = NoiseFit(np.full(rows, np.inf), cells.copy(), np.ones(rows))
    # A series with a large change resembles a wander, so every one is scanned as white noise first.
    wandering = np.flatnonzero(cells)
    for scanned, weights in ((index, np.zeros_like(cells)), (wandering, cells[wandering])):
        if not scanned.size:
            continue
        products = inner_products(transformed[scanned], weights)
        possible = at_step[scanned]
        step = np.where(possible, step_gains(products, weights), -np.inf).argmax(axis=1)
        trials: list[tuple[int, Bools, tuple[Integers, ...]]]
        trials = [(1, np.asarray(possible.any(axis=1)), (step,))]
        if table.starts.size:
            possible = at_segment[scanned]
            segment = np.where(possible, segment_gains(products, weights), -np.inf).argmax(axis=1)
            trials.append((2, np.asarray(possible.any(axis=1)), (table.starts[segment], table.ends[segment])))
        for count, is_possible, indices in trials:
            trial = is_change[scanned]
            for at in indices:
                trial[np.arange(scanned.size), at] = True
            trial_fit = fit_segments(scores[scanned], trial, smallest[scanned])
            total = np.where(is_possible, trial_fit.losses + COST * count, np.inf)
            better = total < lowest[scanned]
            improved = scanned[better]
            lowest[improved], chosen[improved] = total[better], trial[better]
            _replace(fit, improved, trial_fit, better)
    return chosen, fit


def _move_changes(scores: Floats, is_change: Bools, fit: NoiseFit, smallest: Floats) -> tuple[Bools, NoiseFit]:
    """Move each change, from the first to the last, to the index between its neighbours that explains most."""
    n = scores.shape[1]
    is_change = is_change.copy()
    for number in range(1, int(is_change.sum(axis=1).max()) + 1):
        segment = np.cumsum(is_change, axis=1)
        rows = np.flatnonzero(segment[:, -1] >= number)
        near = (segment[rows] == number - 1) | (segment[rows] == number)
        moved = is_change[rows] & (segment[rows] != number)
        allowed = allowed_indices(moved)[:, :n] & near
        products = inner_products(cosine_transform(residuals(scores[rows], moved)), fit.cells[rows])
        gains = step_gains(products, fit.cells[rows])[:, :n]
        moved[np.arange(rows.size), np.where(allowed, gains, -np.inf).argmax(axis=1)] = True
        moved_fit = fit_segments(scores[rows], moved, smallest[rows])
        better = moved_fit.losses < fit.losses[rows]
        is_change[rows[better]] = moved[better]
        _replace(fit, rows[better], moved_fit, better)
    return is_change, fit


def _replace(fit: NoiseFit, rows: Bools | Integers, other: NoiseFit, chosen: Bools) -> None:
    fit.losses[rows] = other.losses[chosen]
    fit.cells[rows] = other.cells[chosen]
    fit.variances[rows] = other.variances[chosen]
