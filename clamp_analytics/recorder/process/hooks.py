"""Hooks that run when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from clamp_analytics.recorder.process import signal_lock, sigterm

if TYPE_CHECKING:
    from collections.abc import Callable


class ProcessObserver(Protocol):
    """An object that is notified when the process forks or ends."""

    def write_at_exit(self) -> None:
        """Called when the process ends normally."""

    def write_at_signal(self, *, process_ends: bool) -> None:
        """Called on SIGTERM, before the previous handler or the end of the process."""

    def reset_after_fork(self) -> None:
        """Called in a forked child, which has one thread and no records."""


_observers: WeakSet[ProcessObserver] = WeakSet()
_child_actions: list[Callable[[], None]] = []


def register(observer: ProcessObserver, *, on_sigterm: bool, at_exit: bool) -> None:
    """Notify an observer of forks and, if requested, of SIGTERM and of the exit.

    Raises:
        UsageError: SIGTERM cannot be handled from here.
    """
    if on_sigterm:
        sigterm.add_callback(observer.write_at_signal)
    if at_exit:
        atexit.register(observer.write_at_exit)
    _observers.add(observer)


def unregister(observer: ProcessObserver) -> None:
    """Stop notifying an observer of SIGTERM and of the exit."""
    atexit.unregister(observer.write_at_exit)
    sigterm.remove_callback(observer.write_at_signal)


def in_forked_child(action: Callable[[], None]) -> None:
    """Call ``action`` in each forked child, before the observers are reset and before SIGTERM can arrive."""
    _child_actions.append(action)


def _reset_after_fork() -> None:
    signal_lock.reset_after_fork()
    sigterm.reset_after_fork()
    for action in _child_actions:
        action()
    for observer in _observers:
        observer.reset_after_fork()
    sigterm.unblock()


os.register_at_fork(before=sigterm.block, after_in_parent=sigterm.unblock, after_in_child=_reset_after_fork)


def register_with_multiprocessing(observer: ProcessObserver) -> None:
    """Call the exit hook in a child of multiprocessing, which ends without running ``atexit`` functions.

    On the way into a child, multiprocessing forgets its finalizers and then calls the functions registered
    with ``register_after_fork``. A finalizer is therefore created both there and now; the second one to run
    finds everything written.
    """
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    try:
        util.register_after_fork(observer, _add_finalizer)
        _add_finalizer(observer)
    except (AttributeError, ImportError):
        # Another thread is importing multiprocessing right now. This process is therefore not a child of it, and
        # its own children call this function after the fork.
        return


def _add_finalizer(observer: ProcessObserver) -> None:
    from multiprocessing import parent_process, util

    def finish() -> None:
        if parent_process() is not None:
            observer.write_at_exit()

    # A low priority: it runs after the finalizers of the program, as with atexit.
    util.Finalize(None, finish, exitpriority=-100)
