"""The result of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from clamp_analytics.analysis.compare.new_run import Replay
from clamp_analytics.analysis.incidents.gate import FailOn
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.result import Result
from clamp_analytics.analysis.verdicts import Direction, Verdict, verdict_lines
from clamp_analytics.reading import Counts
from clamp_analytics.wording import plural

MOST_NAMED = 10
"""Groups that a note names."""

VERDICT_COLUMNS: Mapping[str, tuple[type[pl.DataType], str]] = {
    "metric": (pl.String, "Name of the metric."),
    "unit": (pl.String, "Its unit."),
    "verdict": (pl.String, "`regressed`, `suspect`, `improved`, `unchanged` or `not enough data`."),
    "direction": (pl.String, "`better`, `worse` or `none`."),
    "reason": (pl.String, "The reason of the verdict, in one sentence."),
    "baseline_sessions": (pl.UInt32, "Sessions of the baseline that are used."),
    "candidate_sessions": (pl.UInt32, "Sessions of the candidate that have a value."),
    "paired": (pl.Boolean, "Whether both values of a session are compared with each other."),
    "baseline_since": (
        pl.String,
        "The first session of the baseline that is used, where the baseline itself changed before it; else null.",
    ),
    "baseline": (pl.Float64, "Mean over the baseline's sessions in the unit, geometric for durations."),
    "candidate": (pl.Float64, "The same of the candidate."),
    "difference": (pl.Float64, "Candidate minus baseline, in the unit."),
    "difference_low": (
        pl.Float64,
        "Lower end of the confidence interval of the difference; null below two sessions per side.",
    ),
    "difference_high": (pl.Float64, "Upper end of the interval."),
    "relative_difference": (pl.Float64, "The difference as a share of the baseline; null where that is 0."),
    "p_value": (
        pl.Float64,
        "Probability that noise alone, independent or correlated, differs as much; null if not tested.",
    ),
    "adjusted_p": (pl.Float64, "The same, corrected for the number of tests."),
    "effect": (
        pl.Float64,
        "Cliff's delta: 1 where every session of the candidate is above every one of the baseline, -1 below.",
    ),
    "detectable": (
        pl.Float64,
        "The smallest shift for the worse that is found in about four of five cases, or in nine of ten replayed runs: "
        "a share for durations, else in the unit; null where it is unknown.",
    ),
    "sessions_to_confirm": (
        pl.UInt32,
        "Further sessions of each side, or of a new run, that would confirm a suspect; null where they are unknown.",
    ),
    "missing_sessions": (pl.UInt32, "Further sessions that a side needs, where there is not enough data."),
}
"""The columns of ``Comparison.verdicts`` after those of ``by``: type and meaning."""


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Result):
    """A candidate compared with a baseline.

    Attributes:
        verdicts: one row per group and metric that both sides have, see ``VERDICT_COLUMNS``; the worst first, and
            among equal verdicts the largest effect relative to its floor.
        appeared: one row per group that only the candidate has: the columns of ``by``, its ``sessions`` and
            ``records``.
        vanished: one row per group that only the baseline has, likewise.
        by: the columns of the groups.
        metrics: the names of the metrics.
        baseline_sessions: the number of sessions of the baseline.
        candidate_sessions: the number of sessions of the candidate.
        untimed: the number of usable sessions of both sides that were left out because they have no usable timestamp.
        in_both: the number of sessions that are on both sides by name, which makes the sides alike; 0 within the same
            sessions.
        baseline_counts: files seen, loaded, rejected and skipped.
        candidate_counts: likewise.
        replay: how the check of a new run does on the baseline itself; None where the candidate has enough sessions
            for a test.
        incidents: the changes for the worse together, those for the better, and those without a better side.
        timeline: the sessions that ``incidents`` refers to: those of the baseline by time, then those of the
            candidate; none without incidents.
        sides: the names of the sides: the two values of the column that tells them apart, where there is one.
    """

    verdicts: pl.DataFrame
    appeared: pl.DataFrame
    vanished: pl.DataFrame
    by: tuple[str, ...]
    metrics: tuple[str, ...]
    baseline_sessions: int
    candidate_sessions: int
    untimed: int
    in_both: int
    baseline_counts: Counts
    candidate_counts: Counts
    replay: Replay | None = None
    incidents: tuple[IncidentReport, ...] = ()
    timeline: Timeline = field(default_factory=Timeline.empty)
    sides: tuple[str, str] = ("baseline", "candidate")

    def describe(self) -> list[str]:
        """The sessions of both sides, how many metrics got which verdict, and the worst of them."""
        sides = (
            f"{plural(self.candidate_sessions, 'session')} of the candidate against "
            f"{plural(self.baseline_sessions, 'session')} of the baseline"
        )
        return [sides, *self.notes(), *verdict_lines(self.verdicts, self.by)]

    def notes(self) -> list[str]:
        """What must be known of the comparison as a whole: a baseline that changed, and how a new run is checked."""
        changed = self.verdicts.filter(pl.col("baseline_since").is_not_null())
        notes = []
        if changed.height:
            series = plural(self.verdicts.height, "series", "series")
            notes.append(
                f"the baseline itself changed in {changed.height:,} of {series}, and only its sessions after the "
                "change are used"
            )
        if self.replay is not None:
            notes.append(f"the candidate is compared with the range of the baseline: {self.replay.text}")
            notes += self._outside()
        return notes

    def _outside(self) -> list[str]:
        """A note that names the groups of a new run that are outside the range of the baseline for the worse."""
        found = self.failing(FailOn.SUSPECT).select(self.by).unique(maintain_order=True).rows() if self.by else []
        if not found:
            return []
        names = [", ".join("(none)" if value is None else repr(value) for value in key) for key in found[:MOST_NAMED]]
        more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
        return [f"outside that range for the worse: {'; '.join(names)}{more}"]

    def to_polars(self) -> pl.DataFrame:
        """One row per group and metric: ``verdicts``."""
        return self.verdicts

    def failing(self, fail_on: FailOn) -> pl.DataFrame:
        """The rows of ``verdicts`` that fail a check: for the worse, and with a failing verdict."""
        return self.verdicts.filter(
            pl.col("verdict").is_in(sorted(fail_on.verdicts)), pl.col("direction") == Direction.WORSE.value
        )

    @property
    def worst(self) -> Verdict | None:
        """The worst verdict; None where no metric has a value."""
        return None if self.verdicts.is_empty() else Verdict(self.verdicts["verdict"][0])
