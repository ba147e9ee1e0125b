"""The sentence that explains a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from clamp_analytics.analysis.judgement.result import Change
from clamp_analytics.analysis.judgement.scales import ScaledSeries
from clamp_analytics.analysis.verdicts import size_text
from clamp_analytics.figures import figure, levels, signed_figure
from clamp_analytics.wording import p_value, percent

Names: TypeAlias = Sequence[str] | None
"""The names of the sessions of a series; None where they have none."""

MOST_NAMED = 3
"""Sessions that a sentence names before it counts the others."""


def effect(series: ScaledSeries, size: float) -> str:
    """Return the size of a shift: in percent on the scale ``log``, else as a difference."""
    if series.scale != "log":
        return signed_figure(size)
    return percent(size, signed=True) if abs(size) < 10 else f"{figure(size + 1)} times as much"


def amount(series: ScaledSeries, size: float) -> str:
    """Return the magnitude of a shift: in percent on the scale ``log``, else as a difference."""
    return size_text(size, is_relative=series.scale == "log")


def p_text(p: float) -> str:
    """Return a p-value as text."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def session(names: Names, index: int) -> str:
    """Return the name of a session, or its index where sessions have no names."""
    return f"session {index}" if names is None else names[index]


def sessions(names: Names, indices: Sequence[int]) -> str:
    """Return the names of some sessions, or their indices, as text."""
    shown = [str(index) if names is None else names[index] for index in indices[:MOST_NAMED]]
    noun = "session" if len(indices) == 1 else "sessions"
    if len(indices) > MOST_NAMED:
        return f"{noun} {', '.join(shown)} and {len(indices) - MOST_NAMED} more"
    return f"{noun} {' and '.join(filter(None, [', '.join(shown[:-1]), shown[-1]]))}"


def span(names: Names, start: int, end: int) -> str:
    """Return from which session to which one a level lasted; ``end`` is the index after the last one."""
    last = str(end - 1) if names is None else names[end - 1]
    return f"from {session(names, start)} to {last}"


def steps(series: ScaledSeries, changes: Sequence[Change], names: Names) -> str:
    """Return the levels and the first session of each."""
    since = "from" if names is None else "since"
    named = changes[-MOST_NAMED:]
    first, *others = levels(changes[0].before, *(change.after for change in named))
    parts = [f"{level} {since} {session(names, one.index)}" for level, one in zip(others, named, strict=True)]
    text = ", then ".join([first, *parts])
    left = len(changes) - MOST_NAMED
    return f"{text} ({left} changes in between are not named)" if left > 0 else text
