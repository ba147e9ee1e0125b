"""Drop-in locks that record each hold.

The clocks are read while the lock is held, since that is what is measured; all other work is done before it
is taken and after it is given back, so that nobody waits longer for it.
"""

from __future__ import annotations

import threading
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.origins import current_origin
from clamp_analytics.recorder.store import Hold
from clamp_analytics.recorder.telemetry import process_wide

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from clamp_analytics.recorder.telemetry import EntropyTelemetry


class _Recorded:
    """What the three locks share: the hold that is open, which only the holder of the lock touches."""

    __slots__ = ("_context", "_hold", "_telemetry")

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        if not isinstance(context, str):
            raise AnchorError(f"{context!r:.100} is no context", hint="give the lock a name, as a str")
        self._context = context
        self._telemetry = telemetry
        self._hold: Hold | None = None

    def _prepare(self) -> tuple[Hold, str, int] | None:
        """Do what needs no clock; None where the telemetry is disabled."""
        telemetry = self._telemetry
        store = (process_wide.telemetry if telemetry is None else telemetry).store
        return None if store is None else (Hold(store), current_origin(), next(store.tickets))

    def _begin(self, prepared: tuple[Hold, str, int] | None) -> None:
        if prepared is not None:
            self._hold, origin, ticket = prepared
            self._hold.begin((self._context, origin, ticket, time_ns(), monotonic_ns()))

    def _take(self) -> Hold | None:
        hold, self._hold = self._hold, None
        return hold


class AnchoredLock(_Recorded):
    """A ``threading.Lock`` that records each hold; left by an exception, the hold scores 0.0.

    Args:
        context: name of the lock in the records.
        telemetry: what records the holds; the process-wide default where not given.
    """

    __slots__ = ("_inner",)

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        super().__init__(context, telemetry)
        self._inner = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as ``threading.Lock.acquire`` does."""
        prepared = self._prepare()
        taken = self._inner.acquire(blocking, timeout)
        if taken:
            self._begin(prepared)
        return taken

    def release(self) -> None:
        """Give the lock back, as ``threading.Lock.release`` does."""
        self._release(1.0)

    def _release(self, score: float) -> None:
        stop = monotonic_ns()
        hold = self._take()
        self._inner.release()
        if hold is not None:
            hold.finish(stop, score)

    def locked(self) -> bool:
        """Tell whether anybody holds the lock."""
        return self._inner.locked()

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    def _at_fork_reinit(self) -> None:
        self._inner = threading.Lock()
        self._hold = None

    def __repr__(self) -> str:
        return f"<AnchoredLock {self._context!r} {'locked' if self.locked() else 'unlocked'}>"


class AnchoredRLock(_Recorded):
    """A ``threading.RLock`` that records each hold, from the first acquisition to the last release.

    It serves as the lock of a ``threading.Condition``, whose waiting ends one hold and begins another.

    Args:
        context: name of the lock in the records.
        telemetry: what records the holds; the process-wide default where not given.
    """

    __slots__ = ("_depth", "_inner", "_owner")

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        super().__init__(context, telemetry)
        self._inner = threading.RLock()
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as ``threading.RLock.acquire`` does."""
        prepared = None if self._is_owned() else self._prepare()
        taken = self._inner.acquire(blocking, timeout)
        if taken:
            self._entered(1, prepared)
        return taken

    def _entered(self, times: int, prepared: tuple[Hold, str, int] | None) -> None:
        self._depth += times
        if self._depth == times:
            self._owner = threading.get_ident()
            self._begin(prepared)

    def release(self) -> None:
        """Give one acquisition back, as ``threading.RLock.release`` does."""
        self._release(1.0)

    def _release(self, score: float) -> None:
        stop = monotonic_ns()
        hold = None
        if self._is_owned():  # what is not owned is left to the inner lock, which raises
            self._depth -= 1
            if self._depth == 0:
                self._owner = None
                hold = self._take()
        self._inner.release()
        if hold is not None:
            hold.finish(stop, score)

    __enter__ = acquire

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    # What threading.Condition asks of a re-entrant lock.

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
        self._owner = self._hold = None
        self._depth = 0

    def __repr__(self) -> str:
        return f"<AnchoredRLock {self._context!r} {'locked' if self._owner else 'unlocked'}>"


class AnchoredAsyncLock(_Recorded):
    """An ``asyncio.Lock`` that records each hold; left by an exception, the hold scores 0.0.

    Args:
        context: name of the lock in the records.
        telemetry: what records the holds; the process-wide default where not given.
    """

    __slots__ = ("_inner",)

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        import asyncio  # whoever makes one has it; nobody else has to

        super().__init__(context, telemetry)
        self._inner: Any = asyncio.Lock()

    async def acquire(self) -> bool:
        """Take the lock, as ``asyncio.Lock.acquire`` does."""
        prepared = self._prepare()
        await self._inner.acquire()
        self._begin(prepared)
        return True

    def release(self) -> None:
        """Give the lock back, as ``asyncio.Lock.release`` does."""
        self._release(1.0)

    def _release(self, score: float) -> None:
        stop = monotonic_ns()
        hold = self._take()
        self._inner.release()
        if hold is not None:
            hold.finish(stop, score)

    def locked(self) -> bool:
        """Tell whether anybody holds the lock."""
        return bool(self._inner.locked())

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release(1.0 if kind is None else 0.0)

    def __repr__(self) -> str:
        return f"<AnchoredAsyncLock {self._context!r} {'locked' if self.locked() else 'unlocked'}>"
