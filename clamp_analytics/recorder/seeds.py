"""Entropy seeds: 64 bits, never zero, and in practice unique within a session.

Recording a cycle only takes the next number of a counter, the seed index. The seed with that index comes from
a random stream, SHAKE-128 of the session's key, and is computed when a reader asks for it, so the recording
thread pays for the counter alone. A seed that the caller provides is stored as its bitwise complement, which
is negative and therefore never an index.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
from typing import TYPE_CHECKING

from clamp_analytics.errors import AnchorError
from clamp_analytics.recorder.validation import MAX_SEED, validate_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BITS = 10
BLOCK_MASK = (1 << BLOCK_BITS) - 1
_BLOCK_SIZE = 1 << BLOCK_BITS
# Indexes are read nearly in order, so few blocks are in use at a time.
_CACHED_BLOCKS = 64


def new_key() -> bytes:
    """Return a random key for the seeds of one session."""
    return os.urandom(16)


class SeedStream(dict[int, "tuple[int, ...]"]):
    """The seeds of one session by index, computed and cached in blocks.

    Args:
        key: the session's key, from ``new_key``.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __missing__(self, block: int) -> tuple[int, ...]:
        if len(self) >= _CACHED_BLOCKS:
            self.clear()
        stream = hashlib.shake_128(self._key + block.to_bytes(8, "little")).digest(8 * _BLOCK_SIZE)
        seeds = struct.unpack(f"<{_BLOCK_SIZE}Q", stream)
        if 0 in seeds:  # zero would denote a failed acquisition; any other number serves as well
            seeds = tuple(seed or MAX_SEED for seed in seeds)
        self[block] = seeds
        return seeds

    def seed(self, index: int) -> int:
        """Return the seed with an index, or the caller's seed that a negative index stores."""
        return ~index if index < 0 else self[index >> BLOCK_BITS][index & BLOCK_MASK]


class SourcedSeeds:
    """An iterator over caller-provided seeds, each stored as its complement."""

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        try:
            seed = self._source()
        except StopIteration:
            # Passed on, it would end the loop of a caller that locks an anchor inside a generator.
            raise AnchorError(
                "the seed source is exhausted", where="seed_source", hint="provide at least one seed per cycle"
            ) from None
        return ~validate_seed(seed, "seed_source")


def seed_indexes(source: Callable[[], int] | None) -> Iterator[int]:
    """Return an endless iterator of seed indexes; ``next`` on the plain counter is one atomic step."""
    return itertools.count() if source is None else SourcedSeeds(source)
