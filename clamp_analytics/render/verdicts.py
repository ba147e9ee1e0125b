"""Verdicts as a person reads them: the changes first, each as a row of a table or in one line.

The verdicts of ``drift`` and of ``compare`` have the same shape but for a few names, which ``VerdictColumns`` holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import RANK, Verdict
from clamp_analytics.figures import MISSING, levels, signed_figure
from clamp_analytics.render.natural_order import in_natural_order
from clamp_analytics.render.sparkline import BLOCKS, sparkline
from clamp_analytics.render.text import Row, day, group_name, interval_text
from clamp_analytics.wording import p_value, percent

CHANGES = (Verdict.REGRESSED, Verdict.SUSPECT, Verdict.IMPROVED, Verdict.RECOVERED)
"""The verdicts that need attention."""

_NOUNS = {
    Verdict.REGRESSED: ("regression", "regressions"),
    Verdict.SUSPECT: ("suspect", "suspects"),
    Verdict.IMPROVED: ("improvement", "improvements"),
    Verdict.RECOVERED: ("recovered", "recovered"),
    Verdict.NOT_ENOUGH_DATA: ("without enough data", "without enough data"),
    Verdict.UNCHANGED: ("unchanged", "unchanged"),
}


@dataclass(frozen=True, slots=True)
class VerdictColumns:
    """The column names in which the verdicts of one analysis differ from those of another.

    Attributes:
        name: the command, in one word.
        title: the analysis, as a headline.
        before: the column of a metric's level before the change, or of the baseline.
        after: the same after the change, or of the candidate.
        difference: the column of the difference, in the metric's unit.
        relative: the column of the difference as a share of the level before.
        changed_at: the column of the time of the change; empty where there is none.
        source: the column of the first session after the change; empty where there is none.
        interval: the columns of the ends of the difference's interval; empty where there are none.
    """

    name: str
    title: str
    before: str
    after: str
    difference: str
    relative: str
    changed_at: str = ""
    source: str = ""
    interval: tuple[str, ...] = ()


DRIFT = VerdictColumns("drift", "Drift", "before", "after", "effect", "effect_relative", "change_at", "change_source")
COMPARE = VerdictColumns(
    "compare",
    "Comparison",
    "baseline",
    "candidate",
    "difference",
    "relative_difference",
    interval=("difference_low", "difference_high"),
)


def change(row: Row, columns: VerdictColumns) -> str:
    """How much a metric changed: durations in percent, all others in their unit; ``-`` where it is not known."""
    relative = row[columns.relative]
    if METRICS[row["metric"]].is_relative and relative is not None:
        return percent(relative, signed=True)
    return signed_figure(row[columns.difference])


def interval(row: Row, columns: VerdictColumns) -> str:
    """The interval of a change, in the unit of ``change``; ``-`` where there is none."""
    is_relative = METRICS[row["metric"]].is_relative
    return interval_text([row[name] for name in columns.interval], row[columns.before] if is_relative else None)


def certainty(row: Row) -> str:
    """The corrected p-value of a verdict, or how many sessions are missing."""
    missing = row.get("missing_sessions")
    if row["verdict"] == Verdict.NOT_ENOUGH_DATA and missing is not None:
        return f"needs {missing} more"
    return p_value(row["adjusted_p"])


def with_changes(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The verdicts that need attention."""
    return verdicts.filter(pl.col("verdict").is_in([verdict.value for verdict in CHANGES]))


def is_undecided(verdicts: pl.DataFrame) -> bool:
    """Whether there are verdicts, and no series had enough data to find a change."""
    return not verdicts.is_empty() and bool((verdicts["verdict"] == Verdict.NOT_ENOUGH_DATA).all())


def changes_first(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The verdicts with the worst first, and of equal changes the one that is least likely to be noise."""
    rank = pl.col("verdict").replace_strict(RANK, return_dtype=pl.UInt8)
    p = pl.when(pl.col("verdict").is_in([verdict.value for verdict in CHANGES])).then("adjusted_p")
    return verdicts.sort(rank, p, maintain_order=True, nulls_last=True)


def screen_frame(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    columns: VerdictColumns,
    *,
    series: pl.DataFrame | None = None,
    changes: pl.DataFrame | None = None,
    width: int = 12,
    marks: str = BLOCKS,
    arrow: str = "→",
    limit: int | None = None,
) -> pl.DataFrame:
    """The table of verdicts for a person: changes first, every cell text.

    Args:
        verdicts: one row per group and metric.
        by: the columns that name a group.
        columns: which analysis the verdicts are of.
        series: the values behind them (the columns of ``by``, ``metric`` and ``value``, by time), for sparklines.
        changes: the change points of the series (the columns of ``by``, ``metric`` and ``change_at``), to be marked.
        width: the most characters of a sparkline.
        marks: the characters of sparklines.
        arrow: the sign between the levels before and after.
        limit: how many rows get a sparkline, where no more are shown.
    """
    ranked = changes_first(in_natural_order(verdicts, by))
    drawn = ranked if limit is None else ranked.head(limit)
    trends = _sparklines(series, changes, drawn.select(*by, "metric"), width, marks)
    rows = []
    for row in ranked.iter_rows(named=True):
        cells = {"verdict": row["verdict"], **{column: row[column] for column in by}, "metric": row["metric"]}
        if series is not None:
            cells["trend"] = trends.get(_key(row, by))
        known = [level for level in levels(row[columns.before], row[columns.after]) if level != MISSING]
        cells[f"{columns.before} {arrow} {columns.after}"] = f" {arrow} ".join(known) or None
        cells["change"] = _none_if_missing(change(row, columns))
        if columns.interval:
            cells["interval"] = _none_if_missing(interval(row, columns))
        if columns.changed_at:
            cells["since"] = _none_if_missing(day(row[columns.changed_at]))
        cells["p"] = _none_if_missing(certainty(row))
        rows.append(cells)
    names = ["verdict", *by, "metric", *(["trend"] if series is not None else [])]
    names += [f"{columns.before} {arrow} {columns.after}", "change"]
    names += [*(["interval"] if columns.interval else []), *(["since"] if columns.changed_at else []), "p"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _none_if_missing(text: str) -> str | None:
    return None if text == MISSING else text


def _key(row: Row, by: Sequence[str]) -> tuple[Any, ...]:
    return (*(row[column] for column in by), row["metric"])


def _sparklines(
    series: pl.DataFrame | None, changes: pl.DataFrame | None, wanted: pl.DataFrame, width: int, marks: str
) -> dict[tuple[Any, ...], str]:
    if series is None:
        return {}
    keys = wanted.columns
    shown = series.join(wanted, on=keys, how="semi", nulls_equal=True, maintain_order="left")
    times: dict[tuple[Any, ...], list[datetime]] = {}
    if changes is not None:
        for row in changes.iter_rows(named=True):
            times.setdefault(_key(row, keys[:-1]), []).append(row["change_at"])
    lines = {}
    for key, rows in shown.group_by(keys, maintain_order=True):
        started = rows["started_at"].to_list() if times else []
        firsts = [bisect_left(started, at) for at in times.get(key, ())]
        lines[key] = sparkline(rows["value"].to_list(), width, marks, changes=firsts)
    return lines


def count_verdicts(verdicts: pl.DataFrame) -> Counter[str]:
    """The number of rows with each verdict."""
    return Counter(verdicts["verdict"].to_list())


def list_counts(counts: Mapping[str, int], among: Sequence[Verdict] = tuple(Verdict)) -> str:
    """The counts as a text such as ``2 regressions, 5 unchanged``; a verdict without any is left out."""
    parts = [f"{number:,} {_NOUNS[verdict][number != 1]}" for verdict in among if (number := counts.get(verdict, 0))]
    return ", ".join(parts)


def describe(row: Row, by: Sequence[str], columns: VerdictColumns) -> str:
    """A verdict in one line, not escaped: group, metric, reason, and since when."""
    text = f"{group_name(row, by)}: {row['metric']} {row['verdict']}: {row['reason']}"
    if columns.changed_at and row[columns.changed_at] is not None:
        text += f"; since {row[columns.changed_at]:%Y-%m-%dT%H:%M:%SZ} ({row[columns.source]})"
    return text
