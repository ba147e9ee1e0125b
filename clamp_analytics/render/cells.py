"""The values of a frame, converted to the few types that every text format can write.

Timestamps are ISO 8601 in UTC (``2026-11-22T17:17:56Z``; without ``Z`` where the column has no zone), with
six decimals of a second only where they are not zero, nine where nanoseconds are not. DuckDB's infinity
and every other time beyond the calendar (the year 262142) is ``infinity`` or ``-infinity``. Durations are
ISO 8601 (``PT0.0015S``). Bytes are hexadecimal. A map is a list of entries with ``key`` and ``value``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    import polars as pl

_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
# Polars panics at a time beyond its calendar.
_FIRST_SECOND, _LAST_SECOND = -8_334_601_228_800, 8_210_266_876_799
_SECONDS_PER_DAY = 86_400
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def plain(frame: pl.DataFrame) -> list[pl.Series]:
    """Convert the columns to strings, booleans, numbers, lists and structs.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    import polars as pl

    # A name such as `^a$` would be taken for a pattern, so the columns are selected by their number.
    numbered = pl.DataFrame([column.alias(str(index)) for index, column in enumerate(frame.get_columns())])
    converted = numbered.select(
        _plain_expr(pl.col(column.name), column.dtype, name).alias(column.name)
        for column, name in zip(numbered.get_columns(), frame.columns, strict=True)
    )
    return [column.alias(name) for column, name in zip(converted.get_columns(), frame.columns, strict=True)]


def _inner(kind: pl.DataType) -> list[pl.DataType]:
    """The types of the members of a nested type; none for any other type."""
    import polars as pl

    if isinstance(kind, pl.Struct):
        inner: list[Any] = [field.dtype for field in kind.fields]
    elif isinstance(kind, (pl.List, pl.Array)):
        inner = [kind.inner]
    elif kind.base_type().__name__ == "Map":
        # Older Polars has no such type, and reads a map as a list of structs.
        inner = [kind.key, kind.value]  # type: ignore[attr-defined]
    else:
        inner = []
    return [part() if isinstance(part, type) else part for part in inner]


def _is_plain(kind: pl.DataType) -> bool:
    import polars as pl

    if isinstance(kind, (pl.List, pl.Struct)):
        return all(_is_plain(part) for part in _inner(kind))
    return kind.is_integer() or isinstance(kind, (pl.String, pl.Boolean, pl.Float64, pl.Decimal, pl.Null))


def _plain_expr(expr: pl.Expr, kind: pl.DataType, name: str) -> pl.Expr:
    import polars as pl

    if _is_plain(kind):
        return expr
    if _inner(kind):
        return _plain_nested(expr, kind, name)
    if kind.is_float():
        # The shortest digits that give the narrow value back, and not those of its 64-bit neighbour.
        return expr.cast(pl.String).cast(pl.Float64)
    if isinstance(kind, pl.Datetime):
        per_unit = _PER_SECOND[kind.time_unit]
        last = _LAST_SECOND * per_unit + per_unit - 1
        zoned = kind.time_zone is not None
        return _bounded(expr, _FIRST_SECOND * per_unit, last, lambda inside: _timestamp(inside, zoned=zoned))
    if isinstance(kind, pl.Date):
        first, last = _FIRST_SECOND // _SECONDS_PER_DAY, _LAST_SECOND // _SECONDS_PER_DAY
        return _bounded(expr, first, last, lambda inside: inside.dt.to_string("%Y-%m-%d"))
    if isinstance(kind, pl.Time):
        return expr.dt.to_string("%H:%M:%S%.f")
    if isinstance(kind, pl.Duration):
        return expr.dt.to_string("iso")
    if isinstance(kind, (pl.Categorical, pl.Enum)):
        return expr.cast(pl.String)
    if isinstance(kind, pl.Binary):
        return expr.bin.encode("hex")
    raise OutputError(
        f"a value of type {kind} cannot be written as text",
        where=name,
        hint="convert the column in the query, for example with CAST(… AS VARCHAR)",
    )


def _plain_nested(expr: pl.Expr, kind: pl.DataType, name: str) -> pl.Expr:
    import polars as pl

    inner = _inner(kind)
    if isinstance(kind, pl.Struct):
        numbers = [str(index) for index in range(len(inner))]
        fields = [
            _plain_expr(pl.field(number), part, f"{name}.{field.name}").alias(number)
            for number, part, field in zip(numbers, inner, kind.fields, strict=True)
        ]
        numbered = expr.struct.rename_fields(numbers).struct.with_fields(fields)
        return numbered.struct.rename_fields([field.name for field in kind.fields])
    if isinstance(kind, pl.Array):
        return _plain_expr(expr.arr.to_list(), pl.List(inner[0]), name)
    if isinstance(kind, pl.List):
        return expr.list.eval(_plain_expr(pl.element(), inner[0], name))
    entries = pl.List(pl.Struct({"key": inner[0], "value": inner[1]}))
    return _plain_expr(expr.to_physical().cast(entries), entries, name)


def _bounded(expr: pl.Expr, first: int, last: int, text: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    import polars as pl

    count = expr.to_physical()
    inside = pl.when(count.is_between(first, last)).then(expr)
    return (
        pl.when(count > last)
        .then(pl.lit("infinity"))
        .when(count < first)
        .then(pl.lit("-infinity"))
        .otherwise(text(inside))
    )


def _timestamp(expr: pl.Expr, *, zoned: bool) -> pl.Expr:
    import polars as pl

    utc = expr.dt.convert_time_zone("UTC") if zoned else expr
    nanoseconds = utc.dt.nanosecond()
    fraction = (
        pl.when(nanoseconds == 0)
        .then(pl.lit(""))
        .when(nanoseconds % 1000 == 0)
        .then(utc.dt.to_string("%.6f"))
        .otherwise(utc.dt.to_string("%.9f"))
    )
    return utc.dt.to_string("%Y-%m-%dT%H:%M:%S") + fraction + pl.lit("Z" if zoned else "")


def json_rows(frame: pl.DataFrame) -> Iterator[bytes]:
    """Encode each row as a JSON object in UTF-8.

    Numbers are exact: integers of any width, decimals with all their digits. NaN and the infinities, which JSON
    cannot express, are null.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    import msgspec

    encode = msgspec.json.Encoder().encode
    columns = [_json_values(column) for column in plain(frame)]
    return (encode(dict(zip(frame.columns, row, strict=True))) for row in zip(*columns, strict=True))


def _json_values(column: pl.Series) -> list[Any]:
    import msgspec

    if column.dtype.is_decimal():
        return [None if digits is None else msgspec.Raw(digits.encode()) for digits in _digits(column)]
    values = column.to_list()
    return [_exact(value) for value in values] if _is_wide(column.dtype) else values


def _digits(column: pl.Series) -> list[str | None]:
    """Decimals as text: Polars writes all 39 digits of a 128-bit integer, but converts only 38 to Python."""
    import polars as pl

    return column.cast(pl.String).to_list()


def _is_wide(kind: pl.DataType) -> bool:
    """Whether a value of the type may hold a number that the JSON encoder does not accept as it is."""
    return kind.is_decimal() or kind.base_type().__name__ in {"Int128", "UInt128"} or any(map(_is_wide, _inner(kind)))


def _exact(value: Any) -> Any:
    import msgspec

    if isinstance(value, Decimal):
        return msgspec.Raw(format(value, "f").encode())
    if isinstance(value, int) and not isinstance(value, bool):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, list):
        return [_exact(part) for part in value]
    if isinstance(value, dict):
        return {key: _exact(part) for key, part in value.items()}
    return value


def texts(frame: pl.DataFrame) -> list[list[str | None]]:
    """The values of each column as text, not escaped; null is None, and a nested value is JSON.

    Raises:
        OutputError: a column has a type that has no text form.
    """
    return [_column_texts(column) for column in plain(frame)]


def _column_texts(column: pl.Series) -> list[str | None]:
    if column.dtype.is_decimal():
        return _digits(column)
    values = _json_values(column) if column.dtype.is_nested() else column.to_list()
    write = _writer(column.dtype)
    return [None if value is None else write(value) for value in values]


def _writer(kind: pl.DataType) -> Callable[[Any], str]:
    import msgspec

    if kind.is_nested():
        encode = msgspec.json.Encoder().encode
        return lambda value: encode(value).decode()
    if kind.is_float():
        return lambda value: _NOT_FINITE.get(repr(value), repr(value))
    if kind.base_type().__name__ == "Boolean":
        return lambda value: "true" if value else "false"
    return str
