"""The fallback: what it keeps of a document with faults, how it names them, and how it goes through the records."""

from __future__ import annotations

from typing import Any

import pytest

from clamp_analytics.decode.columns import RecordColumns
from clamp_analytics.decode.fallback import examine
from clamp_analytics.decode.options import DEFAULT_OPTIONS, DecodeOptions
from clamp_analytics.decode.rows import FaultLog, SessionRow
from clamp_analytics.decode.typed import KeyLayout, KeyLayouts
from clamp_analytics.schema import RECORDS
from tests.conftest import GOOD, Raw, decode, faults, json_text, only, record, session, statuses

FAULTY = record(context=None)
"""A record that sends its document to the fallback."""


class RecordedLayouts(KeyLayouts):
    """Layouts that record how many records each array has that they decode, and None for one with a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[int | None] = []

    def decode_records(self, array: bytes) -> tuple[KeyLayout, Any] | None:
        found = super().decode_records(array)
        self.lengths.append(None if found is None else len(found[1]))
        return found


def examined(data: bytes, options: DecodeOptions = DEFAULT_OPTIONS) -> tuple[RecordColumns, RecordedLayouts]:
    """The columns of a document, and the layouts with what they decoded."""
    layouts, columns = RecordedLayouts(), RecordColumns(RECORDS.names)
    layouts.decode_session(GOOD)
    examine(data, SessionRow("a", faults=FaultLog()), columns, layouts, options)
    return columns, layouts


# Documents


@pytest.mark.parametrize(
    ("data", "rule", "offset", "value"),
    [
        (b"", "truncated", 0, None),
        (b"[1", "truncated", 2, None),
        (b'{"records":[', "truncated", 12, None),
        (b"[1] 2", "not-json", 4, "2"),
        (b"[x" + b"y" * 50 + b"]", "not-json", 1, "x" + "y" * 39),
        (b'{"a"\0:1}', "not-json", 4, "\0:1}"),
        (b"\0{}", "not-utf8", 0, None),
        (b"{\0}\0", "not-utf8", 0, None),
        (b"{ }\0", "not-utf8", 0, None),
        (b"\xff\xfe{}  ", "not-utf8", 0, None),
        (b"\xfe\xff  {}", "not-utf8", 0, None),
        (b" [1]", "not-a-session", 1, "[1]"),
        (b' "a"', "not-a-session", 1, '"a"'),
        (b" {}", "not-a-session", 1, None),
        (b'{"records": {}}', "not-a-session", 12, "{}"),
        (b'{"records":[],"records": [1]}', "duplicate-key", 25, None),
        (b"[" * 251 + b"]" * 251, "too-deep", None, None),
        (b"[" * 250 + b"]" * 250, "not-a-session", 0, "[" * 199 + "…"),
    ],
)
def test_a_document_that_is_not_a_session_is_rejected_for_one_reason(
    data: bytes, rule: str, offset: int | None, value: str | None
) -> None:
    found = decode(data)

    row = only(found.violations)
    assert statuses(found) == ["rejected"]
    assert (row["rule"], row["byte_offset"], row["value"]) == (rule, offset, value)


def test_a_document_without_records_is_reported_at_its_start() -> None:
    row = only(decode(b' {"a":1}').violations)

    assert (row["byte_offset"], row["value"]) == (1, None)
    assert row["message"].endswith("(`records` is missing)")


def test_a_byte_order_mark_is_at_the_start() -> None:
    rows = decode(b"\xef\xbb\xbf" + GOOD).violations.select("rule", "byte_offset").rows()

    assert rows == [("byte-order-mark", 0)]


@pytest.mark.parametrize(
    ("entries", "bound", "is_kept"),
    [
        (["1"] * 5, 5, True),
        (["1"] * 6, 5, False),
        (["[]"] * 6, 5, False),
        (["1" * 39] * 6, 5, True),
        (["1" * 38] * 6, 5, False),
        (["1" * 300, *["1"] * 5], 5, True),
    ],
)
def test_very_many_entries_that_are_too_short_to_be_records_reject_the_file(
    entries: list[str], bound: int, is_kept: bool
) -> None:
    data = session(*map(Raw, entries))

    found = decode(data, options=DecodeOptions(short_entries=bound))

    assert statuses(found) == ["loaded" if is_kept else "rejected"]


def test_entries_of_40_bytes_are_long_enough_to_be_records() -> None:
    # Brackets and commas count as well.
    array = ",".join(["1" * 39] * 5 + ["1" * 38])
    assert len(f"[{array}]") == 6 * 40

    found = decode(session(*map(Raw, array.split(","))), options=DecodeOptions(short_entries=5))

    assert statuses(found) == ["loaded"]


def test_the_reason_counts_the_entries_that_are_too_short() -> None:
    found = decode(session(*[Raw("{}")] * 1200), options=DecodeOptions(short_entries=1000))

    row = only(found.violations)
    assert row["rule"] == "not-a-session"
    assert row["message"].endswith("(its 1,200 entries are too short to be records)")


# Fields


@pytest.mark.parametrize(("zeros", "seed", "rules"), [(398, 7, []), (399, None, ["seed-range"])])
def test_a_seed_has_400_characters_at_most(zeros: int, seed: int | None, rules: list[str]) -> None:
    found = decode(session(record(seed=Raw("7." + "0" * zeros))))

    assert found.records["seed"].to_list() == [seed]
    assert found.violations["rule"].to_list() == rules


@pytest.mark.parametrize("score", [0, 1, Raw("0.5"), Raw("0e5"), Raw("10e-1")])
def test_a_valid_score_beside_a_fault_is_kept(score: Any) -> None:
    found = decode(session(record(context=None, stability_score=score), stability_score=score))

    assert found.records["stability_score"].to_list() == [float(score)]
    assert found.sessions["declared_stability_score"].to_list() == [float(score)]
    assert faults(found) == [("wrong-type", 0, "context", "null")]


@pytest.mark.parametrize("duration", ["-1e308", "1e308", "-0.5", "0"])
def test_any_finite_duration_beside_a_fault_is_kept(duration: str) -> None:
    found = decode(session(record(context=None, duration_ms=Raw(duration))))

    assert found.records["duration_ms"].to_list() == [float(duration)]


@pytest.mark.parametrize(
    ("names", "kept", "conflicts"),
    [
        ({"deviceName": "a", "device_name": "a"}, "a", 0),
        ({"deviceName": "a", "device_name": "b"}, "a", 1),
        ({"deviceName": None, "device_name": "b"}, "b", 0),
        ({"deviceName": "a", "device_name": None}, "a", 0),
        ({"device_name": "b"}, "b", 0),
    ],
)
def test_two_device_names_beside_a_fault_conflict_where_they_differ(
    names: dict[str, str | None], kept: str, conflicts: int
) -> None:
    found = decode(session(record(context=None, **names)))

    assert found.records["device_name"].to_list() == [kept]
    assert found.violations.filter(rule="device-name-conflict").height == conflicts


def test_unknown_fields_beside_a_fault_are_kept_and_counted() -> None:
    found = decode(session(record(context=None, node=Raw("[1, 2]"), a=1), record(node=2), host="x", stability_score=1))

    assert found.records["extra"].to_list() == ['{"a": 1, "node": [1, 2]}', '{"node": 2}']
    assert found.sessions["extra"].to_list() == ['{"host": "x"}']
    rows = found.violations.filter(rule="unknown-field").select("field", "count").rows()
    assert rows == [("a, host, node", 4)]


def test_a_doubled_unknown_field_is_left_out() -> None:
    found = decode(session(Raw(json_text(record(node=1, a=2))[:-1] + ',"node":3}')))

    assert found.records["extra"].to_list() == ['{"a": 2}']
    row = only(found.violations.filter(severity="error"))
    assert (row["rule"], row["field"], row["value"]) == ("duplicate-key", "node", "1, 3")


def test_a_key_that_is_not_unicode_is_reported_with_its_value() -> None:
    data = session(record(x=Raw("[1]"))).replace(b'"x"', b'"\xff"')

    row = only(decode(data).violations.filter(severity="error"))

    assert (row["rule"], row["field"], row["value"]) == ("not-utf8", "\\xff", "[1]")
    assert data[row["byte_offset"] :].startswith(b"[1]")
    assert row["message"].endswith("(its key)")


def test_labels_beside_a_fault_are_not_an_unknown_field() -> None:
    found = decode(session(FAULTY, labels={"commit": "f00"}))

    assert found.sessions.select("labels", "extra").rows() == [('{"commit": "f00"}', None)]
    assert found.violations["rule"].to_list() == ["wrong-type"]


def test_labels_that_are_not_texts_are_an_unknown_field_beside_a_fault() -> None:
    found = decode(session(FAULTY, labels={"commit": 1}))

    assert found.sessions.select("labels", "extra").rows() == [(None, '{"labels": {"commit":1}}')]
    assert found.violations["rule"].to_list() == ["unknown-field", "wrong-type"]


def test_the_first_fault_of_a_rule_in_a_record_is_that_of_the_first_field_by_name() -> None:
    data = session(record(thread_id=None, context=None, backend=Raw("5")))

    found = decode(data, options=DecodeOptions(rows_per_rule=1)).violations.filter(rule="wrong-type")

    assert found.select("record_index", "field", "count").rows() == [(None, None, 2), (0, "backend", 1)]


# Records


def test_the_records_beside_a_fault_keep_their_index_and_their_order() -> None:
    data = session(record(seed=1), record(seed=2), FAULTY, record(seed=4), Raw("5"), record(seed=6, node=1))

    found = decode(data)

    assert found.records.select("record_index", "seed").rows() == [(0, 1), (1, 2), (2, 7), (3, 4), (5, 6)]


def test_records_without_a_fault_are_decoded_together() -> None:
    columns, layouts = examined(session(*(record(seed=seed) for seed in range(1, 6)), stability_score=None))

    assert layouts.lengths == [5]
    assert columns.take_frame()["seed"].to_list() == [1, 2, 3, 4, 5]


def test_the_records_of_a_piece_with_a_fault_are_decoded_one_at_a_time() -> None:
    columns, layouts = examined(session(record(seed=1), FAULTY, record(seed=3)))

    assert layouts.lengths == [None, 1, None, 1]
    assert columns.take_frame()["seed"].to_list() == [1, 7, 3]


SIZE = len(json_text(record(seed=1)))
"""The bytes of each record below."""


@pytest.mark.parametrize(
    ("size", "lengths"),
    [
        (SIZE - 2, [1, 1, 1, 1, 1]),
        (SIZE + 2, [2, 2, 1]),
        (2 * SIZE, [2, 2, 1]),
        (2 * SIZE + 1, [3, 2]),
        (5 * SIZE, [5]),
        (SIZE // 2 - 2, [None, 1, None, 1, None, 1, None, 1, None, 1]),
    ],
)
def test_a_piece_ends_between_two_records_and_has_at_most_twice_its_size(size: int, lengths: list[int]) -> None:
    data = session(*(record(seed=seed) for seed in range(1, 6)), stability_score=None)

    columns, layouts = examined(data, DecodeOptions(examined_bytes=size))

    assert layouts.lengths == lengths
    assert columns.take_frame().select("record_index", "seed").rows() == [(n, n + 1) for n in range(5)]


def test_the_layout_of_a_record_beside_a_fault_is_remembered() -> None:
    learnt = KeyLayouts()

    decode(session(record(without=("seed",)), record(node=1)), learnt=learnt)

    assert learnt.decode_records(json_text([record(node=2)]).encode()) is not None


def test_records_beside_a_fault_are_moved_into_columns_as_soon_as_there_are_enough() -> None:
    columns, _ = examined(session(record(), FAULTY, stability_score=1), DecodeOptions(records_pending=2))

    assert (len(columns), columns.pending) == (2, 0)
