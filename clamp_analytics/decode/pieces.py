"""Long documents in pieces of which each fits a core's cache, objects and all.

A piece is some records between two commas of the array. That a cut lies between two records needs no proof
beforehand: what was cut elsewhere is no valid array, and then the document is read in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clamp_analytics.decode.json_scanner import Document

OPENING = re.compile(rb'"records"\s*:\s*\[')
"""What comes before the records of a session."""

BETWEEN = re.compile(rb"\}\s*,\s*\{")
"""What stands between two records, and perhaps elsewhere."""

WINDOW = 1 << 16
"""How far a cut and the two ends of the array are looked for."""


def array_of(data: Document) -> tuple[int, int] | None:
    """Where the records of a session begin and end; None where that is not seen at once."""
    opening, closing = OPENING.search(data, 0, WINDOW), data.rfind(b"]")
    return (opening.end(), closing) if opening and opening.end() <= closing else None


def spans(data: Document, begin: int, end: int, piece_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and end of each piece between two offsets of a document."""
    while cut := BETWEEN.search(data, begin + piece_bytes, end):
        yield begin, cut.start() + 1
        begin = cut.end() - 1
    yield begin, end
