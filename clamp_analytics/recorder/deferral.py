"""SIGTERM and short stretches that it must not cut in two.

A Python signal handler runs in the main thread, between two steps of whatever that thread does. Where the
main thread is in the middle of moving records, a handler that writes a session would wait for itself; it is
put off until the main thread leaves that stretch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_main_depth = 0
_put_off: list[Callable[[], None]] = []


def put_off(action: Callable[[], None]) -> bool:
    """Keep ``action`` for the end of the guarded stretch that the main thread is in; False if it is in none."""
    if _main_depth == 0:
        return False
    _put_off.append(action)
    return True


def _in_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class Guard:
    """A re-entrant lock; while the main thread holds it, signal handlers of this package are put off."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        global _main_depth
        if not _in_main_thread():
            self._lock.acquire()
            return
        # Counted before the lock is taken, so that no signal finds it taken and uncounted. A main thread
        # that has to wait is not counted: a signal is not put off for as long as a dead disk hangs.
        _main_depth += 1
        if not self._lock.acquire(blocking=False):
            _main_depth -= 1
            self._lock.acquire()
            _main_depth += 1

    def __exit__(self, *exc: object) -> None:
        global _main_depth
        self._lock.release()
        if _in_main_thread():
            _main_depth = max(_main_depth - 1, 0)
            while _main_depth == 0 and _put_off:
                _put_off.pop(0)()


def forget_after_fork() -> None:
    """Start anew in a child: what the parent's threads were doing goes on in the parent only."""
    global _main_depth
    _main_depth = 0
    _put_off.clear()
