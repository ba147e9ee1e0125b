"""Names out of telemetry as they may stand in a chart: escaped, bounded, and each one of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clamp_analytics.render.escape import for_terminal

LONGEST = 80
"""Characters of a name that are shown."""

NONE = "(none)"
"""Stands for a name that records do not have."""


def shown(name: str | None, longest: int = LONGEST) -> str:
    """A name with nothing hidden in it, cut where it is too long.

    Args:
        name: as telemetry gives it; None where it gives none.
        longest: the most characters of the result.
    """
    if name is None:
        return NONE
    text = for_terminal(name[: longest + 1])
    if not text.strip():
        return f'"{text}"'
    return text if len(text) <= longest else text[: longest - 1] + "…"


def end_of(path: str, longest: int = 44) -> str:
    """The end of a path, which tells files apart: as many of its last folders as there is room for.

    Args:
        path: as telemetry names it.
        longest: the most characters of the result.
    """
    text = for_terminal(path[-longest - 1 :])
    if len(text) <= longest:
        return text
    end = text[-longest + 1 :]
    _, slash, whole = end.partition("/")
    return f"…/{whole}" if slash and whole else f"…{end}"


def group_name(values: Iterable[str | None], longest: int = LONGEST) -> str:
    """What tells a group apart, as one name; all records where nothing does."""
    parts = [shown(value, longest) for value in values]
    return " · ".join(parts) if parts else "all records"


def distinct(names: Sequence[str]) -> list[str]:
    """Names that cutting made equal, told apart by a number."""
    taken: Counter[str] = Counter()
    found: set[str] = set()
    result = []
    for name in names:
        unlike = name
        while unlike in found:
            taken[name] += 1
            unlike = f"{name} ({taken[name] + 1})"
        found.add(unlike)
        result.append(unlike)
    return result
