"""``DecodedFiles``: the rows that some files of a batch give, and ``batch_of``, which joins them into the batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS


@dataclass(frozen=True, slots=True)
class DecodedFiles:
    """The rows of some files of a batch.

    Every frame has the column ``file``, the index of the file in the batch, and its rows are in this order.

    Attributes:
        sessions: the columns of ``sessions``, and ``seed_sum``.
        records: the requested columns of ``records``.
        violations: the columns of ``violations``.
    """

    sessions: pl.DataFrame
    records: pl.DataFrame
    violations: pl.DataFrame

    def with_files(self, files: Sequence[int]) -> DecodedFiles:
        """The same rows with other indexes: ``files[n]`` for the n-th file."""
        index = pl.Series("file", files, dtype=pl.UInt32)

        def replaced(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.with_columns(index.gather(frame["file"]))

        return DecodedFiles(replaced(self.sessions), replaced(self.records), replaced(self.violations))


def batch_of(parts: Sequence[DecodedFiles], columns: Collection[str]) -> Batch:
    """The batch of files that were decoded in one or more parts, in the order of the files.

    Args:
        parts: the files; at least one part.
        columns: the requested columns of ``records``.
    """
    sessions = _in_order([part.sessions for part in parts])
    records = _in_order([part.records for part in parts])
    violations = _in_order([part.violations for part in parts])
    return Batch(
        sessions=sessions.select(SESSIONS.names),
        records=records.select(name for name in RECORDS.names if name in columns),
        violations=violations.select(VIOLATIONS.names),
        seed_sums=sessions["seed_sum"],
    )


def _in_order(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    filled = [frame for frame in frames if not frame.is_empty()] or frames[:1]
    return filled[0] if len(filled) == 1 else pl.concat(filled).sort("file", maintain_order=True)
