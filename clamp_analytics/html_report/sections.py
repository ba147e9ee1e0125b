"""The sections of a page that are words and tables."""

from __future__ import annotations

import html

import msgspec
import polars as pl

from clamp_analytics.analysis.drift import Drift, DriftOptions
from clamp_analytics.analysis.series import METRICS
from clamp_analytics.analysis.summary import Group
from clamp_analytics.analysis.verdicts import floor_text
from clamp_analytics.html_report.evidence import Evidence
from clamp_analytics.html_report.markup import (
    NOTHING,
    Column,
    details,
    escaped,
    moment,
    number,
    paragraph,
    plural,
    table,
)
from clamp_analytics.reading import Counts
from clamp_analytics.rules import Severity

MOST_REJECTED = 50
"""Rejected files that are named."""

MOST_SNAPSHOT = 20_000
"""Characters of the provenance snapshot that are shown."""

DECIMALS = 6
"""Decimals of the mean and the sample variance, as in the summary."""


def headline(found: Drift, evidence: Evidence, counts: Counts) -> str:
    """The figures that come first."""
    total = sum(evidence.summary.groups.values(), start=Group())
    severities = evidence.summary.severities
    figures = [
        ("sessions", f"{counts.loaded:,}"),
        ("records", f"{total.records:,}"),
        ("in flight", f"{total.in_flight:,}"),
        ("contexts", f"{evidence.contexts:,}"),
        ("mean stability", _fixed(total.scores.mean)),
        ("sample variance", _fixed(total.scores.sample_variance)),
        ("drift index", _span(total.drift_index_ms)),
        *((_named(kind), f"{severities[kind.value]:,}") for kind in Severity),
    ]
    items = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in figures)
    span = _acquired(total.first, total.last)
    files = f"Files: {counts}."
    untimed = ""
    if found.untimed:
        untimed = f" {plural(found.untimed, 'session')} without a usable timestamp, so without a place in time."
    return f'<dl class="figures">{items}</dl>{paragraph(files + untimed)}{paragraph(span) if span else ""}'


def violations(evidence: Evidence) -> str:
    """The first violations, worst first."""
    found = evidence.violations
    columns = [
        Column("severity"),
        Column("rule"),
        Column("session"),
        Column("record", is_number=True),
        Column("field"),
        Column("value"),
        Column("count", is_number=True),
        Column("what is wrong"),
    ]
    names = ("severity", "rule", "source", "record_index", "field", "value", "count", "message")
    left_out = int(evidence.rules["rows"].sum()) - found.height
    listed = table("Violations, worst first", columns, found.select(names).iter_rows(), left_out)
    return details(f"The first {found.height:,} violations, worst first", listed)


def rejected(evidence: Evidence) -> str:
    """The files that are no session."""
    files = evidence.summary.rejected
    if not files:
        return paragraph("None: every file that was read is a session.")
    columns = [Column("file"), Column("why")]
    return table(
        "Files that could not be read as a session", columns, files[:MOST_REJECTED], max(len(files) - MOST_REJECTED, 0)
    )


def provenance(directory: str, build_info: str | None, version: str) -> str:
    """Where the figures come from."""
    parts = [paragraph(f"Sources below {directory}. Made by clamp-analytics {version}.")]
    if build_info is None:
        parts.append(paragraph("There is no provenance snapshot (build_info)."))
        return "".join(parts)
    # The snapshot's own numbers, digit by digit: parsing them would round.
    text = msgspec.json.format(build_info.encode(), indent=2).decode()
    lines = "\n".join(escaped(line) for line in text[:MOST_SNAPSHOT].split("\n"))
    box = '<div class="scroll" role="region" tabindex="0" aria-label="build_info">'
    parts.append(f"<h3>build_info</h3>{box}<pre>{lines}</pre></div>")
    if len(text) > MOST_SNAPSHOT:
        parts.append(f'<p class="more">… and {len(text) - MOST_SNAPSHOT:,} more characters</p>')
    return "".join(parts)


WORDS = (
    ("session", "One file. It is the unit of statistics, because its records are not independent of each other."),
    ("record", "One anchor event: a lock that was taken and, unless it is in flight, released."),
    (
        "drift index",
        "The time from the earliest to the latest acquisition. It is a span, and says nothing of a change.",
    ),
    ("sample variance", "Of all usable stability scores, with n - 1."),
    (
        "change point",
        "The first session after a shift: a dashed line with a number in a chart, explained below it. "
        "Dotted lines are the levels before and after.",
    ),
    (
        "band",
        "Where there are many sessions, a point stands for those in a span of time: their median for durations, else "
        "their mean. The band reaches from their 5th to their 95th percentile.",
    ),
    (
        "corrected p",
        "How likely noise alone would show as much, corrected for everything that was tested (Benjamini-Hochberg).",
    ),
    (
        "verdict",
        "A change takes enough sessions on both sides, a small corrected p, and an effect above the metric's floor. "
        "A warning is a shift that neighbouring sessions' likeness may explain, or that is neither good nor bad.",
    ),
    ("not enough data", "Too few sessions to say anything; it is no sign that all is well."),
)


def reading(options: DriftOptions) -> str:
    """How to read the page."""
    words = "".join(f"<dt>{html.escape(word)}</dt><dd>{html.escape(meaning)}</dd>" for word, meaning in WORDS)
    columns = [
        Column("metric"),
        Column("meaning"),
        Column("unit"),
        Column("better"),
        Column("smallest effect that matters"),
    ]
    better = {True: "higher", False: "lower", None: "neither"}
    rows = [
        [
            metric.name,
            metric.sentence,
            metric.unit,
            better[metric.higher_is_better],
            floor_text(metric, options.floor(metric)),
        ]
        for metric in METRICS.values()
    ]
    return f'<dl class="words">{words}</dl>' + table("Metrics of a session", columns, rows)


def _named(kind: Severity) -> str:
    return kind.value if kind is Severity.INFO else f"{kind.value}s"


def _fixed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.{DECIMALS}f}"


def _span(milliseconds: float) -> str:
    """A span of time in a unit that suits it."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if milliseconds >= 2 * size:
            return f"{number(milliseconds / size)} {unit}"
    return f"{number(milliseconds)} ms"


def _acquired(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    ends = pl.Series([first, last], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    span = f"Acquired from {moment(ends.item(0))} to {moment(ends.item(1))} UTC"
    return f"{span}; drift index {(last - first) / 1000:,.3f} ms."
