"""The SQL library: one file per view or query, described by the comments at its beginning.

The name of a file is the name of its view or query. ``docs/guides/sql.md`` describes the format of the header.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from clamp_analytics.errors import QueryError, UsageError, did_you_mean

KINDS = ("view", "query")
"""A view exists on every connection; a query may have parameters and is run by its name."""

_SECTIONS = ("columns", "params", "notes")
_ENTRY = re.compile(r"(?P<name>[a-z_][a-z0-9_]*)(?: \((?P<type>[a-z]+), default (?P<default>[^)]+)\))?: (?P<text>.+)")
_AMOUNT = re.compile(r"\s*(?P<amount>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]+)\s*")
_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LONG_UNITS = {"microsecond": "us", "millisecond": "ms", "second": "s", "minute": "min", "hour": "h", "day": "d"}


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a named query.

    Attributes:
        name: its name, ``$name`` in the SQL.
        type: one of ``TYPES``.
        default: its value where none is given, as text.
        sentence: its meaning.
    """

    name: str
    type: str
    default: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A file of the library.

    Attributes:
        name: the file's name without its ending.
        sentence: the question that it answers.
        kind: ``view`` or ``query``.
        columns: the columns of its result in order, each with a sentence.
        params: its parameters by name; a view has none.
        sql: one SELECT statement.
        notes: further remarks; may be empty.
    """

    name: str
    sentence: str
    kind: str
    columns: Mapping[str, str]
    params: Mapping[str, Param]
    sql: str
    notes: str = ""


def _integer(value: object) -> int:
    if isinstance(value, (bool, float)):
        raise TypeError
    return int(value)  # type: ignore[call-overload, no-any-return]  # raises unless it is a number


def _number(value: object) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(value)  # type: ignore[arg-type]  # raises unless it is a number
    if not math.isfinite(number):
        raise ValueError
    return number


def _fraction(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _interval(value: object) -> timedelta:
    if isinstance(value, timedelta):
        span = value
    else:
        match = _AMOUNT.fullmatch(_text(value))
        if match is None:
            raise ValueError
        unit = match["unit"]
        unit = _LONG_UNITS.get(unit.removesuffix("s"), unit)
        if unit not in _MICROSECONDS:
            raise ValueError
        span = timedelta(microseconds=float(match["amount"]) * _MICROSECONDS[unit])
    if span <= timedelta(0):
        raise ValueError
    return span


TYPES: Mapping[str, tuple[Callable[[object], Any], str]] = {
    "integer": (_integer, "an integer"),
    "number": (_number, "a number"),
    "fraction": (_fraction, "a number from 0 to 1"),
    "text": (_text, "a text"),
    "interval": (_interval, "a positive span of time like `500 ms`, `1 second` or `2 h`"),
}
"""The types of parameters: the function that converts a value, and a description for error messages."""


def directory() -> Path:
    """The folder of the library: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


@cache
def library() -> Mapping[str, NamedQuery]:
    """The views and queries that are shipped, by name.

    Raises:
        QueryError: the header of a file is wrong.
    """
    paths = sorted(directory().glob("*.sql"))
    if not paths:
        raise QueryError("the SQL library is missing", where=str(directory()), hint="install the package again")
    return {path.stem: parse(path.stem, path.read_text(encoding="utf-8")) for path in paths}


def named(name: str, /, **values: object) -> tuple[str, dict[str, Any]]:
    """A query of the library with its parameters, as ``run_query`` takes them.

    Args:
        name: the query.
        values: parameters, as values or as text; the others have their defaults.

    Returns:
        The SQL, and the value of every parameter by name.

    Raises:
        UsageError: the name, a parameter or a value is wrong.
    """
    queries = library()
    if name not in queries:
        raise UsageError.unknown("query", name, queries)
    query = queries[name]
    for given in values:
        if given not in query.params:
            known = ", ".join(query.params)
            hint = did_you_mean(given, query.params, f"it has {known}" if known else f"{name} has no parameters")
            raise UsageError(f"{name} has no parameter {given}", where=f"parameter {given}", hint=hint)
    params = {key: _value(param, values.get(key, param.default)) for key, param in query.params.items()}
    return query.sql, params


def _value(param: Param, value: object) -> object:
    convert, description = TYPES[param.type]
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{value!r} is not {description}",
            where=f"parameter {param.name}",
            hint=f"{param.sentence} The default is {param.default}.",
        ) from error


def parse(name: str, text: str) -> NamedQuery:
    """Read a file of the library.

    Args:
        name: the query's name.
        text: the file's text: a header of comment lines, then one statement.

    Raises:
        QueryError: the header is wrong; ``where`` has the line.
    """
    lines = text.splitlines()
    size = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    header = [line.removeprefix("--").rstrip() for line in lines[:size]]
    sections: dict[str, list[tuple[int, str]]] = {section: [] for section in _SECTIONS}
    kind, section = "", ""
    for number, line in enumerate(header[1:], start=2):
        word = line.strip()
        if line.startswith("   ") and section:
            sections[section].append((number, line[3:]))
        elif word.startswith("kind: "):
            kind = word.removeprefix("kind: ")
        elif word.endswith(":") and word[:-1] in sections:
            section = word[:-1]
        elif word:
            raise _header_error(name, number, f"{word!r} belongs to no section")
    sentence = header[0].strip() if header else ""
    if not sentence.endswith("."):
        raise _header_error(name, 1, "the first line is not a sentence")
    if kind not in KINDS:
        raise _header_error(name, 1, f"its kind is not one of {', '.join(KINDS)}")
    columns = {match["name"]: match["text"] for _, match in _entries(name, sections["columns"])}
    params = {}
    for number, match in _entries(name, sections["params"]):
        if match["type"] not in TYPES:
            raise _header_error(name, number, f"the type of a parameter is not one of {', '.join(TYPES)}")
        params[match["name"]] = Param(match["name"], match["type"], match["default"], match["text"])
    if not columns:
        raise _header_error(name, 1, "it has no columns")
    if params and kind == "view":
        raise _header_error(name, 1, "a view cannot have parameters")
    notes = " ".join(line.strip() for _, line in sections["notes"])
    return NamedQuery(name, sentence, kind, columns, params, "\n".join(lines[size:]).strip().removesuffix(";"), notes)


def _entries(name: str, lines: list[tuple[int, str]]) -> list[tuple[int, re.Match[str]]]:
    """The entries of a section; a line that is indented further continues the entry above it."""
    joined: list[tuple[int, str]] = []
    for number, line in lines:
        if line.startswith(" ") and joined:
            joined[-1] = (joined[-1][0], f"{joined[-1][1]} {line.strip()}")
        else:
            joined.append((number, line.strip()))
    entries = []
    for number, line in joined:
        match = _ENTRY.fullmatch(line)
        if match is None or not match["text"].endswith("."):
            raise _header_error(
                name, number, "an entry is `name: sentence.`, of a parameter `name (type, default x): sentence.`"
            )
        entries.append((number, match))
    return entries


def _header_error(name: str, line: int, what: str) -> QueryError:
    return QueryError(
        f"the header is wrong: {what}", where=f"{name}.sql, line {line}", hint="docs/guides/sql.md has the format"
    )
