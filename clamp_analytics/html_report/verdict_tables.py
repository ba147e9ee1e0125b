"""Tables of verdicts: the changes over time, and the differences from a baseline."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.compare import Comparison
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.markup import (
    NOTHING,
    Column,
    Row,
    cell,
    details,
    format_change,
    format_interval,
    format_levels,
    format_time,
    link,
    paragraph,
    table,
    verdict_badge,
)
from clamp_analytics.wording import p_value, plural

MOST_VERDICTS = 500
"""Maximal number of rows in the tables of verdicts."""


def all_series(drift: Drift, by: Sequence[str], links: SeriesLinks) -> str:
    """The folded table of all series, the worst verdict first."""
    columns = [
        Column("verdict"),
        *(Column(name) for name in by),
        Column("metric", is_whole=True),
        Column("change", is_number=True),
        Column("before → after", is_number=True, is_optional=True),
        Column("since", is_optional=True),
        Column("sessions", is_number=True, is_optional=True),
        Column("why", is_optional=True),
    ]
    listed = drift.verdicts.head(MOST_VERDICTS)
    if listed.is_empty():
        return paragraph("There is no series.")
    rows = _rows(_by_group(listed, by), by, links)
    shown = table("Verdicts on all series", columns, rows, drift.verdicts.height - listed.height)
    return details(f"Table of {plural(drift.verdicts.height, 'series', 'series')}", shown, kind="groups")


def _by_group(verdicts: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The verdicts with those of a group together, in the order of the first one of each group."""
    return pl.concat(verdicts.partition_by(by, maintain_order=True)) if by else verdicts


def _rows(verdicts: pl.DataFrame, by: Sequence[str], links: SeriesLinks) -> list[Row]:
    rows = []
    for row in verdicts.iter_rows(named=True):
        metric, key = row["metric"], tuple(row[name] for name in by)
        target = links.target(metric, key)
        name = link(target, cell(metric)) if target == links.chart(metric, key) else metric
        values = [
            verdict_badge(row["verdict"]),
            *map(plots.label, key),
            name,
            format_change(METRICS[metric], row["before"], row["after"]),
            _levels(metric, row["before"], row["after"]),
            f"{plots.shorten_path(row['change_source'], 36)}, {format_time(row['change_at'])}"
            if row["change_at"]
            else None,
            row["sessions"],
            row["reason"],
        ]
        rows.append(Row(values, links.row(metric, key), plots.group_label(key)))
    return rows


def _levels(metric: str, before: float | None, after: float | None) -> str:
    """The levels before and after a change; only the latest one where there is no change."""
    return " → ".join(format_levels(metric, before, after)) or NOTHING


def comparison(result: Comparison) -> str:
    """The differences between the baseline and the sessions of the report."""
    by = result.by
    columns = [
        Column("verdict"),
        *(Column(name) for name in by),
        Column("metric", is_whole=True),
        Column("change", is_number=True),
        Column("baseline → these sources", is_number=True, is_optional=True),
        Column("interval of the change", is_number=True, is_optional=True),
        Column("corrected p", is_number=True, is_optional=True),
        Column("sessions", is_number=True, is_optional=True),
        Column("why", is_optional=True),
    ]
    parts = [
        paragraph(
            f"Baseline: {plural(result.baseline_sessions, 'session')}; "
            f"these sources: {plural(result.candidate_sessions, 'session')}."
            f" Files of the baseline: {result.baseline_counts}."
        )
    ]
    if result.in_both:
        parts.append(paragraph(f"{plural(result.in_both, 'session')} on both sides, which makes the sides alike."))
    changed = result.verdicts.filter(pl.col("verdict").is_in(plots.CHANGED))
    rest = result.verdicts.filter(~pl.col("verdict").is_in(plots.CHANGED))
    if changed.is_empty():
        parts.append(paragraph("No series differs from the baseline."))
    else:
        shown = changed.head(MOST_VERDICTS)
        rows = _comparison_rows(shown, by)
        parts.append(table("Series that differ from the baseline", columns, rows, changed.height - shown.height))
    if rest.height:
        shown = rest.head(MOST_VERDICTS)
        others = table("Series that do not differ", columns, _comparison_rows(shown, by), rest.height - shown.height)
        parts.append(details(f"{plural(rest.height, 'other series', 'other series')}", others))
    for title, groups in (("Only in these sources", result.appeared), ("Only in the baseline", result.vanished)):
        if groups.height:
            shown = groups.head(MOST_VERDICTS)
            values = [
                [plots.group_label(row[key] for key in by), row["sessions"], row["records"]]
                for row in shown.iter_rows(named=True)
            ]
            heads = [
                Column(", ".join(by) or "all"),
                Column("sessions", is_number=True),
                Column("records", is_number=True),
            ]
            parts.append(table(title, heads, values, groups.height - shown.height))
    return "".join(parts)


def _comparison_rows(verdicts: pl.DataFrame, by: Sequence[str]) -> list[list[object]]:
    rows: list[list[object]] = []
    for row in verdicts.iter_rows(named=True):
        name = row["metric"]
        ends = row["difference_low"], row["difference_high"]
        rows.append(
            [
                verdict_badge(row["verdict"]),
                *(plots.label(row[key]) for key in by),
                name,
                format_change(METRICS[name], row["baseline"], row["candidate"]),
                _levels(name, row["baseline"], row["candidate"]),
                format_interval(METRICS[name], ends, row["baseline"]),
                p_value(row["adjusted_p"], missing=NOTHING),
                f"{row['baseline_sessions']:,} and {row['candidate_sessions']:,}",
                row["reason"],
            ]
        )
    return rows
