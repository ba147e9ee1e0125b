"""Write a frame as a table for a person at a terminal.

No value is ever cut. Where the table is wider than the terminal, text wraps; numbers and times stay whole; and where
even that does not fit, less important columns are left out and named below the table. A table that needs all its
columns, such as the result of a query, becomes a block per row with one column per line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from clamp_analytics.render import colors
from clamp_analytics.render.column_layout import (
    GAP,
    NULL,
    WRAPS_AFTER,
    Column,
    choose_left_out,
    display_width,
    fit,
    layout_columns,
)
from clamp_analytics.render.escape import for_terminal

if TYPE_CHECKING:
    import polars as pl

_NARROWEST_VALUE = 20
"""A value in a block of its own does not wrap into fewer characters than this."""

_Painter = Callable[[str, str], str]


def table(
    frame: pl.DataFrame,
    *,
    title: str | None = None,
    width: int | None = None,
    limit: int | None = None,
    color: bool = False,
    optional: Mapping[str, int] | None = None,
    kept: Collection[str] = (),
    decimals: Mapping[str, int] | None = None,
) -> str:
    """Write a frame as aligned columns.

    Args:
        frame: what to show.
        title: a line above it.
        width: the columns of the terminal; None where the output is not a terminal, so that no line wraps.
        limit: how many rows to show; the last line then says exactly how many more there are.
        color: whether to use bold, dim and colours. No information is in the colour alone.
        optional: columns that are left out where the table is too wide, the first one first, and the width down to
            which each may wrap before that; the other columns wrap only after all of these are left out. Where
            even that is too wide, columns on the right are left out. None for a table that needs all its columns.
        kept: columns that are never left out.
        decimals: how many decimals the values of a column have, and thousands separators; other columns have every
            digit.

    Returns:
        Lines, each ended by a line feed. Text is escaped (``escape.for_terminal``), null is ``-`` and an empty
        text ``""``.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    shown = frame if limit is None else frame.head(limit)
    paint = colors.paint if color else _plain
    known = dict(zip(shown.columns, layout_columns(shown, optional or {}, decimals or {}), strict=True))
    left_out = choose_left_out(known, width, optional, kept)
    columns = [column for name, column in known.items() if name not in left_out]
    widths = fit(columns, width, tightly=optional is not None)
    lines = [paint(for_terminal(title), colors.BOLD)] if title else []
    if widths is None:
        lines += _blocks(columns, shown.height, width or 0, paint)
    else:
        lines += _grid(columns, shown.height, widths, paint)
    if frame.is_empty():
        lines.append(paint("no rows", colors.DIM))
    if frame.height > shown.height:
        lines.append(f"… and {frame.height - shown.height:,} more")
    if left_out:
        lines.append(paint(f"left out for this width: {', '.join(map(for_terminal, left_out))}", colors.DIM))
    return "".join(line + "\n" for line in lines)


def _plain(text: str, style: str) -> str:
    return text


def _grid(columns: Sequence[Column], height: int, widths: Sequence[int], paint: _Painter) -> list[str]:
    heads = [_fold(column.head, width) for column, width in zip(columns, widths, strict=True)]
    # The lines of a wrapped name are aligned at the bottom.
    tall = max(map(len, heads), default=0)
    heads = [[""] * (tall - len(head)) + head for head in heads]
    lines = _side_by_side(heads, columns, widths, [colors.BOLD] * len(columns), paint)
    lines.append(paint(GAP.join("─" * width for width in widths), colors.DIM))
    rows = []
    for at in range(height):
        cells = [column.cells[at] for column in columns]
        folded = [
            _fold(NULL if cell is None else cell, width) if column.folds else [NULL if cell is None else cell]
            for cell, column, width in zip(cells, columns, widths, strict=True)
        ]
        styles = [column.style(cell) for cell, column in zip(cells, columns, strict=True)]
        rows.append(_side_by_side(folded, columns, widths, styles, paint))
    # Where at least half of the rows take several lines, an empty line separates them.
    apart = [""] if rows and 2 * sum(len(row) > 1 for row in rows) >= len(rows) else []
    for at, row in enumerate(rows):
        lines += [*apart, *row] if at else row
    return lines


def _side_by_side(
    cells: Sequence[Sequence[str]],
    columns: Sequence[Column],
    widths: Sequence[int],
    styles: Sequence[str],
    paint: _Painter,
) -> list[str]:
    lines = []
    for line in range(max(map(len, cells), default=0)):
        parts = []
        for cell, column, width, style in zip(cells, columns, widths, styles, strict=True):
            text = cell[line] if line < len(cell) else ""
            space = " " * (width - display_width(text))
            parts.append(space + paint(text, style) if column.right else paint(text, style) + space)
        lines.append(GAP.join(parts).rstrip())
    return lines


def _blocks(columns: Sequence[Column], height: int, width: int, paint: _Painter) -> list[str]:
    label = max((display_width(column.head) for column in columns), default=0)
    room = max(width - label - len(GAP), _NARROWEST_VALUE)
    lines = []
    for at in range(height):
        mark = f"─ row {at + 1} "
        lines.append(paint(mark + "─" * max(label + len(GAP) - len(mark), 3), colors.DIM))
        for column in columns:
            cell = column.cells[at]
            text = NULL if cell is None else cell.strip() if column.right else cell
            head = paint(column.head, colors.BOLD) + " " * (label - display_width(column.head))
            for line in _fold(text, room) if column.folds else [text]:
                lines.append(f"{head}{GAP}{paint(line, column.style(cell))}".rstrip())
                head = " " * label
    return lines


def _fold(text: str, width: int) -> list[str]:
    """Wrap a text into lines of a width, after a space or a punctuation mark where there is one."""
    if display_width(text) <= width:
        return [text]
    lines = []
    start = stop = used = 0
    for at, char in enumerate(text):
        size = display_width(char)
        if used + size > width and at > start:
            cut = stop if stop > start else at
            lines.append(text[start:cut])
            start, used = cut, display_width(text[cut:at])
        used += size
        if char in WRAPS_AFTER:
            stop = at + 1
    return [line.rstrip(" ") for line in [*lines, text[start:]]]
