"""Verdicts as Markdown for a comment on a pull request, or for the summary of a CI job: changes first, the rest folded.

Text from telemetry is escaped. A table that is longer than the hosts of repositories accept is cut, and its last line
says how many rows are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.figures import MISSING, levels
from clamp_analytics.render.escape import for_markdown
from clamp_analytics.render.natural_order import in_natural_order
from clamp_analytics.render.text import Row, day
from clamp_analytics.render.verdicts import (
    CHANGES,
    VerdictColumns,
    certainty,
    change,
    changes_first,
    count_verdicts,
    interval,
    is_undecided,
    list_counts,
)

COMMENT_CHARACTERS = 60_000
"""Characters of all tables together. GitHub accepts 65,536 per comment, and the text around the tables needs some."""

ROWS_ON_A_SCREEN = 12
"""Changed series that are shown where there are no incidents; further ones are folded."""

LONGEST_NAME = 200
"""Characters at which a name is cut, so that a hostile one leaves room for the others."""

MOST_LISTED_NAMES = 100
"""How many groups are listed by name that appeared or vanished."""

HOW_TO_READ = (
    "A regression or an improvement takes enough sessions, an effect that is large enough to matter, and a p-value, "
    "corrected for everything that was tested, that neither independent nor correlated noise explains.",
    "A suspect is worse, but slow noise explains it as well, or only the newest sessions are outside the range of the "
    "history: the next sessions will tell.",
    "The unit of statistics is the session: each gives one value of a metric.",
    "Durations change in percent, scores, shares and counts in their own unit.",
)


def markdown(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    columns: VerdictColumns,
    *,
    summary: str = "",
    lists: Mapping[str, Sequence[str | None]] | None = None,
    incidents: str = "",
    headline: str = "",
    outliers: Sequence[str] = (),
) -> str:
    """Write a headline, the changes, and everything else in sections that unfold.

    Args:
        verdicts: one row per group and metric.
        by: the columns that name a group.
        columns: which analysis the verdicts are of.
        summary: what was compared, in one sentence of ours; it is not escaped.
        lists: names of groups by their title, such as "Only in the baseline"; empty lists are left out.
        incidents: the incidents as Markdown, which come first.
        headline: the text of the heading where there is enough data; by default the number of changed series.
        outliers: a line of Markdown per outlier session.
    """
    counts = count_verdicts(verdicts)
    ranked = changes_first(in_natural_order(verdicts, by))
    changed = pl.col("verdict").is_in([verdict.value for verdict in CHANGES])
    changed_series = list_counts(counts, CHANGES)
    heading = "not enough data" if is_undecided(verdicts) else headline or changed_series or "no change"
    parts = [f"### {columns.title}: {heading}", summary, incidents]
    parts.append("\n".join(f"- {line}" for line in outliers))
    room = COMMENT_CHARACTERS - len(incidents) - len(parts[-1])
    changes = ranked.filter(changed).rows(named=True)
    # The incidents say the same in fewer lines.
    shown, folded = ([], changes) if incidents else (changes[:ROWS_ON_A_SCREEN], changes[ROWS_ON_A_SCREEN:])
    if shown:
        parts.append(_table(shown, by, columns, room))
        room -= len(parts[-1])
    if folded:
        title = changed_series if incidents else f"{len(folded):,} more that changed"
        parts.append(_details(title, _table(folded, by, columns, room)))
    for title, names in (lists or {}).items():
        if names:
            parts.append(_name_list(title, names))
    room -= sum(map(len, parts))
    if rest := ranked.filter(~changed).rows(named=True):
        title = list_counts(counts, [verdict for verdict in Verdict if verdict not in CHANGES])
        parts.append(_details(title, _table(rest, by, columns, room)))
    parts.append(_details("How to read this", "\n".join(f"- {sentence}" for sentence in HOW_TO_READ)))
    return "\n\n".join(part for part in parts if part) + "\n"


def _details(title: str, body: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _name_list(title: str, names: Sequence[str | None]) -> str:
    shown = ", ".join(map(_escape_name, names[:MOST_LISTED_NAMES]))
    more = f" … and {len(names) - MOST_LISTED_NAMES:,} more" if len(names) > MOST_LISTED_NAMES else ""
    return f"{title}: {shown}{more}"


def _table(rows: Sequence[Row], by: Sequence[str], columns: VerdictColumns, room: int) -> str:
    """A table of as many rows as fit into ``room`` characters; at least one."""
    heads = ["verdict", *by, "metric", columns.before, columns.after, "change"]
    rulers = ["---"] * (len(by) + 2) + ["---:"] * 3
    if columns.interval:
        heads.append("interval")
        rulers.append("---:")
    if columns.changed_at:
        heads.append("since")
        rulers.append("---")
    heads.append("p")
    rulers.append("---:")
    lines = [_line(map(for_markdown, heads)), _line(rulers)]
    used = sum(map(len, lines))
    for index, row in enumerate(rows):
        line = _line(_cells(row, by, columns))
        used += len(line) + 1
        if index and used > room:
            return "\n".join(lines) + f"\n\n… and {len(rows) - index:,} more"
        lines.append(line)
    return "\n".join(lines)


def _escape_name(text: str | None) -> str:
    if text is None:
        return MISSING
    return for_markdown(text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "…")


def _line(cells: Sequence[str] | map[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(row: Row, by: Sequence[str], columns: VerdictColumns) -> list[str]:
    verdict = f"**{row['verdict']}**" if row["verdict"] == Verdict.REGRESSED else row["verdict"]
    groups = [_escape_name(row[column]) for column in by]
    figures = [*levels(row[columns.before], row[columns.after]), change(row, columns)]
    figures += [interval(row, columns)] if columns.interval else []
    when = [day(row[columns.changed_at])] if columns.changed_at else []
    p = certainty(row).replace("<", "&lt;")
    return [verdict, *groups, for_markdown(row["metric"]), *figures, *when, p]
