"""``SeriesJudgement``: the verdict on one series, and its changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.analysis.result import Result, plain
from clamp_analytics.analysis.verdicts import Direction, Shape, Verdict
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one level to the next.

    Attributes:
        index: the index of the first session after the change.
        earliest: the smallest index at which the change may have happened, given the noise.
        latest: the largest such index.
        before: the level before, in the unit of the values.
        after: the level after.
        direction: whether the level after is better or worse than the one before.
        p_value: of this change, given the others.
    """

    index: int
    earliest: int
    latest: int
    before: float
    after: float
    direction: Direction
    p_value: float


@dataclass(frozen=True, slots=True, repr=False)
class SeriesJudgement(Result):
    """The judgement of one series.

    Attributes:
        verdict: whether it changed.
        direction: whether the latest level is better or worse than the first one. Gates fail for ``worse`` only.
        shape: the form of the change.
        reason: one sentence that explains the verdict.
        sessions: the number of values.
        first: the first level, in the unit of the values; nan without values.
        latest: the latest level.
        changes: every change, in the order of time.
        outliers: the indices of single sessions that are far from their level.
        detectable: the smallest lasting shift to the worse, in the middle of the series, that would have been found in
            about four of five cases; relative for the scale ``log``, else in the unit of the values. nan where there is
            not enough data.
        p_value: of the series, before any correction for the number of series; nan where there is not enough data.
        adjusted_p: the p-value corrected for everything that is judged together.
        slope: the change per session of a trend; relative for the scale ``log``. None where there is none.
        total_change: the change from the first to the last session of a trend; relative for the scale ``log``.
        sessions_to_confirm: the number of further sessions that would confirm a suspect; None where it is unknown or
            there is no suspect.
    """

    verdict: Verdict
    direction: Direction
    shape: Shape
    reason: str
    sessions: int
    first: float
    latest: float
    changes: tuple[Change, ...] = ()
    outliers: tuple[int, ...] = ()
    detectable: float = float("nan")
    p_value: float = float("nan")
    adjusted_p: float = float("nan")
    slope: float | None = None
    total_change: float | None = None
    sessions_to_confirm: int | None = None

    def describe(self) -> list[str]:
        """The verdict, and the sentence that explains it."""
        return [f"{self.verdict.value}, {plural(self.sessions, 'session')}", self.reason]

    def to_polars(self) -> pl.DataFrame:
        """One row per change, in the order of time."""
        import polars as pl

        schema = {
            **dict.fromkeys(("index", "earliest", "latest"), pl.Int64),
            **dict.fromkeys(("before", "after"), pl.Float64),
            "direction": pl.String,
            "p_value": pl.Float64,
        }
        return pl.DataFrame([plain(change) for change in self.changes], schema=schema)
