"""Figures and labels as a person reads them: few digits, a sign, a unit; JSON and CSV give every digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

TOOL = "clamp-analytics"
"""The name of this tool in the reports that it writes."""

MISSING = "-"
"""What is shown where there is no value."""

DIGITS = 3
"""Significant digits of a figure that is read at a glance."""

LONGEST_WHOLE = 10**15
"""From here on a figure has an exponent: a hostile duration of three hundred digits would push all else away."""

Row = Mapping[str, Any]
"""One row of a frame, by column."""


def figure(value: float | None) -> str:
    """A number with three significant digits, and with all digits before its point; ``-`` for none."""
    if value is None or not math.isfinite(value):
        return MISSING
    if 10**DIGITS - 0.5 <= abs(value) < LONGEST_WHOLE:
        return f"{value:.0f}"
    return f"{value:.{DIGITS}g}"


def signed_figure(value: float | None, unit: str = "") -> str:
    """A difference: ``figure`` with its sign and a unit; zero has no sign."""
    text = figure(value)
    if text == MISSING:
        return text
    return ("" if text.startswith("-") or text == "0" else "+") + text + unit


def day(at: datetime | None) -> str:
    """The UTC day of a time; ``-`` for none."""
    return MISSING if at is None else f"{at:%Y-%m-%d}"


def group_name(row: Row, by: Sequence[str]) -> str:
    """The name of the group that a row belongs to, not escaped: a context, or several values with their columns."""
    if len(by) == 1 and row[by[0]] is not None:
        return str(row[by[0]])
    named = (f"no {column}" if row[column] is None else f"{column} {row[column]}" for column in by)
    return ", ".join(named) or "all sessions"
