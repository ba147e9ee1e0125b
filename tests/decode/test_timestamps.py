"""Timestamps: which texts are one, which instant they mean, and how fine they are."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clamp_analytics.decode import timestamps
from tests.conftest import decode, faults, record, session
from tests.reading.reference import instant


def instants(*texts: str | None) -> list[datetime | None]:
    return timestamps.parse(pl.Series(texts, dtype=pl.String), "at")["at"].to_list()


READABLE = [
    ("2026-11-22T17:17:56Z", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56z", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22t17:17:56Z", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22 17:17:56Z", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56+00:00", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56-00:00", datetime(2026, 11, 22, 17, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56+02:00", datetime(2026, 11, 22, 15, 17, 56, tzinfo=UTC)),
    ("2026-11-22T17:17:56-0530", datetime(2026, 11, 22, 22, 47, 56, tzinfo=UTC)),
    ("2026-01-01T00:00:00+23:59", datetime(2025, 12, 31, 0, 1, 0, tzinfo=UTC)),
    ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ("2000-02-29T00:00:00Z", datetime(2000, 2, 29, 0, 0, 0, tzinfo=UTC)),
    ("1969-12-31T23:59:59.999999Z", datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("2026-11-22T17:17:56,5Z", datetime(2026, 11, 22, 17, 17, 56, 500000, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "expected"), READABLE)
def test_a_timestamp_means_one_instant_in_utc(text: str, expected: datetime) -> None:
    assert instants(text) == [expected]


COLUMN = [
    ("2026-01-01T00:00:00Z", 0, 1_000_000),
    ("2026-01-01T00:00:00.000007Z", 7, 1),
    ("2026-01-01T00:00:00.250000Z", 250_000, 1),
    ("2026-01-01T00:00:00Z", 0, 1_000_000),
    (None, None, 1_000_000),
]
"""Texts of the two usual forms with the microsecond and the resolution of each."""


@pytest.mark.parametrize("others", [[], ["x"]], ids=["alone", "among other forms"])
@pytest.mark.parametrize("times", [1, 3])
def test_texts_of_several_resolutions_keep_their_microsecond_and_resolution(others: list[str], times: int) -> None:
    rows = [row for row in COLUMN for _ in range(times)]

    frame = timestamps.parse(pl.Series([*(text for text, *_ in rows), *others]), "at").head(len(rows))

    assert frame["at"].dt.microsecond().to_list() == [micros for _, micros, _ in rows]
    assert frame["at_resolution_us"].to_list() == [resolution for *_, resolution in rows]
    assert frame["at_text"].to_list() == [text for text, *_ in rows]
    assert frame.select("at_offset", "at_zoneless", "at_finer").unique().rows() == [(False, False, False)]


def test_two_columns_are_parsed_in_one_pass() -> None:
    one = pl.Series("acquired_at", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", None])
    other = pl.Series("released_at", ["2026-01-01T00:00:02+01:00", "", "2026-01-01T00:00:03"])

    columns = timestamps.parse_columns([one, other])

    parts = ["", "_text", "_resolution_us", "_offset", "_zoneless", "_finer"]
    assert [column.name for column in columns] == [f"{name}{part}" for name in (one.name, other.name) for part in parts]
    found = {column.name: column.to_list() for column in columns}
    assert [at and at.second for at in found["acquired_at"]] == [0, 1, None]
    assert [at and (at.hour, at.second) for at in found["released_at"]] == [(23, 2), None, (0, 3)]
    assert found["acquired_at_text"] == one.to_list()
    assert found["released_at_offset"] == [True, False, False]
    assert found["released_at_zoneless"] == [False, False, True]


def test_no_texts_give_a_frame_without_rows() -> None:
    frame = timestamps.parse(pl.Series([], dtype=pl.String), "at")

    assert frame.columns == ["at", "at_text", "at_resolution_us", "at_offset", "at_zoneless", "at_finer"]
    assert frame.is_empty()


@pytest.mark.parametrize("digits", range(1, 10))
def test_one_to_nine_digits_of_a_second_are_cut_to_the_microsecond(digits: int) -> None:
    frame = timestamps.parse(pl.Series(["2026-01-01T00:00:00." + "123456789"[:digits] + "Z"]), "at")

    assert frame["at"].item().microsecond == int("123456"[:digits].ljust(6, "0"))
    assert frame["at_resolution_us"].item() == 10 ** (6 - min(digits, 6))
    assert frame["at_finer"].item() == (digits > 6)


UNREADABLE = [
    "2026-01-01T24:00:00Z",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T00:00:60Z",
    "2016-12-31T23:59:60Z",
    "2026-01-01T00:60:00Z",
    "20250-01-01T00:00:00Z",
    "+2026-01-01T00:00:00Z",
    "-2026-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "2026-01-01",
    "2026-01-01T",
    "2026-01-01T00:00Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.1234567890Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+01:60",
    "2026-01-01T00:00:00+01",
    "2026-01-01T00:00:00 Z",
    "2026-01-01T00:00:00UTC",
    "2026-01-01T00:00:00ZZ",
    "2026-01-01T00:00:00Z\n",
    "\n2026-01-01T00:00:00Z",
    " 2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z ",
    "2026-1-1T0:0:0Z",
    "2026-01-01T 1:00:00Z",
    "2026-01-01T+1:00:00Z",
    "20260101T000000Z",
    "2026-W01-1T00:00:00Z",
    "\u0662\u0660\u0662\u0666-01-01T00:00:00Z",
    "\uff12\uff10\uff12\uff16-01-01T00:00:00Z",
    "2026-01-01T00:00:00.12345678901234567890Z",
    "1767225600",
    "now",
    "\u0000",
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_text_that_is_not_a_timestamp_becomes_null_and_is_reported(text: str) -> None:
    batch = decode(session(record(acquired_at=text, released_at=text)))

    assert batch.records.select("acquired_at", "released_at").rows() == [(None, None)]
    assert [(rule, field) for rule, _, field, _ in faults(batch, at_least="info")] == [
        ("timestamp-unreadable", "acquired_at"),
        ("timestamp-unreadable", "released_at"),
    ]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_text_that_is_not_a_timestamp_affects_no_other_timestamp(text: str) -> None:
    sound = "2026-01-01T00:00:00Z"

    assert instants(sound, text, sound, None, "") == [datetime(2026, 1, 1, tzinfo=UTC), None] * 2 + [None]


@pytest.mark.parametrize(
    ("text", "offset", "zoneless"),
    [("", False, True), ("Z", False, False), ("+00:00", False, False), ("-01:00", True, False)],
)
def test_a_zone_is_told_apart_from_none_and_from_utc(text: str, offset: bool, zoneless: bool) -> None:
    row = timestamps.parse(pl.Series([f"2026-01-01T00:00:00{text}"]), "at").row(0, named=True)

    assert (row["at_offset"], row["at_zoneless"]) == (offset, zoneless)


@pytest.mark.parametrize(("text", "rule"), [("", "timestamp-no-zone"), ("+01:00", "timestamp-not-utc")])
def test_zones_are_reported_once_per_file_with_their_count(text: str, rule: str) -> None:
    at = f"2026-01-01T00:00:00{text}"
    data = session(*(record(seed=n, acquired_at=at, released_at="2026-01-01T00:00:00Z") for n in range(1, 4)))

    rows = decode(data).violations.filter(rule=rule).select("record_index", "field", "value", "count").rows()

    assert rows == [(None, "acquired_at", f'"{at}"', 3)]


def test_an_in_flight_anchor_has_no_release_and_no_warning() -> None:
    batch = decode(session(record(released_at=None)))

    assert faults(batch, at_least="info") == [("in-flight", 0, "released_at", "null")]


@pytest.mark.parametrize("released", ["", "soon", "2026-02-30T00:00:00Z"])
def test_an_anchor_without_a_usable_release_counts_as_in_flight_and_has_its_own_violation(released: str) -> None:
    batch = decode(session(record(released_at=released)))

    assert batch.violations.filter(rule="in-flight").is_empty()
    assert batch.violations["field"].to_list() == ["released_at"]
    assert batch.sessions["in_flight_count"].to_list() == [1]


FIELD = st.integers(0, 99).map(lambda n: f"{n:02}")
NEAR_MISSES = st.builds(
    lambda year, month, day, hour, minute, second, sep, fraction, zone: (
        f"{year}-{month}-{day}{sep}{hour}:{minute}:{second}{fraction}{zone}"
    ),
    st.integers(0, 10000).map(lambda n: f"{n:04}"),
    *([st.one_of(st.sampled_from(["01", "02", "12"]), FIELD)] * 2),
    *([st.one_of(st.sampled_from(["00", "23", "24", "59", "60"]), FIELD)] * 3),
    st.sampled_from(["T", "T", "T", "t", " ", "_", ""]),
    st.one_of(st.just(""), st.from_regex(r"[.,;][0-9]{0,11}", fullmatch=True)),
    st.one_of(st.sampled_from(["Z", "Z", "z", "", " "]), st.from_regex(r"[+-][0-9]{2}:?[0-9]{2}", fullmatch=True)),
)
SOUND = st.builds(
    lambda at, fraction, zone: at.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + fraction + zone,
    st.datetimes(),
    st.one_of(st.just(""), st.from_regex(r"[.][0-9]{1,9}", fullmatch=True)),
    st.sampled_from(["Z", "", "+00:00", "-23:59", "+05:30", "+1400"]),
)


@given(texts=st.lists(st.one_of(SOUND, NEAR_MISSES, st.none(), st.text(max_size=24)), max_size=40))
@example(texts=["2026-01-01T00:00:00Z"] * 10 + [""])
def test_timestamps_are_read_as_python_reads_them(texts: list[str | None]) -> None:
    assert instants(*texts) == [instant(text) for text in texts]


@given(texts=st.lists(st.datetimes().map(lambda at: at.isoformat().rjust(19, "0") + "Z"), min_size=1, max_size=20))
def test_the_usual_forms_are_read_alike_alone_and_among_others(texts: list[str]) -> None:
    assert instants(*texts) == instants(*texts, "2026-01-01 00:00:00", None)[: len(texts)]


@given(texts=st.lists(st.sampled_from([text for text, _ in READABLE[:8]] + ["", "x", None]), max_size=60))
def test_repeated_texts_change_nothing(texts: list[str | None]) -> None:
    assert instants(*texts) == [instant(text) for text in texts]
