"""``Batch``: the rows of some files in the three tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, empty_frame


def empty_seed_sums() -> pl.Series:
    """A column of seed sums without rows."""
    return pl.Series("seed_sum", dtype=pl.UInt64)


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of some files in the three tables (see ``schema.py`` for the columns).

    Attributes:
        sessions: one row per file.
        records: one row per anchor event, with the columns that were asked for.
        violations: one row per fault.
        seed_sums: the sum of the seeds (modulo 2^64) of each row of ``sessions``. Files with equal bytes have equal
            sums, so only files with equal sums need to be hashed to find copies.
    """

    sessions: pl.DataFrame
    records: pl.DataFrame
    violations: pl.DataFrame
    seed_sums: pl.Series

    @classmethod
    def empty(cls, columns: Collection[str] = RECORDS.names, violations: pl.DataFrame | None = None) -> Batch:
        """A batch without files.

        Args:
            columns: the columns of ``records``.
            violations: violations that belong to no file of the batch; none by default.
        """
        return cls(
            empty_frame(SESSIONS),
            empty_frame(RECORDS).select(name for name in RECORDS.names if name in columns),
            empty_frame(VIOLATIONS) if violations is None else violations,
            empty_seed_sums(),
        )
