"""A lock for code that the SIGTERM handler uses as well.

A Python signal handler runs in the main thread, between two steps of whatever that thread is doing. If the
main thread holds a lock of the recorder at that moment, a handler that writes a session would wait for itself.
The handler therefore defers its work until the main thread has released its last lock.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_held_by_main_thread = 0
_deferred: list[Callable[[], None]] = []


def defer(action: Callable[[], None]) -> bool:
    """Run ``action`` once the main thread has released its last ``SignalLock``.

    Returns:
        False if the main thread holds none; the caller then runs the action itself.
    """
    if _held_by_main_thread == 0:
        return False
    _deferred.append(action)
    return True


def _in_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


class SignalLock:
    """A re-entrant lock, held in a ``with`` block; signal work is deferred while the main thread holds it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        global _held_by_main_thread
        if not _in_main_thread():
            self._lock.acquire()
            return
        # Counted before the lock is acquired, so that a signal never finds it held and not counted. While the
        # main thread waits it is not counted: a disk that hangs must not defer a signal.
        _held_by_main_thread += 1
        if not self._lock.acquire(blocking=False):
            _held_by_main_thread -= 1
            self._lock.acquire()
            _held_by_main_thread += 1

    def __exit__(self, *exc: object) -> None:
        global _held_by_main_thread
        self._lock.release()
        if _in_main_thread():
            _held_by_main_thread = max(_held_by_main_thread - 1, 0)
            while _held_by_main_thread == 0 and _deferred:
                _deferred.pop(0)()


def reset_after_fork() -> None:
    """Forget held locks and deferred work in a forked child; both belong to the parent."""
    global _held_by_main_thread
    _held_by_main_thread = 0
    _deferred.clear()
