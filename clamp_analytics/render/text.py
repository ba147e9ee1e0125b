"""Figures and labels as a person reads them: few digits, a sign, a unit; JSON and CSV give every digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clamp_analytics.wording import percent

TOOL = "clamp-analytics"
"""The name of this tool in the reports that it writes."""

MISSING = "-"
"""What is shown where there is no value."""

DIGITS = 3
"""Significant digits of a figure that is read at a glance."""

MOST_EXTRA_DECIMALS = 2
"""Decimals that two levels get beyond three significant digits, so that a small difference between them shows."""

LONGEST_WHOLE = 10**15
"""From here on a figure has an exponent: a hostile duration of three hundred digits would push all else away."""

Row = Mapping[str, Any]
"""One row of a frame, by column."""


def figure(value: float | None) -> str:
    """A number with three significant digits, and with all digits before its point; ``-`` for none.

    A whole number has no decimals: most are counts.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) < LONGEST_WHOLE and (value.is_integer() or abs(value) >= 10**DIGITS - 0.5):
        return f"{value:,.0f}"
    text = f"{value:#.{DIGITS}g}"
    return f"{value:.{DIGITS}g}" if "e" in text else text.removesuffix(".")


def signed_figure(value: float | None) -> str:
    """A difference: ``figure`` with its sign; zero has none."""
    text = figure(value)
    return text if text in (MISSING, "0") or text.startswith("-") else f"+{text}"


def levels(before: float | None, after: float | None) -> tuple[str, str]:
    """Two levels as text with the same number of decimals, so many that their difference shows.

    A level that is missing is ``-``, and the other one a ``figure``.
    """
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return figure(before), figure(after)
    largest, difference = max(abs(before), abs(after)), abs(after - before)
    if largest >= LONGEST_WHOLE or (before.is_integer() and after.is_integer()):
        return figure(before), figure(after)
    least = _decimals(largest)
    decimals = max(least, min(_decimals(difference), least + MOST_EXTRA_DECIMALS)) if difference else least
    return f"{before:,.{decimals}f}", f"{after:,.{decimals}f}"


def interval_text(ends: Sequence[float | None], level: float | None = None) -> str:
    """The interval of a difference, such as ``-0.3 to +0.1``; ``-`` where there is none.

    Args:
        ends: both ends, in the unit.
        level: the level that they are a share of, so that they are in percent; None or 0 for their own unit.
    """
    known = [end for end in ends if end is not None and math.isfinite(end)]
    if len(known) < 2:
        return MISSING
    if not level:
        low, high = map(signed_figure, known)
        return f"{low} to {high}"
    shares = [end / level for end in known]
    if not all(map(math.isfinite, shares)):
        return MISSING
    low, high = (percent(share, signed=True) for share in shares)
    return f"{low.removesuffix(' %')} to {high}"


def _decimals(value: float) -> int:
    """The decimals that a positive number needs for its significant digits."""
    return max(DIGITS - 1 - math.floor(math.log10(value)), 0)


def day(at: datetime | None) -> str:
    """The UTC day of a time; ``-`` for none."""
    return MISSING if at is None else f"{at:%Y-%m-%d}"


def group_name(row: Row, by: Sequence[str]) -> str:
    """The name of the group that a row belongs to, not escaped: a context, or several values with their columns."""
    if len(by) == 1 and row[by[0]] is not None:
        return str(row[by[0]])
    named = (f"no {column}" if row[column] is None else f"{column} {row[column]}" for column in by)
    return ", ".join(named) or "all sessions"
