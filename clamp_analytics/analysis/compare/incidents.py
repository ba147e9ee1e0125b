"""Incidents of a comparison: what the candidate has worse, better or just different, and how its sessions differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import polars as pl

from clamp_analytics.analysis.incidents.grouping import Direction, SeriesChange, group_changes
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.incidents.suspects import find_differences
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.analysis.verdicts import Verdict

DIFFERENCE = "difference"
"""The shape of an incident between two sides."""

_DIRECTIONS: tuple[Direction, ...] = ("worse", "better", "neither")


def find_incidents(
    verdicts: pl.DataFrame, by: Sequence[str], sides: tuple[SessionValues, SessionValues], split: str | None
) -> tuple[tuple[IncidentReport, ...], Timeline]:
    """The changes for the worse as one incident, those for the better as another, and those without a better side.

    They all begin with the first session of the candidate.

    Args:
        verdicts: the columns ``by`` and ``VERDICT_COLUMNS``.
        by: the columns of the groups.
        sides: the baseline and the candidate.
        split: the column that tells the sides apart, which is not a suspect; None where they are two sources.

    Returns:
        The incidents; and the sessions of the baseline by time, then those of the candidate by time: none without
        incidents.
    """
    unchanged = (Verdict.UNCHANGED.value, Verdict.NOT_ENOUGH_DATA.value)
    changed = verdicts.filter(~pl.col("verdict").is_in(unchanged))
    if changed.is_empty():
        return (), Timeline.empty()
    before, after = (_sessions(side) for side in sides)
    timeline = Timeline.of(pl.concat([before, after]))
    suspects = tuple(find_differences(_explanations(timeline, split), before.height))
    changes = [_change(row, by, before.height) for row in changed.iter_rows(named=True)]
    incidents = [
        incident
        for direction in _DIRECTIONS
        for incident in group_changes([one for one in changes if one.direction == direction], timeline.started_at)
    ]
    reports = (IncidentReport(one, (None,) * len(one.changes), suspects) for one in incidents)
    return tuple(reports), timeline


def _sessions(side: SessionValues) -> pl.DataFrame:
    """The attributes of the sessions that have values."""
    return side.attributes.join(side.values, on="source", how="semi", maintain_order="left")


def _explanations(timeline: Timeline, split: str | None) -> dict[str, Sequence[str | None]]:
    """The attributes that may explain a difference."""
    own: Collection[str] = (split, f"label {split.removeprefix('label:')}") if split else ()
    return {name: values for name, values in timeline.attributes.items() if name not in own}


def _change(row: Mapping[str, Any], by: Sequence[str], first: int) -> SeriesChange:
    direction = row["direction"]
    ends = row["difference_low"], row["difference_high"]
    return SeriesChange(
        group=tuple(row[name] for name in by),
        metric=row["metric"],
        direction="neither" if direction == "none" else direction,
        shape=DIFFERENCE,
        first_bad=first,
        earliest=first,
        latest=first,
        before=row["baseline"],
        after=row["candidate"],
        relative=row["relative_difference"] if METRICS[row["metric"]].is_relative else None,
        verdict=row["verdict"],
        p_value=1.0 if row["adjusted_p"] is None else row["adjusted_p"],
        interval=None if None in ends else ends,
    )
