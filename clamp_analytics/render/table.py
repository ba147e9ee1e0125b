"""Write a frame as a table for a person at a terminal.

No value is ever cut. Where the table is wider than the terminal, text wraps; numbers and times stay whole; and where
even that does not fit, less important columns are left out and named below the table. A table that needs all its
columns, such as the result of a query, becomes a block per row with one column per line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.render import colors
from clamp_analytics.render.cells import texts
from clamp_analytics.render.escape import for_terminal

if TYPE_CHECKING:
    import polars as pl

NULL = "-"
"""How null is shown; an empty text is two quotation marks."""

_GAP = "  "
_NARROWEST_TEXT = 12
"""Text does not wrap into columns narrower than this."""
_LONGEST_WORD = 20
"""A word in a column's name breaks beyond this."""
_NARROWEST_VALUE = 20
"""The same for a value in a block of its own."""

_STYLES = {
    "severity": {"error": colors.RED, "warning": colors.YELLOW, "info": colors.DIM},
    "verdict": {
        "regressed": colors.RED,
        "suspect": colors.YELLOW,
        "improved": colors.GREEN,
        "recovered": colors.GREEN,
        "unchanged": colors.DIM,
    },
}
"""The styles of values, by column."""
_FOLDS_AFTER = frozenset(" /_-=;&?")
_Painter = Callable[[str, str], str]
_WORDS = re.compile(r"[^ _]*[ _]?")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column with what the layout needs to know.

    Attributes:
        head: its name, escaped.
        cells: its values as escaped text, null as None.
        right: whether it is aligned to the right.
        folds: whether its values may wrap into several lines.
        natural: the width in which nothing wraps.
        whole: the width in which only the name wraps.
        preferred: the smallest width that it may have while there are optional columns.
        least: the smallest width that it may have.
    """

    head: str
    cells: list[str | None]
    right: bool
    folds: bool
    natural: int
    whole: int
    preferred: int
    least: int

    def style(self, cell: str | None) -> str:
        """The escape sequence that colours a cell; empty for none."""
        if cell is None:
            return colors.DIM
        return _STYLES.get(self.head, {}).get(cell, "")


def table(
    frame: pl.DataFrame,
    *,
    title: str | None = None,
    width: int | None = None,
    limit: int | None = None,
    color: bool = False,
    optional: Mapping[str, int] | None = None,
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
    dispensable = {name: least for name, least in (optional or {}).items() if name in frame.columns}
    columns = _columns(shown, dispensable, decimals or {})
    left_out: list[str] = []
    while width is not None and dispensable and _least_width(columns) > width:
        left_out.append(next(iter(dispensable)))
        del dispensable[left_out[-1]]
        columns = _columns(shown.drop(left_out), dispensable, decimals or {})
    widths = _fit(columns, width)
    while optional is not None and widths is None and len(columns) > 1:
        left_out.append(shown.drop(left_out).columns[-1])
        columns = columns[:-1]
        widths = _fit(columns, width)
    lines = [paint(for_terminal(title), colors.BOLD)] if title else []
    if widths is None:
        lines += _blocks(columns, shown.height, width or 0, paint)
    else:
        lines += _grid(columns, shown.height, widths, paint)
    if frame.is_empty():
        lines.append(paint("no rows", colors.DIM))
    if frame.height > shown.height:
        lines.append(f"… and {frame.height - shown.height} more")
    if left_out:
        lines.append(paint(f"left out for this width: {', '.join(map(for_terminal, left_out))}", colors.DIM))
    return "".join(line + "\n" for line in lines)


def _plain(text: str, style: str) -> str:
    return text


def _columns(frame: pl.DataFrame, optional: Mapping[str, int], decimals: Mapping[str, int]) -> list[_Column]:
    columns = []
    for name, kind, raw in zip(frame.columns, frame.dtypes, texts(frame), strict=True):
        head = _visible_text(name)
        cells = [None if cell is None else _visible_text(cell) for cell in raw]
        right = kind.is_numeric()
        if name in decimals:
            cells = [_with_decimals(cell, decimals[name]) for cell in cells]
        if right:
            cells = _align_decimal_points(cells)
        folds = not right and not kind.is_temporal()
        widest = max((_width(cell) for cell in cells if cell is not None), default=0)
        word = max(_width(part.rstrip()) for part in _WORDS.findall(head))
        whole = max(widest, min(word, _LONGEST_WORD), len(NULL))
        least = max(min(whole, _NARROWEST_TEXT), min(word, _LONGEST_WORD)) if folds else whole
        preferred = max(min(whole, optional[name]), least) if folds and name in optional else whole
        columns.append(
            _Column(head, cells, right, folds, max(widest, _width(head), len(NULL)), whole, preferred, least)
        )
    return columns


def _with_decimals(cell: str | None, decimals: int) -> str | None:
    """A number with so many decimals and thousands separators; NaN, the infinities and what has an exponent stay."""
    if cell is None or not math.isfinite(float(cell)) or "e" in cell:
        return cell
    return f"{float(cell):,.{decimals}f}"


def _visible_text(text: str) -> str:
    """A text escaped, and quoted where it would be invisible."""
    shown = for_terminal(text)
    return shown if shown.strip() else f'"{shown}"'


def _align_decimal_points(cells: Sequence[str | None]) -> list[str | None]:
    """Pad numbers on the right so that their decimal points are aligned."""
    behind = [len(cell) - at if cell is not None and (at := cell.find(".")) >= 0 else 0 for cell in cells]
    widest = max(behind, default=0)
    return [
        None if cell is None else cell + " " * (widest - length) for cell, length in zip(cells, behind, strict=True)
    ]


def _least_width(columns: Sequence[_Column]) -> int:
    """The width of a table in which only optional columns wrap."""
    return sum(column.preferred for column in columns) + len(_GAP) * (len(columns) - 1)


def _fit(columns: Sequence[_Column], width: int | None) -> list[int] | None:
    """Choose the widths of the columns; None where they do not fit side by side."""
    widths = [column.natural for column in columns]
    if width is None:
        return widths
    room = width - len(_GAP) * (len(columns) - 1)
    if sum(column.least for column in columns) > room:
        return None
    widths = [min(natural, max(room, column.least)) for natural, column in zip(widths, columns, strict=True)]
    # Names wrap before values do, and the widest column first, so that short columns keep their width.
    for floors in (
        [column.whole for column in columns],
        [column.preferred for column in columns],
        [column.least for column in columns],
    ):
        above = [at for at, floor in enumerate(floors) if widths[at] > floor]
        while above and sum(widths) > room:
            at = max(above, key=widths.__getitem__)
            widths[at] -= 1
            if widths[at] == floors[at]:
                above.remove(at)
    return widths


def _grid(columns: Sequence[_Column], height: int, widths: Sequence[int], paint: _Painter) -> list[str]:
    heads = [_fold(column.head, width) for column, width in zip(columns, widths, strict=True)]
    # The lines of a wrapped name are aligned at the bottom.
    tall = max(map(len, heads), default=0)
    heads = [[""] * (tall - len(head)) + head for head in heads]
    lines = _side_by_side(heads, columns, widths, [colors.BOLD] * len(columns), paint)
    lines.append(paint(_GAP.join("─" * width for width in widths), colors.DIM))
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
    columns: Sequence[_Column],
    widths: Sequence[int],
    styles: Sequence[str],
    paint: _Painter,
) -> list[str]:
    lines = []
    for line in range(max(map(len, cells), default=0)):
        parts = []
        for cell, column, width, style in zip(cells, columns, widths, styles, strict=True):
            text = cell[line] if line < len(cell) else ""
            space = " " * (width - _width(text))
            parts.append(space + paint(text, style) if column.right else paint(text, style) + space)
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _blocks(columns: Sequence[_Column], height: int, width: int, paint: _Painter) -> list[str]:
    label = max((_width(column.head) for column in columns), default=0)
    room = max(width - label - len(_GAP), _NARROWEST_VALUE)
    lines = []
    for at in range(height):
        mark = f"─ row {at + 1} "
        lines.append(paint(mark + "─" * max(label + len(_GAP) - len(mark), 3), colors.DIM))
        for column in columns:
            cell = column.cells[at]
            text = NULL if cell is None else cell.strip() if column.right else cell
            head = paint(column.head, colors.BOLD) + " " * (label - _width(column.head))
            for line in _fold(text, room) if column.folds else [text]:
                lines.append(f"{head}{_GAP}{paint(line, column.style(cell))}".rstrip())
                head = " " * label
    return lines


def _width(text: str) -> int:
    """The cells of a terminal that a text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _fold(text: str, width: int) -> list[str]:
    """Wrap a text into lines of a width, after a space or a punctuation mark where there is one."""
    if _width(text) <= width:
        return [text]
    lines = []
    start = stop = used = 0
    for at, char in enumerate(text):
        size = _width(char)
        if used + size > width and at > start:
            cut = stop if stop > start else at
            lines.append(text[start:cut])
            start, used = cut, _width(text[cut:at])
        used += size
        if char in _FOLDS_AFTER:
            stop = at + 1
    return [line.rstrip(" ") for line in [*lines, text[start:]]]
