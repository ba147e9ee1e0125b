"""The progress of queries of DuckDB, while another thread runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_SECONDS = 0.2
"""Pause between two questions."""


def record_progress(connection: duckdb.DuckDBPyConnection) -> None:
    """Let DuckDB know the progress of queries, which it does only if its progress bar is on; it is not printed.

    In a notebook, that needs ipywidgets.
    """
    connection.execute("SET enable_progress_bar_print = false")
    connection.execute("SET enable_progress_bar = true")


def percentage_done(connection: duckdb.DuckDBPyConnection) -> float | None:
    """How much of the running query is done; None where it is not known."""
    percentage = connection.query_progress()
    return percentage if percentage >= 0 else None


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
    record_progress(connection)
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(_SECONDS):
            if (percentage := percentage_done(connection)) is not None:
                report(percentage / 100)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        is_over.set()
        asking.join()
