"""What DuckDB says of a failed query, as our own error: the sentence, the line with a mark, a hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from clamp_analytics.errors import QueryError, near_names

if TYPE_CHECKING:
    import duckdb

ALLOWED = "SELECT, EXPLAIN, DESCRIBE, SHOW and SUMMARIZE are allowed"
EXTERNAL = "the SQL sees the telemetry and nothing else; allow_external=True lifts that"

_PLACE = re.compile(r"\n+(?P<prefix>LINE (?P<line>\d+): )(?P<text>[^\n]*)\n(?P<blank> *)(?P<mark>\^+)\s*$")
_KIND = re.compile(r"^[A-Za-z ]+ Error: ")
_SUGGESTION = re.compile(r"^(?:Candidate (?:bindings|tables): ?:?|Did you mean)(?P<names>.*)$", re.MULTILINE)
_COLUMN = re.compile(r'Referenced column "(?P<name>[^"]+)" not found|does not have a column named "(?P<other>[^"]+)"')
_TABLE = re.compile(r'Table with name (?P<name>.+) does not exist|Referenced table "(?P<other>[^"]+)" not found')
_MISSING = re.compile(r"Values were not provided for the following parameters: (?P<names>.+)")
_EXCESS = re.compile(r"identifiers of the excess parameters: (?P<names>.+)")
_QUOTED = re.compile(r'"([^"]+)"')
_SHOWN = 12


def hint_of_names(wrong: str, known: Iterable[str]) -> str:
    """A hint with the known names that are near a wrong one, or else with the names there are."""
    names = sorted(set(known))
    if near := near_names(wrong, names):
        return _offer(near)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there are {', '.join(names[:_SHOWN])}{more}" if names else ""


def _offer(names: Iterable[str]) -> str:
    return f"did you mean {' or '.join(names)}?"


def query_error(error: Exception, connection: duckdb.DuckDBPyConnection) -> QueryError:
    """The error to raise for one of DuckDB's.

    Args:
        error: what DuckDB raised.
        connection: where the names are that a hint can offer; it must be out of the failed transaction.
    """
    message = str(error)
    where, quoted = "", ""
    if place := _PLACE.search(message):
        where = f"line {place['line']}"
        # The mark is under the statement's text, which here stands without DuckDB's prefix.
        blank = place["blank"][len(place["prefix"]) :]
        quoted = f"\n  {place['text']}\n  {blank}{place['mark']}"
        message = message[: place.start()]
    message = _KIND.sub("", message)
    hint = _hint(message, connection)
    sentence = _SUGGESTION.sub("", message).strip()
    return QueryError(sentence + quoted, where=where, hint=hint)


def _hint(message: str, connection: duckdb.DuckDBPyConnection) -> str:
    offered = [name for match in _SUGGESTION.finditer(message) for name in _QUOTED.findall(match["names"])]
    if found := _COLUMN.search(message):
        wrong = found["name"] or found["other"]
        # DuckDB offers the columns that the query can see, near or not.
        known = _names(connection, "SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal")
        near = near_names(wrong, offered) or near_names(wrong, sorted(known))
        return _offer(near) if near else "DESCRIBE records lists the columns of records"
    if found := _TABLE.search(message):
        # What DuckDB offers here may be a table of its own catalog.
        known = _names(connection, "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal")
        return hint_of_names(found["name"] or found["other"], known)
    if offered:
        return _offer(offered)
    if found := _MISSING.search(message):
        return f"give a value for {_parameters(found['names'])}"
    if found := _EXCESS.search(message):
        return f"the query has no {_parameters(found['names'])}"
    if "read-only mode" in message:
        return ALLOWED
    if "disabled by configuration" in message or "configuration has been locked" in message:
        return EXTERNAL
    return ""


def _parameters(names: str) -> str:
    return ", ".join(f"${name.strip()}" for name in names.split(","))


def _names(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    return {row[0] for row in connection.execute(sql).fetchall()}
