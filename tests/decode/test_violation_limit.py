"""The first violations of a rule in the records of a file have a row each; one more row counts the others."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.batch import Batch
from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.rules import count_by_severity
from tests.conftest import EXAMPLES, Raw, decode, record, session
from tests.reading.test_properties import documents

UNLIMITED = DecodeOptions(rows_per_rule=10**9)


def counts(batch: Batch) -> pl.DataFrame:
    return batch.violations.group_by("source", "rule").agg(pl.col("count").sum()).sort("source", "rule")


def test_the_first_violations_of_a_rule_are_rows_and_the_others_a_count() -> None:
    data = session(*[record(seed=n, stability_score=2) for n in range(1, 8)], stability_score=1)

    found = decode(data, options=DecodeOptions(rows_per_rule=3)).violations

    assert found.select("rule", "record_index", "count").rows() == [
        ("score-range", None, 4),
        ("score-range", 0, 1),
        ("score-range", 1, 1),
        ("score-range", 2, 1),
    ]
    assert found["message"][0].endswith("(the first 3 are listed; this row counts the others)")


def test_a_rule_of_two_fields_has_its_first_rows_in_the_order_of_records() -> None:
    data = session(*[record(seed=n, acquired_at="", released_at="", duration_ms=0) for n in range(1, 4)])

    found = decode(data, options=DecodeOptions(rows_per_rule=3)).violations

    assert found.select("record_index", "field", "count").rows() == [
        (None, None, 3),
        (0, "acquired_at", 1),
        (0, "released_at", 1),
        (1, "acquired_at", 1),
    ]


def test_a_limit_that_is_met_exactly_needs_no_count() -> None:
    data = session(*[record(seed=n, stability_score=2) for n in range(1, 4)])

    found = decode(data, options=DecodeOptions(rows_per_rule=3)).violations

    assert found["record_index"].to_list() == [0, 1, 2]


def test_each_file_has_a_limit_of_its_own() -> None:
    files = [session(*[record(seed=0)] * count) for count in (1, 2, 3)]

    found = decode(*files, options=DecodeOptions(rows_per_rule=2)).violations

    assert found.select("source", "count").rows() == [
        ("0.json", 1),
        ("1.json", 1),
        ("1.json", 1),
        ("2.json", 1),
        ("2.json", 1),
        ("2.json", 1),
    ]


def test_a_rule_of_the_whole_file_has_a_row_for_each_field_whatever_the_limit() -> None:
    stamps = {"acquired_at": "2026-01-01T00:00:00", "released_at": "2026-01-01T00:00:01"}
    data = session(*[record(seed=n, **stamps) for n in range(1, 4)])

    found = decode(data, options=DecodeOptions(rows_per_rule=1)).violations

    assert found.select("field", "count").rows() == [("acquired_at", 3), ("released_at", 3)]


def test_a_fault_that_is_only_counted_is_not_found_a_second_time_by_a_rule() -> None:
    data = session(*[record(seed=n, released_at=Raw("5")) for n in range(1, 6)])

    found = decode(data, options=DecodeOptions(rows_per_rule=1)).violations

    assert found.select("rule", "count").rows() == [("wrong-type", 4), ("wrong-type", 1)]


def test_violations_are_counted_by_severity_whether_or_not_they_have_a_row() -> None:
    zone = {"acquired_at": "2026-01-01T00:00:00"}
    data = session(*[record(seed=n, stability_score=2, released_at=None, **zone) for n in range(1, 8)])

    limited, unlimited = (decode(data, options=options) for options in (DecodeOptions(rows_per_rule=3), UNLIMITED))

    assert count_by_severity(limited.violations) == {"error": 7, "warning": 1, "info": 7}
    assert count_by_severity(unlimited.violations) == {"error": 7, "warning": 1, "info": 7}


@given(group=st.lists(documents(), max_size=3), limit=st.integers(1, 4), pending=st.integers(1, 6))
@settings(max_examples=60 * EXAMPLES)
def test_a_limit_changes_neither_the_counts_nor_the_first_rows(group: list[bytes], limit: int, pending: int) -> None:
    options = DecodeOptions(rows_per_rule=limit, records_pending=pending, long_bytes=1, piece_bytes=200)

    limited, unlimited = decode(*group, options=options), decode(*group, options=UNLIMITED)

    assert counts(limited).equals(counts(unlimited))
    rank = pl.int_range(pl.len()).over("source", "rule", pl.col("record_index").is_null())
    first = unlimited.violations.filter(pl.col("record_index").is_null() | (rank < limit))
    is_count = pl.col("message").str.ends_with("this row counts the others)")
    assert limited.violations.filter(~is_count).equals(first)
