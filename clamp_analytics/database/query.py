"""``run_query``: run one SQL statement within limits, and return its result as a frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from clamp_analytics.database.connection import ARCHIVE
from clamp_analytics.database.limits import DEFAULT_TIMEOUT_SECONDS, run_interruptible, size_in_bytes
from clamp_analytics.database.messages import ALLOWED, EXTERNAL, query_error
from clamp_analytics.errors import QueryError, SourceError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import CHECK_HINT, first_line
from clamp_analytics.reading.reader import Progress

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

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
"""DuckDB's types that Polars has, too; so are lists, arrays and structs of them."""

_NESTED = frozenset({"list", "array", "struct"})


_CONNECTION_STATE = """
SELECT
    current_setting('enable_external_access'),
    current_setting('memory_limit'),
    (SELECT path FROM duckdb_databases() WHERE database_name = ?)
"""


def run_query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Run one statement.

    On a locked connection (see ``connect``) only statements that read are run, in a transaction that cannot write.
    A connection runs one query at a time.

    Args:
        connection: a connection that ``connect`` returned.
        sql: the statement; with ``allow_external`` it may be several, of which the last gives the result.
        params: values for ``$name`` by name, or for ``?`` in order.
        timeout_seconds: the time after which the query is stopped; None for no limit.
        progress: called now and then with the percentage of the query that is done, and 100.

    Returns:
        The result. Integers of up to 128 bits are exact. A type that frames do not have (interval, map, union, bit)
        is its text. A repeated column name gets a number.

    Raises:
        QueryError: the statement is refused or fails, takes too long, or its result is larger than the memory limit.
        SourceError: the archive that it reads is damaged.
    """
    _require_unicode(sql, params)
    try:
        return run_interruptible(
            connection, lambda: _run_in_transaction(connection, sql, params), timeout_seconds, progress
        )
    except TimeoutError as error:
        what = f"the query was stopped after {timeout_seconds:g} seconds"
        raise QueryError(what, hint="select fewer rows, or allow more time") from error


def _run_in_transaction(
    connection: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any] | Sequence[Any] | None
) -> pl.DataFrame:
    import duckdb

    allows_external, memory_limit, archive = connection.execute(_CONNECTION_STATE, [ARCHIVE]).fetchall()[0]
    locked = not allows_external
    try:
        if locked:
            _check(connection, sql)
            connection.execute("BEGIN TRANSACTION READ ONLY")
        try:
            return _result(connection, sql, params, size_in_bytes(memory_limit))
        finally:
            if locked:
                _end_transaction(connection)
    except duckdb.OutOfMemoryException as error:
        what = f"the query needs more memory or disk space than it may use: {first_line(error)}"
        raise QueryError(what, hint="select fewer rows or columns, or allow more memory") from error
    except duckdb.Error as error:
        # With access to files, the error may concern any of them.
        if locked and archive is not None and _is_damage(error):
            what = f"the archive cannot be read: {first_line(error)}"
            raise SourceError(what, where=display_name(archive), hint=CHECK_HINT) from error
        located = _with_location(connection, sql, params, error) if locked else error
        raise query_error(located, connection) from error


def _result(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Mapping[str, Any] | Sequence[Any] | None,
    memory_limit: int,
) -> pl.DataFrame:
    relation = connection.sql(sql, params=params or None)
    # DuckDB returns no relation for a statement without a result.
    return pl.DataFrame() if relation is None else _frame(relation, memory_limit)


def _is_damage(error: duckdb.Error) -> bool:
    """Whether an error is about the file of a database. A wrong checksum has no class of its own."""
    import duckdb

    kinds = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
    return isinstance(error, kinds) or type(error) is duckdb.Error


def _end_transaction(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    # A damaged archive may make DuckDB invalidate the whole database, which then has no transaction to end. The error
    # of the query says so.
    with suppress(duckdb.FatalException, duckdb.TransactionException):
        connection.rollback()


def _require_unicode(sql: str, params: Mapping[str, Any] | Sequence[Any] | None) -> None:
    """Refuse text that cannot be encoded as UTF-8, such as invalid bytes on a command line."""
    values = list(params.values() if isinstance(params, Mapping) else params or ())
    for text in (sql, *(value for value in values if isinstance(value, str))):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(
                "the query or a parameter is not valid Unicode text", where=f"character {error.start + 1}"
            ) from error


def _with_location(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Mapping[str, Any] | Sequence[Any] | None,
    error: duckdb.Error,
) -> duckdb.Error:
    """The same error with its line in the SQL, which DuckDB leaves out when it creates a relation."""
    import duckdb

    # These two errors occur before the query runs, so that repeating it is cheap.
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
    """Refuse a statement that does more than read."""
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryError("there is no statement in the query", hint="for example SELECT * FROM records LIMIT 10")
    if len(statements) > 1:
        raise QueryError(f"there are {len(statements)} statements in the query", hint="run them one at a time")
    kind = _kind(statements[0])
    if kind == "EXPLAIN":
        kind = _explained_kind(connection, statements[0].query)
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
        # DuckDB's parser knows kinds of statements for which its Python package has no name.
        return "other"


def _explained_kind(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The kind of the statement that EXPLAIN explains: EXPLAIN ANALYZE runs it."""
    import duckdb

    start = _EXPLAIN.match(text)
    try:
        inner = connection.extract_statements(text[start.end() :]) if start else []
    except duckdb.ParserException:
        inner = []
    return _kind(inner[0]) if len(inner) == 1 else "EXPLAIN"


def _frame(relation: duckdb.DuckDBPyRelation, memory_limit: int) -> pl.DataFrame:
    names = _unique(relation.columns)
    types = relation.types
    if not all(map(_is_plain, types)):
        columns = [f"#{at}" if _is_plain(kind) else f"CAST(#{at} AS VARCHAR)" for at, kind in enumerate(types, 1)]
        relation = relation.project(", ".join(columns))
    frame = pl.DataFrame(_fetch(relation, memory_limit).rename_columns(names))
    frame = frame.with_columns(
        pl.col(name).cast(kind) for name, given in frame.schema.items() if (kind := _exact(given)) != given
    )
    wide = [name for name, kind in zip(names, types, strict=True) if kind.id == "uhugeint"]
    return frame.with_columns(pl.col(name).cast(pl.UInt128) for name in wide)


def _fetch(relation: duckdb.DuckDBPyRelation, memory_limit: int) -> pa.Table:
    """All rows of a result; DuckDB does not count them as memory that the query uses.

    Raises:
        QueryError: they need more memory than the limit.
    """
    import pyarrow as pa

    batches = []
    size = 0
    with pa.RecordBatchReader.from_stream(relation) as reader:
        for batch in reader:
            size += batch.nbytes
            if size > memory_limit:
                raise QueryError(
                    f"the result is larger than the memory limit of {memory_limit:,} bytes",
                    hint="select fewer rows or columns, or allow more memory",
                )
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def _is_plain(kind: Any) -> bool:
    if kind.id in _NESTED:
        # The children of an array end with its size.
        return all(_is_plain(child) for _, child in kind.children if not isinstance(child, int))
    return kind.id in _PLAIN


def _unique(names: Sequence[str]) -> list[str]:
    """The names with a number after repeated ones, because the columns of a frame have unique names."""
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
    """The exact type of a column: Arrow has no 128-bit integer, so DuckDB's arrive as decimals without a fraction."""
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
