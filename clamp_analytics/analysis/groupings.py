"""The columns that records and series can be grouped by.

The module imports no engine, so that ``--help`` stays fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clamp_analytics.errors import UsageError

LABEL_PREFIX = "label:"
"""The beginning of the name of a column that holds a label of sessions: ``label:build`` holds the label ``build``."""

BY = ("context", "backend", "device_name", "thread_id")
"""The columns of ``records`` that series can be grouped by, beside labels."""

PERIODS = ("day", "week", "hour")
"""The periods of the acquisition in UTC that records can be grouped by; a week is named by its Monday."""

GROUPINGS = (*BY, "source", *PERIODS)
"""What records can be grouped by in a summary, beside labels."""


def choices(columns: Sequence[str]) -> str:
    """The columns and labels to choose from, for a help text or a hint."""
    return f"{', '.join(columns)}, or {LABEL_PREFIX}NAME for a label of sessions"


def is_label(column: str) -> bool:
    """Whether a column holds a label of sessions."""
    return column.startswith(LABEL_PREFIX) and column != LABEL_PREFIX


def checked_by(names: Iterable[str] | str | None) -> tuple[str, ...]:
    """The given columns to group series by, each once and in the given order; none for None.

    Raises:
        UsageError: series cannot be grouped by a column.
    """
    return _checked(names, BY, "column to group series by")


def checked_groupings(names: Iterable[str] | str | None) -> tuple[str, ...]:
    """The given groupings of records, each once and in the given order; none for None.

    Raises:
        UsageError: records cannot be grouped so.
    """
    return _checked(names, GROUPINGS, "column to group records by")


def _checked(names: Iterable[str] | str | None, known: Sequence[str], kind: str) -> tuple[str, ...]:
    given = () if names is None else tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in given:
        if name not in known and not is_label(name):
            raise UsageError.unknown(kind, name, known, otherwise=f"one of {choices(known)}")
    return given
