"""Violations as a person reads them: the worst first, each in one line."""

from __future__ import annotations

import polars as pl

from clamp_analytics.render.text import Row
from clamp_analytics.rules import Severity

RANK = {severity.value: rank for rank, severity in enumerate(Severity)}
"""The rank of each severity; 0 is the worst."""

TABLE_COLUMNS = ("severity", "rule", "source", "record_index", "field", "value", "count", "byte_offset")
"""The columns of a table for a person; the message is the sentence of the rule, which ``validate --rules`` lists."""


def describe(row: Row) -> str:
    """A violation in one line, not escaped: its message, then where it is and the value.

    Args:
        row: a row of ``schema.VIOLATIONS``.
    """
    details = []
    if row["record_index"] is not None:
        details.append(f"record {row['record_index']}")
    if row["field"] is not None or row["value"] is not None:
        details.append(" ".join(part for part in (row["field"], row["value"]) if part is not None))
    if row["count"] > 1:
        details.append(f"{row['count']} times")
    if row["byte_offset"] is not None:
        details.append(f"byte {row['byte_offset']}")
    return f"{row['message']} [{', '.join(details)}]" if details else str(row["message"])


def worst_first(violations: pl.DataFrame) -> pl.DataFrame:
    """The violations by severity, each severity in the order in which it came, with the columns for a person."""
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.UInt8)
    return violations.sort(rank, maintain_order=True).select(TABLE_COLUMNS)
