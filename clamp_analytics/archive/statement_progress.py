"""The progress of a statement of DuckDB, while another thread runs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_SECONDS = 0.2
"""Pause between two questions."""


@contextmanager
def report_progress(connection: duckdb.DuckDBPyConnection, report: Callable[[float], None] | None) -> Iterator[None]:
    """Report the share that is done of the statements that run within the context.

    Args:
        connection: the connection that runs them.
        report: called with the share, in another thread; None for no report.
    """
    if report is None:
        yield
        return
    connection.execute("SET enable_progress_bar_print = false")
    connection.execute("SET enable_progress_bar = true")
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(_SECONDS):
            if (percentage := connection.query_progress()) >= 0:
                report(percentage / 100)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        is_over.set()
        asking.join()
