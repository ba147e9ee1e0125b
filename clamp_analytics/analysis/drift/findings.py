"""From series to verdicts: what is tested together is corrected together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clamp_analytics.analysis.drift.rank_scan import single_level
from clamp_analytics.analysis.drift.segments import Change, change_points
from clamp_analytics.analysis.drift.selection import Series
from clamp_analytics.analysis.drift.shift import Shift, find_shift
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.stats import Floats, benjamini_hochberg, robust_sd, variance_inflation
from clamp_analytics.analysis.verdicts import Evidence, Judgement, judge, needed_sessions, smallest_step, too_few


@dataclass(frozen=True, slots=True)
class Levels:
    """What a change is from and to.

    Attributes:
        before: the level before, in the metric's unit; nan where there is no change.
        after: the level after, or of the whole series where there is no change; nan of no values.
        step: the difference of the means on the metric's scale.
        sd: the noise of a session on the metric's scale, robust.
    """

    before: float
    after: float
    step: float
    sd: float

    @property
    def in_sds(self) -> float:
        """The step in units of the noise; infinite where there is a step and no noise."""
        if self.sd > 0:
            return self.step / self.sd
        return math.copysign(math.inf, self.step) if self.step else 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in a series.

    Attributes:
        series: the series.
        judgement: the verdict and why.
        changes: the change points that are beyond noise, in order; the verdict is on the last one.
        levels: of that one.
        shift: the shift that was tested; None where there are too few sessions.
        adjusted_p: its p-value, corrected; nan where nothing was tested.
        needed: sessions it takes to catch an effect as large as the floor in four of five cases.
    """

    series: Series
    judgement: Judgement
    changes: list[Change]
    levels: Levels
    shift: Shift | None
    adjusted_p: float
    needed: int


def levels_of(series: Series, change: Change | None) -> Levels:
    """The levels around a change, or the one of the whole series."""
    if series.values.size == 0:
        return Levels(math.nan, math.nan, 0.0, math.nan)
    if change is None:
        return Levels(math.nan, series.metric.level(series.values), 0.0, robust_sd(series.scaled))
    left, right = slice(change.start, change.place), slice(change.place, change.end)
    return Levels(
        before=series.metric.level(series.values[left]),
        after=series.metric.level(series.values[right]),
        step=float(series.scaled[right].mean() - series.scaled[left].mean()),
        sd=_noise(series.scaled[left], series.scaled[right]),
    )


def _noise(left: Floats, right: Floats) -> float:
    return robust_sd(np.concatenate([left - np.median(left), right - np.median(right)]))


def judge_all(every: list[Series], options: DriftOptions) -> tuple[list[Finding], int]:
    """The findings of series that are tested together, in their order, and how many were tested.

    Benjamini and Hochberg's correction selects the series that have a change at all. Within those, further changes are
    looked for at the level that the correction left, so that the promise holds for them, too.

    Source: Benjamini and Bogomolov, Selective Inference on Multiple Families of Hypotheses, 2014,
    doi:10.1111/rssb.12028.
    """
    margin, limit = options.min_sessions, options.autocorrelation_limit
    shifts = [find_shift(series.scaled, margin, limit) for series in every]
    # Where all values are equal no order of them could give a small p-value, so nothing is looked for there.
    p_values = [
        math.nan if shift is None or is_constant(series) else shift.p
        for series, shift in zip(every, shifts, strict=True)
    ]
    adjusted = benjamini_hochberg(p_values)
    tested = sum(not math.isnan(p) for p in p_values)
    found = int((adjusted <= options.alpha).sum())
    level = options.alpha * max(found, 1) / max(tested, 1)
    tests = zip(every, shifts, adjusted, strict=True)
    return [_finding(series, shift, float(p), level, options) for series, shift, p in tests], tested


def is_constant(series: Series) -> bool:
    """Whether all values of a series are equal."""
    return bool(series.values.size) and bool(series.values.min() == series.values.max())


def _finding(series: Series, shift: Shift | None, adjusted: float, level: float, options: DriftOptions) -> Finding:
    changes: list[Change] = []
    if shift is not None and adjusted <= options.alpha:
        changes = change_points(series.scaled, options.min_sessions, options.autocorrelation_limit, level, shift)
    if shift is not None and math.isnan(adjusted):
        adjusted = shift.p
    last = changes[-1] if changes else None
    if last is not None and len(changes) > 1:
        shift, adjusted = last.shift, min(1.0, last.shift.p * options.alpha / level)
    levels = levels_of(series, last)
    return Finding(
        series,
        _judgement(series, last, levels, shift, adjusted, options),
        changes,
        levels,
        shift,
        adjusted,
        _needed(series, levels, shift, level, options),
    )


def _judgement(
    series: Series, last: Change | None, levels: Levels, shift: Shift | None, adjusted: float, options: DriftOptions
) -> Judgement:
    if shift is None:
        return too_few(series.values.size, 2 * options.min_sessions)
    start, place, end = (last.start, last.place, last.end) if last else (0, shift.place, series.values.size)
    evidence = Evidence(
        before=levels.before,
        after=levels.after,
        adjusted_p=adjusted,
        sessions_before=place - start,
        sessions_after=end - place,
        autocorrelation=shift.autocorrelation if shift.is_blocked else None,
    )
    return judge(
        series.metric,
        evidence,
        alpha=options.alpha,
        floor=options.floor(series.metric),
        min_sessions=options.min_sessions,
    )


def _needed(series: Series, levels: Levels, shift: Shift | None, level: float, options: DriftOptions) -> int:
    if shift is None:
        # The noise of so few is a guess, and what it takes for a verdict at all is known.
        return 2 * options.min_sessions
    n = series.values.size
    step = smallest_step(
        series.metric, levels.after if math.isnan(levels.before) else levels.before, options.floor(series.metric)
    )
    noise = levels.sd * math.sqrt(variance_inflation(shift.autocorrelation))
    alpha = single_level(level, n, options.min_sessions)
    return needed_sessions(step, noise, alpha=alpha, min_sessions=options.min_sessions)
