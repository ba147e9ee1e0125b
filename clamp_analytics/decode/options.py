"""Sizes that decoding works with: how much is decoded at a time, and how much of one file is kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """Sizes that decoding works with.

    Attributes:
        piece_bytes: a long document is decoded in pieces of this size, about 1,500 records.
        long_bytes: a document of this size or more is decoded in pieces.
        examined_bytes: the records of a document with a fault are decoded in pieces of this size; those of a piece with
            a fault are decoded one at a time.
        records_pending: decoded records that are moved into columns at once; the objects of more records would leave
            the core's cache first.
        rows_per_rule: violations of one rule in the records of one file that have a row each; one more row counts the
            others, so that a small file cannot fill the memory with its violations.
        short_entries: entries that an array of records may have where they are too short to be records. A row of
            ``records`` takes more memory than a record's text, so a file of empty objects would need more than fifty
            times its size.
    """

    piece_bytes: int = 400_000
    long_bytes: int = 800_000
    examined_bytes: int = 4_000
    records_pending: int = 1_500
    rows_per_rule: int = 1_000
    short_entries: int = 800_000


DEFAULT_OPTIONS = DecodeOptions()
