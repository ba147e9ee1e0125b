"""What a telemetry holds in memory, laid out so that a cycle costs little time and little space.

Everything that a recording thread does to the store is one call into C that Python documents as atomic
(``list.extend``, ``set.add``, ``set.discard``, ``next`` on a counter). So no thread waits for a lock, and a
signal handler or a finalizer may record while the thread that it interrupts is recording too.
"""

from __future__ import annotations

import operator
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from clamp_analytics.recorder import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

# An open cycle: context, origin, ticket, wall clock and monotonic clock at the acquisition, in nanoseconds.
Token: TypeAlias = "tuple[str, str, int, int, int]"
# A finished cycle: an open one, then the monotonic clock at the release and the score.
Row: TypeAlias = "tuple[str, str, int, int, int, int | None, float]"

WIDTH = 7  # values of a row
_ACQUIRED = 3
_START = 4  # the places of the two clocks within a row and within a token


class Record(NamedTuple):
    """One anchor event, with the field names of the specification.

    Attributes:
        context: name of the anchor; a lone surrogate in it reads as U+FFFD, as it does in the file.
        seed: 64-bit entropy seed, never zero.
        thread_id: the thread, and the asyncio task where there is one, that acquired the anchor.
        acquired_at: wall clock at the acquisition, in UTC.
        released_at: ``acquired_at`` and the duration; None while the anchor is in flight.
        duration_ms: how long the anchor was held, by the monotonic clock; 0.0 while it is in flight.
        stability_score: from 0 to 1; 0.0 while the anchor is in flight.
    """

    context: str
    seed: int
    thread_id: str
    acquired_at: datetime
    released_at: datetime | None
    duration_ms: float
    stability_score: float


class Cycle:
    """One cycle that is open, whoever holds it; its token is replaced whole, so that no reader sees half."""

    __slots__ = ("token",)

    token: Token


class Hold(Cycle):
    """A cycle that is begun and ended once."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, token: Token) -> None:
        """Enter the cycle as open."""
        self.token = token
        self._store.begin(self)

    def finish(self, stop: int, score: float) -> None:
        """Enter the cycle as finished, then as no longer open, in this order."""
        self._store.finish((*self.token, stop, score))
        self._store.opened.discard(self)


class Store:
    """The finished rows, one value after the other in one list, and the open cycles.

    The flat list holds no object that the garbage collector has to visit, which is what keeps a million
    records from slowing the program down.
    """

    __slots__ = ("begin", "finish", "opened", "rows", "seed_key", "tickets")

    def __init__(self, tickets: Iterator[int]) -> None:
        self.tickets = tickets
        self.seed_key = seeds.new_key()
        self.rows: list[Any] = []
        self.opened: set[Any] = set()
        self.begin: Callable[[Any], None] = self.opened.add
        self.finish: Callable[[Row], None] = self.rows.extend

    def open_tokens(self) -> list[Token]:
        """Copy the tokens of the cycles that are open.

        ``set.copy`` is one atomic step; a cycle that ends meanwhile may also have a row, which
        ``without_finished`` sorts out.
        """
        return [cycle.token for cycle in self.opened.copy()]


def without_finished(tokens: list[Token], rows: list[Any]) -> list[Token]:
    """Leave out the tokens whose cycle has a row already.

    A cycle adds its row before it leaves the set of open ones, so that it is never in neither. The row
    carries the very object that the token holds as its start, which tells them without a search by value.
    """
    if not tokens:
        return tokens
    finished = {id(token[_START]) for token in tokens}.intersection(map(id, rows[_START::WIDTH]))
    return [token for token in tokens if id(token[_START]) not in finished]


class View:
    """What one file or one list of records is made from: columns, in order of acquisition, that stand still."""

    __slots__ = ("columns", "count", "seed_key", "shift")

    def __init__(self, rows: list[Any], tokens: Iterable[Token], seed_key: bytes, shift: int) -> None:
        self.columns: list[list[Any]] = [rows[place::WIDTH] for place in range(WIDTH)]
        for token in tokens:
            for column, value in zip(self.columns, (*token, None, 0.0), strict=True):
                column.append(value)
        self.seed_key = seed_key
        self.shift = shift
        acquired = self.columns[_ACQUIRED]
        self.count = len(acquired)
        if not all(map(operator.le, acquired, acquired[1:])):
            order = sorted(range(self.count), key=acquired.__getitem__)
            self.columns = [list(map(column.__getitem__, order)) for column in self.columns]

    def rows(self) -> Iterator[Row]:
        """Yield the rows in order of acquisition."""
        return zip(*self.columns, strict=True)

    def mean_score(self) -> float:
        """Mean of the scores as a reader of the file finds it: in-flight anchors count with 0, none at all is 0."""
        return fsum(self.columns[-1]) / self.count if self.count else 0.0

    def first_acquired(self) -> int | None:
        """Earliest acquisition in nanoseconds since 1970, before any alignment; None without a record."""
        return self.columns[_ACQUIRED][0] if self.count else None

    def last_moment(self) -> int:
        """Latest release in nanoseconds since 1970, before any alignment; an upper bound is enough for the caller."""
        acquired, start, stop = self.columns[_ACQUIRED], self.columns[_START], self.columns[_START + 1]
        ends = (a if z is None else a + z - s for a, s, z in zip(acquired, start, stop, strict=True))
        return max(ends, default=0)
