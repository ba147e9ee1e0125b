"""Timestamps against Python's own datetime."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from clamp_analytics.decode import timestamps
from fuzz.target import DifferenceError
from tests.reading import reference, reference_rules

FLAGS = {
    "at_offset": "timestamp-not-utc",
    "at_zoneless": "timestamp-no-zone",
    "at_finer": "timestamp-finer-than-microsecond",
}


class TimestampTarget:
    """Parses each line of an input as one row of a column, and compares the columns with the reference."""

    max_bytes = 80
    batch = 500
    dictionary = "session.dict"

    def __init__(self) -> None:
        self._inputs: list[bytes] = []

    def run(self, data: bytes) -> None:
        self._inputs.append(data)
        reference.instant(lines_of(data)[0])
        if len(self._inputs) >= self.batch:
            self.finish()

    def finish(self) -> None:
        inputs, self._inputs = self._inputs, []
        texts = [text for data in inputs for text in lines_of(data)]
        check(texts)
        # Texts of one form have a path of their own, and so has a column with repeated texts.
        check([text for text in texts if reference.instant(text)])
        check([text for text in texts for _ in range(3)])


def lines_of(data: bytes) -> list[str]:
    return data.decode(errors="replace").split("\n")


def check(texts: list[str]) -> None:
    """Compare a column of texts, row by row."""
    found = timestamps.parse(pl.Series(texts, dtype=pl.String), "at")
    rows = found.select("at", "at_text", "at_resolution_us", *FLAGS).iter_rows()
    for text, (at, kept, resolution, *flags) in zip(texts, rows, strict=True):
        expected = reference.instant(text)
        if (at, kept) != (expected, text):
            raise DifferenceError(text.encode(), f"{text!r} is {at} and not {expected}")
        if at is None:
            continue
        rules = reference_rules.of_timestamp(text)
        if resolution != reference_rules.resolution_us(text) or flags != [rule in rules for rule in FLAGS.values()]:
            raise DifferenceError(text.encode(), f"{text!r} has the resolution {resolution} and the flags {flags}")


def target(_folder: Path) -> TimestampTarget:
    return TimestampTarget()
