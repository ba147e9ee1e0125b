"""How far the gate can be trusted on a history: how often it raises a false alarm, and which shifts it detects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise

import polars as pl

from clamp_analytics.analysis.drift.selection import Series
from clamp_analytics.analysis.incidents.changes import JudgedSeries
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.stats.arrays import Floats, Integers, np
from clamp_analytics.analysis.stats.mean_error import model_probabilities
from clamp_analytics.analysis.stats.noise_model import CELLS
from clamp_analytics.analysis.stats.robust_scores import robust_scores
from clamp_analytics.analysis.verdicts import Direction, Verdict
from clamp_analytics.reading.reader import Progress
from clamp_analytics.wording import percent, plural

GATES = 30
"""How many times, at most, the growing history is judged."""

CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.RECOVERED)
"""Verdicts whose changes are removed before the noise is fitted."""

WARM_UP = 300
"""Steps of the wander that are dropped, so that it begins anywhere in its range."""

CALIBRATION_COLUMNS: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "unit": pl.String(),
    "sessions": pl.Int64(),
    "false_alarms": pl.Float64(),
    "false_suspects": pl.Float64(),
    "gates": pl.Int64(),
    "alarms": pl.Int64(),
    "unfounded": pl.Int64(),
    "detectable": pl.Float64(),
}
"""The columns of ``Calibration.figures`` behind those of ``by``."""

Judge = Callable[[Sequence[Series]], list[JudgedSeries]]
"""Judges the series of one history together."""


@dataclass(frozen=True, slots=True, repr=False)
class Calibration(Result):
    """How often the gate raises a false alarm on a history, and which shifts it detects.

    Attributes:
        figures: one row per group and metric. ``false_alarms`` and ``false_suspects`` are the shares of simulated
            histories without a change in which the series was called regressed, or a suspect for the worse. Of the
            ``gates`` at which the growing history was long enough, ``alarms`` called it regressed; ``unfounded`` of
            them named a session at which the whole history shows no change. ``detectable`` is the smallest lasting
            shift to the worse that is found in about four of five cases: a share for durations, else in ``unit``.
            Null where there are too few sessions.
        replays: the number of simulated histories.
        false_alarms: the share of them in which any series was called regressed.
        false_changes: the share of them in which any series got a verdict of regressed or improved.
        gates: how many times the growing history was judged.
        alarms: how many of those called any series regressed.
        unfounded: how many of those named a session at which the whole history shows no change.
        untested: the number of series with too few sessions.
    """

    figures: pl.DataFrame
    replays: int
    false_alarms: float
    false_changes: float
    gates: int
    alarms: int
    unfounded: int
    untested: int

    def describe(self) -> list[str]:
        """The false alarm rates, and what the gate said while the history grew."""
        return [
            f"{percent(self.false_alarms)} of {plural(self.replays, 'history', 'histories')} without a change raised a "
            f"false alarm, {percent(self.false_changes)} gave any change",
            f"the growing history was judged {self.gates:,} times: {plural(self.alarms, 'alarm')}, "
            f"{self.unfounded:,} of them unfounded",
            f"{plural(self.untested, 'series', 'series')} with too few sessions",
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``figures``."""
        return self.figures


def replay_history(
    series: Sequence[Series],
    judge: Judge,
    by: Sequence[str],
    kinds: dict[str, pl.DataType],
    options: DriftOptions,
    progress: Progress | None = None,
) -> Calibration:
    """Judge simulated histories without a change, and the history itself while it grows.

    The noise of each series, a slow wander plus white noise, is simulated around its latest level. How much it wanders
    is drawn anew for each history, as likely as the series makes it, because one series hardly shows it. The metrics of
    one group share their random numbers, because they are nearly copies of each other. Drawing from a model keeps a
    wander that is longer than blocks of a resampled history could be.

    Args:
        series: the series of the history.
        judge: judges series as ``drift`` does.
        by: the columns that tell series apart.
        kinds: the types of these columns.
        options: the number of simulated histories, the sessions that are used, and the seed.
        progress: called with the number of histories that were judged and of all that will be.
    """
    if progress is not None:
        judge = _counted(judge, 1 + options.replays + GATES, progress)
    recent = [_part(one, slice(max(one.values.size - options.replayed_sessions, 0), None)) for one in series]
    judged = judge(recent)
    tested = [index for index, one in enumerate(judged) if one.judgement.verdict is not Verdict.NOT_ENOUGH_DATA]
    noises = [_noise_of(recent[index], judged[index]) for index in tested]
    alarms, suspects, any_alarm, any_change = _simulated(noises, judge, options)
    grown = _while_growing(recent, judged, judge)
    rows = [
        {
            **dict(zip(by, one.group, strict=True)),
            "metric": one.metric,
            "unit": recent[index].metric.unit,
            "sessions": one.judgement.sessions,
            "false_alarms": None,
            "false_suspects": None,
            "gates": int(grown.gates_of[index]),
            "alarms": int(grown.alarms_of[index]),
            "unfounded": int(grown.unfounded_of[index]),
            "detectable": one.judgement.detectable if np.isfinite(one.judgement.detectable) else None,
        }
        for index, one in enumerate(judged)
    ]
    for index, alarm, suspect in zip(tested, alarms, suspects, strict=True):
        rows[index] |= {"false_alarms": float(alarm), "false_suspects": float(suspect)}
    return Calibration(
        figures=pl.DataFrame(rows, schema={**kinds, **CALIBRATION_COLUMNS}),
        replays=options.replays,
        false_alarms=any_alarm,
        false_changes=any_change,
        gates=grown.gates,
        alarms=grown.alarms,
        unfounded=grown.unfounded,
        untested=len(judged) - len(tested),
    )


def _counted(judge: Judge, total: int, progress: Progress) -> Judge:
    """Judge as before, and say after each history how many were judged."""
    numbers = count(1)

    def judge_and_count(series: Sequence[Series]) -> list[JudgedSeries]:
        judged = judge(series)
        progress(next(numbers), total)
        return judged

    return judge_and_count


def _part(series: Series, part: slice) -> Series:
    return replace(series, rows=series.rows[part], values=series.values[part], days=series.days[part])


@dataclass(frozen=True, slots=True)
class _Noise:
    """The noise of a series on the scale of its metric, around its latest level.

    Attributes:
        series: the series.
        level: its latest level.
        cells: the noise models that may explain it, as indices of ``CELLS``.
        weights: the probability of each.
        sds: the standard deviation of a session under each.
    """

    series: Series
    level: float
    cells: Integers
    weights: Floats
    sds: Floats

    def simulate(self, seed: tuple[int, ...]) -> Series:
        """A history without a change, with noise of one of the models."""
        from scipy.signal import lfilter

        n = self.series.values.size
        random = np.random.default_rng(seed)
        chosen = int(random.choice(self.cells.size, p=self.weights))
        correlation, ratio = CELLS[int(self.cells[chosen])]
        white = random.standard_normal(n)
        steps = random.standard_normal(WARM_UP + n) * np.sqrt(1 - correlation**2)
        wander = lfilter([1.0], [1.0, -correlation], steps)[WARM_UP:]
        noise = (wander + np.sqrt(ratio) * white) / np.sqrt(1 + ratio)
        return replace(self.series, values=self.series.metric.from_scale(self.level + self.sds[chosen] * noise))


def _noise_of(series: Series, judged: JudgedSeries) -> _Noise:
    metric, judgement = series.metric, judged.judgement
    scaled = metric.to_scale(series.values)
    # The step of a suspect may be noise: without it, the noise would seem to wander less than it does.
    changes = judgement.changes if judgement.verdict in CHANGED else ()
    edges = [0, *(change.index for change in changes), scaled.size]
    residuals = np.concatenate([scaled[a:b] - np.median(scaled[a:b]) for a, b in pairwise(edges)])
    if judgement.slope is not None:
        sessions = np.arange(scaled.size)
        residuals = scaled - np.polyval(np.polyfit(sessions, scaled, 1), sessions)
    scores, units = robust_scores(residuals[None])
    level = float(np.median(scaled[edges[-2] :]))
    if scores.min() == scores.max():
        return _Noise(series, level, np.zeros(1, dtype=np.int64), np.ones(1), np.zeros(1))
    cells, weights, (variances,) = model_probabilities([scores[0]])
    return _Noise(series, level, cells, weights, np.sqrt(variances) * float(units[0]))


def _simulated(noises: Sequence[_Noise], judge: Judge, options: DriftOptions) -> tuple[Floats, Floats, float, float]:
    """The shares of simulated histories: with an alarm and a suspect by series, with any alarm, with any change."""
    alarms, suspects = np.zeros(len(noises)), np.zeros(len(noises))
    any_alarm = any_change = 0
    groups = {group: number for number, group in enumerate(dict.fromkeys(noise.series.group for noise in noises))}
    for number in range(options.replays if noises else 0):
        histories = [noise.simulate((options.seed, number, groups[noise.series.group])) for noise in noises]
        judged = [one.judgement for one in judge(histories)]
        alarm = np.array([one.verdict is Verdict.REGRESSED for one in judged])
        alarms += alarm
        suspects += [one.verdict is Verdict.SUSPECT and one.direction is Direction.WORSE for one in judged]
        any_alarm += bool(alarm.any())
        any_change += any(one.verdict in (Verdict.REGRESSED, Verdict.IMPROVED) for one in judged)
    replays = options.replays
    return alarms / replays, suspects / replays, any_alarm / replays, any_change / replays


@dataclass(frozen=True, slots=True)
class _Grown:
    """What the gate said while the history grew: in all, and for each series."""

    gates: int
    alarms: int
    unfounded: int
    gates_of: Floats
    alarms_of: Floats
    unfounded_of: Floats


def _while_growing(series: Sequence[Series], whole: Sequence[JudgedSeries], judge: Judge) -> _Grown:
    """Judge the history again and again while it grows; the last time it is whole."""
    gates, alarms, unfounded = (np.zeros(len(series)) for _ in range(3))
    times = np.unique(np.concatenate([one.days for one in series])) if series else np.zeros(0)
    ends = np.unique(np.linspace(min(10, times.size), times.size, GATES).astype(int)) if times.size else times
    any_alarms = any_unfounded = judged_gates = 0
    for end in ends:
        last = times[int(end) - 1]
        parts = [_part(one, slice(0, int(np.searchsorted(one.days, last, side="right")))) for one in series]
        judged = judge(parts)
        long_enough = np.array([one.judgement.verdict is not Verdict.NOT_ENOUGH_DATA for one in judged])
        alarm = np.array([one.judgement.verdict is Verdict.REGRESSED for one in judged])
        known = np.array([_is_known(one, of_all) for one, of_all in zip(judged, whole, strict=True)])
        wrong = alarm & ~known
        gates += long_enough
        alarms += alarm
        unfounded += wrong
        judged_gates += bool(long_enough.any())
        any_alarms += bool(alarm.any())
        any_unfounded += bool(wrong.any())
    return _Grown(judged_gates, any_alarms, any_unfounded, gates, alarms, unfounded)


def _is_known(part: JudgedSeries, whole: JudgedSeries) -> bool:
    """Whether the whole history shows a change where a part of it does."""
    if whole.judgement.slope is not None:
        return True
    return any(
        one.earliest <= other.latest and other.earliest <= one.latest
        for one in part.judgement.changes
        for other in whole.judgement.changes
    )
