"""Warnings from places where an exception would hit code that did nothing wrong."""

from __future__ import annotations

import sys
import warnings


class RecorderWarning(RuntimeWarning):
    """The recorder could not do what it was asked to do in the background."""


def warn(message: str) -> None:
    """Warn, and never raise: a filter that turns warnings into errors makes a line on stderr of it."""
    try:
        warnings.warn(message, RecorderWarning, stacklevel=3)
    except RecorderWarning:
        if sys.stderr is not None:
            print(f"RecorderWarning: {message}", file=sys.stderr)  # noqa: T201
