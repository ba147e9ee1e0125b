"""Sections of the page that consist of text and tables."""

from __future__ import annotations

import html

import msgspec
import polars as pl

from clamp_analytics.analysis.drift import Drift, DriftOptions
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.summary import Group
from clamp_analytics.analysis.verdicts import Verdict, floor_text
from clamp_analytics.html_report.conclusion import Conclusion
from clamp_analytics.html_report.markup import (
    MARKS,
    NOTHING,
    Column,
    Html,
    details,
    escaped,
    format_number,
    format_time,
    link,
    paragraph,
    table,
)
from clamp_analytics.html_report.report_data import ReportData
from clamp_analytics.html_report.session_names import session_day
from clamp_analytics.reading import Counts
from clamp_analytics.rules import BY_ID, Severity
from clamp_analytics.wording import plural

MOST_REJECTED = 50
"""Maximal number of rejected files that are named."""

MOST_SNAPSHOT = 20_000
"""Maximal number of characters of the provenance snapshot."""

DECIMALS = 6
"""Decimals of the mean and the sample variance, as in the summary."""


def conclusion(sentence: Conclusion) -> str:
    """The opening sentence."""
    kind = sentence.verdict.value.replace(" ", "-")
    sign = "✓" if sentence.verdict is Verdict.UNCHANGED else MARKS[sentence.verdict.value]
    return (
        f'<p class="conclusion {kind}"><strong><span aria-hidden="true">{sign}</span> {sentence.lead}:</strong> '
        # A number and its percent sign stay on one line.
        f"{escaped(sentence.text).replace(' %', '&#160;%')}</p>"
    )


def facts(drift: Drift, data: ReportData, counts: Counts) -> str:
    """One line below the sentence: how much was read, of which days, and with which faults."""
    severities = data.summary.severities
    parts = [f"{plural(counts.loaded, 'session')}, {plural(data.contexts, 'context')}"]
    times = drift.timeline.started_at
    if times:
        parts.append(f"{session_day(drift.timeline, 0)} to {times[-1].day} {times[-1]:%b %Y}")
    for kind in (Severity.ERROR, Severity.WARNING):
        if count := severities[kind.value]:
            name = plural(count, kind.value)
            parts.append(f'<span class="{kind.value}">{link("violations", name)}</span>')
    if counts.rejected:
        parts.append(f'<span class="error">{link("rejected", plural(counts.rejected, "rejected file"))}</span>')
    return f'<p class="facts">{" · ".join(parts)}</p>'


def figures(drift: Drift, data: ReportData, counts: Counts) -> str:
    """The key figures of the sources."""
    total = sum(data.summary.groups.values(), start=Group())
    severities = data.summary.severities
    items = [
        ("sessions", f"{counts.loaded:,}"),
        ("records", f"{total.records:,}"),
        ("in flight", f"{total.in_flight:,}"),
        ("contexts", f"{data.contexts:,}"),
        ("mean stability", _fixed(total.scores.mean)),
        ("sample variance", _fixed(total.scores.sample_variance)),
        ("drift index", _span(total.drift_index_ms)),
        *((_severity_name(kind), f"{severities[kind.value]:,}") for kind in Severity),
    ]
    kinds = {_severity_name(kind): kind.value for kind in (Severity.ERROR, Severity.WARNING) if severities[kind.value]}
    listed = "".join(
        f"<div class={kinds[name]}><dt>{name}</dt><dd>{link('violations', value)}</dd></div>"
        if name in kinds
        else f"<div><dt>{name}</dt><dd>{value}</dd></div>"
        for name, value in items
    )
    sentences = [f"Files: {counts}."]
    if drift.untimed:
        sentences.append(f"{plural(drift.untimed, 'session')} without a usable timestamp, and so without a series.")
    if span := _acquired(total.first, total.last):
        sentences.append(span)
    return f'<dl class="figures">{listed}</dl>{paragraph(" ".join(sentences))}'


def violations(data: ReportData) -> str:
    """The violations by rule, errors first, and the first ones of the files."""
    if data.rules.is_empty():
        return paragraph("None: all sessions keep all rules.")
    info = pl.col("severity") == Severity.INFO.value
    serious, notices = data.rules.filter(~info), data.rules.filter(info)
    parts = [_rules("Errors and warnings by rule", serious) if serious.height else paragraph("No errors, no warnings.")]
    if notices.height:
        count = int(notices["rows"].sum())
        parts.append(details(plural(count, "notice"), _rules("Notices by rule", notices)))
    columns = [
        Column("severity"),
        Column("rule"),
        Column("session"),
        Column("record", is_number=True),
        Column("field"),
        Column("value"),
        Column("count", is_number=True),
        Column("message"),
    ]
    first = data.violations
    names = ("severity", "rule", "source", "record_index", "field", "value", "count", "message")
    left_out = int(data.rules["rows"].sum()) - first.height
    listed = table("Violations by severity", columns, first.select(names).iter_rows(), left_out)
    parts.append(details(f"The first {plural(first.height, 'violation')}, errors first", listed))
    return "".join(parts)


def _rules(caption: str, rules: pl.DataFrame) -> str:
    columns = [
        Column("severity"),
        Column("rule"),
        Column("violations", is_number=True),
        Column("occurrences", is_number=True),
        Column("meaning"),
    ]
    rows = [
        [Html(f'<span class="{severity}">{severity}</span>'), rule, count, occurrences, BY_ID[rule].sentence]
        for severity, rule, count, occurrences in rules.select("severity", "rule", "rows", "occurrences").iter_rows()
    ]
    return table(caption, columns, rows)


def rejected(data: ReportData) -> str:
    """The files that are not sessions."""
    files = data.summary.rejected
    if not files:
        return paragraph("None: every file that was read is a session.")
    columns = [Column("file"), Column("why")]
    left_out = max(len(files) - MOST_REJECTED, 0)
    return table("Files that could not be read as a session", columns, files[:MOST_REJECTED], left_out)


def provenance(directory: str, build_info: str | None, version: str) -> str:
    """The sources, the version, and the provenance snapshot."""
    parts = [paragraph(f"Sources below {directory}. Created by clamp-analytics {version}.")]
    if build_info is None:
        parts.append(paragraph("There is no provenance snapshot (build_info)."))
        return "".join(parts)
    # Formatted without parsing, because parsing could round numbers.
    text = msgspec.json.format(build_info.encode(), indent=2).decode()
    lines = "\n".join(escaped(line) for line in text[:MOST_SNAPSHOT].split("\n"))
    box = f'<div class="scroll" role="region" tabindex="0" aria-label="build_info"><pre>{lines}</pre></div>'
    if len(text) > MOST_SNAPSHOT:
        box += f'<p class="more">… and {len(text) - MOST_SNAPSHOT:,} more characters</p>'
    parts.append(details("Provenance snapshot (build_info)", box))
    return "".join(parts)


TERMS = (
    ("session", "One file. Statistics count sessions, because the records of a session are not independent."),
    ("record", "One anchor event: a lock that was acquired and, unless it is in flight, released."),
    ("drift index", "The time from the earliest to the latest acquisition. It is a time span and not a change."),
    ("sample variance", "The variance of all usable stability scores, with n - 1."),
    (
        "change point",
        "The first session after a shift: a dashed line with a number in the chart, and a sentence below. Dotted lines "
        "are the levels before and after.",
    ),
    (
        "outlier",
        "A session far from the level of its series: a diamond with a letter in the chart, and its file below. A "
        "single outlier is not a change.",
    ),
    (
        "band",
        "A series of many sessions is binned. A point is then the median of a bin for durations and the mean for other "
        "metrics, and the band reaches from the 5th to the 95th percentile.",
    ),
    (
        "corrected p",
        "The probability that noise alone shows a shift this large, corrected for the number of tests "
        "(Benjamini-Hochberg).",
    ),
    (
        "verdict",
        "A change needs enough sessions on both sides, a small corrected p, and an effect above the floor of the "
        "metric. A warning is a shift that correlated sessions may explain, or that is neither better nor worse.",
    ),
    ("not enough data", "Too few sessions for a verdict. The series may or may not have changed."),
)


def glossary(options: DriftOptions) -> str:
    """The terms and metrics of the page."""
    terms = "".join(f"<dt>{html.escape(term)}</dt><dd>{html.escape(meaning)}</dd>" for term, meaning in TERMS)
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
    content = f'<dl class="terms">{terms}</dl>' + table("Metrics of a session", columns, rows)
    return details("Terms and metrics", content)


def _severity_name(kind: Severity) -> str:
    return kind.value if kind is Severity.INFO else f"{kind.value}s"


def _fixed(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.{DECIMALS}f}"


def _span(milliseconds: float) -> str:
    """A time span in a suitable unit."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")):
        if milliseconds >= 2 * size:
            return f"{format_number(milliseconds / size)} {unit}"
    return f"{format_number(milliseconds)} ms"


def _acquired(first: int | None, last: int | None) -> str:
    if first is None or last is None:
        return ""
    ends = pl.Series([first, last], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    span = f"Acquired from {format_time(ends.item(0))} to {format_time(ends.item(1))} UTC"
    return f"{span}; drift index {(last - first) / 1000:,.3f} ms."
