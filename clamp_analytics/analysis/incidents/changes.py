"""Judgements of series as changes on the time line of all sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clamp_analytics.analysis.incidents.grouping import Direction, SeriesChange
from clamp_analytics.analysis.judgement import Direction as JudgedDirection
from clamp_analytics.analysis.judgement import SeriesJudgement, Shape, Verdict

SLACK = 2
"""Sessions beyond its interval by which the date of a step may be wrong; a trend and the newest sessions have no such
slack."""

_DIRECTIONS: dict[JudgedDirection, Direction] = {
    JudgedDirection.WORSE: "worse",
    JudgedDirection.BETTER: "better",
    JudgedDirection.NONE: "neither",
}


@dataclass(frozen=True, slots=True)
class JudgedSeries:
    """A series with its judgement.

    Attributes:
        group: the values of the columns that tell series apart.
        metric: the name of its metric.
        is_relative: whether a change is given as a share of the level before.
        sessions: the index of each of its sessions on the time line.
        judgement: the judgement.
    """

    group: tuple[str | None, ...]
    metric: str
    is_relative: bool
    sessions: Sequence[int]
    judgement: SeriesJudgement

    def changes(self) -> Iterator[SeriesChange]:
        """The changes that are part of the verdict; none where it is unchanged or there is not enough data."""
        found = self.judgement
        if found.verdict in (Verdict.UNCHANGED, Verdict.NOT_ENOUGH_DATA):
            return
        if found.shape is Shape.TREND:
            # A trend has no first session of its own: it covers the whole series.
            yield self._change(0, 0, 0, found.first, found.latest, found.direction, Shape.TREND, found.p_value)
            return
        if found.shape is Shape.OUTAGE:
            begin = found.changes[0]
            yield self._change(
                begin.index, begin.earliest, begin.latest, begin.before, begin.after, begin.direction,
                Shape.OUTAGE, begin.p_value, ended=True,
            )  # fmt: skip
            return
        for change in found.changes:
            yield self._change(
                change.index, change.earliest, change.latest, change.before, change.after, change.direction,
                Shape.STEP, change.p_value,
            )  # fmt: skip
        newest = self._newest_outside()
        if newest is not None:
            level = found.changes[-1].after if found.changes else found.first
            yield self._change(
                newest, newest, newest, level, found.latest, found.direction, Shape.OUTLIER, found.p_value
            )

    def _newest_outside(self) -> int | None:
        """The index of the first of the newest sessions that are outside the range of the others."""
        found = self.judgement
        if found.verdict is not Verdict.SUSPECT or not found.outliers or found.outliers[-1] != found.sessions - 1:
            return None
        first = found.sessions - 1
        while first - 1 in found.outliers:
            first -= 1
        return first

    def _change(
        self,
        index: int,
        earliest: int,
        latest: int,
        before: float,
        after: float,
        direction: JudgedDirection,
        shape: Shape,
        p_value: float,
        *,
        ended: bool = False,
    ) -> SeriesChange:
        relative = after / before - 1 if self.is_relative and before > 0 else None
        slack = SLACK if shape in (Shape.STEP, Shape.OUTAGE) else 0
        earliest = max(earliest - slack, 1 if shape is Shape.STEP else 0)
        latest = min(latest + slack, len(self.sessions) - 1)
        return SeriesChange(
            group=self.group,
            metric=self.metric,
            direction=_DIRECTIONS[direction],
            shape=shape.value,
            first_bad=self.sessions[index],
            # It may have begun with any session since the last good one of this series.
            earliest=self.sessions[earliest - 1] + 1 if earliest > 0 else 0,
            latest=self.sessions[latest],
            before=before,
            after=after,
            relative=relative,
            verdict=self.judgement.verdict.value,
            ended=ended,
            p_value=p_value,
        )
