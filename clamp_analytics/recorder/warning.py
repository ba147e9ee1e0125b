"""Warnings for failures that must not raise an exception, because it would reach code that is not at fault.

A warning must not harm the program either. Standard error may be closed, a broken pipe or a full disk, and a
filter or a replaced ``warnings.showwarning`` may raise. Then the warning is lost, and nothing else happens.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings


class RecorderWarning(RuntimeWarning):
    """The recorder could not write or keep records, and no caller waits for the result."""


def warn(message: str) -> None:
    """Issue a ``RecorderWarning``; if that raises, print the message to stderr instead. Never raises."""
    if not _flush_stderr():
        return
    try:
        warnings.warn(message, RecorderWarning, stacklevel=3)
    except Exception:  # a filter that turns warnings into errors, or any other hook of the program
        with contextlib.suppress(Exception):
            if sys.stderr is not None:
                print(f"RecorderWarning: {message}", file=sys.stderr)  # noqa: T201
    if not _flush_stderr():
        _discard_stderr_buffer()


def _flush_stderr() -> bool:
    """Return whether stderr accepts output, as far as flushing its buffer shows."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except Exception:  # a replaced stderr may raise anything
        return False
    return True


def _discard_stderr_buffer() -> None:
    """Flush the buffer of stderr to the null device.

    It was empty before the warning. Left there, the text of the warning would fail to be flushed again when the
    interpreter exits, which then ends with status 120.
    """
    with contextlib.suppress(Exception):
        descriptor = sys.stderr.fileno()
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            original = _duplicate(descriptor)
            os.dup2(null, descriptor, inheritable=True)
            try:
                sys.stderr.flush()
            finally:
                if original is None:
                    os.close(descriptor)
                else:
                    os.dup2(original, descriptor, inheritable=True)
                    os.close(original)
        finally:
            os.close(null)


def _duplicate(descriptor: int) -> int | None:
    """Return a duplicate of a descriptor; None if it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
