"""Sort names as a person counts: ``thread-2`` before ``thread-10``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_DIGITS = re.compile(r"([0-9]+)")

Key = tuple[bool, list[tuple[int, str]], str]


def natural_key(name: str | None) -> Key:
    """The key by which a name is sorted: its digits as numbers, everything else as text; None is last."""
    parts = _DIGITS.split(name or "")
    # Every second part is a number. Of two without leading zeros the longer one is greater; names of thousands of
    # digits are too long to convert.
    numbers = [part.lstrip("0") if index % 2 else part for index, part in enumerate(parts)]
    sized = [(len(part) if index % 2 else 0, part) for index, part in enumerate(numbers)]
    return name is None, sized, name or ""


def in_natural_order(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows sorted by columns of names; rows with the same names keep their order.

    Args:
        frame: the rows.
        columns: the columns, the most important first; those that are not text are sorted by their values.
    """
    import polars as pl

    ranks = []
    for index, column in enumerate(columns):
        values = frame[column]
        if values.dtype == pl.String:
            known = sorted(values.unique().to_list(), key=natural_key)
            rank = {name: position for position, name in enumerate(known)}
            values = pl.Series([rank[name] for name in values], dtype=pl.Int64)
        ranks.append(values.alias(f"rank {index} of {column}"))
    names = [rank.name for rank in ranks]
    return frame.with_columns(ranks).sort(names, maintain_order=True, nulls_last=True).drop(names) if ranks else frame
