"""The opening sentence of a report: whether the sessions are stable, and if not, what changed and since when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.compare import Comparison
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.html_report.markup import format_change
from clamp_analytics.wording import plural

MOST_METRICS = 3
"""Maximal number of metrics in the sentence."""

MOST_GROUPS = 3
"""Maximal number of further groups that are named."""

GROUP_LENGTH = 60
"""Maximal length of the name of a group in the sentence, in characters."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The opening sentence.

    Attributes:
        verdict: the verdict on all sessions together, which decides the colour.
        lead: the first words.
        text: the rest of the sentence.
    """

    verdict: Verdict
    lead: str
    text: str


def conclude(drift: Drift, comparison: Comparison | None = None) -> Conclusion:
    """Summarize the verdicts on all series; a regression against the baseline takes precedence."""
    if comparison is not None:
        verdicts = comparison.verdicts.rename({"baseline": "before", "candidate": "after"})
        if regressed := _changed(verdicts, comparison.by, Verdict.REGRESSED):
            return Conclusion(Verdict.REGRESSED, "Not stable", f"against the baseline, {regressed}")
    verdicts, by = drift.verdicts, drift.by
    sessions = plural(drift.sessions, "session")
    if regressed := _changed(verdicts, by, Verdict.REGRESSED):
        return Conclusion(Verdict.REGRESSED, "Not stable", regressed)
    if shifted := _changed(verdicts, by, Verdict.SUSPECT):
        return Conclusion(Verdict.SUSPECT, "Possibly not stable", shifted)
    if improved := _changed(verdicts, by, Verdict.IMPROVED):
        return Conclusion(Verdict.IMPROVED, "Stable", f"no regression in {sessions}. Improved: {improved}")
    if verdicts.filter(verdict=Verdict.UNCHANGED.value).is_empty():
        reason = f"{sessions} with a usable timestamp are too few" if drift.sessions else "no usable timestamp"
        return Conclusion(Verdict.NOT_ENOUGH_DATA, "Not enough data", f"{reason} to find a change.")
    groups = _groups(verdicts, by).height
    noun = f" of {plural(groups, _noun(by))}" if by else ""
    short = verdicts.filter(verdict=Verdict.NOT_ENOUGH_DATA.value).height
    rest = f" {plural(short, 'series has', 'series have')} too few sessions for a verdict." if short else ""
    text = f"no change in {sessions}{noun}.{rest}"
    return Conclusion(Verdict.UNCHANGED, "Stable", text)


def _noun(by: Sequence[str]) -> str:
    return "context" if tuple(by) == ("context",) else "group"


def _groups(verdicts: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    return verdicts.select(by).unique(maintain_order=True) if by else verdicts.head(1)


def _changed(verdicts: pl.DataFrame, by: Sequence[str], verdict: Verdict) -> str:
    """The groups with a verdict: the first one with its metrics, the others by name; empty without any."""
    rows = verdicts.filter(pl.col("verdict") == verdict.value)
    if rows.is_empty():
        return ""
    groups = _groups(rows, by)
    first = rows.join(groups.head(1), on=list(by), how="semi", nulls_equal=True) if by else rows
    names = (
        [plots.group_label(group, GROUP_LENGTH) for group in groups.select(by).iter_rows()] if by else ["all records"]
    )
    changes = [
        f"{metric} {format_change(METRICS[metric], before, after)}"
        for metric, before, after in _in_metric_order(first).select("metric", "before", "after").iter_rows()
    ]
    del changes[MOST_METRICS:]
    if first.height > MOST_METRICS:
        changes.append(plural(first.height - MOST_METRICS, "more metric"))
    text = f"{names[0]}{_since(first)}: {', '.join(changes)}."
    others = names[1:]
    if by:
        total = _groups(verdicts, by).height
        text += f" {plural(len(names), _noun(by))} of {total:,} {_past(verdict)}"
        if others:
            more = len(others) - MOST_GROUPS
            text += f", also {', '.join(others[:MOST_GROUPS])}" + (f" and {more:,} more" if more > 0 else "")
        text += "."
    return text


def _in_metric_order(rows: pl.DataFrame) -> pl.DataFrame:
    order = {name: number for number, name in enumerate(METRICS)}
    return rows.sort(pl.col("metric").replace_strict(order, return_dtype=pl.UInt8))


def _past(verdict: Verdict) -> str:
    return "shifted" if verdict is Verdict.SUSPECT else verdict.value


def _since(rows: pl.DataFrame) -> str:
    """Since when a group has changed, with the first session after the earliest change."""
    if "change_at" not in rows.columns:
        return ""
    changes = rows.drop_nulls("change_at").sort("change_at")
    if changes.is_empty():
        return ""
    at, source = changes.select("change_at", "change_source").row(0)
    return f" since {at.day} {at:%b %Y} ({plots.shorten_path(source, 36)})"
