"""Write a frame in each format, and the registry of formats.

JSON, CSV and Parquet are exact: reading them back gives the values of the frame. Tables and Markdown are for reading;
their text is escaped. ``cells`` describes how values of each type are written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from clamp_analytics.render.cells import json_rows, texts
from clamp_analytics.render.escape import for_markdown
from clamp_analytics.render.table import table

if TYPE_CHECKING:
    import polars as pl

_QUOTED_IN_CSV = re.compile('[,"\r\n]|^$')


class Format(StrEnum):
    """The formats that a frame can be written in."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    PARQUET = "parquet"


def as_json(frame: pl.DataFrame) -> str:
    """Write an array of row objects, one per line, so that two outputs can be compared line by line.

    Integers of any width and decimals are exact numbers, NaN and the infinities null.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    return (
        b"[" + b",".join(b"\n" + row for row in json_rows(frame)) + (b"]\n" if frame.is_empty() else b"\n]\n")
    ).decode()


def as_jsonl(frame: pl.DataFrame) -> str:
    """Write a JSON object per line; an empty text where there is no row.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    return b"".join(row + b"\n" for row in json_rows(frame)).decode()


def as_csv(frame: pl.DataFrame) -> str:
    """Write comma-separated values, quoted as in RFC 4180, after a line of names; lines end with a line feed.

    Null is empty and an empty text is ``""``; a nested value is JSON. A text that a spreadsheet would
    interpret as a formula is not changed: the data is for programs, and a changed value would be a wrong one.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    # CSV readers skip an empty line, so a null in the only column of a frame is quoted.
    null = '""' if frame.width == 1 else ""
    columns = [[null if cell is None else _csv_field(cell) for cell in column] for column in texts(frame)]
    lines = [",".join(map(_csv_field, frame.columns)), *map(",".join, zip(*columns, strict=True))]
    return "".join(line + "\n" for line in lines)


def _csv_field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED_IN_CSV.search(text) else text


def as_markdown(frame: pl.DataFrame, *, limit: int | None = None) -> str:
    """Write a GitHub-flavoured Markdown table; null is an empty cell.

    Args:
        frame: what to show.
        limit: how many rows to show; a last line then says exactly how many more there are.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    shown = frame if limit is None else frame.head(limit)
    columns = [
        # Numbers and times consist of characters that mean nothing to Markdown.
        [(cell or "") if kind.is_numeric() or kind.is_temporal() else for_markdown(cell or "") for cell in column]
        for kind, column in zip(shown.dtypes, texts(shown), strict=True)
    ]
    ruler = ["---:" if kind.is_numeric() else "---" for kind in shown.dtypes]
    rows = [map(for_markdown, shown.columns), ruler, *zip(*columns, strict=True)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if frame.height > shown.height:
        lines += ["", f"… and {frame.height - shown.height} more"]
    return "".join(line + "\n" for line in lines)


def as_parquet(frame: pl.DataFrame) -> bytes:
    """Write a Parquet file, compressed with zstd; types are kept."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


FORMATS: Mapping[Format, Callable[[pl.DataFrame], str | bytes]] = {
    Format.TABLE: table,
    Format.JSON: as_json,
    Format.JSONL: as_jsonl,
    Format.CSV: as_csv,
    Format.MARKDOWN: as_markdown,
    Format.PARQUET: as_parquet,
}
"""The function that writes each format; all but Parquet return text."""
