"""SIGTERM: write, then do what would have been done without the recorder.

Python runs a signal handler in the main thread, once that thread gets to it. Two things can keep it from
that for good: the system may deliver the signal to another thread, or deliver it just before the main thread
goes to sleep on a lock of another process, as the workers of a `multiprocessing.Pool` do. Without a
handler the process would have died, and whoever ended it waits for that. So a thread watches: told of the
signal by a pipe, the moment it arrives, it wakes the main thread up until the handler has run.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from clamp_analytics.errors import UsageError
from clamp_analytics.recorder import deferral

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from clamp_analytics.recorder.telemetry import EntropyTelemetry

# How long the main thread may take before it is woken up, and how long signals that wake it may be underway.
_GRACE = 0.05
_LONGEST_PAUSE = 1.0

_telemetries: list[EntropyTelemetry] = []
_previous: Callable[[int, FrameType | None], object] | int = signal.SIG_DFL
_masks: dict[int, set[int | signal.Signals]] = {}


def catch(telemetry: EntropyTelemetry) -> None:
    """Write this telemetry on SIGTERM.

    Raises:
        UsageError: SIGTERM cannot be caught from here.
    """
    global _previous
    standing = signal.getsignal(signal.SIGTERM)
    if standing is None:
        raise UsageError(
            "SIGTERM has a handler that Python did not install and cannot call",
            where="on_sigterm",
            hint="use checkpoint= instead",
        )
    if standing is not _handle:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError(
                "only the main thread may catch signals",
                where="on_sigterm",
                hint="make the telemetry in the main thread, or use checkpoint= instead",
            )
        signal.signal(signal.SIGTERM, _handle)
        _previous = standing
        _watcher.start()
    _telemetries.append(telemetry)


def release(telemetry: EntropyTelemetry) -> None:
    """Forget a telemetry that was closed; the signal is given back with the last one."""
    if telemetry not in _telemetries:
        return
    _telemetries.remove(telemetry)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not _telemetries and in_main_thread and signal.getsignal(signal.SIGTERM) is _handle:
        signal.signal(signal.SIGTERM, _previous)
        _watcher.stop()


def hold_back() -> None:
    """Keep SIGTERM from this thread while it forks: a child that got it now would tell the parent's pipe."""
    _masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])


def let_through() -> None:
    """Take SIGTERM again as before the fork."""
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop(threading.get_ident()))


def watch_after_fork() -> None:
    """Watch in a child too; the thread and the pipe that do it in the parent are the parent's."""
    _watcher.leave_to_parent()
    if signal.getsignal(signal.SIGTERM) is _handle:
        _watcher.start()


def _handle(number: int, frame: FrameType | None) -> None:
    if _watcher.is_echo():
        return
    if not deferral.put_off(lambda: _write_and_chain(number, None)):
        _write_and_chain(number, frame)


def _write_and_chain(number: int, frame: FrameType | None) -> None:
    for telemetry in tuple(_telemetries):
        telemetry.write_at_signal()
    if callable(_previous):
        _previous(number, frame)
    elif _previous == signal.SIG_DFL:
        # The process ends by the signal itself, so that whoever waits for it sees the right status.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


class _Watcher:
    """Sees to it that the handler runs."""

    def __init__(self) -> None:
        self._pipe: tuple[int, int] | None = None
        self._runs = 0
        self._runs_seen = 0
        self._waking = False

    def start(self) -> None:
        """Begin to watch; in the main thread."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        taken = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        if taken != -1:
            # An event loop uses the one pipe that Python has; it wakes the main thread up by itself.
            signal.set_wakeup_fd(taken)
            os.close(read_end)
            os.close(write_end)
            return
        self._pipe = (read_end, write_end)
        with contextlib.suppress(RuntimeError):  # no more threads: the handler still runs, as a rule
            _thread.start_new_thread(self._watch, (read_end, threading.get_ident()))

    def stop(self) -> None:
        """End the thread; in the main thread."""
        if self._pipe is not None:
            wakeup = signal.set_wakeup_fd(-1)
            if wakeup not in {-1, self._pipe[1]}:
                signal.set_wakeup_fd(wakeup)
            os.close(self._pipe[1])  # the thread finds the end of the pipe
            self._pipe = None

    def leave_to_parent(self) -> None:
        """Drop the pipe in a forked child, which would otherwise tell the parent of its own signals."""
        if self._pipe is not None:
            read_end = self._pipe[0]
            self.stop()
            os.close(read_end)
        self._runs = self._runs_seen = 0
        self._waking = False

    def is_echo(self) -> bool:
        """Count a run of the handler; True if it is due to a waking signal after the first run."""
        if self._waking and self._runs != self._runs_seen:
            return True
        self._runs += 1
        return False

    def _watch(self, read_end: int, main_thread: int) -> None:
        while arrived := os.read(read_end, 4096):
            if signal.SIGTERM not in arrived:
                continue
            time.sleep(_GRACE)
            if self._runs == self._runs_seen:
                self._wake(main_thread)
            # Whatever came meanwhile, from the waking or from whoever asks twice, is answered with it.
            os.set_blocking(read_end, False)
            with contextlib.suppress(BlockingIOError):
                os.read(read_end, 4096)
            os.set_blocking(read_end, True)
            self._runs_seen = self._runs
            self._waking = False
        os.close(read_end)

    def _wake(self, main_thread: int) -> None:
        self._waking = True
        pause = _GRACE
        while self._runs == self._runs_seen:
            signal.pthread_kill(main_thread, signal.SIGTERM)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        time.sleep(_GRACE)


_watcher = _Watcher()
