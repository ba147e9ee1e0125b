"""The search in series of any length, and the correction of its p-values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.analysis.stats.arrays import Bools, Floats, np
from clamp_analytics.analysis.stats.evidence import weigh
from clamp_analytics.analysis.stats.multiplicity import adjust_in_groups
from clamp_analytics.analysis.stats.robust_scores import robust_scores
from clamp_analytics.analysis.stats.step_scan import MIN_AFTER, MIN_BEFORE
from clamp_analytics.reading.reader import Progress

SHORTEST = MIN_BEFORE + MIN_AFTER
"""Values that a series must have to be judged."""

VALUES_AT_ONCE = 1_000_000
"""Values of series of one length that are searched together, which is quicker than one by one.

It bounds the memory, and the time between two calls of ``progress``.
"""


@dataclass(frozen=True, slots=True)
class Searched:
    """What the search found in one series.

    Attributes:
        values: the values in units of their noise.
        scores: the same about the median, clipped.
        unit: the unit.
        is_change: whether a level begins at each index, in the best segmentation.
        is_trend: whether a straight line explains the series better than any segmentation.
        p_value: of a change or trend.
        p_independent: of a single step if values were independent.
        independent_step: the index of that step.
    """

    values: Floats
    scores: Floats
    unit: float
    is_change: Bools
    is_trend: bool
    p_value: float
    p_independent: float
    independent_step: int


def search_all(series: Sequence[Floats], progress: Progress | None = None) -> list[Searched | None]:
    """Search each series; the result is None for one that is too short.

    Args:
        series: the values of each series.
        progress: called with the number of series that were searched and of all that are long enough.
    """
    result: list[Searched | None] = [None] * len(series)
    by_length = indices_by_length(series)
    done, total = 0, sum(map(len, by_length.values()))
    for n, indices in by_length.items():
        at_once = max(1, VALUES_AT_ONCE // n)
        for start in range(0, len(indices), at_once):
            part = indices[start : start + at_once]
            for index, found in zip(part, _search(np.stack([series[i] for i in part])), strict=True):
                result[index] = found
            done += len(part)
            if progress is not None:
                progress(done, total)
    return result


def indices_by_length(series: Sequence[Floats]) -> dict[int, list[int]]:
    """Return the indices of the series that are long enough, by their length."""
    result: dict[int, list[int]] = {}
    for index, one in enumerate(series):
        if one.size >= SHORTEST:
            result.setdefault(one.size, []).append(index)
    return result


def _search(values: Floats) -> list[Searched]:
    scores, units = robust_scores(values)
    evidence = weigh(scores)
    segmentations = evidence.segmentations
    in_units = values / np.where(units > 0, units, 1.0)[:, None]
    # The penalty of the first change is part of the threshold that a trend must exceed, too.
    is_trend = evidence.trend > segmentations.evidence
    return [
        Searched(
            in_units[row],
            scores[row],
            float(units[row]),
            segmentations.is_change[row],
            bool(is_trend[row]),
            float(evidence.p_values[row]),
            float(evidence.p_independent[row]),
            int(evidence.independent_step[row]),
        )
        for row in range(len(values))
    ]


def correct_p_values(
    searched: Sequence[Searched | None],
    groups: Sequence[Hashable],
    families: Sequence[Hashable],
    options: JudgeOptions,
) -> tuple[Floats, Floats, Floats]:
    """Return the corrected p-values of each series, those if sessions were independent, and the level of its test.

    The level is the p-value that one series of its family must reach to be significant if no other one is.
    """
    p_values = np.array([np.nan if one is None else one.p_value for one in searched])
    independent = np.array([np.nan if one is None else one.p_independent for one in searched])
    alphas = np.full(len(searched), options.alpha)
    members: dict[Hashable, list[int]] = {}
    for index, family in enumerate(families):
        members.setdefault(family, []).append(index)
    for indices in members.values():
        keys = [groups[index] for index in indices]
        p_values[indices] = adjust_in_groups(p_values[indices], keys, options.alpha)
        independent[indices] = adjust_in_groups(independent[indices], keys, options.suspect_alpha)
        alphas[indices] = options.alpha / len(set(keys))
    return p_values, independent, alphas
