"""Draw a series as one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = ".:-=+*#@"
"""The same eight heights where a terminal's encoding has no blocks."""

OUTLIER_SDS = 5.0
"""A value farther than this many robust standard deviations from the middle of its series is an outlier."""

MAD_TO_SD = 1.4826
"""What the median absolute deviation of normal values is multiplied by to give their standard deviation."""

GAP = " "
"""The mark where a series has no value."""


def sparkline(values: Sequence[float | None], width: int, marks: str = BLOCKS) -> str:
    """Draw a series with one character per value, scaled from its least to its greatest value.

    A series of more values than ``width`` is divided into equal parts. Each shows its median, but a part with a value
    far from all others shows that one, so that neither a spike nor the newest session is lost. The scale is that of
    the shown values: a constant series is a line of middle height, and two series cannot be compared by their heights.

    Args:
        values: in order of time; null and a value that is not finite is a gap.
        width: the most characters.
        marks: the characters, from the lowest to the highest.

    Returns:
        At most ``width`` characters; nothing for an empty series.
    """
    count = min(width, len(values))
    usable = [value for value in values if value is not None and math.isfinite(value)]
    middle = _median(usable) or 0.0
    # Halves, because the distance of two floats may be beyond the largest one.
    limit = 2 * OUTLIER_SDS * MAD_TO_SD * (_median([abs(value / 2 - middle / 2) for value in usable]) or 0.0)
    shown = [
        _representative(values[len(values) * at // count : len(values) * (at + 1) // count], middle, limit)
        for at in range(count)
    ]
    known = [value for value in shown if value is not None]
    if not known:
        return GAP * count
    low, high = min(known), max(known)
    return "".join(GAP if value is None else marks[_step(value, low, high, len(marks))] for value in shown)


def _representative(values: Sequence[float | None], middle: float, limit: float) -> float | None:
    """The value farthest from the middle of the series if it is an outlier, else the lower median."""
    usable = [value for value in values if value is not None and math.isfinite(value)]
    farthest = max(usable, key=lambda value: abs(value / 2 - middle / 2), default=None)
    if farthest is not None and abs(farthest / 2 - middle / 2) > limit / 2:
        return farthest
    return _median(usable)


def _median(values: Sequence[float | None]) -> float | None:
    """The lower median, which is always a value that was there."""
    usable = sorted(value for value in values if value is not None and math.isfinite(value))
    return usable[(len(usable) - 1) // 2] if usable else None


def _step(value: float, low: float, high: float, steps: int) -> int:
    # Halves, because the span of two floats may be beyond the largest one.
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span else 0.5
    return min(int(share * steps), steps - 1)
