"""The rules that turn what was found in a series into its verdict."""

from __future__ import annotations

import math
from dataclasses import replace

from clamp_analytics.analysis.judgement import reasons
from clamp_analytics.analysis.judgement.findings import Finding, Level
from clamp_analytics.analysis.judgement.result import Change, SeriesJudgement
from clamp_analytics.analysis.judgement.scales import ScaledSeries
from clamp_analytics.analysis.judgement.search import SHORTEST
from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.analysis.stats.step_scan import MIN_AFTER
from clamp_analytics.analysis.verdicts import Direction, Shape, Verdict
from clamp_analytics.figures import figure
from clamp_analytics.wording import plural

SAME_LEVEL_ERRORS = 3.0
"""Two levels are the same if they differ by at most this many standard errors."""

SAME_LEVEL_SHARE = 0.02
"""Or by at most this share of the latest step, where there is no noise."""

_VERDICTS = {
    Direction.WORSE: Verdict.REGRESSED,
    Direction.BETTER: Verdict.IMPROVED,
    # Where neither direction is better, a change needs a person to judge it.
    Direction.NONE: Verdict.SUSPECT,
}


def not_enough_data(series: ScaledSeries) -> SeriesJudgement:
    """Return the judgement of a series that is too short."""
    n = series.values.size
    level = series.in_unit(series.level(0, n, 0.0)) if n else math.nan
    reason = f"{plural(n, 'session')}, and at least {SHORTEST} are needed: {SHORTEST - n} more"
    return SeriesJudgement(Verdict.NOT_ENOUGH_DATA, Direction.NONE, Shape.NONE, reason, n, level, level)


def judge_finding(found: Finding, worse_sign: int, options: JudgeOptions) -> SeriesJudgement:
    """Return the judgement of a series.

    Args:
        found: what was found in it.
        worse_sign: 1 where higher values are worse, -1 where lower ones are, 0 where neither is.
        options: thresholds.
    """
    if found.is_trend:
        judgement = _judge_trend(found, worse_sign, options)
    elif found.intervals:
        judgement = _judge_changes(found, worse_sign, options)
    elif found.adjusted_p_independent <= options.suspect_alpha:
        judgement = _suspect_step(found, worse_sign)
    else:
        judgement = _unchanged(found, options)
    outside = _direction(found.newest_outside, worse_sign)
    if not found.newest_outside or (judgement.direction is outside and judgement.verdict is not Verdict.REGRESSED):
        return judgement
    if judgement.verdict is Verdict.REGRESSED:
        return _with_newest(found, judgement)
    return _newest_outside(found, judgement, outside)


def _judge_trend(found: Finding, worse_sign: int, options: JudgeOptions) -> SeriesJudgement:
    half = found.slope * (found.sessions - 1) / 2
    start, end = found.levels[0].value - half, found.levels[0].value + half
    total = found.series.effect(start, end)
    direction = _direction(end - start, worse_sign)
    if _is_small(total, options):
        return _too_small(found, total, options)
    per_session = found.series.effect(start, start + found.slope)
    return replace(
        _base(found, worse_sign),
        verdict=_VERDICTS[direction],
        direction=direction,
        shape=Shape.TREND,
        reason=f"a steady trend from {_number(found, start)} to {_number(found, end)} "
        f"({reasons.effect(found.series, total)} over {found.sessions} sessions; {_p(found)})",
        first=found.series.in_unit(start),
        latest=found.series.in_unit(end),
        slope=per_session,
        total_change=total,
    )


def _judge_changes(found: Finding, worse_sign: int, options: JudgeOptions) -> SeriesJudgement:
    base = _base(found, worse_sign)
    first, latest = found.levels[0], found.levels[-1]
    total = found.series.effect(first.value, latest.value)
    if len(found.levels) > 2 and _is_same(first, latest, found):
        return _returned(found, worse_sign, base)
    direction = _direction(latest.value - first.value, worse_sign)
    text = (
        f"{reasons.steps(found.series, base.changes, found.names)} ({reasons.effect(found.series, total)}; {_p(found)})"
    )
    if _is_small(total, options):
        return _too_small(found, total, options)
    shape = Shape.STEP if len(base.changes) == 1 else Shape.SEVERAL
    earlier = next((level for level in found.possible_levels[:-2] if _is_same(level, latest, found)), None)
    if earlier is not None:
        span = reasons.span(found.names, earlier.start, earlier.end)
        return replace(
            base,
            verdict=Verdict.SUSPECT,
            direction=direction,
            shape=shape,
            reason=f"{text}, but this level also held {span}: the series switches between levels",
        )
    neither = "" if worse_sign else "; neither direction is better"
    return replace(base, verdict=_VERDICTS[direction], direction=direction, shape=shape, reason=text + neither)


def _returned(found: Finding, worse_sign: int, base: SeriesJudgement) -> SeriesJudgement:
    """Judge a series whose latest level is its first one."""
    middle = found.levels[1:-1]
    start, end = middle[0].start, middle[-1].end
    outage = len(middle) == 1
    shape = Shape.OUTAGE if outage else Shape.SEVERAL
    span = f"{reasons.span(found.names, start, end)} ({plural(end - start, 'session')})"
    level = _number(found, found.levels[-1].value)
    if base.changes[-1].direction is Direction.BETTER:
        reason = f"an outage {span}: {reasons.steps(found.series, base.changes, found.names)}; it is over ({_p(found)})"
        return replace(base, verdict=Verdict.RECOVERED, shape=shape, reason=reason)
    reason = f"back at the first level of {level} after a different one {span} ({_p(found)})"
    return replace(
        base, verdict=Verdict.SUSPECT, direction=base.changes[-1].direction, shape=Shape.SEVERAL, reason=reason
    )


def _suspect_step(found: Finding, worse_sign: int) -> SeriesJudgement:
    index = found.independent_step
    before = found.series.level(0, index, found.noise)
    after = found.series.level(index, found.sessions, found.noise)
    direction = _direction(after - before, worse_sign)
    change = Change(
        index, index, index, found.series.in_unit(before), found.series.in_unit(after), direction, found.p_value
    )
    more = found.sessions_to_confirm
    confirm = (
        f"{plural(more, 'more session')} at this level would confirm it"
        if more
        else "more sessions alone would hardly confirm it"
    )
    return replace(
        _base(found, 0),
        verdict=Verdict.SUSPECT,
        direction=direction,
        shape=Shape.STEP,
        reason=f"perhaps {reasons.steps(found.series, [change], found.names)} "
        f"({reasons.effect(found.series, found.series.effect(before, after))}); independent noise does not explain "
        f"it, but a slow wander does ({_p(found)}); {confirm}",
        first=change.before,
        latest=change.after,
        changes=(change,),
        sessions_to_confirm=more,
    )


def _unchanged(found: Finding, options: JudgeOptions) -> SeriesJudgement:
    base = _base(found, 0)
    if math.isnan(base.detectable):
        return replace(base, verdict=Verdict.NOT_ENOUGH_DATA, reason="the noise would hide a shift of any size")
    level = _number(found, found.levels[0].value)
    if base.detectable == 0:
        shown = f"all {found.sessions} values are {level}; any lasting shift would have shown"
    else:
        size = reasons.amount(found.series, base.detectable)
        shown = f"no shift from {level} beyond noise; one of {size} would have shown"
    if not found.outliers:
        return replace(base, reason=shown)
    worst = reasons.sessions(found.names, found.outliers)
    verb = "is an outlier" if len(found.outliers) == 1 else "are outliers"
    return replace(base, shape=Shape.OUTLIER, reason=f"{shown}; {worst} {verb}")


def _newest_outside(found: Finding, judgement: SeriesJudgement, outside: Direction) -> SeriesJudgement:
    newest = _newest(found)
    more = max(MIN_AFTER - len(newest), 1)
    latest = found.series.level(newest[0], found.sessions, found.noise)
    confirm = f"{plural(more, 'more session')} at this level would confirm it"
    before = f"; before that, {judgement.reason}" if judgement.changes else ""
    return replace(
        judgement,
        verdict=Verdict.SUSPECT,
        direction=outside,
        shape=Shape.SEVERAL if judgement.changes else Shape.OUTLIER,
        reason=f"{_newest_text(found, latest)}; {confirm}{before}",
        outliers=tuple(sorted({*found.outliers, *newest})),
        latest=found.series.in_unit(latest),
        sessions_to_confirm=more,
    )


def _with_newest(found: Finding, judgement: SeriesJudgement) -> SeriesJudgement:
    """Name the newest sessions of a series that has regressed, where they are outside its latest level, too."""
    newest = _newest(found)
    latest = found.series.level(newest[0], found.sessions, found.noise)
    return replace(
        judgement,
        reason=f"{judgement.reason}; {_newest_text(found, latest)}",
        outliers=tuple(sorted({*found.outliers, *newest})),
    )


def _newest(found: Finding) -> range:
    return range(found.sessions - abs(found.newest_outside), found.sessions)


def _newest_text(found: Finding, latest: float) -> str:
    newest = _newest(found)
    verb = "is" if len(newest) == 1 else "are"
    before = _number(found, found.levels[-1].value)
    return (
        f"the newest {reasons.sessions(found.names, newest)} {verb} outside the range of the history: "
        f"{_number(found, latest)} after {before}"
    )


def _too_small(found: Finding, total: float, options: JudgeOptions) -> SeriesJudgement:
    limit = reasons.amount(found.series, options.smallest_effect)
    reason = f"a shift of {reasons.effect(found.series, total)} ({_p(found)}) is below the limit of {limit}"
    return replace(_base(found, 0), reason=reason)


def _base(found: Finding, worse_sign: int) -> SeriesJudgement:
    """Return what judgements of a series have in common, as unchanged."""
    in_unit = found.series.in_unit
    levels = found.levels
    changes = tuple(
        Change(
            after.start,
            interval[0],
            interval[1],
            in_unit(before.value),
            in_unit(after.value),
            _direction(after.value - before.value, worse_sign),
            p,
        )
        for before, after, interval, p in zip(levels, levels[1:], found.intervals, found.change_p_values, strict=False)
    )
    latest = levels[-1].value
    shift = found.series.effect(latest, latest + (worse_sign or 1) * found.detectable)
    return SeriesJudgement(
        verdict=Verdict.UNCHANGED,
        direction=Direction.NONE,
        shape=Shape.NONE,
        reason="",
        sessions=found.sessions,
        first=in_unit(levels[0].value),
        latest=in_unit(latest),
        changes=changes,
        outliers=found.outliers,
        detectable=abs(shift),
        p_value=found.p_value,
        adjusted_p=found.adjusted_p,
    )


def _direction(difference: float, worse_sign: int) -> Direction:
    signed = difference * worse_sign
    if signed == 0:
        return Direction.NONE
    return Direction.WORSE if signed > 0 else Direction.BETTER


def _is_same(one: Level, other: Level, found: Finding) -> bool:
    errors = SAME_LEVEL_ERRORS * math.hypot(one.error, other.error)
    step = abs(found.levels[-1].value - found.levels[-2].value)
    return abs(one.value - other.value) <= max(errors, SAME_LEVEL_SHARE * step)


def _is_small(size: float, options: JudgeOptions) -> bool:
    # A score printed with six decimals and a limit of 0.01 must not disagree about a hundredth.
    return abs(size) < options.smallest_effect * (1 - 1e-9)


def _number(found: Finding, level: float) -> str:
    return figure(found.series.in_unit(level))


def _p(found: Finding) -> str:
    return reasons.p_text(found.adjusted_p)
