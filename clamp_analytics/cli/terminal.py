"""Tables on the terminal: its width, its colours and its characters."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

TABLE_DIGITS = 9
"""Significant digits of a float in a table."""


def as_table(
    frame: pl.DataFrame,
    limit: int = 0,
    *,
    title: str | None = None,
    optional: Mapping[str, int] | None = None,
    kept: Collection[str] = (),
    decimals: Mapping[str, int] | None = None,
) -> str:
    """Write a frame as a table for a person, wrapped to the width of the terminal.

    Floats have nine significant digits, which hides rounding errors of interpolated percentiles and nothing that was
    measured. The other formats have every digit.

    Args:
        frame: the rows.
        limit: the most rows; 0 for all.
        title: a line above the table.
        optional: columns that are left out on a narrow terminal, the first one first, and the width down to which
            each may wrap before that.
        kept: columns that are never left out.
        decimals: how many decimals the values of a column have.
    """
    import polars as pl

    from clamp_analytics.render import table

    rounded = frame.with_columns(pl.selectors.float().round_sig_figs(TABLE_DIGITS))
    return table(
        rounded,
        title=title,
        width=terminal_width(),
        limit=limit or None,
        color=wants_color(),
        optional=optional,
        kept=kept,
        decimals=decimals,
    )


def terminal_width() -> int | None:
    """The width of the terminal; None where standard output is not a terminal, so that no line wraps."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has the characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def wants_color() -> bool:
    """Whether standard output is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
