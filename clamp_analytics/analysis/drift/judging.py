"""Judge the series of a history together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clamp_analytics.analysis.drift.selection import Series
from clamp_analytics.analysis.incidents.changes import JudgedSeries
from clamp_analytics.analysis.judgement import judge_many
from clamp_analytics.analysis.judgement.metric_scales import SCALES, better_side
from clamp_analytics.analysis.options import DriftOptions, JudgeOptions
from clamp_analytics.reading.reader import Progress


def judge_all(
    series: Sequence[Series],
    index_of: Mapping[str, int],
    sources: Sequence[str],
    options: DriftOptions,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> list[JudgedSeries]:
    """Judge series together, groups first and then the metrics of each group.

    Args:
        series: the series.
        index_of: the index of each session on the time line.
        sources: the source of each row that ``Series.rows`` refers to.
        options: thresholds.
        names: the name of each session on the time line, for the reasons; indices by default.
        progress: see ``judge_many``.

    Returns:
        The judged series, in the order of ``series``.
    """
    sessions = [[index_of[sources[row]] for row in one.rows] for one in series]
    judgements = judge_many(
        [one.values for one in series],
        groups=[one.group for one in series],
        better=[better_side(one.metric) for one in series],
        scale=[SCALES[one.metric.scale] for one in series],
        smallest_effects=[options.floor(one.metric) for one in series],
        names=None if names is None else [[names[index] for index in own] for own in sessions],
        options=JudgeOptions(alpha=options.alpha, suspect_alpha=options.suspect_alpha),
        progress=progress,
    )
    return [
        JudgedSeries(
            one.group,
            one.metric.name,
            one.metric.is_relative,
            own,
            judgement,
        )
        for one, own, judgement in zip(series, sessions, judgements, strict=True)
    ]
