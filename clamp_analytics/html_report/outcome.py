"""What became of the series, and how they compare with a baseline: sentences and tables of verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.compare import Comparison
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.series import METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.html_report.markup import (
    Column,
    changed_by,
    details,
    measured,
    moment,
    p_value,
    paragraph,
    plural,
    table,
    verdict,
)

MOST_VERDICTS = 500
"""Rows of a table of verdicts."""


def conclusion(found: Drift) -> str:
    """What became of all series, in a sentence."""
    counts = Counter(found.verdicts["verdict"].to_list())
    parts = [f"{counts[kind.value]:,} {_outcome(kind)}" for kind in Verdict if counts[kind.value]]
    looked_at = f"{plural(found.sessions, 'session')} looked at"
    series = f"Of {found.verdicts.height:,} series (a metric of a group), {', '.join(parts)}; {looked_at}."
    return paragraph(series if parts else "There is no series to judge.")


def _outcome(kind: Verdict) -> str:
    words = {Verdict.WARNING: "shifted in a way to look at", Verdict.NOT_ENOUGH_DATA: "had not enough data"}
    return words.get(kind, kind.value)


def verdicts(found: Drift, by: Sequence[str]) -> str:
    """The verdicts on all series: what changed, then everything."""
    columns = [
        Column("verdict"),
        *(Column(name) for name in by),
        Column("metric"),
        *(Column(name, is_number=True) for name in ("before", "after", "change")),
        Column("corrected p", is_number=True),
        Column("first session after (UTC)"),
        Column("sessions", is_number=True),
        Column("why"),
    ]
    changed = found.verdicts.filter(pl.col("verdict").is_in(plots.CHANGED))
    parts = [conclusion(found)]
    if changed.height:
        shown = changed.head(MOST_VERDICTS)
        parts.append(table("Series that changed", columns, _verdict_rows(shown, by), changed.height - shown.height))
    rest = found.verdicts.filter(~pl.col("verdict").is_in(plots.CHANGED))
    if rest.height:
        shown = rest.head(MOST_VERDICTS)
        others = table("Series that did not change", columns, _verdict_rows(shown, by), rest.height - shown.height)
        parts.append(details(f"{rest.height:,} series that did not change, or have not enough data", others))
    return "".join(parts)


def _verdict_rows(rows: pl.DataFrame, by: Sequence[str]) -> list[list[object]]:
    made: list[list[object]] = []
    for row in rows.iter_rows(named=True):
        name = row["metric"]
        levels = [measured(name, row["before"]), measured(name, row["after"])]
        at = f"{moment(row['change_at'])} {plots.end_of(row['change_source'])}" if row["change_at"] else None
        needed = row["needed_sessions"]
        why = row["reason"] + (f" (needs about {needed:,})" if needed and row["verdict"] == "not enough data" else "")
        made.append(
            [
                verdict(row["verdict"]),
                *(plots.shown(row[key]) for key in by),
                name,
                *levels,
                changed_by(METRICS[name], row["before"], row["after"]),
                p_value(row["adjusted_p"]),
                at,
                row["sessions"],
                why,
            ]
        )
    return made


def comparison(found: Comparison) -> str:
    """The sources against a baseline."""
    by = found.by
    columns = [
        Column("verdict"),
        *(Column(name) for name in by),
        Column("metric"),
        *(
            Column(name, is_number=True)
            for name in ("baseline", "these sources", "change", "interval of the difference")
        ),
        *(Column(name, is_number=True) for name in ("corrected p", "sessions")),
        Column("why"),
    ]
    parts = [
        paragraph(
            f"Baseline: {plural(found.baseline_sessions, 'session')}; "
            f"these sources: {plural(found.candidate_sessions, 'session')}."
            f" Files of the baseline: {found.baseline_counts}."
        )
    ]
    if found.in_both:
        parts.append(paragraph(f"{plural(found.in_both, 'session')} on both sides, which makes the sides alike."))
    changed = found.verdicts.filter(pl.col("verdict").is_in(plots.CHANGED))
    rest = found.verdicts.filter(~pl.col("verdict").is_in(plots.CHANGED))
    if changed.is_empty():
        parts.append(paragraph("Nothing differs beyond noise."))
    else:
        shown = changed.head(MOST_VERDICTS)
        rows = _comparison_rows(shown, by)
        parts.append(table("What differs from the baseline", columns, rows, changed.height - shown.height))
    if rest.height:
        shown = rest.head(MOST_VERDICTS)
        others = table("What does not differ", columns, _comparison_rows(shown, by), rest.height - shown.height)
        parts.append(details(f"{rest.height:,} that do not differ, or have not enough data", others))
    for title, groups in (("Only in these sources", found.appeared), ("Only in the baseline", found.vanished)):
        if groups.height:
            shown = groups.head(MOST_VERDICTS)
            rows = [
                [plots.group_name(row[key] for key in by), row["sessions"], row["records"]]
                for row in shown.iter_rows(named=True)
            ]
            heads = [
                Column(", ".join(by) or "all"),
                Column("sessions", is_number=True),
                Column("records", is_number=True),
            ]
            parts.append(table(title, heads, rows, groups.height - shown.height))
    return "".join(parts)


def _comparison_rows(rows: pl.DataFrame, by: Sequence[str]) -> list[list[object]]:
    made: list[list[object]] = []
    for row in rows.iter_rows(named=True):
        name = row["metric"]
        ends = [row["difference_low"], row["difference_high"]]
        interval = None if None in ends else " to ".join(measured(name, end) for end in ends)
        made.append(
            [
                verdict(row["verdict"]),
                *(plots.shown(row[key]) for key in by),
                name,
                measured(name, row["baseline"]),
                measured(name, row["candidate"]),
                changed_by(METRICS[name], row["baseline"], row["candidate"]),
                interval,
                p_value(row["adjusted_p"]),
                f"{row['baseline_sessions']:,} and {row['candidate_sessions']:,}",
                row["reason"],
            ]
        )
    return made
