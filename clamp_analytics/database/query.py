"""One way to run SQL: what may be run, the result as a frame, the failure as a ``QueryError``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from clamp_analytics.database.messages import ALLOWED, EXTERNAL, query_error
from clamp_analytics.errors import QueryError

if TYPE_CHECKING:
    import duckdb

_EXPLAIN = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*explain\b(?:\s+analyze\b)?(?:\s*\([^)]*\)(?=\s*\w))?", re.IGNORECASE | re.DOTALL
)

_PLAIN = frozenset(
    {
        *("boolean", "varchar", "blob", "uuid", "enum", "null", "float", "double", "decimal"),
        *("tinyint", "smallint", "integer", "bigint", "hugeint"),
        *("utinyint", "usmallint", "uinteger", "ubigint"),
        *("date", "time", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"),
    }
)
"""DuckDB's types that Polars takes over as they are; a list, array or struct of them is one, too."""

_NESTED = frozenset({"list", "array", "struct"})


def run_query(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | Sequence[Any] | None = None
) -> pl.DataFrame:
    """Run one statement.

    On a locked connection (see ``connect``) only statements that read are run, in a transaction that cannot write.
    A connection runs one query at a time.

    Args:
        connection: what ``connect`` gave.
        sql: the statement; with ``allow_external`` it may be several, of which the last gives the result.
        params: values for ``$name`` by name, or for ``?`` in order.

    Returns:
        The result. Integers of up to 128 bits are exact. A type that frames do not have (interval, map, union, bit)
        is its text. A column name that stands twice gets a number.

    Raises:
        QueryError: the statement is refused or fails.
    """
    import duckdb

    _require_unicode(sql, params)
    locked = True
    try:
        locked = connection.execute("SELECT current_setting('enable_external_access')").fetchall() == [(False,)]
        if locked:
            _check(connection, sql)
            connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            relation = connection.sql(sql, params=params or None)
            # DuckDB gives no relation for a statement without a result.
            return pl.DataFrame() if relation is None else _frame(relation)
        finally:
            if locked:
                connection.rollback()
    except duckdb.Error as error:
        placed = _placed(connection, sql, params, error) if locked else error
        raise query_error(placed, connection) from error


def _require_unicode(sql: str, params: Mapping[str, Any] | Sequence[Any] | None) -> None:
    """Refuse text that cannot be UTF-8, as a command line with stray bytes gives it."""
    values = list(params.values() if isinstance(params, Mapping) else params or ())
    for text in (sql, *(value for value in values if isinstance(value, str))):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(
                "the query or a parameter is not valid Unicode text", where=f"character {error.start + 1}"
            ) from error


def _placed(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Mapping[str, Any] | Sequence[Any] | None,
    error: duckdb.Error,
) -> duckdb.Error:
    """The same error with its place in the text, which DuckDB leaves out where it makes a relation."""
    import duckdb

    # Both arise before anything runs, so the statement fails again at once.
    if not isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        return error
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        connection.execute(sql, params or None)
    except duckdb.Error as again:
        return again if type(again) is type(error) else error
    finally:
        connection.rollback()
    return error


def _check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse what does more than read."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryError("there is no statement in the query", hint="for example SELECT * FROM records LIMIT 10")
    if len(statements) > 1:
        raise QueryError(f"there are {len(statements)} statements in the query", hint="run them one at a time")
    kind = _kind(statements[0])
    if kind == "EXPLAIN":
        kind = _explained(connection, statements[0].query)
    if kind == "MULTI":
        raise QueryError(
            "a PIVOT that looks for its own columns is refused, because it makes a type for them",
            hint="name the columns: PIVOT … ON column IN ('a', 'b') …",
        )
    if kind != "SELECT":
        raise QueryError(f"a statement of the kind {kind} is refused", hint=f"{ALLOWED}; {EXTERNAL}")


def _kind(statement: duckdb.Statement) -> str:
    try:
        return str(statement.type.name)
    except ValueError:
        # DuckDB's parser knows kinds that its Python side has no name for.
        return "other"


def _explained(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The kind of the statement that EXPLAIN explains: EXPLAIN ANALYZE runs it."""
    import duckdb

    start = _EXPLAIN.match(text)
    try:
        inner = connection.extract_statements(text[start.end() :]) if start else []
    except duckdb.ParserException:
        inner = []
    return _kind(inner[0]) if len(inner) == 1 else "EXPLAIN"


def _frame(relation: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    names = _unique(relation.columns)
    types = relation.types
    if not all(map(_is_plain, types)):
        columns = [f"#{at}" if _is_plain(kind) else f"CAST(#{at} AS VARCHAR)" for at, kind in enumerate(types, 1)]
        relation = relation.project(", ".join(columns))
    table = relation.to_arrow_table().rename_columns(names)
    frame = pl.DataFrame(table)
    frame = frame.with_columns(
        pl.col(name).cast(kind) for name, given in frame.schema.items() if (kind := _exact(given)) != given
    )
    wide = [name for name, kind in zip(names, types, strict=True) if kind.id == "uhugeint"]
    return frame.with_columns(pl.col(name).cast(pl.UInt128) for name in wide)


def _is_plain(kind: Any) -> bool:
    if kind.id in _NESTED:
        # The children of an array end with its size.
        return all(_is_plain(child) for _, child in kind.children if not isinstance(child, int))
    return kind.id in _PLAIN


def _unique(names: Sequence[str]) -> list[str]:
    """The names, each but once: a frame cannot have two columns of one name."""
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        fresh, number = name, 1
        while fresh in seen or (fresh != name and fresh in taken):
            fresh, number = f"{name}_{number}", number + 1
        seen.add(fresh)
        unique.append(fresh)
    return unique


def _exact(kind: pl.DataType) -> pl.DataType:
    """The type to give a column: Arrow has no integer of 128 bits, so DuckDB's come as decimals without a fraction."""
    if isinstance(kind, pl.Decimal) and kind.scale == 0:
        return pl.Int128()
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return pl.String()
    if isinstance(kind, pl.List):
        return pl.List(_exact(_instance(kind.inner)))
    if isinstance(kind, pl.Array):
        return pl.Array(_exact(_instance(kind.inner)), kind.size)
    if isinstance(kind, pl.Struct):
        return pl.Struct([pl.Field(field.name, _exact(_instance(field.dtype))) for field in kind.fields])
    return kind


def _instance(kind: Any) -> pl.DataType:
    instance: pl.DataType = kind() if isinstance(kind, type) else kind
    return instance
