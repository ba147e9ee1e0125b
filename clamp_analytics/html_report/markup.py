"""HTML out of plain text: what comes from telemetry is escaped here, and nowhere else is markup made of it."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from clamp_analytics.analysis.series import METRICS, Metric, Scale
from clamp_analytics.plots import shown
from clamp_analytics.render.escape import for_terminal

LONGEST = 200
"""Characters that a cell shows of a text."""

NOTHING = "-"
"""Stands for a value that is not there."""

DIGITS = 4
"""Significant digits of a measured value."""

MARKS = {"regressed": "✗", "warning": "!", "improved": "✓", "not enough data": "?", "unchanged": "="}
"""A sign for each verdict, beside its word; neither needs a colour."""


class Html(str):
    """Markup that is ready to stand in the page; any other text is escaped before it does."""

    __slots__ = ()


def escaped(text: str) -> str:
    """A text that shows as it is, with what would not be seen made visible."""
    return html.escape(for_terminal(text))


def cell(value: object) -> str:
    """A value as the content of an element: markup as it is, everything else as text of bounded length."""
    if isinstance(value, Html):
        return value
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, datetime):
        return moment(value)
    return html.escape(shown(str(value), LONGEST))


def number(value: float | None, digits: int = DIGITS) -> str:
    """A number with so many significant digits, all of those before the point, without an exponent where it can be."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= 10 ** (digits - 1):
        return f"{value:,.0f}" if size < 1e15 else f"{value:.{digits}g}"
    if 0 < size < 1e-4:
        return f"{value:.{digits}g}"
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.{digits + 3}f}".rstrip("0").rstrip(".")


def measured(metric: str, value: float | None) -> str:
    """A value of a metric with its unit."""
    if value is None or not math.isfinite(value):
        return NOTHING
    unit = METRICS[metric].unit
    if unit == "share":
        return f"{number(value * 100)} %"
    return f"{number(value)} ms" if unit == "ms" else number(value)


def changed_by(metric: Metric, before: float | None, after: float | None) -> str:
    """A difference: in percent of the value before for durations, else in the metric's unit."""
    if before is None or after is None or not math.isfinite(before) or not math.isfinite(after):
        return NOTHING
    if metric.scale is Scale.LOG and before > 0:
        return f"{(after / before - 1) * 100:+,.3g} %" if after < 100 * before else f"{number(after / before, 3)} times"
    if metric.unit == "share":
        return f"{(after - before) * 100:+.3g} points"
    return f"{after - before:+.3g}"


def p_value(value: float | None) -> str:
    """A p-value, bounded where its digits say nothing."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def moment(value: datetime | None) -> str:
    """A point in time, to the second, in UTC."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def verdict(name: str) -> Html:
    """A verdict as its sign and its word."""
    kind = html.escape(name.replace(" ", "-"))
    sign = html.escape(MARKS.get(name, ""))
    return Html(f'<span class="verdict {kind}"><span aria-hidden="true">{sign}</span> {html.escape(name)}</span>')


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and whether it holds numbers."""

    name: str
    is_number: bool = False


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], left_out: int = 0) -> str:
    """A table in a box of its own, which scrolls where it is wider than the page.

    Args:
        caption: what it shows, as text.
        columns: its columns; the first names each row.
        rows: the values.
        left_out: how many more rows there are, which a line below then says.
    """
    title = html.escape(caption)
    head = "".join(f"<th scope=col{' class=n' * one.is_number}>{html.escape(one.name)}</th>" for one in columns)
    body = []
    for row in rows:
        first, *others = row
        parts = [f"<th scope=row>{cell(first)}</th>"]
        parts += [
            f"<td{' class=n' * one.is_number}>{cell(value)}</td>"
            for one, value in zip(columns[1:], others, strict=True)
        ]
        body.append("<tr>" + "".join(parts) + "</tr>")
    more = f'<p class="more">… and {left_out:,} more</p>' if left_out else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{title}"><table><caption>{title}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>{more}"
    )


def details(summary: str, content: str) -> str:
    """Content that is folded away until it is asked for."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def plural(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escaped(text)}</p>"


def section(identifier: str, title: str, content: str) -> str:
    """A section with its heading."""
    heading = f'<h2 id="{identifier}-h">{html.escape(title)}</h2>'
    return f'<section id="{identifier}" aria-labelledby="{identifier}-h">{heading}{content}</section>'
