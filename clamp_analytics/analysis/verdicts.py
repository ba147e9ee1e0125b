"""Verdicts: the answers to whether a metric changed, their order, and a summary of many."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from clamp_analytics.analysis.metrics import Metric

if TYPE_CHECKING:
    import polars as pl


class Verdict(StrEnum):
    """The answer to whether a series changed, the worst first."""

    REGRESSED = "regressed"
    """Its latest level is worse than the first one, and neither independent nor correlated noise explains that."""
    SUSPECT = "suspect"
    """Only independent noise is ruled out, or the newest sessions are outside the range of the history, or the series
    is back at a level that it has left before. The direction says whether for the worse."""
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


def floor_text(metric: Metric, floor: float) -> str:
    """A floor as text: a share of the level before in percent, else a difference."""
    return f"{100 * floor:g} %" if metric.is_relative else f"{floor:g}"


def size_text(size: float, *, is_relative: bool) -> str:
    """The magnitude of a shift with two significant digits: in percent, or as a difference in the unit.

    Args:
        size: a share of the level before, or a difference.
        is_relative: whether it is a share.
    """
    value = 100 * abs(size) if is_relative else abs(size)
    # From 100 on, the format would write an exponent.
    number = f"{float(f'{value:.2g}'):,.0f}" if value >= 99.5 else f"{value:.2g}"
    return f"{number} %" if is_relative else number
