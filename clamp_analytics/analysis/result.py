"""The base class of results: how they are displayed, and how they become a frame or plain Python values."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

HTML_ROWS = 20
"""Rows of the main table that a notebook shows."""

HTML_CHARACTERS = 200
"""Characters of a cell that a notebook shows."""


class Result(ABC):
    """What an analysis returns.

    Subclasses are dataclasses declared with ``repr=False``, so that the representation below is used.
    """

    __slots__ = ()

    @abstractmethod
    def describe(self) -> list[str]:
        """The lines that ``repr`` shows: a headline, then what matters most."""

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """The main table of the result."""

    def to_dict(self) -> dict[str, Any]:
        """Every attribute as plain Python values; a frame is a list of rows, each of them a dict."""
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses

    def __repr__(self) -> str:
        first, *others = self.describe()
        return "\n  ".join([f"{type(self).__name__}: {first}", *others])

    def _repr_html_(self) -> str:
        """The headline and the first rows of the main table, for a notebook."""
        headline = escape(f"{type(self).__name__}: {self.describe()[0]}")
        return f"<p>{headline}</p>{html_table(self.to_polars())}"


def plain(value: object) -> Any:
    """A value as dicts, lists, numbers, texts and times."""
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    if isinstance(value, Result):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(item) for item in value]
    return value


def html_table(frame: pl.DataFrame) -> str:
    """The first rows of a frame as an HTML table; every text is escaped, because it may come from telemetry."""
    head = "".join(f"<th>{escape(name)}</th>" for name in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.head(HTML_ROWS).iter_rows()
    )
    rest = frame.height - HTML_ROWS
    more = f"<p>… and {rest:,} more rows</p>" if rest > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= HTML_CHARACTERS else f"{text[:HTML_CHARACTERS]}…"
