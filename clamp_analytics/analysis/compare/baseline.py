"""The part of a baseline since its own latest change: what a candidate can be compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.compare.measure import Key
from clamp_analytics.analysis.judgement import JudgeOptions, judge_many
from clamp_analytics.analysis.judgement.metric_scales import SCALES, better_side
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.figures import levels
from clamp_analytics.reading.reader import Progress

CHANGED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.RECOVERED)
"""Verdicts on a baseline after which only its latest level is used. A suspect is too uncertain for that."""


@dataclass(frozen=True, slots=True)
class BaselinePart:
    """The sessions of a baseline that one series is compared with.

    Attributes:
        values: the values of these sessions, by time.
        sources: the sources of these sessions.
        changed: whether earlier sessions were left out because the baseline changed after them.
        note: what is said of the baseline in the reason of a verdict; empty where it did not change.
    """

    values: Floats
    sources: Sequence[str]
    changed: bool = False
    note: str = ""


def latest_parts(
    groups: Mapping[Key, pl.DataFrame],
    metrics: Sequence[str],
    options: CompareOptions,
    progress: Progress | None = None,
) -> dict[tuple[Key, str], BaselinePart]:
    """Judge the series of a baseline, and take from each the sessions since its latest change.

    Args:
        groups: the rows of each group, by time.
        metrics: the columns with the values of metrics.
        options: the false discovery rate and the floors.
        progress: called with the number of series that were searched and of all series.
    """
    names = [(key, name) for key in groups for name in metrics]
    series = [groups[key].select("source", name).drop_nulls() for key, name in names]
    judgements = judge_many(
        [one[name].to_numpy() for one, (_, name) in zip(series, names, strict=True)],
        groups=[key for key, _ in names],
        better=[better_side(METRICS[name]) for _, name in names],
        scale=[SCALES[METRICS[name].scale] for _, name in names],
        smallest_effects=[options.floor(METRICS[name]) for _, name in names],
        options=JudgeOptions(alpha=options.alpha, suspect_alpha=options.suspect_alpha),
        progress=progress,
    )
    parts = {}
    for one, (key, name), judgement in zip(series, names, judgements, strict=True):
        values, sources = one[name].to_numpy(), one["source"].to_list()
        part = BaselinePart(values, sources)
        if judgement.verdict in CHANGED and judgement.changes:
            last = judgement.changes[-1]
            start = last.index
            note = (
                f"the baseline itself changed from {' to '.join(levels(last.before, last.after))} with "
                f"{sources[start]}, and its sessions since then are used"
            )
            part = BaselinePart(values[start:], sources[start:], changed=True, note=note)
        elif judgement.verdict in CHANGED and judgement.total_change is not None:
            note = f"the baseline itself has a trend from {' to '.join(levels(judgement.first, judgement.latest))}"
            part = BaselinePart(values, sources, note=note)
        parts[key, name] = part
    return parts
