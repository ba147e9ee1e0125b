"""How much decoding does at a time. No option changes what is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """Sizes that decoding works with.

    Attributes:
        piece_bytes: a long document is decoded in pieces of this size, about 1,500 records.
        long_bytes: a document of this size or more is decoded in pieces.
        records_pending: decoded records that are moved into columns at once; the objects of more records would leave
            the core's cache first.
    """

    piece_bytes: int = 400_000
    long_bytes: int = 800_000
    records_pending: int = 1_500


DEFAULT_OPTIONS = DecodeOptions()
