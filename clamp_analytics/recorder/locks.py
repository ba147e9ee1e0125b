"""Drop-in replacements for the standard locks that record each hold, from acquisition to release.

The clocks are read while the lock is held, because the hold is what is measured. All other work is done before
the acquisition and after the release, so that other threads do not wait longer for the lock.
"""

from __future__ import annotations

import threading
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING

from clamp_analytics.recorder.buffer import SingleCycle
from clamp_analytics.recorder.telemetry import default
from clamp_analytics.recorder.thread_ids import current_thread_id
from clamp_analytics.recorder.validation import validate_context

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from clamp_analytics.recorder.telemetry import EntropyTelemetry


class _RecordedLock:
    """Base of the three locks; only the holder of the lock accesses the open cycle."""

    __slots__ = ("_context", "_cycle", "_depth", "_inner", "_owner", "_telemetry")

    _inner: Any

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        self._context = validate_context(context)
        self._telemetry = telemetry
        self._cycle: SingleCycle | None = None
        # Only used by the re-entrant lock.
        self._owner: int | None = None
        self._depth = 0

    def _prepare(self) -> tuple[SingleCycle, str, int] | None:
        """Return the parts of a cycle that need no clock; None if the telemetry is disabled."""
        telemetry = self._telemetry
        buffer = (default.telemetry if telemetry is None else telemetry).buffer
        return None if buffer is None else (SingleCycle(buffer), current_thread_id(), next(buffer.seed_indexes))

    def _begin(self, prepared: tuple[SingleCycle, str, int] | None) -> None:
        if prepared is not None:
            cycle, thread_id, seed_index = prepared
            cycle.token = (self._context, thread_id, seed_index, time_ns(), monotonic_ns())
            # Before it is open, so that `release` finds it if a signal handler raises an exception in between.
            self._cycle = cycle
            cycle.begin()

    def _release(self, score: float) -> None:
        """Release the lock and end the cycle, both even if a signal handler raises an exception meanwhile."""
        stop = None
        cycle, self._cycle = self._cycle, None
        self._owner, self._depth = None, 0
        try:
            stop = monotonic_ns()
        finally:
            try:
                self._inner.release()
            finally:
                if cycle is not None:
                    stop = monotonic_ns() if stop is None else stop
                    try:
                        cycle.finish(stop, score)
                    except BaseException:
                        if cycle.is_open:  # raised before the call began
                            cycle.finish(stop, score)
                        raise


class AnchoredLock(_RecordedLock):
    """A ``threading.Lock`` that records each hold; a ``with`` block that raises scores 0.0, any other hold 1.0.

    Args:
        context: name of the lock in the records.
        telemetry: the telemetry that records the holds; by default the process-wide one.

    Raises:
        AnchorError: ``context`` is not a string.
    """

    __slots__ = ()

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        super().__init__(context, telemetry)
        self._inner = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock, as ``threading.Lock.acquire`` does.

        Args:
            blocking: whether to wait for the lock.
            timeout: seconds to wait at most; -1 for no limit.

        Returns:
            Whether the lock was acquired.

        Raises:
            AnchorError: the seed source returned something other than a seed; the lock is not acquired.
        """
        prepared = self._prepare()
        acquired: bool = self._inner.acquire(blocking, timeout)
        if acquired:
            self._begin(prepared)
        return acquired

    def release(self) -> None:
        """Release the lock, as ``threading.Lock.release`` does.

        Raises:
            RuntimeError: the lock is not held.
        """
        self._release(1.0)

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return bool(self._inner.locked())

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    def _at_fork_reinit(self) -> None:
        self._inner = threading.Lock()
        self._cycle = None

    def __repr__(self) -> str:
        return f"<AnchoredLock {self._context!r} {'locked' if self.locked() else 'unlocked'}>"


class AnchoredRLock(_RecordedLock):
    """A ``threading.RLock`` that records each hold, from the first acquisition to the last release.

    A ``with`` block that raises scores 0.0, any other hold 1.0. The lock may be used in a ``threading.Condition``;
    waiting there ends one hold and begins another.

    Args:
        context: name of the lock in the records.
        telemetry: the telemetry that records the holds; by default the process-wide one.

    Raises:
        AnchorError: ``context`` is not a string.
    """

    __slots__ = ()

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        super().__init__(context, telemetry)
        self._inner = threading.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire the lock, as ``threading.RLock.acquire`` does.

        Args:
            blocking: whether to wait for the lock.
            timeout: seconds to wait at most; -1 for no limit.

        Returns:
            Whether the lock was acquired.

        Raises:
            AnchorError: the seed source returned something other than a seed; the lock is not acquired.
        """
        prepared = None if self._is_owned() else self._prepare()
        acquired: bool = self._inner.acquire(blocking, timeout)
        if acquired:
            self._entered(1, prepared)
        return acquired

    def _entered(self, times: int, prepared: tuple[SingleCycle, str, int] | None) -> None:
        self._depth += times
        if self._depth == times:
            self._owner = threading.get_ident()
            self._begin(prepared)

    def release(self) -> None:
        """Undo one acquisition, as ``threading.RLock.release`` does.

        Raises:
            RuntimeError: the current thread does not hold the lock.
        """
        self._release(1.0)

    def _release(self, score: float) -> None:
        if self._is_owned() and self._depth == 1:
            super()._release(score)
            return
        if self._is_owned():  # otherwise the inner lock raises the error
            self._depth -= 1
        self._inner.release()

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    # The methods that threading.Condition needs from a re-entrant lock.

    def _is_owned(self) -> bool:
        return self._owner == threading.get_ident()

    def _release_save(self) -> int:
        if not self._is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        depth = self._depth
        for _ in range(depth):
            self.release()
        return depth

    def _acquire_restore(self, depth: int) -> None:
        prepared = self._prepare()
        for _ in range(depth):
            self._inner.acquire()
        self._entered(depth, prepared)

    def _at_fork_reinit(self) -> None:
        self._inner = threading.RLock()
        self._owner = self._cycle = None
        self._depth = 0

    def __repr__(self) -> str:
        return f"<AnchoredRLock {self._context!r} {'locked' if self._owner else 'unlocked'}>"


class AnchoredAsyncLock(_RecordedLock):
    """An ``asyncio.Lock`` that records each hold; an ``async with`` block that raises scores 0.0, any other hold 1.0.

    Args:
        context: name of the lock in the records.
        telemetry: the telemetry that records the holds; by default the process-wide one.

    Raises:
        AnchorError: ``context`` is not a string.
    """

    __slots__ = ()

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        import asyncio  # only programs that use this lock need it, and they have imported it

        super().__init__(context, telemetry)
        self._inner = asyncio.Lock()

    async def acquire(self) -> bool:
        """Acquire the lock, as ``asyncio.Lock.acquire`` does.

        Returns:
            True.

        Raises:
            AnchorError: the seed source returned something other than a seed; the lock is not acquired.
        """
        prepared = self._prepare()
        await self._inner.acquire()
        self._begin(prepared)
        return True

    def release(self) -> None:
        """Release the lock, as ``asyncio.Lock.release`` does.

        Raises:
            RuntimeError: the lock is not held.
        """
        self._release(1.0)

    def locked(self) -> bool:
        """Return whether the lock is held."""
        return bool(self._inner.locked())

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    def __repr__(self) -> str:
        return f"<AnchoredAsyncLock {self._context!r} {'locked' if self.locked() else 'unlocked'}>"
