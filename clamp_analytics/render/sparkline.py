"""Draw a series as one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = ".:-=+*#@"
"""The same eight heights where a terminal's encoding has no blocks."""

OUTLIER_SDS = 5.0
"""A value farther than this many robust standard deviations from the middle of its series is an outlier."""

MAD_TO_SD = 1.4826
"""What the median absolute deviation of normal values is multiplied by to give their standard deviation."""

GAP = " "
"""The mark where a series has no value."""


DIVIDERS = {BLOCKS: "│", ASCII: "|"}
"""The mark before a change point, by the marks of the heights."""


def sparkline(values: Sequence[float | None], width: int, marks: str = BLOCKS, changes: Sequence[int] = ()) -> str:
    """Draw a series with one character per value, scaled from its least to its greatest value.

    A series of more values than ``width`` is divided into parts. Each shows its median, but a part with a value far
    from all others shows that one, and the last part shows the newest session, so that neither a spike nor the newest
    session is lost. The scale is that of the shown values: a constant series is a line of middle height, and two series
    cannot be compared by their heights.

    Args:
        values: in order of time; null and a value that is not finite is a gap.
        width: the most characters.
        marks: the characters, from the lowest to the highest.
        changes: the indices of the first values after change points; a line marks each, where there is room for them.

    Returns:
        At most ``width`` characters; nothing for an empty series.
    """
    inner = sorted({index for index in changes if 0 < index < len(values)})
    if width - len(inner) < 2 * (len(inner) + 1):
        inner = []
    count = min(width - len(inner), len(values))
    usable = [value for value in values if value is not None and math.isfinite(value)]
    middle = _median(usable) or 0.0
    # Halves, because the distance of two floats may be beyond the largest one.
    limit = 2 * OUTLIER_SDS * MAD_TO_SD * (_median([abs(value / 2 - middle / 2) for value in usable]) or 0.0)
    segments = _segments(values, inner, count)
    if count < len(values):
        _show_last(segments[-1], middle, limit)
    shown = [[_representative(part, middle, limit) for part in segment] for segment in segments]
    known = [value for segment in shown for value in segment if value is not None]
    if not known:
        return GAP * count
    low, high = min(known), max(known)
    lines = (
        "".join(GAP if value is None else marks[_step(value, low, high, len(marks))] for value in segment)
        for segment in shown
    )
    return DIVIDERS[marks].join(lines)


Part = Sequence[float | None]


def _segments(values: Part, changes: Sequence[int], count: int) -> list[list[Part]]:
    """The values between change points, each segment divided into parts; ``count`` parts in all."""
    segments: list[list[Part]] = []
    for start, stop in pairwise([0, *changes, len(values)]):
        later = len(changes) - len(segments)
        share = round(count * (stop - start) / max(len(values) - start, 1))
        # Every later segment needs a part, and none can have more parts than values.
        least = max(1, count - (len(values) - stop))
        parts = min(max(share, least), stop - start, count - later)
        size = stop - start
        segments.append([values[start + size * at // parts : start + size * (at + 1) // parts] for at in range(parts)])
        count -= parts
    return segments


def _show_last(parts: list[Part], middle: float, limit: float) -> None:
    """Let the last part show the newest value; an outlier before it moves to the part before."""
    *rest, last = parts[-1]
    has_outlier = not _is_outlier(last, middle, limit) and any(_is_outlier(value, middle, limit) for value in rest)
    if has_outlier and len(parts) > 1:
        parts[-2] = [*parts[-2], *rest]
    if not has_outlier or len(parts) > 1:
        parts[-1] = [last]


def _is_outlier(value: float | None, middle: float, limit: float) -> bool:
    return value is not None and math.isfinite(value) and abs(value / 2 - middle / 2) > limit / 2


def _representative(values: Sequence[float | None], middle: float, limit: float) -> float | None:
    """The value farthest from the middle of the series if it is an outlier, else the lower median."""
    usable = [value for value in values if value is not None and math.isfinite(value)]
    farthest = max(usable, key=lambda value: abs(value / 2 - middle / 2), default=None)
    if _is_outlier(farthest, middle, limit):
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
