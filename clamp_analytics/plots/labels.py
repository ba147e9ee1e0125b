"""Labels of charts and tables: names from telemetry, escaped, cut to a maximal length, and made unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clamp_analytics.render.escape import for_terminal

LONGEST = 80
"""Maximal length of a label in characters."""

NONE = "(none)"
"""The label of a missing name."""


METRIC_LABELS = {
    "mean_stability": "stability",
    "unstable_share": "unstable share",
    "duration_p50_ms": "p50",
    "duration_p95_ms": "p95",
    "duration_p99_ms": "p99",
    "hold_total_ms": "total time",
    "in_flight": "in flight",
}
"""Short labels of metrics, for headings of columns and for sentences."""


def metric_label(name: str) -> str:
    """The short label of a metric; the name itself where it is short already."""
    return METRIC_LABELS.get(name, name)


def label(name: str | None, longest: int = LONGEST) -> str:
    """A name with its invisible characters escaped, cut if it is too long.

    Args:
        name: the name in the telemetry, or None.
        longest: maximal length of the result in characters.
    """
    if name is None:
        return NONE
    text = for_terminal(name[: longest + 1])
    if not text.strip():
        return f'"{text}"'
    return text if len(text) <= longest else text[: longest - 1] + "…"


def shorten_path(path: str, longest: int = 44) -> str:
    """The end of a path, with as many of its last folders as fit.

    Args:
        path: the path in the telemetry.
        longest: maximal length of the result in characters.
    """
    text = for_terminal(path[-longest - 1 :])
    if len(text) <= longest:
        return text
    end = text[-longest + 1 :]
    _, slash, whole = end.partition("/")
    return f"…/{whole}" if slash and whole else f"…{end}"


def group_label(values: Iterable[str | None], longest: int = LONGEST) -> str:
    """The label of a group of records, built from the values that define it."""
    parts = [label(value, longest) for value in values]
    return " · ".join(parts) if parts else "all records"


def make_unique(names: Sequence[str]) -> list[str]:
    """The names, with a number added to each one that occurred before."""
    times: Counter[str] = Counter()
    taken: set[str] = set()
    result = []
    for name in names:
        candidate = name
        while candidate in taken:
            times[name] += 1
            candidate = f"{name} ({times[name] + 1})"
        taken.add(candidate)
        result.append(candidate)
    return result
