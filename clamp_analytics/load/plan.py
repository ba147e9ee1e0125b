"""Cuts a list of files into tasks of about one batch each.

The cut depends on the files alone, never on the number of workers, so results do not either.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from clamp_analytics.sources import STDIN

BATCH_BYTES = 4_000_000
"""About 16,000 records: their columns stay in the cache of one core."""

BATCH_FILES = 1_000
"""Bounds the files of a batch where they hold next to nothing."""


def size_of(path: str) -> int:
    """The size of a file; 0 where it cannot be told, which reading it will then explain."""
    if path == STDIN:
        return 0
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def groups(paths: Iterable[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Neighbouring files of about one batch, with their size in bytes; a large file stands alone."""
    group: list[str] = []
    total = 0
    for path in paths:
        size = size_of(path)
        if group and (total + size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield tuple(group), total
            group, total = [], 0
        group.append(path)
        total += size
    if group:
        yield tuple(group), total
