"""Compare one metric of one group on two sides: levels, the difference with its interval, and p-values."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.metrics import SMALLEST_MS, Metric, Scale
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.stats.arrays import Floats, np
from clamp_analytics.analysis.stats.brunner_munzel import brunner_munzel
from clamp_analytics.analysis.stats.ranks import cliffs_delta
from clamp_analytics.analysis.stats.two_sample import Difference, clip_outliers, compare_means, compare_pairs

LARGEST_LOG = math.log(sys.float_info.max)
"""The logarithm of the largest double."""

Key = tuple[str | None, ...]
"""The values of the columns of a group."""

Sides = tuple[Floats, Floats]
"""The values of the baseline and of the candidate, in the order of time."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of a group on two sides.

    Attributes:
        metric: the metric.
        key: the group.
        sides: the values of both sides, in the unit.
        paired: whether values of equal index are of the same session.
        levels: the level of each side, in the unit; nan without values.
        interval: the confidence interval of the difference, in the unit; nan where there is none.
        p_value: that neither independent nor correlated noise explains the difference; nan where nothing was tested.
        p_independent: the same if sessions were independent.
        clipped: the difference of means without outliers, on the scale of the comparison: the ratio for durations.
        effect: Cliff's delta.
    """

    metric: Metric
    key: Key
    sides: Sides
    paired: bool
    levels: tuple[float, float]
    interval: tuple[float, float]
    p_value: float
    p_independent: float
    clipped: Difference
    effect: float

    @property
    def sessions(self) -> tuple[int, int]:
        """The number of sessions of the baseline and of the candidate."""
        return self.sides[0].size, self.sides[1].size

    @property
    def is_constant(self) -> bool:
        """Whether all sessions of both sides have the same value, so that a test makes no sense."""
        values = np.concatenate(self.sides)
        return bool(values.min() == values.max())

    @property
    def size(self) -> float:
        """The absolute effect, in the terms of a floor; nan without values on a side."""
        return self.metric.size(*self.levels)

    def detectable(self, alpha: float, floor: float) -> float:
        """The smallest shift for the worse that a test at a level finds, in the terms of a floor; nan where none."""
        shift = self.clipped.detectable(alpha)
        if self.metric.is_relative:
            size = math.expm1(min(shift, LARGEST_LOG))
            return max(size, floor) if shift < LARGEST_LOG else math.nan
        room = math.inf
        if self.metric.scale is Scale.ARCSINE:
            room = self.levels[0] if self.metric.higher_is_better else 1 - self.levels[0]
        return max(shift, floor) if shift < room or shift == 0 else math.nan


def measure(metric: Metric, key: Key, sides: Sides, options: CompareOptions, *, paired: bool = False) -> Measure:
    """Compare a metric of a group.

    Args:
        metric: the metric.
        key: the group.
        sides: the values of both sides; at least one of them has values.
        options: how they are compared.
        paired: whether values of equal index are of the same session.
    """
    # Durations are compared by ratio, other metrics by difference.
    before, after = (metric.to_scale(side) if metric.scale is Scale.LOG else side for side in sides)
    levels = _level(metric, sides[0]), _level(metric, sides[1])
    if paired:
        difference = compare_pairs(before, after, confidence=options.confidence)
        clipped = compare_pairs(np.zeros(before.size), clip_outliers(after - before))
        p_independent = clipped.p_value
    else:
        difference = compare_means(before, after, confidence=options.confidence)
        clipped = compare_means(clip_outliers(before), clip_outliers(after))
        p_independent = brunner_munzel(before, after)
    is_enough = min(before.size, after.size) >= options.min_sessions
    return Measure(
        metric=metric,
        key=key,
        sides=sides,
        paired=paired,
        levels=levels,
        interval=_in_unit(difference, metric, levels[0]),
        # Means allow for correlation, and ranks for any distribution: both must reject noise.
        p_value=max(p_independent, clipped.p_value) if is_enough else math.nan,
        p_independent=p_independent,
        clipped=clipped,
        effect=cliffs_delta(*sides),
    )


def pair_values(before: pl.DataFrame, after: pl.DataFrame, name: str, options: CompareOptions) -> Sides | None:
    """The values of the sessions that have one on both sides, by time; None where too few have.

    Args:
        before: the rows of one group on the side of the baseline, by time.
        after: those of the candidate.
        name: the column of the metric.
        options: how they are compared.
    """
    left, right = (side.select("source", pl.col(name).alias("value")).drop_nulls() for side in (before, after))
    pairs = left.join(right, on="source", maintain_order="left")
    if pairs.height < min(options.min_sessions, left.height, right.height) or pairs.height < 2:
        return None
    return pairs["value"].to_numpy(), pairs["value_right"].to_numpy()


def _level(metric: Metric, values: Floats) -> float:
    """The level of a side; nan without values."""
    if values.size == 0:
        return math.nan
    if values.min() == values.max() and (metric.scale is not Scale.LOG or values[0] >= SMALLEST_MS):
        # The rounded mean of equal numbers may differ from them.
        return float(values[0])
    return metric.level(values)


def _in_unit(difference: Difference, metric: Metric, level: float) -> tuple[float, float]:
    """Convert an interval on the scale of the comparison to one of the difference in the unit."""
    low, high = difference.low, difference.high
    if not difference.is_bounded:
        return math.nan, math.nan
    if metric.scale is Scale.ARCSINE:
        # Scores and shares lie between 0 and 1.
        return max(low, -1.0), min(high, 1.0)
    if metric.scale is Scale.LOG:
        # A ratio may overflow.
        low, high = (level * math.expm1(min(end, LARGEST_LOG)) for end in (low, high))
    largest = sys.float_info.max
    return max(low, -largest), min(high, largest)
