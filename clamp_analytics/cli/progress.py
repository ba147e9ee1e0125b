"""Progress on the terminal's standard error: a bar where the amount of work is known, else the elapsed time.

Nothing is shown in the first second, and nothing where standard error is not a terminal.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHOWN_AFTER_SECONDS = 1.0
"""A shorter step ends before its progress could be read."""


@contextmanager
def progress_bar(
    what: str, *, after_seconds: float = SHOWN_AFTER_SECONDS
) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many of all files are done, and an estimate of the time that is left.

    Args:
        what: what is being done, such as ``reading``.
        after_seconds: nothing is shown before.

    Yields:
        A function of the number of files done and of all files; None where nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)
    begin = time.monotonic()

    def update(done: int, files: int) -> None:
        if time.monotonic() - begin >= after_seconds:
            bar.start()
        bar.update(task, completed=done, total=files)

    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def step(what: str, *, after_seconds: float = SHOWN_AFTER_SECONDS) -> Iterator[None]:
    """Show what is being done and for how long, where the amount of work is not known.

    Args:
        what: what is being done, such as ``judging the series``.
        after_seconds: nothing is shown before.
    """
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    spinner = Progress(*columns, console=Console(stderr=True), transient=True)
    spinner.add_task(what, total=None)
    timer = threading.Timer(after_seconds, spinner.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if spinner.live.is_started:
            spinner.stop()
