"""Workflow commands that GitHub shows as annotations of a step.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from clamp_analytics.render.escape import for_github_annotation_message, for_github_annotation_property
from clamp_analytics.render.text import TOOL, Row
from clamp_analytics.render.violations import RANK
from clamp_analytics.render.violations import describe as describe_violation
from clamp_analytics.rules import Severity
from clamp_analytics.sources import STDIN
from clamp_analytics.wording import plural

ANNOTATIONS_PER_LEVEL = 10
"""GitHub shows this many annotations of each level for a step, and drops the rest without a word."""

_SEVERITY_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def annotate_violations(violations: pl.DataFrame, *, limit: int | None = ANNOTATIONS_PER_LEVEL) -> str:
    """Write violations as annotations, one per line.

    The worst come first, and of those the first of each rule in each file before its repetitions, because only so
    many are shown. A last notice says exactly how many are left out. Lines and columns are not given, because the
    offset of a byte does not determine them: the message has the record and the byte.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        limit: how many to write of each level; None for all.

    Returns:
        Lines that begin with ``::``; an empty text where there is no violation.
    """
    ranked = violations.with_columns(
        rank=pl.col("severity").replace_strict(RANK, return_dtype=pl.UInt8),
        nth=pl.int_range(pl.len()).over("severity", "source", "rule"),
    ).sort("rank", "nth", maintain_order=True)
    written = ranked
    if limit is not None:
        position = pl.int_range(pl.len()).over("rank")
        written = ranked.filter(position < limit)
        if written.height < ranked.height:
            # The last notice counts as one of its level.
            is_notice = (pl.col("severity") == Severity.INFO.value).cast(pl.Int64)
            written = ranked.filter(position < limit - is_notice)
    lines = [_violation_line(row) for row in written.iter_rows(named=True)]
    if left_out := ranked.height - written.height:
        total, shown = (dict(frame["severity"].value_counts().iter_rows()) for frame in (ranked, written))
        numbers = [(total.get(severity, 0) - shown.get(severity, 0), severity) for severity in RANK]
        lines.append(
            _last_notice(left_out, ", ".join(f"{number} {severity}" for number, severity in numbers if number))
        )
    return "".join(line + "\n" for line in lines)


def _violation_line(row: Row) -> str:
    properties = {"file": row["source"], "title": row["rule"]}
    if row["source"] == STDIN:
        del properties["file"]
    return _command(_SEVERITY_LEVEL[Severity(row["severity"])], properties, describe_violation(row))


def annotate_incidents(incidents: Sequence[tuple[str, str, str]], *, limit: int = ANNOTATIONS_PER_LEVEL) -> str:
    """Write an annotation per incident.

    Args:
        incidents: level, title and message of each, the most important first.
        limit: how many to write of each level; a last notice says how many are left out.

    Returns:
        Lines that begin with ``::``; an empty text without incidents.
    """
    lines, counts = [], Counter[str]()
    for level, title, message in incidents:
        counts[level] += 1
        # The last notice counts as one of its level.
        if counts[level] <= limit - (level == "notice"):
            lines.append(_command(level, {"title": title}, message))
    if left_out := len(incidents) - len(lines):
        lines.append(_last_notice(left_out, plural(left_out, "incident")))
    return "".join(line + "\n" for line in lines)


def _command(level: str, properties: Mapping[str, str], message: str) -> str:
    listed = ",".join(f"{key}={for_github_annotation_property(text)}" for key, text in properties.items())
    return f"::{level} {listed}::{for_github_annotation_message(message)}"


def _last_notice(left_out: int, counts: str) -> str:
    return f"::notice title={TOOL}::… and {left_out:,} more: {counts}"
