"""SIGTERM: call the callbacks, then do what the process would have done without the recorder.

Python runs a signal handler in the main thread, as soon as that thread executes Python code again. Two things
can delay this forever: the system may deliver the signal to another thread, or deliver it just before the main
thread goes to sleep on a lock shared between processes, as the workers of a ``multiprocessing.Pool`` do.
Without a handler the process would have ended, and the sender of the signal waits for that. So a second thread, the
watchdog, learns of the signal through a pipe and interrupts the main thread until the handler has run.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

from clamp_analytics.errors import UsageError
from clamp_analytics.recorder.process import signal_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

# Seconds that the main thread has before it is interrupted, and the longest pause between interruptions.
_GRACE = 0.05
_MAX_PAUSE = 1.0


class Callback(Protocol):
    """A function that is called on SIGTERM."""

    def __call__(self, *, process_ends: bool) -> None:
        """Called with whether the process ends next, because it had no handler of its own."""


_callbacks: list[Callback] = []
_previous: Callable[[int, FrameType | None], object] | int = signal.SIG_DFL
_signal_masks: dict[int, set[int | signal.Signals]] = {}


def add_callback(callback: Callback) -> None:
    """Call ``callback`` on SIGTERM; the first callback installs the handler.

    Raises:
        UsageError: SIGTERM cannot be handled from here.
    """
    global _previous
    current = signal.getsignal(signal.SIGTERM)
    if current is None:
        raise UsageError(
            "SIGTERM has a handler that Python did not install and cannot call",
            where="on_sigterm",
            hint="use checkpoint= instead",
        )
    if current is not _handle:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError(
                "only the main thread may handle signals",
                where="on_sigterm",
                hint="create the telemetry in the main thread, or use checkpoint= instead",
            )
        _previous = current
        signal.signal(signal.SIGTERM, _handle)
        try:
            _watchdog.start()
        except OSError as error:
            signal.signal(signal.SIGTERM, current)
            raise UsageError.from_os_error(
                "SIGTERM cannot be handled",
                error,
                where="on_sigterm",
                hint="raise the limit on open files (ulimit -n), or use checkpoint= instead",
            ) from error
    _callbacks.append(callback)


def remove_callback(callback: Callback) -> None:
    """Forget a callback; removing the last one restores the previous handler."""
    if callback not in _callbacks:
        return
    _callbacks.remove(callback)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not _callbacks and in_main_thread and signal.getsignal(signal.SIGTERM) is _handle:
        signal.signal(signal.SIGTERM, _previous)
        _watchdog.stop()


def block() -> None:
    """Block SIGTERM in this thread during a fork: a child that received it would write to the parent's pipe."""
    _signal_masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def unblock() -> None:
    """Restore the signal mask from before the fork."""
    signal.pthread_sigmask(signal.SIG_SETMASK, _signal_masks.pop(threading.get_ident()))


def reset_after_fork() -> None:
    """Start a watchdog for a forked child; the thread and the pipe of the existing one belong to the parent."""
    _watchdog.detach_from_parent()
    if signal.getsignal(signal.SIGTERM) is _handle:
        with contextlib.suppress(OSError):  # no free file descriptor: the handler still runs in most cases
            _watchdog.start()


def _handle(number: int, frame: FrameType | None) -> None:
    if _watchdog.is_repeat():
        return
    if not signal_lock.defer(lambda: _call_back(number, None)):
        _call_back(number, frame)


def _call_back(number: int, frame: FrameType | None) -> None:
    for callback in tuple(_callbacks):
        callback(process_ends=_previous == signal.SIG_DFL)
    if callable(_previous):
        _previous(number, frame)
    elif _previous == signal.SIG_DFL:
        # The process ends by the signal itself, so that its parent sees the right status.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


class _Watchdog:
    """Makes sure that the handler runs."""

    def __init__(self) -> None:
        self._pipe: tuple[int, int] | None = None
        self._runs = 0
        self._runs_seen = 0
        self._interrupting = False

    def start(self) -> None:
        """Start watching; call it in the main thread."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        current = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        if current != -1:
            # An event loop uses the only wakeup descriptor that Python has; it wakes the main thread by itself.
            signal.set_wakeup_fd(current)
            os.close(read_end)
            os.close(write_end)
            return
        self._pipe = (read_end, write_end)
        with contextlib.suppress(RuntimeError):  # no more threads: the handler still runs in most cases
            _thread.start_new_thread(self._watch, (read_end, threading.get_ident()))

    def stop(self) -> None:
        """End the thread; call it in the main thread."""
        if self._pipe is not None:
            wakeup = signal.set_wakeup_fd(-1)
            if wakeup not in {-1, self._pipe[1]}:
                signal.set_wakeup_fd(wakeup)
            _close(self._pipe[1])  # the thread reads the end of the pipe
            self._pipe = None

    def detach_from_parent(self) -> None:
        """Drop the pipe in a forked child, which would otherwise report its own signals to the parent."""
        if self._pipe is not None:
            read_end = self._pipe[0]
            self.stop()
            _close(read_end)
        self._runs = self._runs_seen = 0
        self._interrupting = False

    def is_repeat(self) -> bool:
        """Count a run of the handler; True if it was caused by an interruption and the handler has already run."""
        if self._interrupting and self._runs != self._runs_seen:
            return True
        self._runs += 1
        return False

    def _watch(self, read_end: int, main_thread: int) -> None:
        # Daemons close all descriptors, this one included; nothing is left to watch then.
        with contextlib.suppress(OSError):
            self._read_signals(read_end, main_thread)
            os.close(read_end)

    def _read_signals(self, read_end: int, main_thread: int) -> None:
        while received := os.read(read_end, 4096):
            if signal.SIGTERM not in received:
                continue
            time.sleep(_GRACE)
            if self._runs == self._runs_seen:
                self._interrupt(main_thread)
            # Signals received meanwhile, from the interruptions or sent twice, are covered by this run.
            os.set_blocking(read_end, False)
            with contextlib.suppress(BlockingIOError):
                os.read(read_end, 4096)
            os.set_blocking(read_end, True)
            self._runs_seen = self._runs
            self._interrupting = False

    def _interrupt(self, main_thread: int) -> None:
        self._interrupting = True
        pause = _GRACE
        while self._runs == self._runs_seen:
            signal.pthread_kill(main_thread, signal.SIGTERM)
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)
        time.sleep(_GRACE)


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the program may have closed all descriptors
        os.close(descriptor)


_watchdog = _Watchdog()
