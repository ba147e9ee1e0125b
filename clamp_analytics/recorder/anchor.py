"""``ClampAnchor``, which records a block of code, and ``anchored``, which records calls of a function."""

from __future__ import annotations

from enum import Enum
from functools import wraps
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any, cast

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.buffer import Cycle
from clamp_analytics.recorder.seeds import SeedStream
from clamp_analytics.recorder.telemetry import default
from clamp_analytics.recorder.thread_ids import aio, current_task_id, modules, threads
from clamp_analytics.recorder.validation import validate_context, validate_score

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, Self, TypeVar

    from clamp_analytics.recorder.buffer import Buffer
    from clamp_analytics.recorder.telemetry import EntropyTelemetry

    P = ParamSpec("P")
    R = TypeVar("R")


class AnchorState(Enum):
    """State of an anchor; the values are the names of the C++ implementation.

    Attributes:
        UNLOCKED: never locked so far.
        LOCKED: between ``lock`` and ``release``.
        RELEASED: the last cycle ended without an exception.
        ERROR: an exception ended the last cycle, or it could not begin.
    """

    UNLOCKED = "Unlocked"
    LOCKED = "Locked"
    RELEASED = "Released"
    ERROR = "Error"


# Plain globals: looking up a member of an Enum costs more than the rest of a state change.
_UNLOCKED = AnchorState.UNLOCKED
_LOCKED = AnchorState.LOCKED
_RELEASED = AnchorState.RELEASED
_ERROR = AnchorState.ERROR


class ClampAnchor(Cycle):
    """A named block of code, recorded from ``lock`` to ``release``.

    An anchor measures and does not exclude other threads; see ``AnchoredLock`` for a lock. After its release it
    may be locked again, which begins a new cycle with a new seed. One thread or task uses it at a time.

    As a context manager, plain or asynchronous, it records the block. The score is 0.0 if an exception leaves
    the block, otherwise the value assigned to ``stability_score`` in the block, otherwise 1.0. If the block
    releases the anchor itself, the end of the block does nothing.

    Args:
        context: name of the anchor in the records.
        telemetry: the telemetry that records the cycles; by default the process-wide one.

    Raises:
        AnchorError: ``context`` is not a string.
    """

    __slots__ = ("_buffer", "_context", "_score", "_state", "_telemetry")

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        if type(context) is not str:  # the usual case is decided without a call
            validate_context(context)
        self._context = context
        self._telemetry = telemetry
        self._buffer: Buffer | None
        self._state = _UNLOCKED

    def __repr__(self) -> str:
        return f"ClampAnchor({self._context!r}, {self._state.value})"

    @property
    def context(self) -> str:
        """Name of the anchor in the records."""
        return self._context

    @property
    def seed(self) -> int | None:
        """Entropy seed of the open cycle; None if no cycle is open or the telemetry is disabled."""
        if self._state is not _LOCKED or self._buffer is None:
            return None
        return SeedStream(self._buffer.seed_key).seed(self.token[2])

    @property
    def stability_score(self) -> float | None:
        """Score that the open cycle will end with, from 0 to 1; None if no cycle is open.

        It can be set while the anchor is locked.

        Raises:
            AnchorError: on assignment, if the anchor is not locked or the score is not a number from 0 to 1.
        """
        return self._score if self._state is _LOCKED else None

    @stability_score.setter
    def stability_score(self, score: float) -> None:
        if self._state is not _LOCKED:
            raise AnchorError("the score of an anchor that is not locked cannot be set", where=self._context)
        self._score = validate_score(score, self._context)

    def status(self) -> AnchorState:
        """Return the state of the anchor."""
        return self._state

    def lock(self) -> Self:
        """Begin a cycle.

        Returns:
            The anchor itself.

        Raises:
            AnchorError: the anchor is already locked (its cycle stays open), or the seed source returned
                something other than a seed.
        """
        # There is no call between the check and the assignment, so no other thread can run in between.
        if self._state is _LOCKED:
            raise AnchorError(
                "the anchor is already locked",
                where=self._context,
                hint="one thread or task uses an anchor at a time: release it, or create another one",
            )
        self._state = _LOCKED
        self._score = 1.0
        telemetry = self._telemetry
        self._buffer = buffer = (default.telemetry if telemetry is None else telemetry).buffer
        if buffer is None:
            return self
        try:
            # `current_thread_id`, inlined: another call would add a tenth to the time of a cycle.
            running_loop = aio.running_loop
            self.token = (
                self._context,
                current_task_id()
                if ("asyncio" in modules if running_loop is None else running_loop() is not None)
                else threads.thread_id,
                next(buffer.seed_indexes),
                time_ns(),
                monotonic_ns(),
            )
            buffer.begin(self)
        except BaseException:
            buffer.opened.discard(self)
            self._state = _ERROR
            raise
        return self

    def release(self, stability_score: float | None = None) -> None:
        """End the cycle.

        Args:
            stability_score: from 0 to 1; by default the value assigned to the property, otherwise 1.0.

        Raises:
            AnchorError: the anchor is not locked, or the score is not a number from 0 to 1. The cycle is
                unchanged then.
        """
        stop = monotonic_ns()
        if stability_score is not None:
            stability_score = validate_score(stability_score, self._context)
        if self._state is not _LOCKED:
            raise AnchorError(
                "the anchor cannot be released: it is not locked",
                where=self._context,
                hint=f"its state is {self._state.value}; call lock() first, then release() once",
            )
        self._state = _RELEASED
        buffer = self._buffer
        if buffer is None:
            return
        row = (*self.token, stop, self._score if stability_score is None else stability_score)
        # The `finally` clauses end the cycle even if a signal handler raises an exception meanwhile.
        has_room = True
        try:
            if buffer.overflow is not None:
                has_room = buffer.overflow.has_room()
        finally:
            try:
                if has_room:
                    buffer.finish(row)
            finally:
                buffer.opened.discard(self)

    __enter__ = lock

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._state is not _LOCKED:
            return
        self._state = _RELEASED if kind is None else _ERROR
        buffer = self._buffer
        if buffer is None:
            return
        # As in `release`, but the clock is read after the state has changed. `+` is faster than unpacking the token,
        # which creates a list.
        try:
            row = self.token + (monotonic_ns(), self._score if kind is None else 0.0)  # noqa: RUF005
            has_room = buffer.overflow is None or buffer.overflow.has_room()
        except BaseException:  # raised by a signal handler
            buffer.finish((*self.token, monotonic_ns(), self._score if kind is None else 0.0))
            buffer.opened.discard(self)
            raise
        try:
            if has_room:
                buffer.finish(row)
        finally:
            buffer.opened.discard(self)

    async def __aenter__(self) -> Self:
        return self.lock()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def anchored(context: str, telemetry: EntropyTelemetry | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record each call of a function, coroutine function or generator function as one cycle.

    The cycle of a coroutine lasts until the coroutine ends, the cycle of a generator from its first value to its
    end. A call that raises scores 0.0, any other call 1.0.

    Args:
        context: name of the anchor in the records.
        telemetry: the telemetry that records the cycles; by default the process-wide one.

    Returns:
        A decorator that keeps the signature of the function.

    Raises:
        AnchorError: ``context`` is not a string, or the function is an asynchronous generator function, which
            a wrapper cannot delegate to completely.
    """
    validate_context(context)  # here, so that the error points to the decorator and not to the first call

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        import inspect  # slow to import and only needed by decorators

        wrapper: Callable[..., Any]
        if inspect.isasyncgenfunction(function):
            raise AnchorError(
                "an asynchronous generator cannot be anchored as a whole",
                where=context,
                hint="use `async with ClampAnchor(...)` inside it",
            )
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with ClampAnchor(context, telemetry):
                    return await function(*args, **kwargs)

        elif inspect.isgeneratorfunction(function):

            @wraps(function)
            def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with ClampAnchor(context, telemetry):
                    return (yield from function(*args, **kwargs))

        else:

            @wraps(function)
            def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
                with ClampAnchor(context, telemetry):
                    return function(*args, **kwargs)

        return cast("Callable[P, R]", wrapper)

    return decorate
