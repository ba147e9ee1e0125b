"""Entropy seeds: 64 bits, never zero, no two alike within a session in practice.

A cycle only draws a ticket, the next number of a counter. The seed that belongs to a ticket comes from a
random stream, SHAKE-128 of the session's key, and is computed when somebody asks for it: the recording thread
pays for a counter and no more. A seed that the caller gives is held as its complement, a negative ticket.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
from typing import TYPE_CHECKING

from clamp_analytics.errors import AnchorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGEST = 2**64 - 1

BLOCK_BITS = 10
BLOCK_MASK = (1 << BLOCK_BITS) - 1
_BLOCK = 1 << BLOCK_BITS
# Tickets come nearly in order, so that few blocks are in use at a time.
_BLOCKS_KEPT = 64


def new_key() -> bytes:
    """Draw the key of one session's seeds."""
    return os.urandom(16)


class Seeds(dict[int, "tuple[int, ...]"]):
    """The seeds of one session by ticket, computed a block at a time.

    Args:
        key: what ``new_key`` drew for the session.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __missing__(self, block: int) -> tuple[int, ...]:
        if len(self) >= _BLOCKS_KEPT:
            self.clear()
        stream = hashlib.shake_128(self._key + block.to_bytes(8, "little")).digest(8 * _BLOCK)
        drawn = struct.unpack(f"<{_BLOCK}Q", stream)
        if 0 in drawn:  # a zero would mean a failed acquisition; 2**64 - 1 is as good as any other number
            drawn = tuple(seed or LARGEST for seed in drawn)
        self[block] = drawn
        return drawn

    def of(self, ticket: int) -> int:
        """Return the seed that belongs to a ticket."""
        return ~ticket if ticket < 0 else self[ticket >> BLOCK_BITS][ticket & BLOCK_MASK]


def checked_seed(seed: object, where: str) -> int:
    """Return ``seed`` if it is an integer from 1 to 2^64-1.

    Raises:
        AnchorError: for anything else.
    """
    if isinstance(seed, int) and not isinstance(seed, bool) and 0 < seed <= LARGEST:
        return int(seed)
    raise AnchorError(
        f"{seed!r:.100} is no seed",
        where=where,
        hint="a seed is an integer from 1 to 2**64 - 1; zero means that an acquisition failed",
    )


class SourcedTickets:
    """Tickets whose seeds come from a function of the user's."""

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        try:
            seed = self._source()
        except StopIteration:
            # Left alone it would end the loop of whoever holds the anchor inside a generator.
            raise AnchorError(
                "the seed source has no seed left", where="seed_source", hint="give it more seeds than cycles"
            ) from None
        return ~checked_seed(seed, "seed_source")


def tickets(source: Callable[[], int] | None) -> Iterator[int]:
    """Return an endless iterator of tickets; ``next`` on the plain counter is one atomic step."""
    return itertools.count() if source is None else SourcedTickets(source)
