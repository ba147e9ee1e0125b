"""Judge series of values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Literal

from clamp_analytics.analysis.judgement.findings import find_all
from clamp_analytics.analysis.judgement.result import SeriesJudgement
from clamp_analytics.analysis.judgement.rules import judge_finding, not_enough_data
from clamp_analytics.analysis.judgement.scales import Scale, ScaledSeries
from clamp_analytics.analysis.options import JudgeOptions
from clamp_analytics.analysis.stats.arrays import ArrayLike
from clamp_analytics.errors import UsageError
from clamp_analytics.reading.reader import Progress

Better = Literal["lower", "higher", "neither"]

_WORSE_SIGN = {"lower": 1, "higher": -1, "neither": 0}


def judge_series(
    values: ArrayLike, *, better: Better = "lower", scale: Scale = "log", options: JudgeOptions | None = None
) -> SeriesJudgement:
    """Judge whether a series of values, one per session in the order of time, became worse or better.

    Args:
        values: finite values.
        better: whether lower or higher values are better; ``neither`` makes every change a suspect.
        scale: ``log`` for durations, ``arcsine`` for shares and scores between 0 and 1, else ``linear``.
        options: thresholds.

    Raises:
        UsageError: the values are not one finite series, or ``better`` or ``scale`` is unknown.
    """
    return judge_many([values], better=better, scale=scale, options=options)[0]


def judge_many(
    series: Sequence[ArrayLike],
    *,
    groups: Sequence[Hashable] | None = None,
    families: Sequence[Hashable] | None = None,
    better: Better | Sequence[Better] = "lower",
    scale: Scale | Sequence[Scale] = "log",
    smallest_effects: Sequence[float] | None = None,
    names: Sequence[Sequence[str]] | None = None,
    options: JudgeOptions | None = None,
    progress: Progress | None = None,
) -> list[SeriesJudgement]:
    """Judge series together: p-values are corrected for the number of groups, and of series within a group.

    Series of one length are searched at once, which is many times faster than one by one.

    Args:
        series: the values of each series.
        groups: the group of each series, such as its context; each series is a group of its own by default.
        families: the series whose p-values are corrected together, such as one replayed history each; all by default.
        better: as in ``judge_series``, for all or for each of them.
        scale: as in ``judge_series``, for all or for each of them.
        smallest_effects: ``JudgeOptions.smallest_effect`` of each series; that of ``options`` by default.
        names: the names of the sessions of each series, for the reasons; their indices by default.
        options: thresholds.
        progress: called with the number of series that were searched, which takes most of the time, and of all.

    Returns:
        The judgements in the order of the series.

    Raises:
        UsageError: as in ``judge_series``, or the numbers of series and groups differ.
    """
    options = options or JudgeOptions()
    sides = [better] * len(series) if isinstance(better, str) else list(better)
    scales = [scale] * len(series) if isinstance(scale, str) else list(scale)
    keys = list(range(len(series))) if groups is None else list(groups)
    together = [None] * len(series) if families is None else list(families)
    if any(len(given) != len(series) for given in (keys, together, sides, scales)):
        raise UsageError(f"{len(series)} series need as many groups, families, scales and values of better")
    for side in sides:
        if side not in _WORSE_SIGN:
            raise UsageError(f"better must be lower, higher or neither, and it is {side!r}")
    scaled = [ScaledSeries.of(values, one) for values, one in zip(series, scales, strict=True)]
    findings = find_all(scaled, keys, together, options, progress)
    limits = [options.smallest_effect] * len(series) if smallest_effects is None else smallest_effects
    if names is not None:
        findings = [found and replace(found, names=own) for found, own in zip(findings, names, strict=True)]
    return [
        not_enough_data(one)
        if finding is None
        else judge_finding(finding, _WORSE_SIGN[side], replace(options, smallest_effect=limit))
        for one, finding, side, limit in zip(scaled, findings, sides, limits, strict=True)
    ]
