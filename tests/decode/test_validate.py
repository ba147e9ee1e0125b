"""Evaluating the rules: to which record and file each violation belongs, and the order of all."""

from __future__ import annotations

import codecs

import polars as pl
import pytest

from clamp_analytics.decode import validate
from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.decode.rows import Fault
from clamp_analytics.schema import VIOLATIONS, polars_schema
from tests.conftest import Raw, decode, faults, record, session

UNSET = record(released_at="")


@pytest.mark.parametrize("index", [0, 1, 63, 64, 65])
def test_a_fault_of_decoding_hides_no_fault_of_another_record(index: int) -> None:
    wrong = session(*(record(seed=seed) for seed in range(1, 65)), record(seed=65, released_at=Raw("5")))
    others = [session(*(record(seed=seed) for seed in range(1, index + 1)), record(seed=99, released_at=""))] * 2

    found = decode(wrong, *others)

    assert found.violations.select("source", "rule", "record_index").rows() == [
        ("0.json", "wrong-type", 64),
        ("1.json", "timestamp-unset", index),
        ("2.json", "timestamp-unset", index),
    ]


def test_a_fault_of_one_field_hides_no_fault_of_another_field() -> None:
    found = decode(session(record(acquired_at=Raw("5"), released_at="")))

    assert faults(found, at_least="warning") == [
        ("wrong-type", 0, "acquired_at", "5"),
        ("timestamp-unset", 0, "released_at", '""'),
    ]


def test_violations_are_sorted_by_record_and_rule_and_field() -> None:
    data = session(
        record(seed=0, acquired_at="x", released_at="x"),
        record(seed=0, context=None, thread_id=None),
        stability_score=None,
    )

    found = decode(data).violations.select("record_index", "rule", "field").rows()

    assert found == [
        (None, "wrong-type", "stability_score"),
        (0, "seed-zero", "seed"),
        (0, "timestamp-unreadable", "acquired_at"),
        (0, "timestamp-unreadable", "released_at"),
        (1, "wrong-type", "context"),
        (1, "wrong-type", "thread_id"),
        (1, "seed-zero", "seed"),
    ]


def test_a_rule_of_the_whole_file_names_its_first_record_only_by_value_and_offset() -> None:
    data = session(
        record(seed=1),
        record(seed=2, acquired_at="2026-01-01T00:00:00"),
        record(seed=3, acquired_at="2026-01-01T00:00:00.000"),
    )

    row = decode(data).violations.row(0, named=True)

    assert (row["rule"], row["record_index"], row["count"]) == ("timestamp-no-zone", None, 2)
    assert row["value"] == '"2026-01-01T00:00:00"'
    assert row["byte_offset"] == data.index(b'"2026-01-01T00:00:00"')


def test_the_original_of_a_value_is_found_after_a_byte_order_mark() -> None:
    data = codecs.BOM_UTF8 + session(record(), record(seed=0), stability_score=Raw("0.25"))

    found = decode(data).violations.select("rule", "value", "byte_offset").rows()

    assert found == [
        ("byte-order-mark", None, 0),
        ("mean-contradicts-records", "0.25", data.index(b"0.25")),
        ("seed-zero", "0", data.index(b'"seed":0') + 7),
    ]


def test_a_mean_that_contradicts_its_records_is_reported_for_its_file_alone() -> None:
    found = decode(
        session(record()),
        session(record(), stability_score=Raw("0.5")),
        session(),
        b"",
        session(record(stability_score=None), stability_score=Raw("0.5")),
        session(record(stability_score=Raw("0.25")), stability_score=Raw("0.75")),
    ).violations.filter(rule="mean-contradicts-records")

    assert found.select("source", "value").rows() == [("1.json", "0.5"), ("5.json", "0.75")]
    assert [message.partition(" (")[2] for message in found["message"]] == [
        "the records' mean is 1.000000)",
        "the records' mean is 0.250000)",
    ]


def test_the_rows_that_a_rule_lists_are_followed_by_a_count_of_the_others_alone() -> None:
    data = session(*[record(seed=0)] * 5)

    found = decode(data, options=DecodeOptions(rows_per_rule=5)).violations
    limited = decode(data, options=DecodeOptions(rows_per_rule=4)).violations

    assert found["record_index"].to_list() == [0, 1, 2, 3, 4]
    assert limited.select("record_index", "count").rows() == [(None, 1), (0, 1), (1, 1), (2, 1), (3, 1)]


def frame(*rows: tuple[str, int | None, str, str | None]) -> pl.DataFrame:
    """Violations with a source, index, rule and field, numbered in their message."""
    columns = list(zip(*rows, strict=True))
    given = dict(zip(("source", "record_index", "rule", "field"), columns, strict=True))
    given["message"] = tuple(map(str, range(len(rows))))
    missing = {name: [None] * len(rows) for name in VIOLATIONS.names if name not in given}
    return pl.DataFrame({**given, **missing}, schema_overrides=polars_schema(VIOLATIONS))


def test_violations_of_several_files_are_sorted_by_file_with_those_of_the_whole_file_first() -> None:
    rows = frame(
        ("b", None, "unknown-field", "x"),
        ("a", 1, "seed-zero", "seed"),
        ("a", 0, "in-flight", "released_at"),
        ("a", 0, "seed-zero", "seed"),
        ("a", 0, "wrong-type", "thread_id"),
        ("a", 0, "wrong-type", "context"),
        ("a", None, "unknown-field", None),
        ("a", None, "deprecated-field", "x"),
    )

    ordered = validate.in_order(rows)

    assert ordered["message"].to_list() == ["7", "6", "5", "4", "3", "2", "1", "0"]


def test_violations_that_are_alike_keep_their_order() -> None:
    rows = frame(*[("b", None, "duplicate-key", "x"), ("a", 0, "not-utf8", "y")] * 500)

    ordered = validate.in_order(rows)["message"].cast(pl.Int64)

    assert ordered.to_list() == [*range(1, 1000, 2), *range(0, 1000, 2)]


def test_the_message_of_a_fault_is_the_sentence_of_its_rule_with_the_detail() -> None:
    assert validate.message_of(Fault("truncated")) == "The file ends inside its JSON document."
    assert validate.message_of(Fault("truncated", detail="x")) == "The file ends inside its JSON document. (x)"
