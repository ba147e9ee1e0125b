"""The records of a telemetry in memory, laid out so that a cycle costs little time and little space.

A recording thread changes the buffer only through single calls into C that Python documents as atomic
(``list.extend``, ``set.add``, ``set.discard``, ``next`` on a counter). So no thread waits for a lock, and a
signal handler or a finalizer may record while the thread that it interrupts is recording.
"""

from __future__ import annotations

import operator
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from clamp_analytics.recorder import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

# An open cycle: context, thread id, seed index, wall clock and monotonic clock at the acquisition, in nanoseconds.
Token: TypeAlias = "tuple[str, str, int, int, int]"
# A finished cycle: the values of its token, then the monotonic clock at the release and the score.
Row: TypeAlias = "tuple[str, str, int, int, int, int | None, float]"

WIDTH = 7  # number of values in a row
# Indexes of the two clocks, in a row as in a token.
_ACQUIRED = 3
_START = 4


class Record(NamedTuple):
    """One anchor event, with the field names of the specification.

    Attributes:
        context: name of the anchor; a lone surrogate in it becomes U+FFFD, as in the file.
        seed: 64-bit entropy seed, never zero.
        thread_id: the thread, and the asyncio task if any, that acquired the anchor.
        acquired_at: wall clock time of the acquisition, in UTC.
        released_at: ``acquired_at`` plus the duration; None while the anchor is in flight.
        duration_ms: milliseconds that the anchor was held, by the monotonic clock; 0.0 while it is in flight.
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
    """A cycle in progress; its token is replaced as a whole, so a reader never sees a partial one."""

    __slots__ = ("token",)

    token: Token


class SingleCycle(Cycle):
    """A cycle that begins once and ends once, as opposed to an anchor, which is locked repeatedly."""

    __slots__ = ("_buffer",)

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def begin(self, token: Token) -> None:
        """Add the cycle to the open ones."""
        self.token = token
        self._buffer.begin(self)

    def finish(self, stop: int, score: float) -> None:
        """Add the finished row, then remove the cycle from the open ones, in this order."""
        self._buffer.finish((*self.token, stop, score))
        self._buffer.opened.discard(self)


class Buffer:
    """The finished rows and the open cycles.

    The values of all rows are in one flat list, without an object per row. The garbage collector has nothing
    to visit there, so a million records do not slow the program down.

    Args:
        seed_indexes: yields a seed index for each cycle.
    """

    __slots__ = ("begin", "finish", "opened", "rows", "seed_indexes", "seed_key")

    def __init__(self, seed_indexes: Iterator[int]) -> None:
        self.seed_indexes = seed_indexes
        self.seed_key = seeds.new_key()
        self.rows: list[Any] = []
        self.opened: set[Any] = set()
        self.begin: Callable[[Any], None] = self.opened.add
        self.finish: Callable[[Row], None] = self.rows.extend

    def open_tokens(self) -> list[Token]:
        """Return the tokens of the open cycles.

        ``set.copy`` is one atomic step. A cycle that ends afterwards may have a row as well, which
        ``without_finished`` removes from the result.
        """
        return [cycle.token for cycle in self.opened.copy()]


def without_finished(tokens: list[Token], rows: list[Any]) -> list[Token]:
    """Return the tokens whose cycle has no row yet.

    A cycle adds its row before it leaves the set of open ones, so at every moment it is in at least one of
    them. The row holds the same start object as the token, so identity is enough to match them.
    """
    if not tokens:
        return tokens
    finished = {id(token[_START]) for token in tokens}.intersection(map(id, rows[_START::WIDTH]))
    return [token for token in tokens if id(token[_START]) not in finished]


class Snapshot:
    """An immutable copy of rows and open cycles, as columns in order of acquisition.

    Args:
        rows: values of the finished rows.
        tokens: the open cycles.
        seed_key: key of the session's seeds.
        shift: nanoseconds to add to each timestamp.
    """

    __slots__ = ("columns", "count", "seed_key", "shift")

    def __init__(self, rows: list[Any], tokens: Iterable[Token], seed_key: bytes, shift: int) -> None:
        self.columns: list[list[Any]] = [rows[index::WIDTH] for index in range(WIDTH)]
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
        """Return the mean score; anchors in flight count as 0, and the mean of no records is 0."""
        return fsum(self.columns[-1]) / self.count if self.count else 0.0

    def first_acquired(self) -> int | None:
        """Return the earliest acquisition in nanoseconds since 1970, before any alignment; None without records."""
        return self.columns[_ACQUIRED][0] if self.count else None

    def last_released(self) -> int:
        """Return the latest release in nanoseconds since 1970, before any alignment; 0 without records."""
        acquired, start, stop = self.columns[_ACQUIRED], self.columns[_START], self.columns[_START + 1]
        ends = (a if z is None else a + z - s for a, s, z in zip(acquired, start, stop, strict=True))
        return max(ends, default=0)
