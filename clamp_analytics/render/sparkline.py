"""Draw a series as one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = ".:-=+*#@"
"""The same eight heights where a terminal's encoding has no blocks."""

GAP = " "
"""The mark where a series has no value."""


def sparkline(values: Sequence[float | None], width: int, marks: str = BLOCKS) -> str:
    """Draw a series with one character per value, scaled from its least to its greatest value.

    A series of more values than ``width`` is divided into equal parts, and each shows its median, so that a shift stays
    visible and an outlier does not hide it. The scale is that of the shown values: a constant series is a line of
    middle height, and two series cannot be compared by their heights.

    Args:
        values: in order of time; null and a value that is not finite is a gap.
        width: the most characters.
        marks: the characters, from the lowest to the highest.

    Returns:
        At most ``width`` characters; nothing for an empty series.
    """
    count = min(width, len(values))
    shown = [_median(values[len(values) * at // count : len(values) * (at + 1) // count]) for at in range(count)]
    known = [value for value in shown if value is not None]
    if not known:
        return GAP * count
    low, high = min(known), max(known)
    return "".join(GAP if value is None else marks[_step(value, low, high, len(marks))] for value in shown)


def _median(values: Sequence[float | None]) -> float | None:
    """The lower median, which is always a value that was there."""
    usable = sorted(value for value in values if value is not None and math.isfinite(value))
    return usable[(len(usable) - 1) // 2] if usable else None


def _step(value: float, low: float, high: float, steps: int) -> int:
    # Halves, because the span of two floats may be beyond the largest one.
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span else 0.5
    return min(int(share * steps), steps - 1)
