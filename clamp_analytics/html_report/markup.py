"""HTML built from plain text. All text from telemetry is escaped here."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clamp_analytics.analysis.metrics import METRICS, Metric, Scale
from clamp_analytics.figures import MISSING, levels, signed_figure
from clamp_analytics.plots import label
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.text import interval_text
from clamp_analytics.wording import percent

LONGEST = 200
"""Maximal length of a text in a cell, in characters."""

NOTHING = "-"
"""Text of a missing value."""

DIGITS = 4
"""Significant digits of a measured value."""

MINUS = "\N{MINUS SIGN}"

MARKS = {"regressed": "✗", "suspect": "!", "improved": "✓", "recovered": "↺", "not enough data": "?", "unchanged": "="}
"""The sign of each verdict, so that no verdict is shown by its colour alone."""


class Html(str):
    """Text that is HTML already; all other text is escaped."""

    __slots__ = ()


def escaped(text: str) -> str:
    """Text as HTML, with invisible characters shown as escapes."""
    return html.escape(for_terminal(text))


def cell(value: object) -> str:
    """A value as HTML; text has a bounded length."""
    if isinstance(value, Html):
        return value
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, datetime):
        return format_time(value)
    return html.escape(label(str(value), LONGEST))


def format_number(value: float | None, digits: int = DIGITS) -> str:
    """A number with a number of significant digits, all digits of the integer part, and no exponent where possible."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= 10 ** (digits - 1):
        return f"{value:,.0f}" if size < 1e15 else f"{value:.{digits}g}"
    if 0 < size < 1e-4:
        return f"{value:.{digits}g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.{digits + 3}f}".rstrip("0").rstrip(".")


def format_value(metric: str, value: float | None) -> str:
    """A value of a metric with its unit."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{format_number(value)} ms" if METRICS[metric].unit == "ms" else format_number(value)


def format_change(metric: Metric, before: float | None, after: float | None) -> str:
    """A change: in percent of the value before for durations, else as a difference in the unit of the metric."""
    if before is None or after is None or not math.isfinite(before) or not math.isfinite(after):
        return NOTHING
    if metric.scale is Scale.LOG and before > 0:
        if after >= 100 * before:
            return f"{format_number(after / before, 3)} times"
        return _signed(percent(after / before - 1, signed=True))
    return _signed(signed_figure(after - before))


def format_interval(metric: Metric, ends: Sequence[float | None], before: float | None) -> str:
    """The interval of a change, in the unit of ``format_change``."""
    text = interval_text(ends, before if metric.scale is Scale.LOG else None)
    return NOTHING if text == MISSING else text.replace("-", MINUS)


def format_levels(metric: str, before: float | None, after: float | None) -> list[str]:
    """Two values of a metric with their unit and the same number of decimals; a missing one is left out."""
    suffix = " ms" if METRICS[metric].unit == "ms" else ""
    return [_signed(text) + suffix for text in levels(before, after) if text != NOTHING]


def format_shares(*shares: float | None) -> list[str]:
    """Shares in percent; a missing one is left out."""
    return [percent(share) for share in shares if share is not None and math.isfinite(share)]


def format_points(difference: float) -> str:
    """A difference of two shares in percentage points."""
    return _signed(percent(difference, signed=True)).replace(" %", " points")


def _signed(number: str) -> str:
    """A number with the sign for minus instead of a hyphen, at which browsers break lines."""
    return number.replace("-", MINUS, 1)


def format_time(value: datetime | None) -> str:
    """A time in UTC, to the second."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def verdict_badge(name: str) -> Html:
    """A verdict as its sign and its word."""
    kind = html.escape(name.replace(" ", "-"))
    sign = html.escape(MARKS.get(name, ""))
    return Html(f'<span class="verdict {kind}"><span aria-hidden="true">{sign}</span> {html.escape(name)}</span>')


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: its heading.
        is_number: whether it holds numbers.
        is_optional: whether it is left out where the page is narrow.
        is_whole: whether its values do not wrap.
    """

    name: str
    is_number: bool = False
    is_optional: bool = False
    is_whole: bool = False

    @property
    def attribute(self) -> str:
        """The attribute of its cells."""
        kinds = " ".join(["n"] * self.is_number + ["wide"] * self.is_optional + ["whole"] * self.is_whole)
        return f' class="{kinds}"' if kinds else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table that can be linked and filtered.

    Attributes:
        values: its cells.
        identifier: the target of links to the row.
        group: the label of the group that the row is about.
    """

    values: Sequence[object]
    identifier: str
    group: str


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[object] | Row], left_out: int = 0) -> str:
    """A table in a box that scrolls if the table is wider than the page.

    Args:
        caption: its title, as plain text.
        columns: its columns; the first one has the row headings.
        rows: the values.
        left_out: number of rows that are not shown, for a line below the table.
    """
    title = html.escape(caption)
    head = "".join(f"<th scope=col{one.attribute}>{html.escape(one.name)}</th>" for one in columns)
    body = []
    for row in rows:
        attributes = ""
        if isinstance(row, Row):
            attributes = f' id="{row.identifier}"{group_attribute(row.group)}'
        first, *others = row.values if isinstance(row, Row) else row
        parts = [f"<th scope=row>{cell(first)}</th>"]
        parts += [f"<td{one.attribute}>{cell(value)}</td>" for one, value in zip(columns[1:], others, strict=True)]
        body.append(f"<tr{attributes}>{''.join(parts)}</tr>")
    more = f'<p class="more">… and {left_out:,} more</p>' if left_out else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{title}"><table><caption>{title}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{more}"
    )


def group_attribute(group: str) -> str:
    """The attribute by which the page filters elements."""
    return f' data-group="{html.escape(group)}"'


def details(summary: str, content: str, *, kind: str = "") -> str:
    """Content that is folded until the reader opens it."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<details{attribute}><summary>{html.escape(summary)}</summary>{content}</details>"


def link(target: str, content: str) -> Html:
    """A link to an element of the page, around markup."""
    return Html(f'<a href="#{target}">{content}</a>')


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escaped(text)}</p>"


def section(identifier: str, title: str, content: str) -> str:
    """A section with its heading."""
    heading = f'<h2 id="{identifier}-h">{html.escape(title)}</h2>'
    return f'<section id="{identifier}" aria-labelledby="{identifier}-h">{heading}{content}</section>'
