"""Verdicts as Markdown that fits a comment on a pull request, or a job's summary: what changed first, the rest folded.

Everything that stands in telemetry is escaped. A table that would take more than the hosts of repositories accept is
cut, and its last line says how many rows are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.render.escape import for_markdown
from clamp_analytics.render.verdicts import (
    CHANGES,
    Layout,
    Row,
    certainty,
    change,
    changes_first,
    counts_of,
    figure,
    in_words,
    interval,
    moment,
)

COMMENT_CHARACTERS = 60_000
"""A comment on a pull request takes 65,536 characters; what frames the tables needs some of them."""

LONGEST_NAME = 200
"""Names are cut beyond this, so that a hostile one leaves room for the others."""

LISTED = 100
"""Contexts that are listed by name where they appeared or vanished."""

HOW_TO_READ = (
    "A regression or an improvement takes all three: enough sessions on both sides, an effect that is large enough to "
    "matter, and a p-value, corrected for everything that was tested, that noise would hardly give.",
    "A warning is a shift that cannot be told from slow noise, because neighbouring sessions resemble each other, or "
    "one of which nobody can say whether it is better.",
    "The unit of statistics is the session: each gives one value of a metric.",
    "Durations change in percent, scores, shares and counts in their own unit.",
)


def markdown(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    layout: Layout,
    *,
    told: str = "",
    lists: Mapping[str, Sequence[str | None]] | None = None,
) -> str:
    """A headline, the changes, and everything else where one can unfold it.

    Args:
        verdicts: one row a group and metric.
        by: the columns that name a group.
        layout: whose verdicts they are.
        told: what was looked at, in our own words; it is not escaped.
        lists: names by what to say of them, such as the contexts that vanished; empty ones are left out.
    """
    counts = counts_of(verdicts)
    ranked = changes_first(verdicts)
    changed = pl.col("verdict").is_in([verdict.value for verdict in CHANGES])
    headline = in_words(counts, CHANGES) or "no change"
    parts = [f"### {layout.title}: {headline}", told]
    room = COMMENT_CHARACTERS
    if changes := ranked.filter(changed).rows(named=True):
        parts.append(_table(changes, by, layout, room))
    for title, names in (lists or {}).items():
        if names:
            parts.append(_listed(title, names))
    room -= sum(map(len, parts))
    if rest := ranked.filter(~changed).rows(named=True):
        title = in_words(counts, [verdict for verdict in Verdict if verdict not in CHANGES])
        parts.append(_folded(title, _table(rest, by, layout, room)))
    parts.append(_folded("How to read this", "\n".join(f"- {sentence}" for sentence in HOW_TO_READ)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _folded(title: str, body: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _listed(title: str, names: Sequence[str | None]) -> str:
    shown = ", ".join(map(_name, names[:LISTED]))
    more = f" … and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return f"{title}: {shown}{more}"


def _table(rows: Sequence[Row], by: Sequence[str], layout: Layout, room: int) -> str:
    """As many rows as there is room for, in characters; at least one."""
    heads = ["verdict", *by, "metric", layout.before, layout.after, "change"]
    rulers = ["---"] * (len(by) + 2) + ["---:"] * 3
    if layout.interval:
        heads.append("interval")
        rulers.append("---:")
    if layout.when:
        heads.append("since")
        rulers.append("---")
    heads.append("p")
    rulers.append("---:")
    lines = [_line(map(for_markdown, heads)), _line(rulers)]
    used = sum(map(len, lines))
    for at, row in enumerate(rows):
        line = _line(_cells(row, by, layout))
        used += len(line) + 1
        if at and used > room:
            return "\n".join(lines) + f"\n\n… and {len(rows) - at:,} more"
        lines.append(line)
    return "\n".join(lines)


def _name(text: str | None) -> str:
    if text is None:
        return "-"
    return for_markdown(text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "…")


def _line(cells: Sequence[str] | map[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(row: Row, by: Sequence[str], layout: Layout) -> list[str]:
    verdict = f"**{row['verdict']}**" if row["verdict"] == Verdict.REGRESSED else row["verdict"]
    groups = [_name(row[column]) for column in by]
    figures = [figure(row[layout.before]), figure(row[layout.after]), change(row, layout)]
    figures += [interval(row, layout)] if layout.interval else []
    when = [moment(row[layout.when])] if layout.when else []
    p = certainty(row).replace("<", "&lt;")
    return [verdict, *groups, for_markdown(row["metric"]), *figures, *when, p]
