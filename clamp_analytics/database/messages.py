"""Turn DuckDB's errors into ``QueryError``: what is wrong, the line of the SQL with a mark, and a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clamp_analytics.errors import QueryError, did_you_mean, near_names, suggest

if TYPE_CHECKING:
    import duckdb

ALLOWED = "SELECT, EXPLAIN, DESCRIBE, SHOW and SUMMARIZE are allowed"
EXTERNAL = "a query reads the telemetry and nothing else, unless allow_external=True is given"

_LOCATION = re.compile(r"\n+(?P<prefix>LINE (?P<line>\d+): )(?P<text>[^\n]*)\n(?P<blank> *)(?P<mark>\^+)\s*$")
_KIND = re.compile(r"^[A-Za-z ]+ Error: ")
_SUGGESTION = re.compile(r"^(?:Candidate (?:bindings|tables): ?:?|Did you mean)(?P<names>.*)$", re.MULTILINE)
_COLUMN = re.compile(r'Referenced column "(?P<name>[^"]+)" not found|does not have a column named "(?P<other>[^"]+)"')
_TABLE = re.compile(r'Table with name (?P<name>.+) does not exist|Referenced table "(?P<other>[^"]+)" not found')
_MISSING = re.compile(r"Values were not provided for the following parameters: (?P<names>.+)")
_EXCESS = re.compile(r"identifiers of the excess parameters: (?P<names>.+)")
_QUOTED = re.compile(r'"([^"]+)"')

MOST_SUGGESTED = 3
"""Near names that a hint suggests, at most."""

MOST_LISTED = 12
"""Names that a hint lists where none is near, at most."""


def query_error(error: Exception, connection: duckdb.DuckDBPyConnection) -> QueryError:
    """Build the error to raise for an error of DuckDB.

    Args:
        error: the error that DuckDB raised.
        connection: the connection of the query, after its failed transaction has ended; it has the names for hints.
    """
    message = str(error)
    where, quoted = "", ""
    if location := _LOCATION.search(message):
        where = f"line {location['line']}"
        # DuckDB indents the mark by the length of its prefix too, which is left out here.
        blank = location["blank"][len(location["prefix"]) :]
        quoted = f"\n  {location['text']}\n  {blank}{location['mark']}"
        message = message[: location.start()]
    message = _KIND.sub("", message)
    hint = _hint(message, connection)
    sentence = _SUGGESTION.sub("", message).strip()
    return QueryError(sentence + quoted, where=where, hint=hint)


def _hint(message: str, connection: duckdb.DuckDBPyConnection) -> str:
    suggested = [name for match in _SUGGESTION.finditer(message) for name in _QUOTED.findall(match["names"])]
    if found := _COLUMN.search(message):
        wrong = found["name"] or found["other"]
        # DuckDB suggests all columns that the query can see, however different their names are.
        known = _names(connection, "SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal")
        near = near_names(wrong, suggested, MOST_SUGGESTED) or near_names(wrong, known, MOST_SUGGESTED)
        return suggest(near) if near else "DESCRIBE records lists the columns of records"
    if found := _TABLE.search(message):
        # DuckDB may suggest a table of its own catalog, so its suggestions are ignored.
        known = _names(connection, "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal")
        return did_you_mean(found["name"] or found["other"], known, _list(known), MOST_SUGGESTED)
    if suggested:
        return suggest(suggested)
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


def _names(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return sorted(row[0] for row in connection.execute(sql).fetchall())


def _list(names: list[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"there are {', '.join(names[:MOST_LISTED])}{more}" if names else ""
