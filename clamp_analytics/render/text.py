"""Intervals, days and groups as a person reads them; JSON and CSV give every digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from clamp_analytics.figures import MISSING, signed_figure
from clamp_analytics.wording import percent

TOOL = "clamp-analytics"
"""The name of this tool in the reports that it writes."""

Row = Mapping[str, Any]
"""One row of a frame, by column."""


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


def day(at: datetime | None) -> str:
    """The UTC day of a time; ``-`` for none."""
    return MISSING if at is None else f"{at:%Y-%m-%d}"


def group_name(row: Row, by: Sequence[str]) -> str:
    """The name of the group that a row belongs to, not escaped: a context, or several values with their columns."""
    if len(by) == 1 and row[by[0]] is not None:
        return str(row[by[0]])
    named = (f"no {column}" if row[column] is None else f"{column} {row[column]}" for column in by)
    return ", ".join(named) or "all sessions"
