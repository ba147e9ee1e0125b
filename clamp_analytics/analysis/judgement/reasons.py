"""The sentence that explains a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from clamp_analytics.analysis.judgement.result import Change
from clamp_analytics.analysis.judgement.scales import ScaledSeries
from clamp_analytics.wording import p_value

MOST_NAMED = 3
"""Sessions that a sentence names before it counts the others."""


def number(value: float) -> str:
    """Return a value with three significant digits."""
    return f"{value:.3g}"


def effect(series: ScaledSeries, size: float) -> str:
    """Return the size of a shift: in percent on the scale ``log``, else as a difference."""
    if series.scale != "log":
        return f"{size:+.3g}"
    return f"{100 * size:+.3g} %" if abs(size) < 10 else f"{size + 1:.3g} times as much"


def amount(series: ScaledSeries, size: float) -> str:
    """Return the magnitude of a shift: in percent on the scale ``log``, else as a difference."""
    return f"{100 * abs(size):.2g} %" if series.scale == "log" else f"{abs(size):.2g}"


def p_text(p: float) -> str:
    """Return a p-value as text."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def names(indices: Sequence[int]) -> str:
    """Return the indices of some sessions as text."""
    shown = [str(index) for index in indices[:MOST_NAMED]]
    if len(indices) > MOST_NAMED:
        return f"sessions {', '.join(shown)} and {len(indices) - MOST_NAMED} more"
    if len(shown) == 1:
        return f"session {shown[0]}"
    return f"sessions {', '.join(shown[:-1])} and {shown[-1]}"


def steps(series: ScaledSeries, changes: Sequence[Change]) -> str:
    """Return the levels and the first session of each."""
    parts = [number(changes[0].before)]
    parts += [f"{number(change.after)} from session {change.index}" for change in changes[-MOST_NAMED:]]
    text = ", then ".join(parts)
    left = len(changes) - MOST_NAMED
    return f"{text} ({left} changes in between are not named)" if left > 0 else text
