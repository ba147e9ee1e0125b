"""The optional top-level field ``labels`` of session files."""

from __future__ import annotations

import pytest

from clamp_analytics.decode.options import DecodeOptions
from tests.conftest import Raw, decode, record, session


def rules(data: bytes) -> list[tuple[str, str | None]]:
    return decode(data).violations.select("rule", "field").rows()


def test_labels_are_a_column_and_not_an_unknown_field() -> None:
    batch = decode(session(record(), labels={"commit": "0f3c", "branch": "main"}))

    assert batch.sessions.select("labels", "extra").row(0) == ('{"branch": "main", "commit": "0f3c"}', None)
    assert batch.violations.is_empty()


def test_other_unknown_fields_are_still_reported() -> None:
    data = session(record(), labels={"commit": "0f3c"}, host="x")

    assert decode(data).sessions.select("labels", "extra").row(0) == ('{"commit": "0f3c"}', '{"host": "x"}')
    assert rules(data) == [("unknown-field", "host")]


def test_a_session_without_labels_has_null() -> None:
    assert decode(session(record())).sessions["labels"].to_list() == [None]


def test_an_empty_object_is_valid_and_gives_no_labels() -> None:
    data = session(record(), labels={})

    assert decode(data).sessions.select("labels", "extra").row(0) == (None, None)
    assert rules(data) == []


def test_texts_are_read_as_json_texts() -> None:
    data = session(record(), labels=Raw(r'{"a, b": "\u00e9\n\"{", "": ""}'))

    assert decode(data).sessions["labels"].to_list() == [r'{"": "", "a, b": "é\n\"{"}']


@pytest.mark.parametrize(
    "value",
    [
        '"text"',
        "7",
        "null",
        '["a"]',
        '[["a", "b"]]',
        '{"a": 7}',
        '{"a": null}',
        '{"a": {"b": "c"}}',
        '{"a": "1", "a": "2"}',
        '{"a": "\\ud800"}',
        '{"a": ' + "1" * 5000 + "}",
    ],
)
def test_a_field_of_another_shape_stays_an_unknown_field(value: str) -> None:
    data = session(record(), labels=Raw(value))

    assert decode(data).sessions.select("labels", "extra").row(0) == (None, f'{{"labels": {value}}}')
    assert ("unknown-field", "labels") in rules(data)


def test_a_file_with_a_fault_keeps_its_labels() -> None:
    data = session(record(stability_score=2), labels={"commit": "0f3c"})

    assert decode(data).sessions["labels"].to_list() == ['{"commit": "0f3c"}']
    assert rules(data) == [("score-range", "stability_score")]


def test_a_key_that_is_given_twice_gives_no_labels() -> None:
    data = session(record(), labels={"a": "1"}).replace(b'"labels"', b'"labels":{"a":"0"},"labels"')

    assert decode(data).sessions["labels"].to_list() == [None]
    assert ("duplicate-key", "labels") in rules(data)


def test_a_rejected_file_has_no_labels_of_its_own() -> None:
    assert decode(session(record(), labels={"a": "1"})[:-1]).sessions.select("status", "labels").row(0) == (
        "rejected",
        None,
    )


def test_files_with_different_labels_are_decoded_together() -> None:
    batch = decode(
        session(record(), labels={"a": "1"}),
        session(record(), labels=[1]),
        session(record()),
        session(record(), labels={"b": "2"}),
    )

    assert batch.sessions["labels"].to_list() == ['{"a": "1"}', None, None, '{"b": "2"}']
    assert batch.violations.select("source", "field").rows() == [("1.json", "labels")]


def test_a_long_document_keeps_its_labels() -> None:
    data = session(*(record(seed=seed) for seed in range(1, 40)), labels={"a": "1"})

    batch = decode(data, options=DecodeOptions(piece_bytes=500, long_bytes=1000))

    assert batch.sessions["labels"].to_list() == ['{"a": "1"}']
    assert batch.violations.is_empty()
