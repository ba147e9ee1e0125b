"""Verdicts: the answer to whether a metric differs between two sets of sessions, and the reason in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import TYPE_CHECKING

from clamp_analytics.analysis.metrics import Metric, Scale
from clamp_analytics.analysis.options import MOST_SESSIONS
from clamp_analytics.wording import p_value

if TYPE_CHECKING:
    import polars as pl

RANK_TEST_COST = math.pi / 3
"""The factor of sessions that a rank test needs compared with a t test on normal noise (asymptotic efficiency).

Source: Hodges and Lehmann, The Efficiency of Some Nonparametric Competitors of the t-Test, 1956,
doi:10.1214/aoms/1177728261.
"""

DIGITS = 4
"""Significant digits of a figure in a sentence."""

_NORMAL = NormalDist()


class Verdict(StrEnum):
    """The answer to whether a series changed, the worst first."""

    REGRESSED = "regressed"
    """Its latest level is worse than the first one, and neither independent nor correlated noise explains that."""
    SUSPECT = "suspect"
    """Only independent noise is ruled out, or the newest sessions are outside the range of the history, or the series
    is back at a level that it has left before. Look at the direction, too."""
    IMPROVED = "improved"
    """Its latest level is better than the first one, and neither independent nor correlated noise explains that."""
    RECOVERED = "recovered"
    """It was worse for a while and is back at its first level."""
    NOT_ENOUGH_DATA = "not enough data"
    """There are too few sessions to find a change of any size."""
    UNCHANGED = "unchanged"
    """No change, and a shift of the size ``detectable`` would have been found."""


class Direction(StrEnum):
    """Whether the latest level is better or worse than the first one."""

    BETTER = "better"
    WORSE = "worse"
    NONE = "none"


class Shape(StrEnum):
    """The form of a change."""

    STEP = "step"
    TREND = "trend"
    OUTAGE = "outage"
    OUTLIER = "outlier"
    SEVERAL = "several"
    NONE = "none"


RANK: dict[str, int] = {verdict.value: index for index, verdict in enumerate(Verdict)}
"""The order of verdicts in a report, the worst first."""


SHOWN = 5
"""Verdicts that the representation of a result lists."""


def verdict_lines(verdicts: pl.DataFrame, by: tuple[str, ...]) -> list[str]:
    """How often each verdict was reached, then the worst of them in one line each.

    Args:
        verdicts: one row per group and metric, the worst first.
        by: the columns of the groups.
    """
    counts = {verdict.value: int((verdicts["verdict"] == verdict.value).sum()) for verdict in Verdict}
    lines = [", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to judge"]
    notable = verdicts.filter(~verdicts["verdict"].is_in([Verdict.UNCHANGED.value, Verdict.NOT_ENOUGH_DATA.value]))
    for row in notable.head(SHOWN).iter_rows(named=True):
        group = ", ".join(repr(row[name]) for name in by)
        lines.append(f"{row['verdict']}: {' '.join(filter(None, [group, row['metric']]))}: {row['reason']}")
    if notable.height > SHOWN:
        lines.append(f"… and {notable.height - SHOWN:,} more")
    return lines


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the sentence that says why."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The levels of a metric on two sides, and the result of the test that compared them.

    Attributes:
        before: the level before the change or of the baseline, in the unit of the metric; nan where there is none.
        after: the level after the change or of the candidate; nan where there is none.
        adjusted_p: the corrected p-value; nan where nothing was tested.
        sessions_before: the number of sessions on the side of ``before``.
        sessions_after: the number of sessions on the side of ``after``.
        autocorrelation: the lag-1 autocorrelation where it is too high to take sessions as independent; else None.
    """

    before: float
    after: float
    adjusted_p: float
    sessions_before: int
    sessions_after: int
    autocorrelation: float | None = None


def judge(metric: Metric, evidence: Evidence, *, alpha: float, floor: float, min_sessions: int) -> Judgement:
    """The verdict on a metric.

    A change takes all three: enough sessions on both sides, a corrected p below ``alpha``, and an effect of at
    least the floor. Where sessions are correlated it is at most a warning.

    Args:
        metric: the metric.
        evidence: the levels and the test result.
        alpha: the false discovery rate.
        floor: the smallest effect that matters, in the terms of ``Metric.floor``.
        min_sessions: the least number of sessions per side.
    """
    fewest = min(evidence.sessions_before, evidence.sessions_after)
    if fewest < min_sessions:
        return Judgement(
            Verdict.NOT_ENOUGH_DATA,
            f"{evidence.sessions_before} and {evidence.sessions_after} sessions, and it takes {min_sessions} a side",
        )
    if not evidence.adjusted_p <= alpha:
        p = "no p-value" if math.isnan(evidence.adjusted_p) else f"corrected p {p_value(evidence.adjusted_p)}"
        # The reason must explain why two distant levels are not a change.
        correlated = "" if evidence.autocorrelation is None else f"; {_correlated(evidence.autocorrelation)}"
        return Judgement(Verdict.UNCHANGED, f"no shift beyond noise ({p}, limit {alpha:g}){correlated}")
    shift = f"{_shift_text(metric, evidence)} (corrected p {p_value(evidence.adjusted_p)})"
    # A score printed with six decimals and a floor of 0.01 must not disagree about a hundredth.
    if metric.size(evidence.before, evidence.after) < floor * (1 - 1e-9):
        return Judgement(Verdict.UNCHANGED, f"{shift}, below the floor of {floor_text(metric, floor)}")
    if evidence.autocorrelation is not None:
        return Judgement(
            Verdict.SUSPECT,
            f"{shift}, but {_correlated(evidence.autocorrelation)}",
        )
    if metric.higher_is_better is None:
        return Judgement(Verdict.SUSPECT, f"{shift}; neither direction is better")
    better = (evidence.after > evidence.before) == metric.higher_is_better
    return Judgement(Verdict.IMPROVED if better else Verdict.REGRESSED, shift)


def too_few(sessions: int, needed: int) -> Judgement:
    """The verdict on a series that is too short to be tested."""
    return Judgement(Verdict.NOT_ENOUGH_DATA, f"{sessions} sessions, and it takes {needed} at least")


def _correlated(autocorrelation: float) -> str:
    return f"neighbouring sessions are correlated ({autocorrelation:.2f})"


def _shift_text(metric: Metric, evidence: Evidence) -> str:
    before, after = evidence.before, evidence.after
    unit = f" {metric.unit}" if metric.unit == "ms" else ""
    text = f"{before:.{DIGITS}g} to {after:.{DIGITS}g}{unit}"
    if metric.is_relative and before > 0:
        text += f", {after / before - 1:+.1%}"
    return text


def floor_text(metric: Metric, floor: float) -> str:
    """The text of a floor: a share of the value before in percent, or a difference."""
    return f"{floor * 100:g} %" if metric.is_relative else f"{floor:g}"


def smallest_step(metric: Metric, level: float, floor: float) -> float:
    """Convert a floor to a step on the metric's scale from a level in its unit; the shorter one of up and down."""
    import numpy as np

    if metric.scale is Scale.LOG:
        return math.log1p(floor)
    if metric.scale is Scale.IDENTITY:
        return floor
    ends = [end for end in (level - floor, level + floor) if 0 <= end <= 1]
    scaled = metric.to_scale(np.array([level, *ends]))
    return float(np.abs(scaled[1:] - scaled[0]).min()) if ends else math.pi / 2


def needed_sessions(step: float, sd: float, *, alpha: float, min_sessions: int, power: float = 0.8) -> int:
    """The number of sessions, on both sides together, that are needed to detect a step.

    It is the sample size of a two-sided test of two means, 2 (z_(1 - alpha/2) + z_power)^2 (sd / step)^2 per side,
    times ``RANK_TEST_COST``.

    Source: Noether, Sample Size Determination for Some Common Nonparametric Tests, 1987,
    doi:10.1080/01621459.1987.10478478.

    Args:
        step: the step on the metric's scale.
        sd: the standard deviation of the noise on that scale.
        alpha: the significance level of one test.
        min_sessions: the least number of sessions per side.
        power: the probability of detecting the step.
    """
    z = -_NORMAL.inv_cdf(max(alpha, 1e-300) / 2) + _NORMAL.inv_cdf(power)
    ratio = z * sd / step if step > 0 else math.inf
    if not ratio < math.sqrt(MOST_SESSIONS):
        return MOST_SESSIONS
    each = 2 * RANK_TEST_COST * ratio**2
    return min(2 * max(min_sessions, math.ceil(each)), MOST_SESSIONS)
