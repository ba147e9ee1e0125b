"""The rules that turn what differs between two sides into a verdict with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass

from clamp_analytics.analysis.compare.measure import Measure
from clamp_analytics.analysis.compare.new_run import RunCheck
from clamp_analytics.analysis.metrics import Metric
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.verdicts import Direction, Verdict, floor_text, size_text
from clamp_analytics.figures import figure, levels
from clamp_analytics.wording import p_value, percent, plural

MOST_TO_CONFIRM = 10
"""A suspect that needs more than so many times its sessions is not worth waiting for."""

ROUNDING = 1e-9
"""A score printed with six decimals and a floor of 0.01 must not disagree about a hundredth."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason.

    Attributes:
        verdict: the verdict.
        direction: whether the candidate is better or worse.
        reason: one sentence.
        detectable: the smallest shift for the worse that would have been found; nan where it is unknown.
        sessions_to_confirm: further sessions that would confirm a suspect; None where they are unknown.
        missing_sessions: further sessions that a side needs; None where there are enough.
    """

    verdict: Verdict
    direction: Direction
    reason: str
    detectable: float = math.nan
    sessions_to_confirm: int | None = None
    missing_sessions: int | None = None


def judge(
    found: Measure, adjusted_p: float, adjusted_p_independent: float, alpha: float, options: CompareOptions
) -> Judgement:
    """Judge a metric of a group.

    A change needs enough sessions on both sides, a corrected p-value of at most ``options.alpha`` although sessions may
    be correlated, and an effect of at least the floor. It is a suspect where only independent noise is ruled out.

    Args:
        found: the comparison.
        adjusted_p: its corrected p-value; nan where nothing was tested.
        adjusted_p_independent: the same if sessions were independent.
        alpha: the level of a single test, for the smallest shift that would have been found.
        options: thresholds.
    """
    floor = options.floor(found.metric)
    fewest = min(found.sessions)
    missing = options.min_sessions - fewest
    is_likely = adjusted_p <= options.alpha if missing <= 0 else False
    is_suspect = not is_likely and adjusted_p_independent <= options.suspect_alpha
    more = f"{plural(missing, 'more session')} {_of_side(found, options)} {'is' if missing == 1 else 'are'} needed"
    if missing > 0 and not is_suspect:
        reason = f"{_sessions(found)}; {more}"
        return Judgement(Verdict.NOT_ENOUGH_DATA, Direction.NONE, reason, missing_sessions=missing)
    detectable = found.detectable(alpha, floor)
    if not is_likely and not is_suspect:
        return _unchanged(found, adjusted_p, detectable)
    shift = shift_text(found.metric, *found.levels)
    if found.size < floor * (1 - ROUNDING):
        reason = f"{shift}{_p(adjusted_p)}, below the floor of {floor_text(found.metric, floor)}"
        return Judgement(Verdict.UNCHANGED, Direction.NONE, reason, detectable)
    direction = _direction(found.metric, found.levels[1] - found.levels[0])
    if missing > 0:
        reason = f"{shift}, but {_sessions(found)} are too few to rule out correlated noise; {more}"
        return Judgement(Verdict.SUSPECT, direction, reason, sessions_to_confirm=missing)
    if is_suspect:
        further = _to_confirm(found, alpha)
        confirm = f"; about {plural(further, 'more session')} of each side would confirm it" if further else ""
        reason = f"{shift}; independent noise does not explain it, but correlated noise may{_p(adjusted_p)}{confirm}"
        return Judgement(Verdict.SUSPECT, direction, reason, detectable, sessions_to_confirm=further)
    verdict = {
        Direction.WORSE: Verdict.REGRESSED,
        Direction.BETTER: Verdict.IMPROVED,
        Direction.NONE: Verdict.SUSPECT,
    }[direction]
    neither = "; neither direction is better" if direction is Direction.NONE else ""
    return Judgement(verdict, direction, f"{shift}{_p(adjusted_p)}{neither}", detectable)


def judge_run(found: Measure, check: RunCheck, options: CompareOptions) -> Judgement:
    """Judge a metric of a run that has too few sessions for a test: it is a suspect at most."""
    floor = options.floor(found.metric)
    more = max(options.min_sessions - found.sessions[1], 1)
    low, high = levels(check.low, check.high)
    history = f"{plural(found.sessions[0], 'session')} of the baseline ({low} to {high})"
    shift = shift_text(found.metric, *found.levels)
    if check.side or check.is_beyond_history:
        if found.size < floor * (1 - ROUNDING):
            reason = f"{shift}, outside the baseline but below the floor of {floor_text(found.metric, floor)}"
            return Judgement(Verdict.UNCHANGED, Direction.NONE, reason, check.detectable)
        if not check.side:
            reason = (
                f"{shift}; beyond every session of the baseline, but within the range of {history} that noise allows "
                f"for; {plural(more, 'more session')} needed"
            )
            return Judgement(Verdict.NOT_ENOUGH_DATA, Direction.NONE, reason, missing_sessions=more)
        reason = f"{shift}; outside the range of {history}; {plural(more, 'more session')} would confirm it"
        direction = _direction(found.metric, check.side)
        return Judgement(Verdict.SUSPECT, direction, reason, check.detectable, sessions_to_confirm=more)
    if math.isnan(check.detectable):
        reason = f"the noise of {history} would hide a shift of any size; {plural(more, 'more session')} needed"
        return Judgement(Verdict.NOT_ENOUGH_DATA, Direction.NONE, reason, missing_sessions=more)
    size = size_text(check.detectable, is_relative=found.metric.is_relative)
    reason = f"within the range of {history}; a shift of {size} would have been found in 9 of 10 runs"
    return Judgement(Verdict.UNCHANGED, Direction.NONE, reason, check.detectable)


def judge_newest(found: Measure, newest: int, options: CompareOptions) -> Judgement | None:
    """Judge a metric whose newest sessions are beyond the range of the baseline: it is a suspect, not unchanged.

    Args:
        found: the comparison.
        newest: the number of these sessions, negative where they are below the range.
        options: thresholds.

    Returns:
        The judgement; None where their shift is below the floor.
    """
    metric, (baseline, candidate) = found.metric, found.sides
    after = metric.level(candidate[-abs(newest) :])
    before = found.levels[0]
    if metric.size(before, after) < options.floor(metric) * (1 - ROUNDING):
        return None
    reason = (
        f"the newest {plural(abs(newest), 'session')} of the candidate are outside the range of "
        f"{plural(baseline.size, 'session')} of the baseline: {shift_text(metric, before, after)}"
    )
    return Judgement(Verdict.SUSPECT, _direction(metric, newest), reason)


def shift_text(metric: Metric, before: float, after: float) -> str:
    """Both levels, for durations with the difference in percent."""
    unit = f" {metric.unit}" if metric.unit == "ms" else ""
    text = f"{' to '.join(levels(before, after))}{unit}"
    if metric.is_relative and before > 0:
        text += f", {percent(after / before - 1, signed=True)}"
    return text


def _unchanged(found: Measure, adjusted_p: float, detectable: float) -> Judgement:
    if math.isnan(detectable):
        return Judgement(Verdict.NOT_ENOUGH_DATA, Direction.NONE, "the noise would hide a shift of any size")
    if found.is_constant:
        shown = f"all values are {figure(found.levels[0])}"
    else:
        shown = f"no shift beyond noise{_p(adjusted_p)}"
    size = size_text(detectable, is_relative=found.metric.is_relative)
    reason = f"{shown}; a shift of {size} would have been found"
    return Judgement(Verdict.UNCHANGED, Direction.NONE, reason, detectable)


def _direction(metric: Metric, difference: float) -> Direction:
    if metric.higher_is_better is None or difference == 0:
        return Direction.NONE
    return Direction.BETTER if (difference > 0) == metric.higher_is_better else Direction.WORSE


def _to_confirm(found: Measure, alpha: float) -> int | None:
    """Further sessions of each side with which the same difference would be confirmed."""
    estimate = abs(found.clipped.estimate)
    if not estimate > 0:
        return None
    fewest = min(found.sessions)
    factor = (found.clipped.detectable(alpha) / estimate) ** 2
    return max(math.ceil(fewest * (factor - 1)), 1) if factor <= MOST_TO_CONFIRM else None


def _sessions(found: Measure) -> str:
    before, after = found.sessions
    return plural(before, "pair") if found.paired else f"{before} and {plural(after, 'session')}"


def _of_side(found: Measure, options: CompareOptions) -> str:
    if found.paired:
        return "with both values"
    before, after = (sessions < options.min_sessions for sessions in found.sessions)
    if before and after:
        return "of each side"
    return "of the baseline" if before else "of the candidate"


def _p(adjusted_p: float) -> str:
    return "" if math.isnan(adjusted_p) else f" (corrected p {p_value(adjusted_p)})"
