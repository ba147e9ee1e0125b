"""Ctrl-C during a call of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_INTERRUPTED = "Query interrupted"
"""The message of the ``RuntimeError`` by which DuckDB replaces the exception of a signal handler."""


@contextmanager
def raise_keyboard_interrupt() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` where DuckDB reports that a signal has ended one of its calls.

    This is a context manager and a decorator. DuckDB drops the exception that the handler of the signal raised, so an
    exception of another signal's handler becomes a ``KeyboardInterrupt``, too.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) == _INTERRUPTED:
            raise KeyboardInterrupt from error
        raise
