"""Verdicts on metrics: for a person at a terminal, for a pull request, and for the tools that read reports.

The verdicts of ``drift`` and of ``compare`` have the same shape but for a few names, which a ``Layout`` holds.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from clamp_analytics.analysis.series import METRICS
from clamp_analytics.analysis.verdicts import RANK, Verdict
from clamp_analytics.render.escape import (
    for_github_annotation_message,
    for_github_annotation_property,
    for_terminal,
)
from clamp_analytics.render.sparkline import BLOCKS, sparkline

TOOL = "clamp-analytics"
GITHUB_LIMIT = 10
"""GitHub shows this many annotations of each level for a step, and drops the rest without a word."""

DIGITS = 3
"""Significant digits of a figure that is read at a glance; JSON and CSV give every digit."""

LONGEST_WHOLE = 10**15
"""From here on a figure has an exponent; a hostile duration of three hundred digits would push all else away."""

CHANGES = (Verdict.REGRESSED, Verdict.WARNING, Verdict.IMPROVED)
"""The verdicts that somebody should look at."""

_NOUNS = {
    Verdict.REGRESSED: ("regression", "regressions"),
    Verdict.WARNING: ("warning", "warnings"),
    Verdict.IMPROVED: ("improvement", "improvements"),
    Verdict.NOT_ENOUGH_DATA: ("without enough data", "without enough data"),
    Verdict.UNCHANGED: ("unchanged", "unchanged"),
}
_GITHUB_LEVEL = {Verdict.REGRESSED: "error", Verdict.WARNING: "warning", Verdict.IMPROVED: "notice"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table of verdicts names what every one has.

    Attributes:
        name: the command, in one word.
        title: what the verdicts are about.
        before: the column of a metric's level before the change, or of the baseline.
        after: the same after the change, or of the candidate.
        difference: the column of the difference, in the metric's unit.
        relative: the column of the difference as a share of the level before.
        when: the column of the change's moment; empty where there is none.
        source: the column of the session that is the first after the change; empty where there is none.
        interval: the columns of the ends of the difference's interval; empty where there are none.
    """

    name: str
    title: str
    before: str
    after: str
    difference: str
    relative: str
    when: str = ""
    source: str = ""
    interval: tuple[str, ...] = ()


DRIFT = Layout("drift", "Drift", "before", "after", "effect", "effect_relative", "change_at", "change_source")
COMPARE = Layout(
    "compare",
    "Comparison",
    "baseline",
    "candidate",
    "difference",
    "relative_difference",
    interval=("difference_low", "difference_high"),
)


def group_name(row: Row, by: Sequence[str]) -> str:
    """What a row is about besides its metric, not escaped: a context, or several values with their columns."""
    if len(by) == 1 and row[by[0]] is not None:
        return str(row[by[0]])
    named = (f"no {column}" if row[column] is None else f"{column} {row[column]}" for column in by)
    return ", ".join(named) or "all sessions"


def figure(value: float | None) -> str:
    """A number with three significant digits, and with all digits before its point; ``-`` for none."""
    if value is None or not math.isfinite(value):
        return "-"
    if 10**DIGITS - 0.5 <= abs(value) < LONGEST_WHOLE:
        return f"{value:.0f}"
    return f"{value:.{DIGITS}g}"


def change(row: Row, layout: Layout) -> str:
    """How much a metric changed: durations in percent, all others in their unit; ``-`` where nothing is known."""
    relative = row[layout.relative]
    if METRICS[row["metric"]].is_relative and relative is not None:
        return _signed(100 * relative, "%")
    return _signed(row[layout.difference])


def interval(row: Row, layout: Layout) -> str:
    """The interval of a change, in the terms of ``change``; ``-`` where there is none."""
    ends = [row[name] for name in layout.interval]
    if any(end is None for end in ends):
        return "-"
    before = row[layout.before]
    unit = ""
    if METRICS[row["metric"]].is_relative and before:
        ends, unit = [100 * end / before for end in ends], "%"
    if not all(map(math.isfinite, ends)):
        return "-"
    low, high = map(_signed, ends)
    return f"{low} to {high}{unit}"


def _signed(value: float | None, unit: str = "") -> str:
    shown = figure(value)
    if shown == "-":
        return shown
    return ("" if shown.startswith("-") or shown == "0" else "+") + shown + unit


def p_value(p: float | None) -> str:
    """A probability, as far as it matters."""
    if p is None or math.isnan(p):
        return "-"
    return "<0.0001" if p < 0.0001 else f"{p:.2g}"


def certainty(row: Row) -> str:
    """The corrected probability that a verdict rests on, or how many sessions one would need."""
    if row["verdict"] == Verdict.NOT_ENOUGH_DATA and row["needed_sessions"] is not None:
        return f"needs {row['needed_sessions']}"
    return p_value(row["adjusted_p"])


def moment(at: datetime | None) -> str:
    """The UTC day of a moment; ``-`` for none."""
    return "-" if at is None else f"{at:%Y-%m-%d}"


def changes_first(verdicts: pl.DataFrame) -> pl.DataFrame:
    """The verdicts with the worst first, and of equal changes the one that is least likely to be noise."""
    rank = pl.col("verdict").replace_strict(RANK, return_dtype=pl.UInt8)
    p = pl.when(pl.col("verdict").is_in([verdict.value for verdict in CHANGES])).then("adjusted_p")
    return verdicts.sort(rank, p, maintain_order=True, nulls_last=True)


def screen_frame(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    layout: Layout,
    *,
    series: pl.DataFrame | None = None,
    width: int = 12,
    marks: str = BLOCKS,
    arrow: str = "→",
    limit: int | None = None,
) -> pl.DataFrame:
    """The columns that a person looks at, changes first, every one of them text.

    Args:
        verdicts: one row a group and metric.
        by: the columns that name a group.
        layout: whose verdicts they are.
        series: the values behind them (the columns of ``by``, ``metric`` and ``value``, by time), for sparklines.
        width: the most characters of a sparkline.
        marks: the characters of sparklines.
        arrow: what stands between the levels before and after.
        limit: how many rows get a sparkline, where no more are shown.
    """
    ranked = changes_first(verdicts)
    drawn = ranked if limit is None else ranked.head(limit)
    lines = _sparklines(series, drawn.select(*by, "metric"), width, marks)
    rows = []
    for row in ranked.iter_rows(named=True):
        shown = {"verdict": row["verdict"], **{column: row[column] for column in by}, "metric": row["metric"]}
        if series is not None:
            shown["trend"] = lines.get(_key(row, by))
        before, after = figure(row[layout.before]), figure(row[layout.after])
        levels = {before} if after == "-" else {after} if before == "-" else {f"{before} {arrow} {after}"}
        shown[f"{layout.before} {arrow} {layout.after}"] = None if levels == {"-"} else levels.pop()
        shown["change"] = _or_null(change(row, layout))
        if layout.interval:
            shown["interval"] = _or_null(interval(row, layout))
        if layout.when:
            shown["since"] = _or_null(moment(row[layout.when]))
        shown["p"] = _or_null(certainty(row))
        rows.append(shown)
    names = ["verdict", *by, "metric", *(["trend"] if series is not None else [])]
    names += [f"{layout.before} {arrow} {layout.after}", "change"]
    names += [*(["interval"] if layout.interval else []), *(["since"] if layout.when else []), "p"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _or_null(text: str) -> str | None:
    return None if text == "-" else text


def _key(row: Row, by: Sequence[str]) -> tuple[Any, ...]:
    return (*(row[column] for column in by), row["metric"])


def _sparklines(
    series: pl.DataFrame | None, wanted: pl.DataFrame, width: int, marks: str
) -> dict[tuple[Any, ...], str]:
    if series is None:
        return {}
    keys = wanted.columns
    shown = series.join(wanted, on=keys, how="semi", nulls_equal=True, maintain_order="left")
    values = shown.group_by(keys, maintain_order=True).agg("value")
    return {_key(row, keys[:-1]): sparkline(row["value"], width, marks) for row in values.iter_rows(named=True)}


def counts_of(verdicts: pl.DataFrame) -> Counter[str]:
    """How many there are of each verdict."""
    return Counter(verdicts["verdict"].to_list())


def in_words(counts: Mapping[str, int], among: Sequence[Verdict] = tuple(Verdict)) -> str:
    """How many there are of each verdict, in words; none that there is not one of."""
    parts = [f"{number:,} {_NOUNS[verdict][number != 1]}" for verdict in among if (number := counts.get(verdict, 0))]
    return ", ".join(parts)


def describe(row: Row, by: Sequence[str], layout: Layout) -> str:
    """A verdict in one line, not escaped: what it is about, why, and since when."""
    text = f"{group_name(row, by)}: {row['metric']} {row['verdict']}: {row['reason']}"
    if layout.when and row[layout.when] is not None:
        text += f"; since {row[layout.when]:%Y-%m-%dT%H:%M:%SZ} ({row[layout.source]})"
    return text


def github(verdicts: pl.DataFrame, by: Sequence[str], layout: Layout, *, limit: int = GITHUB_LIMIT) -> str:
    """Workflow commands that GitHub shows as annotations: an error a regression, a notice an improvement.

    Args:
        verdicts: one row a group and metric.
        by: the columns that name a group.
        layout: whose verdicts they are.
        limit: how many to write of each level; a last notice says how many are left out.

    Returns:
        Lines that begin with ``::``; nothing at all where nothing changed.
    """
    counts = counts_of(verdicts)
    left = {verdict.value: max(counts[verdict] - limit, 0) for verdict in CHANGES}
    if any(left.values()) and counts[Verdict.IMPROVED] >= limit:
        # The last notice takes the place of one.
        left[Verdict.IMPROVED] += 1
    lines = []
    for verdict in CHANGES:
        rows = changes_first(verdicts).filter(pl.col("verdict") == verdict.value)
        for row in rows.head(counts[verdict] - left[verdict]).iter_rows(named=True):
            title = for_github_annotation_property(f"{layout.title}: {row['metric']} {row['verdict']}")
            message = for_github_annotation_message(describe(row, by, layout))
            lines.append(f"::{_GITHUB_LEVEL[verdict]} title={title}::{message}")
    if any(left.values()):
        lines.append(f"::notice title={TOOL}::… and {sum(left.values())} more: {in_words(left)}")
    return "".join(line + "\n" for line in lines)


def junit(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    layout: Layout,
    *,
    failing: Sequence[Verdict] = (Verdict.REGRESSED,),
    properties: Mapping[str, object] | None = None,
) -> str:
    """JUnit XML: a test case for each group and metric.

    One without enough data is skipped. Text is escaped as for a terminal, because XML 1.0 has no control characters.

    Args:
        verdicts: one row a group and metric.
        by: the columns that name a group.
        layout: whose verdicts they are.
        failing: the verdicts that fail a test case.
        properties: what to say of the whole suite.
    """
    name = f"{TOOL} {layout.name}"
    suite = ET.Element("testsuite", name=name)
    if properties:
        listed = ET.SubElement(suite, "properties")
        for key, value in properties.items():
            ET.SubElement(listed, "property", name=key, value=for_terminal(str(value)))
    failures = skipped = 0
    for row in verdicts.iter_rows(named=True):
        title = for_terminal(f"{group_name(row, by)}: {row['metric']}")
        case = ET.SubElement(suite, "testcase", classname=name, name=title)
        told = for_terminal(describe(row, by, layout))
        if row["verdict"] in failing:
            failures += 1
            ET.SubElement(case, "failure", message=told, type=row["verdict"]).text = told
        elif row["verdict"] == Verdict.NOT_ENOUGH_DATA:
            skipped += 1
            ET.SubElement(case, "skipped", message=told)
        else:
            ET.SubElement(case, "system-out").text = told
    totals = {"tests": str(verdicts.height), "failures": str(failures), "errors": "0"}
    suite.attrib.update(totals, skipped=str(skipped))
    suites = ET.Element("testsuites", {"name": TOOL, **totals})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"
