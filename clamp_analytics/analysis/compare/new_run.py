"""Check a new run of few sessions against the range of its history, and say how far that check can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from clamp_analytics.analysis.metrics import Metric, Scale
from clamp_analytics.analysis.proportions import bound_text
from clamp_analytics.analysis.stats.arrays import Bools, Floats, np
from clamp_analytics.analysis.stats.prediction_band import prediction_band
from clamp_analytics.analysis.verdicts import size_text
from clamp_analytics.wording import plural

FEWEST_BEFORE = 10
"""Sessions before the first replayed run at least."""

FEWEST_IN_HISTORY = 20
"""Sessions of a history that a new run is checked against at least."""

MOST_REPLAYS = 100
"""The number of the latest sessions of a history that are replayed as new runs at most."""

FEWEST_NEWEST = 3
"""Newest sessions of a candidate with enough sessions that must be beyond the range of a baseline at least."""

MOST_NEWEST = 5
"""Newest sessions that are examined at most."""

CAUGHT = 0.9
"""The share of replayed runs in which a shift of the size ``detectable`` is found."""


@dataclass(frozen=True, slots=True)
class RunCheck:
    """The check of one series of a new run.

    Attributes:
        low: the lower end of the range of the history, in the unit.
        high: the upper end of it.
        side: 1 where all sessions of the run are above the range, -1 where they are below, 0 otherwise.
        is_beyond_history: whether all sessions of the run are above every session of the history, or below every one:
            the range is wider than the history, because a few new sessions may be beyond it by chance.
        detectable: the smallest shift for the worse that is found in nine of ten replayed runs, in the terms of a
            floor; nan where no shift is.
        false_alarms: for the source that each replayed run began with, whether the check raised a false alarm.
    """

    low: float
    high: float
    side: int
    is_beyond_history: bool
    detectable: float
    false_alarms: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Replay:
    """How the check of new runs does on the sessions of the history, each checked against the sessions before it.

    Attributes:
        sessions: the number of sessions of a run.
        runs: the number of replayed runs.
        false_alarms: how many of them were outside the range for the worse in any series.
        metric: the metric that ``detectable`` is of.
        detectable: the smallest slow-down that is found in nine of ten runs, the median over contexts; nan where
            there is none.
    """

    sessions: int
    runs: int
    false_alarms: int
    metric: str
    detectable: float

    @property
    def text(self) -> str:
        """The false alarm rate and the power as text."""
        if self.false_alarms:
            rate = f"a false alarm once in {self.runs / self.false_alarms:.2g} runs"
            alarms = f"{rate} ({self.false_alarms} of {plural(self.runs, 'replayed run')})"
        else:
            alarms = f"no false alarm in {plural(self.runs, 'replayed run')} ({bound_text(self.runs)})"
        if math.isnan(self.detectable):
            return alarms
        size = size_text(self.detectable, is_relative=True)
        return f"{alarms}; it finds a slow-down of {size} in {self.metric} in 9 of 10"


def check_run(metric: Metric, history: Floats, sources: Sequence[str], run: Floats, floor: float) -> RunCheck:
    """Check one series of a new run.

    Args:
        metric: the metric.
        history: its values before the run, by time; at least ``FEWEST_IN_HISTORY``.
        sources: the sources of the sessions of the history.
        run: the values of the run.
        floor: the smallest effect that matters.
    """
    known, new = metric.to_scale(history), metric.to_scale(run)
    low, high = _range(known, run.size)
    worse = -1 if metric.higher_is_better else 1
    starts = range(FEWEST_BEFORE, known.size - run.size + 1)[-MOST_REPLAYS:]
    ends = np.array([_range(known[:start], run.size) for start in starts])
    windows = np.lib.stride_tricks.sliding_window_view(known, run.size)[list(starts)]
    # How far a run is inside the range: the shift that takes all of its sessions out of it.
    inside = ends[:, 1] - windows.min(axis=1) if worse > 0 else windows.max(axis=1) - ends[:, 0]
    before = np.array([metric.level(history[:start]) for start in starts])
    after = np.array([metric.level(history[start : start + run.size]) for start in starts])
    alarms = (inside < 0) & _matters(metric, before, after, floor)
    shift = worse * max(float(np.quantile(inside, CAUGHT, method="higher")), 0.0)
    return RunCheck(
        low=float(metric.from_scale(np.array([low]))[0]),
        high=float(metric.from_scale(np.array([high]))[0]),
        side=int(new.min() > high) - int(new.max() < low),
        is_beyond_history=bool(new.min() > known.max() or new.max() < known.min()),
        detectable=_size(metric, float(np.median(known)), shift, floor),
        false_alarms={sources[start]: bool(alarm) for start, alarm in zip(starts, alarms, strict=True)},
    )


def newest_outside_baseline(metric: Metric, history: Floats, candidate: Floats) -> int:
    """How many of the newest sessions of a candidate, at least ``FEWEST_NEWEST``, are all beyond a baseline's range.

    Returns:
        The number: positive where they are above the range, negative where they are below; 0 where they are within.
    """
    known, new = metric.to_scale(history), metric.to_scale(candidate)
    for count in range(min(MOST_NEWEST, known.size // 2, new.size), FEWEST_NEWEST - 1, -1):
        low, high = _range(known, count)
        newest = new[-count:]
        if newest.min() > high or newest.max() < low:
            return count if newest.min() > high else -count
    return 0


def summarize(checks: Sequence[tuple[Metric, RunCheck]], sessions: int) -> Replay:
    """Join the replays of all series: a run raises a false alarm if any of its series does."""
    alarms = set(chain.from_iterable([s for s, alarm in one.false_alarms.items() if alarm] for _, one in checks))
    runs = set(chain.from_iterable(one.false_alarms for _, one in checks))
    durations = [(metric.name, one.detectable) for metric, one in checks if metric.is_relative]
    name = durations[0][0] if durations else ""
    sizes = [size for metric, size in durations if metric == name and not math.isnan(size)]
    return Replay(sessions, len(runs), len(alarms), name, float(np.median(sizes)) if sizes else math.nan)


def _range(history: Floats, count: int) -> tuple[float, float]:
    middle = float(np.median(history))
    low, high = prediction_band(history - middle, count)
    return middle + low, middle + high


def _matters(metric: Metric, before: Floats, after: Floats, floor: float) -> Bools:
    sizes = [metric.size(one, other) for one, other in zip(before.tolist(), after.tolist(), strict=True)]
    return np.array(sizes) >= floor * (1 - 1e-9)


def _size(metric: Metric, level: float, shift: float, floor: float) -> float:
    """A shift on the scale in the terms of a floor; nan where it leaves the range of the scale."""
    if metric.is_relative:
        return max(math.expm1(abs(shift)) if abs(shift) < 700 else math.nan, floor)
    if metric.scale is Scale.ARCSINE and not 0 <= level + shift <= math.pi / 2:
        return math.nan
    before, after = metric.from_scale(np.array([level, level + shift]))
    return max(abs(float(after - before)), floor)
