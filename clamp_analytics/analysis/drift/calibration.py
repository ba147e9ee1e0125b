"""How far the gate can be trusted on a user's own history: how often it would have cried wolf, and what it catches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from clamp_analytics.analysis.drift.findings import Finding, judge_all
from clamp_analytics.analysis.drift.selection import Series
from clamp_analytics.analysis.drift.shift import find_shift
from clamp_analytics.analysis.options import DriftOptions
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.stats import Floats, block_length, robust_sd
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.wording import plural

GATES = 30
"""How many times, at most, the gate is asked again while the history grows."""

STEP_SDS = 0.25
"""The shifts that are tried are multiples of this many robust standard deviations."""

MOST_SDS = 6.0
"""The largest shift that is tried."""

POWER_REPLAYS = 100
"""Histories, at most, that each shift is tried on."""

POWERS = (0.8, 0.9)

CALIBRATION_COLUMNS: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "unit": pl.String(),
    "sessions": pl.Int64(),
    "false_alarms": pl.Float64(),
    "false_warnings": pl.Float64(),
    "gates": pl.Int64(),
    "alarms": pl.Int64(),
    "unfounded": pl.Int64(),
    "catches_80": pl.Float64(),
    "catches_90": pl.Float64(),
    "catches_80_sd": pl.Float64(),
    "catches_90_sd": pl.Float64(),
}
"""The columns of ``Calibration.figures`` behind those of ``by``."""


@dataclass(frozen=True, slots=True, repr=False)
class Calibration(Result):
    """What the gate would have done.

    Attributes:
        figures: one row a group and metric. ``false_alarms`` and ``false_warnings`` are the shares of histories
            without a change in which it was called regressed, or a warning. Of the ``gates`` at which the growing
            history was long enough, ``alarms`` called it regressed, ``unfounded`` of them at a place where the whole
            history shows no change. ``catches_80`` and ``catches_90`` are the smallest shifts to the worse, in the
            middle, that are caught in 80 and 90 of 100 histories, in the metric's unit; the same in robust standard
            deviations on its scale. Null where there are too few sessions, no noise, or no shift was large enough.
        replays: histories without a change that were made.
        false_alarms: the share of them in which anything at all was called regressed.
        false_changes: the share of them in which anything got a verdict of regressed, improved or warning.
        gates: how many times the growing history was judged.
        alarms: at how many of those anything was called regressed.
        unfounded: at how many of those that was so at a place where the whole history shows no change.
        untested: series with too few sessions.
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
            f"{self.false_alarms:.1%} of {plural(self.replays, 'history', 'histories')} without a change raised a "
            f"false alarm, {self.false_changes:.1%} gave any change",
            f"the growing history was judged {self.gates:,} times: {plural(self.alarms, 'alarm')}, "
            f"{self.unfounded:,} of them unfounded",
            f"{plural(self.untested, 'series', 'series')} with too few sessions",
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``figures``."""
        return self.figures


def replayed(table: pl.DataFrame, by: tuple[str, ...], every: Sequence[Series], options: DriftOptions) -> Calibration:
    """Replay histories; the series are those of the table."""
    recent = [_latest(series, options.replayed_sessions) for series in every]
    findings, tested = judge_all(recent, options)
    noises = [_noise(finding) for finding in findings if finding.shift is not None]
    alarms, warnings, any_alarm, any_change = _without_change(noises, options)
    gates = _grown(recent, findings, options)
    level = options.alpha / max(tested, 1)
    rows, place = [], 0
    for number, finding in enumerate(findings):
        metric = finding.series.metric
        row = {
            **dict(zip(by, finding.series.group, strict=True)),
            "metric": metric.name,
            "unit": metric.unit,
            "sessions": finding.series.values.size,
            **{name: int(counts[number]) for name, counts in gates.of_series.items()},
        }
        if finding.shift is not None:
            row["false_alarms"] = float(alarms[place])
            row["false_warnings"] = float(warnings[place])
            row |= _caught(noises[place], level, options)
            place += 1
        rows.append(row)
    return Calibration(
        figures=pl.DataFrame(rows, schema={**{name: table.schema[name] for name in by}, **CALIBRATION_COLUMNS}),
        replays=options.replays,
        false_alarms=any_alarm,
        false_changes=any_change,
        gates=gates.gates,
        alarms=gates.alarms,
        unfounded=gates.unfounded,
        untested=sum(finding.shift is None for finding in findings),
    )


def _latest(series: Series, count: int) -> Series:
    return _part(series, slice(max(series.values.size - count, 0), None))


def _part(series: Series, part: slice) -> Series:
    return replace(
        series,
        rows=series.rows[part],
        values=series.values[part],
        scaled=series.scaled[part],
        days=series.days[part],
    )


@dataclass(frozen=True, slots=True)
class _Noise:
    """A series without its changes: every level is moved to the last one's."""

    series: Series
    scaled: Floats
    length: int

    def history(self, places: npt.NDArray[np.int64], shift: float = 0.0) -> Series:
        """The sessions at these places, in that order, with a shift of the second half on the scale."""
        scaled = self.scaled[places]
        if shift:
            scaled = scaled.copy()
            scaled[scaled.size // 2 :] += shift
        values = self.series.metric.from_scale(scaled)
        # What no score can be is cut off by the way back to the unit, and is cut off on the scale, too.
        return replace(self.series, values=values, scaled=self.series.metric.to_scale(values))


def _noise(finding: Finding) -> _Noise:
    scaled = finding.series.scaled.copy()
    edges = [0, *(change.place for change in finding.changes), scaled.size]
    last = float(np.median(scaled[edges[-2] :]))
    for start, end in pairwise(edges):
        scaled[start:end] += last - float(np.median(scaled[start:end]))
    assert finding.shift is not None
    return _Noise(finding.series, scaled, block_length(finding.shift.autocorrelation))


def _draws(noises: Sequence[_Noise], replays: int, seed: int) -> dict[int, npt.NDArray[np.int64]]:
    """For each length of a series the places of the sessions of each history: blocks of neighbours, drawn anew.

    The blocks keep what neighbours have in common. Series of one length share their draws, which keeps what the
    series of one session have in common.

    Source: Politis and Romano, A Circular Block-Resampling Procedure for Stationary Data, 1992, in Exploring the
    Limits of Bootstrap, pages 263 to 270.
    """
    drawn = {}
    for n in sorted({noise.scaled.size for noise in noises}):
        longest = max(noise.length for noise in noises if noise.scaled.size == n)
        length = min(longest, max(n // 4, 1))
        generator = np.random.default_rng((seed, n))
        starts = generator.integers(0, n, (replays, math.ceil(n / length)))
        places = (starts[:, :, None] + np.arange(length)).reshape(replays, -1)[:, :n] % n
        drawn[n] = places.astype(np.int64)
    return drawn


def _without_change(noises: Sequence[_Noise], options: DriftOptions) -> tuple[Floats, Floats, float, float]:
    """Shares of histories without a change: with an alarm and a warning by series, with any alarm, with any change."""
    draws = _draws(noises, options.replays, options.seed)
    alarms, warnings = np.zeros(len(noises)), np.zeros(len(noises))
    any_alarm = any_change = 0
    for number in range(options.replays if noises else 0):
        histories = [noise.history(draws[noise.scaled.size][number]) for noise in noises]
        verdicts = [finding.judgement.verdict for finding in judge_all(histories, options)[0]]
        alarms += [verdict is Verdict.REGRESSED for verdict in verdicts]
        warnings += [verdict is Verdict.WARNING for verdict in verdicts]
        any_alarm += Verdict.REGRESSED in verdicts
        any_change += not set(verdicts) <= {Verdict.UNCHANGED}
    replays = options.replays
    return alarms / replays, warnings / replays, any_alarm / replays, any_change / replays


@dataclass(frozen=True, slots=True)
class _Grown:
    """What the gate said while the history grew, in all and of each series."""

    gates: int
    alarms: int
    unfounded: int
    of_series: dict[str, npt.NDArray[np.int64]]


def _grown(every: Sequence[Series], whole: Sequence[Finding], options: DriftOptions) -> _Grown:
    """Judge the history again and again while it grows; the last time it is whole."""
    counts = {name: np.zeros(len(every), dtype=np.int64) for name in ("gates", "alarms", "unfounded")}
    sessions = np.unique(np.concatenate([series.days for series in every])) if every else np.zeros(0)
    first = 2 * options.min_sessions
    ends = np.unique(np.linspace(first, sessions.size, GATES).astype(int)) if sessions.size >= first else sessions[:0]
    alarms = unfounded = 0
    for end in ends:
        day = sessions[int(end) - 1]
        parts = [_part(series, slice(0, int(np.searchsorted(series.days, day, side="right")))) for series in every]
        found = judge_all(parts, options)[0]
        loud = np.array([finding.judgement.verdict is Verdict.REGRESSED for finding in found])
        pairs = zip(loud, found, whole, strict=True)
        wrong = np.array([bool(one) and not _known(part, of_all, options) for one, part, of_all in pairs])
        counts["gates"] += [finding.shift is not None for finding in found]
        counts["alarms"] += loud
        counts["unfounded"] += wrong
        alarms += bool(loud.any())
        unfounded += bool(wrong.any())
    return _Grown(len(ends), alarms, unfounded, counts)


def _known(part: Finding, whole: Finding, options: DriftOptions) -> bool:
    """Whether the whole history shows a change that a part of it ended with.

    Soon after a change its place is not yet looked at, because it is too near the end, and an earlier one is named.
    """
    first = part.changes[-1].place - options.min_sessions
    return any(first <= change.place < part.series.values.size for change in whole.changes)


def _caught(noise: _Noise, level: float, options: DriftOptions) -> dict[str, float | None]:
    """The smallest shifts that are called a regression often enough when nothing else changes."""
    metric, n = noise.series.metric, noise.scaled.size
    sd = robust_sd(noise.scaled)
    if sd == 0:
        return {}
    worse = -1.0 if metric.higher_is_better else 1.0
    draws = _draws([noise], min(POWER_REPLAYS, options.replays), options.seed)[n]
    shifts, powers = [0.0], [0.0]
    while powers[-1] < POWERS[-1] and shifts[-1] < MOST_SDS:
        shifts.append(shifts[-1] + STEP_SDS)
        step = worse * shifts[-1] * sd
        caught = [_is_caught(noise.history(places, step), level, options) for places in draws]
        powers.append(max(float(np.mean(caught)), powers[-1]))
    level_now = float(np.median(noise.scaled))
    figures: dict[str, float | None] = {}
    for power in POWERS:
        if powers[-1] < power:
            continue
        sds = float(np.interp(power, powers, shifts))
        ends = metric.from_scale(np.array([level_now, level_now + worse * sds * sd]))
        figures[f"catches_{power * 100:.0f}_sd"] = sds
        figures[f"catches_{power * 100:.0f}"] = abs(float(ends[1] - ends[0]))
    return figures


def _is_caught(history: Series, level: float, options: DriftOptions) -> bool:
    shift = find_shift(history.scaled, options.min_sessions, options.autocorrelation_limit)
    if shift is None or shift.is_blocked or shift.p > level:
        return False
    before = history.metric.level(history.values[: shift.place])
    after = history.metric.level(history.values[shift.place :])
    worse = (after < before) == bool(history.metric.higher_is_better)
    return worse and history.metric.size(before, after) >= options.floor(history.metric)
