"""Incidents for people: one block each, for a terminal or in Markdown.

A block says what changed and by how much, since which session and which one was the last good one, what else changed
with it, and whether a team has accepted it. The incidents of a history and those between two sides share all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from clamp_analytics.analysis.compare.incidents import DIFFERENCE
from clamp_analytics.analysis.compare.result import Comparison
from clamp_analytics.analysis.drift.result import Drift
from clamp_analytics.analysis.incidents.grouping import Incident, SeriesChange
from clamp_analytics.analysis.incidents.mix import SHAPE as MIX
from clamp_analytics.analysis.incidents.report import IncidentReport
from clamp_analytics.analysis.incidents.suspects import Suspect
from clamp_analytics.analysis.metrics import METRICS
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.figures import MISSING, levels, signed_figure
from clamp_analytics.render import colors
from clamp_analytics.render.escape import for_markdown, for_terminal
from clamp_analytics.render.natural_order import Key, natural_key
from clamp_analytics.render.outliers import outlier_lines
from clamp_analytics.render.session_links import SessionLinks
from clamp_analytics.render.text import group_name, interval_text
from clamp_analytics.wording import percent, plural

MOST_SUSPECTS = 3
"""Suspects that a block names."""

MOST_CHANGES = 12
"""Changes that a block lists before it counts the others."""

MOST_INCIDENTS = 20
"""Incidents that a page lists before it counts the others."""

OPEN_IN_MARKDOWN = 3
"""Incidents that a comment shows; it folds the others, so that it fits one screen."""

CHANGES_IN_MARKDOWN = 6
"""Changes per incident that a comment lists; its tables have the others."""

_STYLES = {"worse": colors.RED, "better": colors.GREEN, "neither": colors.YELLOW}
"""The colour of a title, by the direction that it names."""

Escape = Callable[[str], str]
NameSession = Callable[[int], str]
Judged: TypeAlias = Drift | Comparison
"""A result with incidents."""


@dataclass(frozen=True, slots=True)
class IncidentTexts:
    """Incidents in the formats that have a text of their own for them.

    Attributes:
        terminal: the blocks for a terminal.
        colored: the same with the titles coloured by direction.
        markdown: the blocks in Markdown.
        annotations: level, title and message of an annotation per incident.
        headline: how many incidents a history has; empty for a comparison, whose verdicts say it.
        outliers: a line per outlier session of a history, for a terminal.
        outliers_in_markdown: the same in Markdown.
    """

    terminal: str
    colored: str
    markdown: str
    annotations: Sequence[tuple[str, str, str]]
    headline: str = ""
    outliers: Sequence[str] = ()
    outliers_in_markdown: Sequence[str] = ()

    @classmethod
    def of(cls, found: Judged, links: SessionLinks | None = None) -> IncidentTexts:
        """Write the incidents of a result.

        Args:
            found: the result.
            links: the addresses of sessions, for Markdown.
        """
        texts = cls(
            terminal=terminal_blocks(found),
            colored=terminal_blocks(found, color=True),
            markdown=markdown_blocks(found, links),
            annotations=[_annotation(report, found) for report in found.incidents],
        )
        if isinstance(found, Comparison):
            return texts
        return replace(
            texts,
            headline=count_incidents(found),
            outliers=outlier_lines(found, _terminal_name(found), for_terminal),
            outliers_in_markdown=outlier_lines(found, _markdown_name(found, links), for_markdown),
        )


def _annotation(report: IncidentReport, found: Judged) -> tuple[str, str, str]:
    """An error for an open regression, a warning for an open suspect, a notice for everything else."""
    title, *details = _lines(report, found, found.timeline.name, str)
    worst = {change.verdict for change in report.incident.changes if change.direction == "worse"}
    level = "notice"
    if worst and not report.is_acknowledged and not report.incident.ended:
        level = "error" if Verdict.REGRESSED in worst else "warning"
    analysis = "Drift" if isinstance(found, Drift) else "Comparison"
    return level, f"{analysis}: {title}", "; ".join(details)


def headline(found: Drift) -> str:
    """One line: how many incidents there are, and how many series are unchanged."""
    unchanged = int((found.verdicts["verdict"] == "unchanged").sum())
    text = count_incidents(found)
    return f"{text}; {plural(unchanged, 'series', 'series')} unchanged" if unchanged else text


def count_incidents(found: Drift) -> str:
    """How many incidents are open, known, over, or for the better."""
    parts = []
    worse = [one for one in found.incidents if one.incident.direction == "worse"]
    for text, count in (
        ("incident", sum(not one.is_acknowledged and not one.incident.ended for one in worse)),
        ("known incident", sum(one.is_acknowledged and not one.incident.ended for one in worse)),
        ("outage that is over", sum(one.incident.ended for one in worse)),
        ("improvement", sum(one.incident.direction == "better" for one in found.incidents)),
        ("change of mix", sum(one.incident.shape == MIX for one in found.incidents)),
    ):
        if count:
            parts.append(_counted(count, text))
    return ", ".join(parts) or "no incident"


def _counted(count: int, text: str) -> str:
    plurals = {"outage that is over": "outages that are over", "change of mix": "changes of mix"}
    return plural(count, text, plurals.get(text, ""))


def terminal_blocks(found: Judged, *, color: bool = False) -> str:
    """Every incident as a block of lines; empty without incidents.

    Args:
        found: the result.
        color: whether titles are coloured by direction; those of known and past incidents are dim.
    """
    blocks = []
    for report in found.incidents[:MOST_INCIDENTS]:
        title, *details = _lines(report, found, _terminal_name(found), for_terminal)
        if color:
            is_past = report.is_acknowledged or report.incident.ended
            title = colors.paint(title, colors.DIM if is_past else _STYLES[report.incident.direction])
        blocks.append("\n".join([title, *(f"  {line}" for line in details)]) + "\n")
    if len(found.incidents) > MOST_INCIDENTS:
        blocks.append(f"… and {len(found.incidents) - MOST_INCIDENTS:,} more incidents\n")
    return "\n".join(blocks)


def markdown_blocks(found: Judged, links: SessionLinks | None = None) -> str:
    """Every incident as a paragraph with a list, of which the first ones are not folded; empty without incidents.

    Args:
        found: the result.
        links: the addresses of sessions.
    """
    name = _markdown_name(found, links)
    blocks = []
    for report in found.incidents[:MOST_INCIDENTS]:
        title, *details = _lines(report, found, name, for_markdown, most=CHANGES_IN_MARKDOWN)
        blocks.append("\n".join([f"**{title}**", "", *(f"- {line}" for line in details)]))
    if len(found.incidents) > MOST_INCIDENTS:
        blocks.append(f"… and {len(found.incidents) - MOST_INCIDENTS:,} more incidents")
    shown, folded = blocks[:OPEN_IN_MARKDOWN], blocks[OPEN_IN_MARKDOWN:]
    if folded:
        further = plural(len(found.incidents) - OPEN_IN_MARKDOWN, "further incident")
        shown += [f"<details>\n<summary>{further}</summary>", *folded, "</details>"]
    return "\n\n".join(shown)


def _terminal_name(found: Judged) -> NameSession:
    return lambda index: for_terminal(found.timeline.name(index))


def _markdown_name(found: Judged, links: SessionLinks | None) -> NameSession:
    """The name of a session in Markdown, with its address where it has one."""
    addresses, timeline = links or SessionLinks(), found.timeline

    def name(index: int) -> str:
        text = for_markdown(timeline.name(index))
        address = addresses.address(timeline.sources[index], timeline.labels[index])
        return text if address is None else f"[{text}]({address})"

    return name


def _lines(
    report: IncidentReport, found: Judged, name: NameSession, escape: Escape, *, most: int = MOST_CHANGES
) -> list[str]:
    incident = report.incident
    lines = [_title(report, found, name, escape)]
    changes = in_natural_order(incident.changes)
    lines += [_change(change, found.by, escape) for change in changes[:most]]
    if len(incident.changes) > most:
        lines.append(f"… and {plural(len(incident.changes) - most, 'more change')}")
    if report.suspects:
        suspects = ", ".join(_suspect(one, escape) for one in report.suspects[:MOST_SUSPECTS])
        lines.append(f"{'also differs' if incident.shape == DIFFERENCE else 'also changed'}: {suspects}")
    reasons = dict.fromkeys(entry.reason for entry in report.acknowledged if entry is not None)
    lines += [f"accepted: {escape(reason)}" for reason in reasons]
    return lines


def _title(report: IncidentReport, found: Judged, name: NameSession, escape: Escape) -> str:
    incident = report.incident
    kind = {"worse": "worse", "better": "better", "neither": "changed"}[incident.direction]
    if isinstance(found, Comparison):
        return f"{incident.id}  {kind}: {_sides(incident, found, name, escape)}"
    state = "over" if incident.ended else ("known" if report.is_acknowledged else "")
    title = f"{incident.id}  {kind}: {incident.shape}" + (f" ({state})" if state else "")
    if incident.shape == "trend":
        return f"{title} over all sessions"
    since = f"{title} since {name(incident.first_bad)}"
    return since if incident.last_good is None else f"{since}, last good {name(incident.last_good)}"


def _sides(incident: Incident, found: Comparison, name: NameSession, escape: Escape) -> str:
    """Both sides, with the sessions between which one ends and the other begins where they do not overlap in time."""
    baseline, candidate = map(escape, found.sides)
    first, last_good = incident.first_bad, incident.last_good
    started_at = found.timeline.started_at
    if last_good is None or started_at[last_good] >= started_at[first]:
        return f"{candidate} against {baseline}"
    return f"{candidate} since {name(first)}, {baseline} until {name(last_good)}"


def in_natural_order(changes: Sequence[SeriesChange]) -> list[SeriesChange]:
    """The changes by group, as a person counts, and those of a group in the order in which metrics are declared."""

    def key(change: SeriesChange) -> tuple[list[Key], int]:
        metrics = [*METRICS, change.metric]
        return [natural_key(value) for value in change.group], metrics.index(change.metric)

    return sorted(changes, key=key)


def _change(change: SeriesChange, by: Sequence[str], escape: Escape) -> str:
    group = dict(zip(by, change.group, strict=True))
    # A change of mix is one over all backends and devices.
    columns = [column for column in by if change.shape != MIX or group[column] is not None]
    name = escape(group_name(group, columns))
    unit = METRICS[change.metric].unit if change.metric in METRICS else ""
    if change.relative is not None:
        size, level = percent(change.relative, signed=True), change.before
    else:
        size, level = signed_figure(change.after - change.before), None
    if change.interval is not None:
        size += f", {interval_text(change.interval, level)}"
    shown_unit = f" {unit}" if unit == "ms" else ""
    before, after = levels(change.before, change.after)
    verdict = ", suspect" if change.verdict == Verdict.SUSPECT else ""
    return f"{name} {escape(change.metric)}: {before} → {after}{shown_unit} ({size}{verdict})"


def _suspect(suspect: Suspect, escape: Escape) -> str:
    before, after = (MISSING if value is None else escape(value) for value in (suspect.before, suspect.after))
    return f"{escape(suspect.attribute)} {before} → {after}"
