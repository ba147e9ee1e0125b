"""The columns of a table for a terminal: their text, how wide each is, and which ones fit side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.render import colors
from clamp_analytics.render.cells import texts
from clamp_analytics.render.escape import for_terminal

if TYPE_CHECKING:
    import polars as pl

NULL = "-"
"""How null is shown; an empty text is two quotation marks."""

GAP = "  "
"""What is between two columns."""

_NARROWEST_TEXT = 12
"""Text does not wrap into columns narrower than this."""
_LONGEST_WORD = 20
"""A word in a column's name breaks beyond this."""
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
_WORDS = re.compile(r"[^ _]*[ _]?")
WRAPS_AFTER = frozenset(" /_-=;&?")
"""The characters after which a text wraps."""
_PARTS = re.compile(r"[^ /_=;&?-]*[ /_=;&?-]?")
"""The parts of a text between those."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with what the layout needs to know.

    Attributes:
        head: its name, escaped.
        cells: its values as escaped text, null as None.
        right: whether it is aligned to the right.
        folds: whether its values may wrap into several lines.
        natural: the width in which nothing wraps.
        whole: the width in which only the name wraps.
        preferred: the smallest width that it may have while there are optional columns.
        least: the smallest width that reads well.
        tight: the width of its longest part that does not wrap, at most ``least``.
    """

    head: str
    cells: list[str | None]
    right: bool
    folds: bool
    natural: int
    whole: int
    preferred: int
    least: int
    tight: int

    def style(self, cell: str | None) -> str:
        """The escape sequence that colours a cell; empty for none."""
        if cell is None:
            return colors.DIM
        return _STYLES.get(self.head, {}).get(cell, "")


def layout_columns(frame: pl.DataFrame, optional: Mapping[str, int], decimals: Mapping[str, int]) -> list[Column]:
    """The columns of a frame; see ``table`` for the optional ones and the decimals."""
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
        widest = max((display_width(cell) for cell in cells if cell is not None), default=0)
        word = max(display_width(part.rstrip()) for part in _WORDS.findall(head))
        whole = max(widest, min(word, _LONGEST_WORD), len(NULL))
        least = max(min(whole, _NARROWEST_TEXT), min(word, _LONGEST_WORD)) if folds else whole
        longest = max((display_width(part) for cell in cells if cell for part in _PARTS.findall(cell)), default=0)
        tight = max(min(longest, _NARROWEST_TEXT), min(word, _LONGEST_WORD)) if folds else whole
        preferred = max(min(whole, optional[name]), least) if folds and name in optional else whole
        natural = max(widest, display_width(head), len(NULL))
        columns.append(Column(head, cells, right, folds, natural, whole, preferred, least, tight))
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


def _least_width(columns: Collection[Column]) -> int:
    """The width of a table in which only optional columns wrap."""
    return sum(column.preferred for column in columns) + len(GAP) * (len(columns) - 1)


def fit(columns: Sequence[Column], width: int | None, *, tightly: bool) -> list[int] | None:
    """Choose the widths of the columns; None where they do not fit side by side.

    Args:
        columns: the columns.
        width: the width of the table; None for any.
        tightly: whether columns may become narrower than what reads well.
    """
    widths = [column.natural for column in columns]
    if width is None:
        return widths
    room = width - len(GAP) * (len(columns) - 1)
    narrowest = [column.tight if tightly else column.least for column in columns]
    if sum(narrowest) > room:
        return None
    widths = [min(natural, max(room, column.least)) for natural, column in zip(widths, columns, strict=True)]
    # Names wrap before values do, and the widest column first, so that short columns keep their width.
    for floors in (
        [column.whole for column in columns],
        [column.preferred for column in columns],
        [column.least for column in columns],
        narrowest,
    ):
        above = [at for at, floor in enumerate(floors) if widths[at] > floor]
        while above and sum(widths) > room:
            at = max(above, key=widths.__getitem__)
            widths[at] -= 1
            if widths[at] == floors[at]:
                above.remove(at)
    return widths


def choose_left_out(
    known: Mapping[str, Column], width: int | None, optional: Mapping[str, int] | None, kept: Collection[str]
) -> list[str]:
    """The columns that are left out of a table of a width; none where it needs all of them.

    Args:
        known: the columns by name.
        width: the width of the table; None for any.
        optional: see ``table``.
        kept: see ``table``.
    """
    shown = dict(known)
    if width is None or optional is None:
        return []
    for name in optional:
        if _least_width(shown.values()) > width:
            shown.pop(name, None)
    for name in reversed([name for name in optional if name in known and name not in shown]):
        # A narrow column may fit although a more important one does not.
        more = {each: column for each, column in known.items() if each in shown or each == name}
        if _least_width(more.values()) <= width:
            shown = more
    for name in reversed([name for name in shown if name not in kept]):
        if len(shown) > 1 and fit(list(shown.values()), width, tightly=True) is None:
            del shown[name]
    return [name for name in known if name not in shown]


def display_width(text: str) -> int:
    """The cells of a terminal that a text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
