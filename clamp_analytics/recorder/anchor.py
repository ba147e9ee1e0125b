"""``ClampAnchor``, the thing that user code holds, and ``anchored``, the same as a decorator."""

from __future__ import annotations

from enum import Enum
from functools import wraps
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any, cast

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.origins import aio, modules, task_origin, threads
from clamp_analytics.recorder.scores import checked_score
from clamp_analytics.recorder.seeds import Seeds
from clamp_analytics.recorder.store import Cycle
from clamp_analytics.recorder.telemetry import process_wide

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, Self, TypeVar

    from clamp_analytics.recorder.store import Store
    from clamp_analytics.recorder.telemetry import EntropyTelemetry

    P = ParamSpec("P")
    R = TypeVar("R")


class AnchorState(Enum):
    """What an anchor is doing.

    Attributes:
        UNLOCKED: never locked so far.
        LOCKED: between ``lock`` and ``release``.
        RELEASED: the last cycle ended well.
        ERROR: the last cycle was left by an exception, or could not be opened.
    """

    UNLOCKED = "Unlocked"
    LOCKED = "Locked"
    RELEASED = "Released"
    ERROR = "Error"


# Plain globals: looking a member up on its Enum costs more than all the rest of a state change.
_UNLOCKED = AnchorState.UNLOCKED
_LOCKED = AnchorState.LOCKED
_RELEASED = AnchorState.RELEASED
_ERROR = AnchorState.ERROR


class ClampAnchor(Cycle):
    """A named stretch of work, recorded from ``lock`` to ``release``; it excludes nobody (see ``AnchoredLock``).

    An anchor may be locked again after its release, which begins a new cycle with a new seed. It belongs to
    one thread or task at a time. Used as a context manager, plain or asynchronous, it scores 1.0 where the
    block ends well, 0.0 where an exception leaves it, and what the block set as ``stability_score`` otherwise.
    Released within the block, it is left alone at its end.

    Args:
        context: name of the anchor in the records.
        telemetry: what records the cycles; the process-wide default where not given.
    """

    __slots__ = ("_context", "_score", "_state", "_store", "_telemetry")

    def __init__(self, context: str, telemetry: EntropyTelemetry | None = None) -> None:
        if type(context) is not str and not isinstance(context, str):  # the first is the quick answer
            raise AnchorError(f"{context!r:.100} is no context", hint="give the anchor a name, as a str")
        self._context = context
        self._telemetry = telemetry
        self._store: Store | None
        self._state = _UNLOCKED

    def __repr__(self) -> str:
        return f"ClampAnchor({self._context!r}, {self._state.value})"

    @property
    def context(self) -> str:
        """Name of the anchor in the records."""
        return self._context

    @property
    def seed(self) -> int | None:
        """Entropy seed of the open cycle; None where no cycle is open or the telemetry is disabled."""
        if self._state is not _LOCKED or self._store is None:
            return None
        return Seeds(self._store.seed_key).of(self.token[2])

    @property
    def stability_score(self) -> float | None:
        """Score that the open cycle will end with; None where no cycle is open.

        Set it to a number from 0 to 1 while the anchor is locked.
        """
        return self._score if self._state is _LOCKED else None

    @stability_score.setter
    def stability_score(self, score: float) -> None:
        if self._state is not _LOCKED:
            raise AnchorError("a score was given to an anchor that is not locked", where=self._context)
        self._score = checked_score(score, self._context)

    def status(self) -> AnchorState:
        """Tell what the anchor is doing."""
        return self._state

    def lock(self) -> Self:
        """Open a cycle.

        Returns:
            The anchor itself.

        Raises:
            AnchorError: the anchor is locked already (its cycle stays open), or the seed source failed.
        """
        # Asking and setting the state without a call in between is one step for every other thread.
        if self._state is _LOCKED:
            raise AnchorError(
                "the anchor is locked already",
                where=self._context,
                hint="an anchor belongs to one thread or task at a time: release it, or make another one",
            )
        self._state = _LOCKED
        self._score = 1.0
        telemetry = self._telemetry
        self._store = store = (process_wide.telemetry if telemetry is None else telemetry).store
        if store is None:
            return self
        try:
            # Written out here, not called: a call more would be a tenth of the whole cycle.
            running = aio.running
            self.token = (
                self._context,
                task_origin()
                if ("asyncio" in modules if running is None else running() is not None)
                else threads.label,
                next(store.tickets),
                time_ns(),
                monotonic_ns(),
            )
            store.begin(self)
        except BaseException:
            store.opened.discard(self)
            self._state = _ERROR
            raise
        return self

    def release(self, stability_score: float | None = None) -> None:
        """End the cycle.

        Args:
            stability_score: from 0 to 1; where not given, what was set before, or else 1.0.

        Raises:
            AnchorError: the anchor is not locked, or the score is refused; the cycle is then as it was.
        """
        stop = monotonic_ns()
        if stability_score is not None:
            stability_score = checked_score(stability_score, self._context)
        if self._state is not _LOCKED:
            raise AnchorError(
                "an anchor was released that is not locked",
                where=self._context,
                hint=f"its state is {self._state.value}; call lock() first, and release() once",
            )
        self._state = _RELEASED
        self._end(stop, self._score if stability_score is None else stability_score)

    def _end(self, stop: int, score: float) -> None:
        store = self._store
        if store is not None:
            store.finish((*self.token, stop, score))
            store.opened.discard(self)

    __enter__ = lock

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._state is not _LOCKED:
            return
        self._state = _RELEASED if kind is None else _ERROR
        store = self._store
        if store is not None:
            # `Hold.finish`, written out; `+` because unpacking the token goes through a list.
            store.finish(self.token + (monotonic_ns(), self._score if kind is None else 0.0))  # noqa: RUF005
            store.opened.discard(self)

    async def __aenter__(self) -> Self:
        return self.lock()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def anchored(context: str, telemetry: EntropyTelemetry | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Record each call of a function, coroutine function or generator function as one cycle.

    The cycle of a coroutine lasts until it is done, that of a generator from its first value to its end.

    Args:
        context: name of the anchor in the records.
        telemetry: what records the cycles; the process-wide default where not given.

    Raises:
        AnchorError: for an asynchronous generator function, whose life no wrapper can follow faithfully.
    """
    ClampAnchor(context)  # refuses a bad context where the decorator stands, not at the first call

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        import inspect  # slow to import, and only decorators need it

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
