"""The cells of the table of error rates: what is simulated, what is counted, and the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from benchmarks.verdicts.histories import count_stated_alarms
from benchmarks.verdicts.noise import NOISE, Floats, Noise, autoregressive, normal, wander_and_white
from clamp_analytics.analysis.compare.table import Groups, compare_series
from clamp_analytics.analysis.judgement import Direction, SeriesJudgement, Shape, Verdict, judge_many
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.stats.two_sample import compare_means, compare_pairs

FALSE_CHANGE = "false regressed or improved"
STATED = "calibrate states a false regressed or improved"
"""The rows of the rate of false changes, and of the rate that ``calibrate`` states for a history."""

Changes = Sequence[tuple[int, float]]
Count = Callable[[np.random.Generator, int], int]

STEP_20_PERCENT = math.log(1.2) / 0.05
"""A shift of 20 % in standard deviations, where those are 5 %."""

COMPARED = ("duration_p50_ms", "duration_p95_ms", "duration_p99_ms")
"""The metrics of a whole comparison."""

UP = ((25, 2.0), (50, 2.0), (75, 2.0))
UP_DOWN_UP = ((25, 2.0), (50, -2.0), (75, 2.0))


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the table.

    Attributes:
        row: the row of the table.
        name: what is simulated.
        target: the share that is to be reached; None where the share is only reported.
        at_most: whether the share must not exceed the target; it must not fall below it otherwise.
        count: how many of a number of simulated series, or runs, are counted.
        cost: series that are judged for each of them.
    """

    row: str
    name: str
    target: float | None
    at_most: bool
    count: Count
    cost: int = 1


def cells() -> list[Cell]:
    """Return all cells of the table."""
    return [
        *_false_alarms(),
        *_suspects(),
        *_calibrations(),
        *_contexts(),
        *_gates(),
        *_power(),
        *_newest(),
        *_detectable(),
        *_compare(),
    ]


def judge_each(series: Floats) -> list[SeriesJudgement]:
    """Judge each row on its own; higher is worse."""
    return judge_many(list(series), scale="linear", families=range(len(series)))


def is_changed(judgement: SeriesJudgement) -> bool:
    """Return whether a verdict is that of a change."""
    return judgement.verdict in (Verdict.REGRESSED, Verdict.IMPROVED)


def is_alarm(judgement: SeriesJudgement, *, suspects: bool) -> bool:
    """Return whether a gate fails, with or without suspects."""
    verdicts = (Verdict.REGRESSED, Verdict.SUSPECT) if suspects else (Verdict.REGRESSED,)
    return judgement.verdict in verdicts and judgement.direction is Direction.WORSE


def are_placed(judgement: SeriesJudgement, changes: Changes, distance: int) -> bool:
    """Return whether every change has one that was found near it."""
    found = [change.index for change in judgement.changes]
    return all(any(abs(one - index) <= distance for one in found) for index, _ in changes)


def shifted(series: Floats, changes: Changes) -> Floats:
    """Add a lasting shift at each index."""
    result = series.copy()
    for index, size in changes:
        result[:, index:] += size
    return result


def contexts_of(generator: np.random.Generator, noise: Noise, contexts: int, metrics: int, n: int = 100) -> Floats:
    """Draw metrics that share four fifths of their variance with the others of their context."""
    shared = np.repeat(noise(generator, contexts, n), metrics, axis=0)
    result: Floats = np.sqrt(0.8) * shared + np.sqrt(0.2) * noise(generator, contexts * metrics, n)
    return result


def _false_alarms() -> Iterator[Cell]:
    for name, (noise, target) in NOISE.items():
        for n in (30, 50, 100, 300):
            if not (n == 30 and target == 0.10):
                count = partial(_count_changed, noise=noise, n=n)
                yield Cell(FALSE_CHANGE, f"{name}, n = {n}", target, True, count)


def _count_changed(generator: np.random.Generator, rows: int, *, noise: Noise, n: int) -> int:
    return sum(map(is_changed, judge_each(noise(generator, rows, n))))


def _suspects() -> Iterator[Cell]:
    for name in ("normal", "AR .3", "AR .5", "AR .7"):
        count = partial(_count_suspects, noise=NOISE[name][0])
        yield Cell("a suspect for the worse without a change", f"{name}, n = 100", None, True, count)


def _count_suspects(generator: np.random.Generator, rows: int, *, noise: Noise) -> int:
    judged = judge_each(noise(generator, rows, 100))
    return sum(is_alarm(one, suspects=True) and not is_alarm(one, suspects=False) for one in judged)


def _calibrations() -> Iterator[Cell]:
    for name in ("normal", "AR .5", "AR .9 plus white", "machines in batches"):
        count = partial(count_stated_alarms, noise=NOISE[name][0], n=100)
        yield Cell(STATED, f"{name}, n = 100", None, True, count, cost=31)


def _contexts() -> Iterator[Cell]:
    row = "50 contexts of 8 metrics: any false regression"
    for name in ("normal", "AR .5", "AR .7"):
        yield Cell(row, name, 0.05, True, partial(_count_false_runs, noise=NOISE[name][0]), cost=400)
    row = "12 contexts of 8 metrics: an innocent one gets a verdict"
    for changed in (1, 3, 6):
        yield Cell(row, f"{changed} changed by 3 sd", 0.05, True, partial(_count_blamed, changed=changed), cost=96)


def _count_false_runs(generator: np.random.Generator, runs: int, *, noise: Noise) -> int:
    groups = np.repeat(np.arange(50), 8).tolist()
    hits = 0
    for _ in range(runs):
        judged = judge_many(list(contexts_of(generator, noise, 50, 8)), groups=groups, scale="linear")
        hits += any(one.verdict is Verdict.REGRESSED for one in judged)
    return hits


def _count_blamed(generator: np.random.Generator, runs: int, *, changed: int) -> int:
    groups = np.repeat(np.arange(12), 8).tolist()
    hits = 0
    for _ in range(runs):
        series = contexts_of(generator, normal, 12, 8)
        series[: 8 * changed, 60:] += 3
        hits += any(map(is_changed, judge_many(list(series), groups=groups, scale="linear")[8 * changed :]))
    return hits


def _gates() -> Iterator[Cell]:
    row = "gate after each of 100 sessions fails at least once"
    for name, noise, target in (("normal", normal, 0.10), ("AR .9 plus white", wander_and_white, 0.20)):
        yield Cell(row, name, target, True, partial(_count_gated, noise=noise), cost=88)


def _count_gated(generator: np.random.Generator, rows: int, *, noise: Noise) -> int:
    return _count_fired(noise(generator, rows, 100), first=13, suspects=False)


def _count_fired(series: Floats, *, first: int, suspects: bool) -> int:
    """Return in how many series a gate fails when it is asked after each session from a first one."""
    fired = np.zeros(len(series), dtype=bool)
    for n in range(first, series.shape[1] + 1):
        fired |= [is_alarm(one, suspects=suspects) for one in judge_each(series[:, :n])]
    return int(fired.sum())


def _power() -> Iterator[Cell]:
    row = "step at 50 of 100, regressed and within 2"
    for name, noise, size, target in (
        ("2 sd, normal", normal, 2.0, 0.90),
        ("5 sd, AR .5", autoregressive(0.5), 5.0, 0.95),
        ("5 sd, AR .7", autoregressive(0.7), 5.0, 0.90),
    ):
        yield Cell(row, name, target, False, partial(_count_regressed, noise=noise, changes=((50, size),)))
    yield Cell("outage of 10 sessions, 4 sd, recovered", "n = 100", 0.70, False, _count_outages)
    changes = ((33, 3.0), (67, -3.0))
    row = "up and down by 3 sd at thirds, both within 2"
    yield Cell(row, "n = 100", 0.95, False, partial(_count_placed, n=100, changes=changes, distance=2))
    for n in (100, 200):
        for distance in (2, 5):
            for name, quarters in (("up", UP), ("up, down, up", UP_DOWN_UP)):
                changes3 = [(index * n // 100, size) for index, size in quarters]
                count = partial(_count_placed, n=n, changes=changes3, distance=distance)
                row = f"three changes of 2 sd, all within {distance}"
                yield Cell(row, f"{name}, n = {n}", 0.75, False, count)
    yield Cell("trend of 6 sd over 100 sessions, called a trend", "normal", 0.90, False, _count_trends)


def _count_regressed(generator: np.random.Generator, rows: int, *, noise: Noise, changes: Changes) -> int:
    judged = judge_each(shifted(noise(generator, rows, 100), changes))
    return sum(one.verdict is Verdict.REGRESSED and are_placed(one, changes, 2) for one in judged)


def _count_placed(generator: np.random.Generator, rows: int, *, n: int, changes: Changes, distance: int) -> int:
    judged = judge_each(shifted(normal(generator, rows, n), changes))
    return sum(are_placed(one, changes, distance) for one in judged)


def _count_outages(generator: np.random.Generator, rows: int) -> int:
    judged = judge_each(shifted(normal(generator, rows, 100), ((60, 4.0), (70, -4.0))))
    return sum(one.verdict is Verdict.RECOVERED and one.shape is Shape.OUTAGE for one in judged)


def _count_trends(generator: np.random.Generator, rows: int) -> int:
    judged = judge_each(normal(generator, rows, 100) + np.linspace(0, 6, 100))
    return sum(one.shape is Shape.TREND for one in judged)


def _newest() -> Iterator[Cell]:
    row = "+20 % at 5 % noise in the last 5 of 100, suspect or worse and within 2"
    yield Cell(row, "normal", 0.95, False, _count_last_five)
    for suspects, gate in ((True, "suspect"), (False, "regression")):
        row = f"the same shift from session 100, --fail-on {gate}"
        for name, noise, limit, target in (
            ("normal, fails within 3 sessions", normal, 3, 0.50),
            ("AR .5, fails within 30 sessions", autoregressive(0.5), 30, 0.90),
        ):
            count = partial(_count_caught, noise=noise, limit=limit, suspects=suspects)
            yield Cell(row, name, target, False, count, cost=limit)


def _count_last_five(generator: np.random.Generator, rows: int) -> int:
    hits = 0
    for one in judge_each(shifted(normal(generator, rows, 100), ((95, STEP_20_PERCENT),))):
        named = [*(change.index for change in one.changes), *one.outliers]
        hits += is_alarm(one, suspects=True) and any(abs(index - 95) <= 2 for index in named)
    return hits


def _count_caught(generator: np.random.Generator, rows: int, *, noise: Noise, limit: int, suspects: bool) -> int:
    series = shifted(noise(generator, rows, 100 + limit), ((100, STEP_20_PERCENT),))
    return _count_fired(series, first=101, suspects=suspects)


def _detectable() -> Iterator[Cell]:
    row = "a shift of the size that is called detectable is found"
    for name, noise in (("normal", normal), ("AR .5", autoregressive(0.5)), ("AR .7", autoregressive(0.7))):
        yield Cell(row, f"{name}, n = 100", 0.70, False, partial(_count_detected, noise=noise), cost=2)


def _count_detected(generator: np.random.Generator, rows: int, *, noise: Noise) -> int:
    """Shift other series than those from which the sizes of the shifts were computed."""
    sizes = np.array([one.detectable for one in judge_each(noise(generator, rows, 100))])
    shifts = sizes[:, None] * (np.arange(100) >= 50)
    return sum(one.verdict is Verdict.REGRESSED for one in judge_each(noise(generator, rows, 100) + shifts))


def _compare() -> Iterator[Cell]:
    ar7, both = ("AR .7", autoregressive(0.7), 0.06), ("AR .9 plus white", wander_and_white, 0.10)
    row = "compare: the 95 % interval covers"
    for name, noise, n, target in (
        ("normal", normal, 5, 0.93),
        ("normal", normal, 30, 0.93),
        *(("AR .7", autoregressive(0.7), n, 0.90) for n in (10, 20, 50)),
    ):
        yield Cell(row, f"{name}, {n} a side", target, False, partial(_count_covered, noise=noise, n=n))
    row = "compare: p at most .05 without a difference"
    for name, noise, target in (("normal", normal, 0.05), ar7, both):
        for n in (10, 20, 50, 100):
            yield Cell(row, f"{name}, {n} a side", target, True, partial(_count_different, noise=noise, n=n))
    row = "compare: p at most .05 with a difference of 2 sd"
    for n, target in ((10, 0.40), (20, 0.85), (50, 0.95)):
        count = partial(_count_different, noise=normal, n=n, shift=2.0)
        yield Cell(row, f"normal, {n} a side", target, False, count)
    row = "compare as a whole: 8 contexts of 3 metrics, any false regression"
    for name, noise in (("normal", normal), ("AR .5", autoregressive(0.5)), ("AR .7", autoregressive(0.7))):
        yield Cell(row, f"{name}, 20 a side", 0.05, True, partial(_count_false_comparisons, noise=noise), cost=100)
    row = "compare in pairs: +8 %, session sd 15 %, own 3 %"
    yield Cell(row, "n = 10", 0.95, False, _count_different_pairs)


def _count_covered(generator: np.random.Generator, rows: int, *, noise: Noise, n: int) -> int:
    compared = map(compare_means, noise(generator, rows, n), noise(generator, rows, n))
    return sum(one.low <= 0 <= one.high for one in compared)


def _count_different(generator: np.random.Generator, rows: int, *, noise: Noise, n: int, shift: float = 0.0) -> int:
    compared = map(compare_means, noise(generator, rows, n), noise(generator, rows, n) + shift)
    return sum(one.p_value <= 0.05 for one in compared)


def _count_false_comparisons(generator: np.random.Generator, runs: int, *, noise: Noise) -> int:
    options = CompareOptions(floors=dict.fromkeys(COMPARED, 0.0))
    hits = 0
    for _ in range(runs):
        sides = _compared_side(generator, noise), _compared_side(generator, noise)
        verdicts, _ = compare_series(sides, ("context",), COMPARED, options, paired=False)
        hits += "regressed" in verdicts["verdict"].to_list()
    return hits


def _compared_side(generator: np.random.Generator, noise: Noise) -> Groups:
    """Draw 20 sessions of 8 contexts, with noise of a tenth of each metric."""
    values = np.exp(0.1 * contexts_of(generator, noise, 8, len(COMPARED), 20)).reshape(8, len(COMPARED), 20)
    sources = [f"{index}.json" for index in range(20)]
    return {
        (f"context {number}",): pl.DataFrame({"source": sources} | dict(zip(COMPARED, own, strict=True)))
        for number, own in enumerate(values)
    }


def _count_different_pairs(generator: np.random.Generator, rows: int) -> int:
    session = 0.15 * normal(generator, rows, 10)
    before = session + 0.03 * normal(generator, rows, 10)
    after = session + 0.03 * normal(generator, rows, 10) + math.log(1.08)
    return sum(one.p_value <= 0.05 for one in map(compare_pairs, before, after))
