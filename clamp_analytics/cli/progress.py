"""Progress on the terminal's standard error: what is being done and for how long, and an estimate of the time left.

Nothing is shown in the first second, and nothing where standard error is not a terminal.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task

SHOWN_AFTER_SECONDS = 1.0
"""A shorter step ends before its progress could be read."""

BAR_WIDTH = 12

Update = Callable[[int, int], None]
"""A function of how much is done and of all there is to do."""


@contextmanager
def step(
    what: str, *, then: str = "", in_percent: bool = False, after_seconds: float = SHOWN_AFTER_SECONDS
) -> Iterator[Update | None]:
    """Show what is being done; once the amount of work is known, also how much is done and an estimate.

    Args:
        what: what is being done, such as ``reading``.
        then: what is still to be done when all is done that is counted; empty where another step begins within this
            one, so that nothing more of this one is shown.
        in_percent: whether what is done is a percentage, and not a count.
        after_seconds: nothing is shown before.

    Yields:
        A function of how much is done and of all there is to do; None where nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    display = _display(in_percent=in_percent)
    task = display.add_task(what, total=None)
    is_over = threading.Event()

    def show() -> None:
        if not is_over.wait(after_seconds):
            display.start()

    def update(done: int, total: int) -> None:
        is_done = total > 0 and done >= total
        if is_done and not then:
            end()
        elif is_done:
            display.update(task, description=then, total=None)
        else:
            display.update(task, completed=done, total=total or None)

    def end() -> None:
        is_over.set()
        waiting.join()
        if display.live.is_started:
            display.stop()

    waiting = threading.Thread(target=show, daemon=True)
    waiting.start()
    try:
        yield update
    finally:
        end()


def _display(*, in_percent: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Figures(ProgressColumn):
        """How much is done, and an estimate of the time left, or else the elapsed time."""

        def render(self, task: Task) -> Text:
            done = "" if task.total is None else _amount(task.completed, task.total, in_percent=in_percent)
            return Text(", ".join(filter(None, (done, _time(task.elapsed, task.time_remaining)))))

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(BAR_WIDTH), Figures(Column(no_wrap=True)))
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _amount(done: float, total: float, *, in_percent: bool) -> str:
    """How much is done: ``1,200 of 5,000`` or ``24 %``."""
    return f"{100 * done / total:.0f} %" if in_percent else f"{done:,.0f} of {total:,.0f}"


def _time(elapsed: float | None, left: float | None) -> str:
    """The time left, ``about 0:00:12 left``; or how long it takes so far."""
    return _duration(elapsed or 0) if left is None else f"about {_duration(left)} left"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
