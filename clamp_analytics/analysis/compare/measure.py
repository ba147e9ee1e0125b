"""Compare one metric of one group on two sides: the difference, its interval, its p-value and the verdict."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.series import METRICS, Metric, Scale
from clamp_analytics.analysis.stats import (
    Floats,
    Interval,
    benjamini_hochberg,
    block_length,
    blocks,
    bootstrap_interval,
    cliffs_delta,
    mann_whitney,
    robust_sd,
    unbiased_lag1,
    variance_inflation,
    widened_p,
)
from clamp_analytics.analysis.verdicts import RANK, Evidence, Verdict, judge, needed_sessions, smallest_step

VERDICT_COLUMNS: Mapping[str, tuple[type[pl.DataType], str]] = {
    "metric": (pl.String, "Name of the metric."),
    "unit": (pl.String, "Its unit."),
    "verdict": (pl.String, "`regressed`, `warning`, `improved`, `not enough data` or `unchanged`."),
    "reason": (pl.String, "The reason of the verdict, in one sentence."),
    "baseline_sessions": (pl.UInt32, "Sessions of the baseline that have a value."),
    "candidate_sessions": (pl.UInt32, "Sessions of the candidate that have a value."),
    "baseline": (pl.Float64, "Mean over the baseline's sessions in the unit, geometric for durations."),
    "candidate": (pl.Float64, "The same of the candidate."),
    "difference": (pl.Float64, "Candidate minus baseline, in the unit."),
    "difference_low": (
        pl.Float64,
        "Lower end of the confidence interval of the difference; null below two sessions per side.",
    ),
    "difference_high": (pl.Float64, "Upper end of the interval."),
    "relative_difference": (pl.Float64, "The difference as a share of the baseline; null where that is 0."),
    "p_value": (pl.Float64, "Probability that noise alone differs as much; null below the least number of sessions."),
    "adjusted_p": (pl.Float64, "The same, corrected for the number of tests."),
    "effect": (
        pl.Float64,
        "Cliff's delta: 1 where every session of the candidate is above every one of the baseline, -1 below.",
    ),
    "autocorrelation": (pl.Float64, "Lag-1 correlation of neighbouring sessions within the sides."),
    "needed_sessions": (
        pl.UInt32,
        "Sessions of both sides together that are needed to detect the smallest effect that matters.",
    ),
}
"""The columns of ``Comparison.verdicts`` after those of ``by``: type and meaning."""


SHIFTS = (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED)
"""Verdicts whose rows are sorted by the size of the effect."""

FEWEST_FOR_INTERVAL = 2
"""The least number of values per side for an interval."""

FEWEST_FOR_NOISE = 3
"""The least number of values for an estimate of their noise."""

SMALLEST_FLOOR = 1e-12
"""Replaces a floor of 0 where effects are sorted relative to their floors."""

LARGEST_LOG = math.log(sys.float_info.max)
"""The logarithm of the largest double."""

Key = tuple[str | None, ...]
"""The values of the columns of a group."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of a group on two sides.

    Attributes:
        metric: the metric.
        key: the group.
        sessions: the number of sessions with a value, of the baseline and of the candidate.
        levels: the level of each side, in the unit; nan without values.
        interval: the confidence interval of the difference, in the unit.
        p: the p-value before correction; nan where nothing was tested.
        is_constant: whether all sessions of both sides have the same value, so that a test makes no sense.
        effect: Cliff's delta.
        autocorrelation: the lag-1 autocorrelation; nan where there are too few sessions.
        is_correlated: whether it is too high to take sessions as independent.
        needed: the number of sessions of both sides together that are needed to detect the smallest effect that
            matters; None where it is not known.
    """

    metric: Metric
    key: Key
    sessions: tuple[int, int]
    levels: tuple[float, float]
    interval: Interval
    p: float
    is_constant: bool
    effect: float
    autocorrelation: float
    is_correlated: bool
    needed: int | None


def measure_all(
    baseline: pl.DataFrame,
    candidate: pl.DataFrame,
    by: Sequence[str],
    metrics: Sequence[str],
    options: CompareOptions,
) -> pl.DataFrame:
    """Compute the table ``Comparison.verdicts``.

    Args:
        baseline: the values of sessions, by time.
        candidate: likewise.
        by: the columns of the groups.
        metrics: the columns with the values of metrics.
        options: how they are compared.
    """
    before, after = groups(baseline, by), groups(candidate, by)
    measures = [
        found
        for key in sorted(before.keys() & after.keys(), key=in_order)
        for name in metrics
        if (found := measure(METRICS[name], key, before[key][name], after[key][name], options)) is not None
    ]
    # Equal values cannot give a small p-value, so they are not counted as a test.
    adjusted = benjamini_hochberg([math.nan if found.is_constant else found.p for found in measures])
    rows = [
        _row(found, found.p if found.is_constant else float(p), options)
        for found, p in zip(measures, adjusted, strict=True)
    ]
    schema: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    schema.update((name, kind) for name, (kind, _) in VERDICT_COLUMNS.items())
    # Sorting is stable: rows of the same rank stay in the order of group and metric.
    ranked = [row for _, row in sorted(rows, key=lambda ranked: ranked[0])]
    return pl.DataFrame(ranked, schema=schema, orient="row")


def groups(values: pl.DataFrame, by: Sequence[str]) -> dict[Key, pl.DataFrame]:
    """The rows of each group, in the given order."""
    if not by:
        return {(): values} if values.height else {}
    return dict(values.partition_by(by, as_dict=True, maintain_order=True).items())


def in_order(key: Key) -> tuple[tuple[bool, str], ...]:
    """The sort key of a group; null comes last."""
    return tuple((value is None, value or "") for value in key)


def measure(
    metric: Metric, key: Key, baseline: pl.Series, candidate: pl.Series, options: CompareOptions
) -> Measure | None:
    """Compare a metric of a group.

    Args:
        metric: the metric.
        key: the group.
        baseline: the values by time; null where a session has none.
        candidate: likewise.
        options: how they are compared.

    Returns:
        The comparison; None where neither side has a value.
    """
    sides = baseline.drop_nulls().to_numpy(), candidate.drop_nulls().to_numpy()
    sizes = sides[0].size, sides[1].size
    if sizes == (0, 0):
        return None
    # Durations are compared by ratio, other metrics by difference; the values whose mean is the level are resampled.
    before, after = (metric.to_scale(side) if metric.scale is Scale.LOG else side for side in sides)
    r = unbiased_lag1(before, after)
    length = block_length(r) if r > options.autocorrelation_limit else 1
    if min(sizes) // length < options.min_sessions:
        # So few blocks could not show any change; the correlation widens the p-value and the interval instead.
        length = 1
    inflation = variance_inflation(r) if length == 1 else 1.0
    before, after = blocks(before, length), blocks(after, length)
    levels = _level(metric, sides[0]), _level(metric, sides[1])
    p, interval = math.nan, Interval(math.nan, math.nan)
    if min(sizes) >= FEWEST_FOR_INTERVAL:
        drawn = bootstrap_interval(
            before, after, level=options.confidence, resamples=options.resamples, seed=options.seed
        )
        interval = _in_unit(_widened(drawn, before, after, inflation), metric, levels[0])
    if min(sizes) >= options.min_sessions:
        p = widened_p(mann_whitney(before, after), inflation)
    return Measure(
        metric=metric,
        key=key,
        sessions=sizes,
        levels=levels,
        interval=interval,
        p=p,
        is_constant=_is_constant(*sides),
        effect=cliffs_delta(*sides),
        autocorrelation=r,
        is_correlated=r > options.autocorrelation_limit,
        needed=_needed(metric, sides, variance_inflation(r), options),
    )


def _level(metric: Metric, values: Floats) -> float:
    """The level of a side; nan without values."""
    if values.size == 0:
        return math.nan
    if metric.scale is not Scale.LOG and values.min() == values.max():
        # The rounded mean of equal numbers may differ from them.
        return float(values[0])
    return metric.level(values)


def _is_constant(before: Floats, after: Floats) -> bool:
    found = [end for side in (before, after) if side.size for end in (float(side.min()), float(side.max()))]
    return min(found) == max(found)


def _widened(interval: Interval, before: Floats, after: Floats, inflation: float) -> Interval:
    """Widen an interval by the root of the factor of the variance."""
    if inflation == 1:
        return interval
    middle = float(after.mean() - before.mean())
    stretch = math.sqrt(inflation)
    return Interval(middle - stretch * (middle - interval.low), middle + stretch * (interval.high - middle))


def _in_unit(interval: Interval, metric: Metric, level: float) -> Interval:
    """Convert an interval on the scale of the comparison to one of the difference in the unit."""
    if metric.scale is Scale.ARCSINE:
        # Scores and shares lie between 0 and 1.
        return Interval(max(interval.low, -1.0), min(interval.high, 1.0))
    if metric.scale is not Scale.LOG:
        return interval
    # A ratio may overflow, and JSON has no infinity.
    largest = sys.float_info.max
    ends = (level * math.expm1(min(end, LARGEST_LOG)) for end in interval)
    return Interval(*(end if math.isnan(end) else min(end, largest) for end in ends))


def _needed(metric: Metric, sides: tuple[Floats, Floats], inflation: float, options: CompareOptions) -> int | None:
    """The number of sessions needed to detect the smallest effect; None where the noise is not known."""
    known = [side for side in sides if side.size >= FEWEST_FOR_NOISE]
    if not known:
        return None
    noise = max(robust_sd(metric.to_scale(side)) for side in known)
    step = smallest_step(metric, metric.level(known[0]), options.floor(metric))
    return needed_sessions(step, noise * math.sqrt(inflation), alpha=options.alpha, min_sessions=options.min_sessions)


def _row(found: Measure, adjusted: float, options: CompareOptions) -> tuple[tuple[int, float], tuple[Any, ...]]:
    """The sort key of a row of ``Comparison.verdicts``, and the row."""
    metric, (before, after) = found.metric, found.levels
    floor = options.floor(metric)
    judgement = judge(
        metric,
        Evidence(
            before=before,
            after=after,
            adjusted_p=adjusted,
            sessions_before=found.sessions[0],
            sessions_after=found.sessions[1],
            autocorrelation=found.autocorrelation if found.is_correlated else None,
        ),
        alpha=options.alpha,
        floor=floor,
        min_sessions=options.min_sessions,
    )
    difference = after - before
    is_shift = judgement.verdict in SHIFTS
    size = metric.size(before, after) / max(floor, SMALLEST_FLOOR) if is_shift else 0.0
    figures = (
        before,
        after,
        difference,
        *found.interval,
        difference / before if before else math.nan,
        found.p,
        adjusted,
        found.effect,
        found.autocorrelation,
    )
    row = (
        *found.key,
        metric.name,
        metric.unit,
        judgement.verdict.value,
        judgement.reason,
        *found.sessions,
        *(None if math.isnan(figure) else figure for figure in figures),
        found.needed,
    )
    return (RANK[judgement.verdict.value], -size), row
