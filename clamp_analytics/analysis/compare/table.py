"""Compare all series of two sides: the table of verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from clamp_analytics.analysis.compare.baseline import BaselinePart, latest_parts
from clamp_analytics.analysis.compare.judging import Judgement, judge, judge_newest, judge_run
from clamp_analytics.analysis.compare.measure import Key, Measure, measure, pair_values
from clamp_analytics.analysis.compare.new_run import (
    FEWEST_IN_HISTORY,
    Replay,
    RunCheck,
    check_run,
    newest_outside_baseline,
    summarize,
)
from clamp_analytics.analysis.compare.result import VERDICT_COLUMNS
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.stats.arrays import Floats, np
from clamp_analytics.analysis.stats.multiplicity import adjust_in_groups
from clamp_analytics.analysis.verdicts import RANK, Verdict
from clamp_analytics.reading.reader import Progress

Groups = Mapping[Key, pl.DataFrame]
"""The rows of each group, by time."""

SHIFTS = (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED)
"""Verdicts whose rows are sorted by the size of the effect."""

SMALLEST_FLOOR = 1e-12
"""Replaces a floor of 0 where effects are sorted relative to their floors."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A series of two sides.

    Attributes:
        measure: the comparison.
        part: the sessions of the baseline that are used; None for pairs.
        check: the check against the range of the baseline; None where there are enough sessions for a test.
    """

    measure: Measure
    part: BaselinePart | None
    check: RunCheck | None = None


def group_rows(values: pl.DataFrame, by: Sequence[str]) -> dict[Key, pl.DataFrame]:
    """The rows of each group, in the given order."""
    if not by:
        return {(): values} if values.height else {}
    return dict(values.partition_by(by, as_dict=True, maintain_order=True).items())


def compare_series(
    sides: tuple[Groups, Groups],
    by: Sequence[str],
    metrics: Sequence[str],
    options: CompareOptions,
    *,
    paired: bool,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, Replay | None]:
    """Compute the table ``Comparison.verdicts``, and the replay of the baseline where the candidate is a new run.

    Args:
        sides: the groups of the baseline and of the candidate.
        by: the columns of the groups.
        metrics: the columns with the values of metrics.
        options: how they are compared.
        paired: whether both sides are of the same sessions.
        progress: called with how much is done and how much there is to do.
    """
    before, after = sides
    common = sorted(before.keys() & after.keys(), key=_sort_key)
    names = [(key, name) for key in common for name in metrics]
    # The baseline itself is judged first, which takes about as long.
    steps, total = (0, len(names)) if paired else (len(names), 2 * len(names))
    judged_baseline = None if progress is None else lambda done, _: progress(done, total)
    parts = {} if paired else latest_parts({key: before[key] for key in common}, metrics, options, judged_baseline)
    compared = []
    for number, (key, name) in enumerate(names, steps + 1):
        found = _compare_one(name, key, sides, parts.get((key, name)), options, paired=paired)
        if found is not None:
            compared.append(found)
        if progress is not None:
            progress(number, total)
    judged = _judge_all(compared, options)
    rows = [_row(one, *result, options) for one, result in zip(compared, judged, strict=True)]
    schema: dict[str, type[pl.DataType]] = dict.fromkeys(by, pl.String)
    schema.update((name, kind) for name, (kind, _) in VERDICT_COLUMNS.items())
    # Sorting is stable: rows of the same rank stay in the order of group and metric.
    ranked = [row for _, row in sorted(rows, key=lambda ranked: ranked[0])]
    checks = [(one.measure.metric, one.check) for one in compared if one.check is not None]
    run = max((frame["source"].n_unique() for frame in after.values()), default=0)
    replay = summarize(checks, run) if checks and run < options.min_sessions else None
    return pl.DataFrame(ranked, schema=schema, orient="row"), replay


def _compare_one(
    name: str,
    key: Key,
    sides: tuple[Groups, Groups],
    part: BaselinePart | None,
    options: CompareOptions,
    *,
    paired: bool,
) -> Compared | None:
    """Compare a metric of a group; None where neither side has a value."""
    metric = METRICS[name]
    before, after = sides[0][key], sides[1][key]
    if paired:
        pairs = pair_values(before, after, name, options)
        if pairs is not None:
            return Compared(measure(metric, key, pairs, options, paired=True), None)
    candidate: Floats = after[name].drop_nulls().to_numpy()
    if part is None:
        part = BaselinePart(before[name].drop_nulls().to_numpy(), ())
    if part.values.size + candidate.size == 0:
        return None
    check = None
    if not paired and 0 < candidate.size < options.min_sessions and part.values.size >= FEWEST_IN_HISTORY:
        check = check_run(metric, part.values, part.sources, candidate, options.floor(metric))
    return Compared(measure(metric, key, (part.values, candidate), options), part, check)


def _judge_all(compared: Sequence[Compared], options: CompareOptions) -> list[tuple[Judgement, float]]:
    """Judge series together; the number beside each judgement is its corrected p-value."""
    # Equal values cannot give a small p-value, so they are not counted as a test.
    tested = [one.check is None and not one.measure.is_constant for one in compared]
    keys = [one.measure.key for one in compared]
    p_values = np.array([one.measure.p_value for one in compared])
    independent = np.array([one.measure.p_independent for one in compared])
    adjusted = adjust_in_groups(np.where(tested, p_values, np.nan), keys, options.alpha)
    adjusted_independent = adjust_in_groups(np.where(tested, independent, np.nan), keys, options.suspect_alpha)
    groups = len({key for key, is_tested in zip(keys, tested, strict=True) if is_tested})
    alpha = options.alpha / max(groups, 1)
    results = []
    for one, p, p_independent in zip(compared, adjusted.tolist(), adjusted_independent.tolist(), strict=True):
        if one.check is not None:
            results.append((judge_run(one.measure, one.check, options), math.nan))
            continue
        corrected = one.measure.p_value if one.measure.is_constant else p
        judgement = judge(one.measure, corrected, p_independent, alpha, options)
        results.append((_check_newest(one.measure, judgement, options), corrected))
    return results


def _check_newest(found: Measure, judgement: Judgement, options: CompareOptions) -> Judgement:
    """The judgement; a suspect where it is unchanged although the newest sessions are outside the baseline's range."""
    if judgement.verdict is not Verdict.UNCHANGED or found.paired:
        return judgement
    newest = newest_outside_baseline(found.metric, *found.sides)
    return (judge_newest(found, newest, options) if newest else None) or judgement


def _row(
    compared: Compared, judgement: Judgement, adjusted_p: float, options: CompareOptions
) -> tuple[tuple[int, float], tuple[Any, ...]]:
    """The sort key of a row of ``Comparison.verdicts``, and the row."""
    found, part = compared.measure, compared.part
    before, after = found.levels
    difference = after - before
    is_shift = judgement.verdict in SHIFTS
    size = found.size / max(options.floor(found.metric), SMALLEST_FLOOR) if is_shift else 0.0
    tested = found.p_value if compared.check is None else math.nan
    figures = (
        before,
        after,
        difference,
        *found.interval,
        difference / before if before else math.nan,
        tested,
        adjusted_p,
        found.effect,
        judgement.detectable,
    )
    row = (
        *found.key,
        found.metric.name,
        found.metric.unit,
        judgement.verdict.value,
        judgement.direction.value,
        f"{judgement.reason}; {part.note}" if part and part.note else judgement.reason,
        *found.sessions,
        found.paired,
        part.sources[0] if part and part.changed else None,
        *(None if math.isnan(figure) else figure for figure in figures),
        judgement.sessions_to_confirm,
        judgement.missing_sessions,
    )
    return (RANK[judgement.verdict.value], -size), row


def _sort_key(key: Key) -> tuple[tuple[bool, str], ...]:
    """The sort key of a group; null comes last."""
    return tuple((value is None, value or "") for value in key)
