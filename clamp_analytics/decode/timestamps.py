"""Parse columns of ISO 8601 timestamps to microseconds.

The parser of Polars accepts blanks and signs as digits, and second 60 as the next minute. So a pattern checks the form
first, and Polars only computes the date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

FORM = (
    r"^(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9])"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?$"
)
"""What counts as a timestamp: RFC 3339, and the same without a zone. Second 60 and hour 24 do not."""

SECOND_FORM = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?Z$"
"""The two forms that nearly every file has: UTC to the second, or to the microsecond."""

_SECOND = 1_000_000
_INSTANT = pl.Datetime("us", "UTC")
_EPOCH = datetime(1970, 1, 1)
_FIRST_INSTANT = (datetime.min - _EPOCH) // timedelta(microseconds=1)
_LAST_INSTANT = (datetime.max - _EPOCH) // timedelta(microseconds=1)
_RUNS_BELOW = 0.5


def parse_columns(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """The results of ``parse`` for several columns of one length, computed in one pass."""
    parsed = parse(pl.concat(columns), "at")
    height = len(columns[0])
    return [
        found.slice(number * height, height).alias(column.name + found.name.removeprefix("at"))
        for number, column in enumerate(columns)
        for found in parsed
    ]


def parse(text: pl.Series, name: str) -> pl.DataFrame:
    """Timestamps of a column of texts.

    Returns:
        One row per text, in order, with the columns ``{name}`` (microseconds, UTC; null where the text is null,
        empty or not a timestamp), ``{name}_text`` (the original text), ``{name}_resolution_us`` (the step that the
        text can tell apart), and three that say whether the text has an offset from UTC (``{name}_offset``),
        names no zone (``{name}_zoneless``), or has digits below the microsecond, which were cut off
        (``{name}_finer``).
    """
    # Records are sorted by time, so a text with a coarse resolution occurs many times in a row.
    runs = text.rle_id()
    repeated = not text.is_empty() and runs[-1] < _RUNS_BELOW * len(text)
    distinct = text.rle().struct.field("value") if repeated else text
    found = _usual(distinct) or _any_form(distinct)
    if repeated:
        found = [column if len(column) == 1 else column.gather(runs) for column in found]
    names = (name, *(f"{name}_{part}" for part in ("resolution_us", "offset", "zoneless", "finer")))
    columns = [_repeated(column, len(text)).alias(name) for name, column in zip(names, found, strict=True)]
    return pl.DataFrame([columns[0], text.alias(f"{name}_text"), *columns[1:]])


def _repeated(column: pl.Series, length: int) -> pl.Series:
    """A column with as many rows; one value is repeated."""
    return column if len(column) == length else column.new_from_index(0, length)


def _bounded(at: pl.Series) -> pl.Series:
    """Null outside the years 1 to 9999, which is as far as Python's own datetime goes."""
    instant = at.to_physical()
    inside = (instant >= _FIRST_INSTANT) & (instant <= _LAST_INSTANT)
    return at if inside.all() else at.set(~inside, None)


def _usual(text: pl.Series) -> list[pl.Series] | None:
    """The columns of texts of which each has one of the two usual forms or is null; else None."""
    # Starting an expression takes longer than these passes.
    if not text.str.contains(SECOND_FORM).all():
        return None
    at = text.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", time_zone="UTC", strict=False)
    resolution = pl.Series([_SECOND], dtype=pl.Int64)
    is_fine = text.str.len_bytes() > len("2026-01-01T00:00:00Z")
    if is_fine.any():
        micros = text.str.slice(20, 6).cast(pl.Int64, strict=False).fill_null(0)
        at = (at.to_physical() + micros).cast(_INSTANT)
        resolution = is_fine.fill_null(value=False).cast(pl.Int64) * (1 - _SECOND) + _SECOND
    no = pl.Series([False])
    return [_bounded(at), resolution, no, no, no]


def _any_form(text: pl.Series) -> list[pl.Series]:
    split = text.alias("text").to_frame().with_columns(pl.col("text").str.extract_groups(FORM).struct.unnest())
    fraction, zone = pl.col("fraction"), pl.col("zone")
    clock = pl.concat_str("date", pl.lit("T"), "hour", pl.lit(":"), "minute", pl.lit(":"), "second")
    whole = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", time_zone="UTC", strict=False)
    nanoseconds = fraction.str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    ahead = sign * (
        zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
        + zone.str.tail(2).cast(pl.Int64, strict=False).fill_null(0)
    )
    digits = fraction.str.len_bytes().fill_null(0).clip(upper_bound=6).cast(pl.Int64)
    parts = split.select(
        at=whole + pl.duration(microseconds=nanoseconds // 1000) - pl.duration(minutes=ahead),
        resolution=pl.lit(10, dtype=pl.Int64).pow(6 - digits),
        offset=ahead != 0,
        zoneless=zone.is_null(),
        finer=nanoseconds % 1000 != 0,
    )
    at = _bounded(parts["at"])
    readable = at.is_not_null()
    flags = (parts[name] & readable for name in ("offset", "zoneless", "finer"))
    return [at, parts["resolution"], *flags]
