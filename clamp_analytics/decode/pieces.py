"""Divide long documents into pieces whose decoded objects fit in the processor's cache.

A piece is some records between two commas of the ``records`` array. If a cut does not lie between two records, the
piece is not a valid array, and then the document is decoded as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

OPENING = re.compile(rb'"records"\s*:\s*\[')
"""The start of the ``records`` array of a session."""

BETWEEN = re.compile(rb"\}\s*,\s*\{")
"""The text between two records; it may occur elsewhere, too."""

WINDOW = 1 << 16
"""How far the ends of the array are searched for."""


def array_of(data: bytes) -> tuple[int, int] | None:
    """Start and end of the records of a session; None where they are not found near the ends of the document."""
    opening, closing = OPENING.search(data, 0, WINDOW), data.rfind(b"]")
    return (opening.end(), closing) if opening and opening.end() <= closing else None


def spans(data: bytes, begin: int, end: int, piece_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and end of each piece between two offsets of a document."""
    while cut := BETWEEN.search(data, begin + piece_bytes, end):
        yield begin, cut.start() + 1
        begin = cut.end() - 1
    yield begin, end
