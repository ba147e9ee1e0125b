"""ISO 8601 texts to microseconds, whole columns at a time.

The engine's own parser takes blanks for digits, signs for digits and second 60 for the next minute, so the
form is checked by a pattern first and only dates are left to the engine.
"""

from __future__ import annotations

from collections.abc import Sequence

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
_FIRST_YEAR = pl.datetime(1, 1, 1, time_unit="us", time_zone="UTC")
_LAST_INSTANT = pl.datetime(9999, 12, 31, 23, 59, 59, 999_999, time_unit="us", time_zone="UTC")
_RUNS_BELOW = 0.5


def parse_columns(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """What ``parse`` gives for each of some columns of one length, in one pass over all of them."""
    parsed = parse(pl.concat(columns), "")
    height = len(columns[0])
    return [
        found.slice(place * height, height).alias(column.name + found.name)
        for place, column in enumerate(columns)
        for found in parsed
    ]


def parse(text: pl.Series, name: str) -> pl.DataFrame:
    """Timestamps of a column of texts.

    Returns:
        One row a text, in order, with the columns ``{name}`` (microseconds, UTC; null where the text is null,
        empty or no timestamp), ``{name}_text`` (as it stood), ``{name}_resolution_us`` (the step that the
        text can tell apart), and three that say whether the text has an offset from UTC (``{name}_offset``),
        names no zone (``{name}_zoneless``), or has digits below the microsecond, which were cut off
        (``{name}_finer``).
    """
    # Records stand in order of time, so where the resolution is coarse a text stands many times in a row.
    runs = text.rle_id()
    if text.is_empty() or runs[-1] + 1 > _RUNS_BELOW * len(text):
        return _parse(text, name)
    parsed = _parse(text.rle().struct.field("value"), name)
    return parsed[runs]


def _parse(text: pl.Series, name: str) -> pl.DataFrame:
    usual = pl.col("text").is_null() | pl.col("text").str.contains(SECOND_FORM)
    # One pass for check and values: each pass over a batch costs more to start than to run.
    frame = text.alias("text").to_frame().select(*_usual(name), usual.all().alias("usual"))
    if frame.is_empty() or frame["usual"][0]:
        return frame.drop("usual")
    return _split(text.alias("text").to_frame()).select(_any_form(name))


def _instant(date_and_time: pl.Expr, form: str) -> pl.Expr:
    return date_and_time.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)


def _bounded(at: pl.Expr) -> pl.Expr:
    """Null outside the years 1 to 9999, which is as far as Python's own datetime goes."""
    return pl.when(at.is_between(_FIRST_YEAR, _LAST_INSTANT)).then(at)


def _usual(name: str) -> list[pl.Expr]:
    text = pl.col("text")
    whole = _instant(text.str.head(19), "%Y-%m-%dT%H:%M:%S")
    micros = text.str.slice(20, 6).cast(pl.Int64, strict=False).fill_null(0)
    resolution = pl.when(text.str.len_bytes() > 20).then(1).otherwise(_SECOND)
    return [
        _bounded(whole + pl.duration(microseconds=micros)).alias(name),
        text.alias(f"{name}_text"),
        resolution.cast(pl.Int64).alias(f"{name}_resolution_us"),
        *(pl.lit(value=False).alias(f"{name}_{form}") for form in ("offset", "zoneless", "finer")),
    ]


def _split(text: pl.DataFrame) -> pl.DataFrame:
    return text.with_columns(pl.col("text").str.extract_groups(FORM).struct.unnest())


def _any_form(name: str) -> list[pl.Expr]:
    text, fraction, zone = pl.col("text"), pl.col("fraction"), pl.col("zone")
    clock = pl.concat_str("date", pl.lit("T"), "hour", pl.lit(":"), "minute", pl.lit(":"), "second")
    nanoseconds = fraction.str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    ahead = sign * (
        zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0) * 60
        + zone.str.tail(2).cast(pl.Int64, strict=False).fill_null(0)
    )
    at = (
        _instant(clock, "%Y-%m-%dT%H:%M:%S")
        + pl.duration(microseconds=nanoseconds // 1000)
        - pl.duration(minutes=ahead)
    )
    readable = _bounded(at).is_not_null()
    digits = fraction.str.len_bytes().fill_null(0).clip(upper_bound=6).cast(pl.Int64)
    return [
        _bounded(at).alias(name),
        text.alias(f"{name}_text"),
        (pl.lit(10, dtype=pl.Int64).pow(6 - digits)).alias(f"{name}_resolution_us"),
        (readable & (ahead != 0)).alias(f"{name}_offset"),
        (readable & zone.is_null()).alias(f"{name}_zoneless"),
        (readable & (nanoseconds % 1000 != 0)).alias(f"{name}_finer"),
    ]
