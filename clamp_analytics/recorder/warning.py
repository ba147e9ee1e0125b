"""Warnings for failures in places where an exception would hit code that did nothing wrong."""

from __future__ import annotations

import sys
import warnings


class RecorderWarning(RuntimeWarning):
    """The recorder could not write or keep records; nobody was waiting for the result."""


def warn(message: str) -> None:
    """Issue a ``RecorderWarning``; where a filter turns it into an error, print it to stderr instead."""
    try:
        warnings.warn(message, RecorderWarning, stacklevel=3)
    except RecorderWarning:
        if sys.stderr is not None:
            print(f"RecorderWarning: {message}", file=sys.stderr)  # noqa: T201
