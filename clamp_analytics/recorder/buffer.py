"""The records of a telemetry in memory, laid out so that a cycle costs little time and little space.

A recording thread changes the buffer only through single calls into C that Python documents as atomic
(``list.extend``, ``set.add``, ``set.discard``, ``next`` on a counter). So no thread waits for a lock, and a
signal handler or a finalizer may record while the thread that it interrupts is recording.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from itertools import chain
from math import fsum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias

from clamp_analytics.recorder import seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

# An open cycle: context, thread id, seed index, wall clock and monotonic clock at the acquisition, in nanoseconds.
Token: TypeAlias = "tuple[str, str, int, int, int]"
# A finished cycle: the values of its token, then the monotonic clock at the release and the score.
Row: TypeAlias = "tuple[str, str, int, int, int, int | None, float]"

WIDTH = 7  # number of values in a row
# Indexes of the two clocks, in a row as in a token, and of the score.
_ACQUIRED: Final = 3
_START = 4
_SCORE = 6
# Rows that one C call processes. No other thread runs during such a call, so it must be short.
_PIECE = 10_000
_PIECE_VALUES = _PIECE * WIDTH


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

    def begin(self) -> None:
        """Add the cycle to the open ones; it has its token."""
        self._buffer.begin(self)

    def cancel(self) -> None:
        """Remove the cycle from the open ones without a row."""
        self._buffer.opened.discard(self)

    def finish(self, stop: int, score: float) -> None:
        """End the cycle, even if a signal handler raises an exception meanwhile."""
        buffer = self._buffer
        row = (*self.token, stop, score)
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

    @property
    def is_open(self) -> bool:
        """Whether the cycle has not ended yet."""
        return self in self._buffer.opened


class Overflow(Protocol):
    """Decides what happens when a buffer is full."""

    def has_room(self) -> bool:
        """Return whether another row may be added; if not, it is counted as dropped."""


class Buffer:
    """The finished rows and the open cycles.

    The values of all rows are in one flat list, without an object per row. The garbage collector has nothing
    to visit there, so a million records do not slow the program down.

    Args:
        seed_indexes: yields a seed index for each cycle.
    """

    __slots__ = ("begin", "finish", "opened", "overflow", "rows", "seed_indexes", "seed_key")

    def __init__(self, seed_indexes: Iterator[int]) -> None:
        self.seed_indexes = seed_indexes
        self.seed_key = seeds.new_key()
        self.rows: list[Any] = []
        self.opened: set[Any] = set()
        self.begin: Callable[[Any], None] = self.opened.add
        self.finish: Callable[[Row], None] = self.rows.extend
        self.overflow: Overflow | None = None

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
    starts = {id(token[_START]) for token in tokens}
    finished: set[int] = set()
    for piece in _column_pieces(rows, _START):
        finished |= starts.intersection(map(id, piece))
    return [token for token in tokens if id(token[_START]) not in finished]


def copy_rows(rows: list[Any], begin: int) -> list[Any]:
    """Return a copy of the values from an index on; the caller prevents that rows are removed meanwhile."""
    copied: list[Any] = []
    end = len(rows)
    for index in range(begin, end, _PIECE_VALUES):
        copied += rows[index : min(index + _PIECE_VALUES, end)]
    return copied


def _column_pieces(rows: list[Any], column: int) -> Iterator[list[Any]]:
    for begin in range(0, len(rows), _PIECE_VALUES):
        yield rows[begin + column : begin + _PIECE_VALUES : WIDTH]


class Snapshot:
    """An immutable copy of rows and open cycles, in order of acquisition.

    It is built and read in pieces: on a million records, a single call of ``sorted`` or ``fsum`` would stop all
    other threads for a noticeable time.

    Args:
        rows: values of the finished rows; the snapshot takes ownership of the list.
        tokens: the open cycles.
        seed_key: key of the session's seeds.
        shift: nanoseconds to add to each timestamp.
        step: called after each piece that is sorted.
    """

    __slots__ = ("_order", "_values", "count", "seed_key", "shift")

    def __init__(
        self,
        rows: list[Any],
        tokens: Iterable[Token],
        seed_key: bytes,
        shift: int,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        for token in tokens:
            rows += (*token, None, 0.0)
        self._values = rows
        self.seed_key = seed_key
        self.shift = shift
        self.count = len(rows) // WIDTH
        acquired: list[int] = []
        for piece in _column_pieces(rows, _ACQUIRED):
            acquired += piece
        self._order = None if _is_sorted(acquired) else _sorted_indexes(acquired, step)

    def rows(self) -> Iterator[Row]:
        """Return an iterator over the rows in order of acquisition."""
        if self._order is None:
            values = iter(self._values)
            return zip(*[values] * WIDTH, strict=True)
        return self._ordered_rows(self._order)

    def _ordered_rows(self, order: list[list[int]]) -> Iterator[Row]:
        values = self._values
        for piece in order:
            for index in piece:
                yield tuple(values[index * WIDTH : (index + 1) * WIDTH])

    def mean_score(self) -> float:
        """Return the mean score; anchors in flight count as 0, and the mean of no records is 0."""
        if self.count == 0:
            return 0.0
        return fsum(chain.from_iterable(_column_pieces(self._values, _SCORE))) / self.count

    def first_acquired(self) -> int | None:
        """Return the earliest acquisition in nanoseconds since 1970, before any alignment; None without records."""
        first = next(self.rows(), None)
        return None if first is None else first[_ACQUIRED]

    def last_released(self) -> int:
        """Return the latest release in nanoseconds since 1970, before any alignment; 0 without records."""
        ends = (
            acquired if stop is None else acquired + stop - start
            for _context, _thread_id, _seed_index, acquired, start, stop, _score in self.rows()
        )
        return max(ends, default=0)


def _is_sorted(numbers: list[int]) -> bool:
    pieces = (numbers[begin : begin + _PIECE + 1] for begin in range(0, len(numbers), _PIECE))
    return all(all(map(operator.le, piece, piece[1:])) for piece in pieces)


def _sorted_indexes(numbers: list[int], step: Callable[[], None]) -> list[list[int]]:
    """Return the indexes in ascending order of their numbers, in pieces that follow one another.

    Rows are added in order of release, which is close to the order of acquisition. So every ``_PIECE``-th number
    is a suitable boundary between pieces, and each piece is sorted by itself.
    """
    boundaries = sorted(numbers[_PIECE::_PIECE])
    pieces: list[list[int]] = [[] for _ in range(len(boundaries) + 1)]
    for begin in range(0, len(numbers), _PIECE):
        indexes = sorted(range(begin, min(begin + _PIECE, len(numbers))), key=numbers.__getitem__)
        first = 0
        while first < len(indexes):
            target = bisect_right(boundaries, numbers[indexes[first]])
            last = len(indexes)
            if target < len(boundaries):
                last = bisect_left(indexes, boundaries[target], first, key=numbers.__getitem__)
            pieces[target] += indexes[first:last]
            first = last
        step()
    for piece in pieces:
        piece.sort(key=numbers.__getitem__)
        step()
    return pieces
