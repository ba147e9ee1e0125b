"""Single wrong values: each becomes null, keeps its violation, and harms nothing beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import RECORD, Raw, decode, faults, only, producer_session, record, session, statuses

SECOND = datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
SOUND = {
    "context": "alpha",
    "seed": 7,
    "thread_id": "1",
    "acquired_at": datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC),
    "released_at": SECOND,
    "duration_ms": 1000.0,
    "stability_score": 1.0,
    "backend": None,
    "device_name": None,
    "extra": None,
}
"""The columns of the record that ``record()`` gives."""

WRONG = [
    ("stability_score", '"1"', "wrong-type"),
    ("stability_score", '"0.5"', "wrong-type"),
    ("stability_score", "null", "wrong-type"),
    ("stability_score", "true", "wrong-type"),
    ("stability_score", "[0.5, 1]", "wrong-type"),
    ("stability_score", '{"v": 1, "w": [2]}', "wrong-type"),
    ("stability_score", "2.0", "score-range"),
    ("stability_score", "-1", "score-range"),
    ("stability_score", "1.0000000000000002", "score-range"),
    ("stability_score", "-1e-300", "score-range"),
    ("stability_score", "1e999", "score-range"),
    ("stability_score", "-1e999", "score-range"),
    ("seed", "-1", "seed-range"),
    ("seed", "18446744073709551616", "seed-range"),
    ("seed", "1.5", "seed-range"),
    ("seed", "1e20", "seed-range"),
    ("seed", "1e999", "seed-range"),
    ("seed", "1e9999999999999999999", "seed-range"),
    ("seed", "1e-9999999999999999999", "seed-range"),
    ("seed", "9" * 150, "seed-range"),
    ("seed", '"7"', "wrong-type"),
    ("seed", "null", "wrong-type"),
    ("seed", "true", "wrong-type"),
    ("seed", "[]", "wrong-type"),
    ("duration_ms", "1e999", "not-finite"),
    ("duration_ms", "-1e999", "not-finite"),
    ("duration_ms", "1" * 180 + "e200", "not-finite"),
    ("duration_ms", '"1"', "wrong-type"),
    ("duration_ms", "null", "wrong-type"),
    ("duration_ms", "false", "wrong-type"),
    ("context", "null", "wrong-type"),
    ("context", "5", "wrong-type"),
    ("context", '["a,b"]', "wrong-type"),
    ("thread_id", "140576949393088", "wrong-type"),
    ("thread_id", "{}", "wrong-type"),
    ("acquired_at", "null", "wrong-type"),
    ("acquired_at", "1767225600", "wrong-type"),
    ("released_at", "1767225600.5", "wrong-type"),
    ("released_at", "false", "wrong-type"),
    ("context", '"\\ud800"', "not-utf8"),
    ("context", '"x\\udc00"', "not-utf8"),
    ("acquired_at", '"\\ud800"', "not-utf8"),
]


@pytest.mark.parametrize(("field", "text", "rule"), WRONG)
def test_a_wrong_value_becomes_null_and_its_violation_keeps_it(field: str, text: str, rule: str) -> None:
    data = session(record(**{field: Raw(text)}))

    batch = decode(data)

    assert statuses(batch) == ["loaded"]
    assert only(batch.records.select(list(SOUND))) == {**SOUND, field: None}
    assert faults(batch) == [(rule, 0, field, text)]
    offset = batch.violations.row(0, named=True)["byte_offset"]
    assert data[offset:].startswith(text.encode())


@pytest.mark.parametrize(("field", "text", "rule"), WRONG)
def test_a_wrong_value_harms_no_other_record(field: str, text: str, rule: str) -> None:
    data = session(record(seed=1), record(**{"seed": 2, field: Raw(text)}), record(seed=3))

    batch = decode(data)

    assert batch.records.filter(record_index=0)["seed"].to_list() == [1]
    assert batch.records.filter(record_index=2)["seed"].to_list() == [3]
    assert batch.records[1, field] is None
    assert [(found, index) for found, index, _, _ in faults(batch)] == [(rule, 1)]


def test_every_field_of_a_record_may_be_wrong_at_once() -> None:
    wrong = {key: Raw("{}") for key in RECORD}
    data = session(wrong, record(seed=8))

    batch = decode(data)

    assert sorted(faults(batch)) == sorted(("wrong-type", 0, key, "{}") for key in RECORD)
    assert batch.records["seed"].to_list() == [None, 8]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("9007199254740993", 2**53 + 1),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2**63),
        ("18446744073709551615", 2**64 - 1),
        ("7.0", 7),
        ("7e0", 7),
        ("70E-1", 7),
        ("9007199254740993.0", 2**53 + 1),
        ("1.8446744073709551615e19", 2**64 - 1),
    ],
)
@pytest.mark.parametrize("beside", ["nothing wrong", "a fault"])
def test_a_seed_is_exact_to_64_bits(text: str, value: int, beside: str) -> None:
    data = session(record(seed=Raw(text)), *([record(context=None)] if beside == "a fault" else []))

    batch = decode(data)

    assert batch.records[0, "seed"] == value


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "0e5", "0e9999999999999999999"])
def test_a_seed_of_zero_is_kept_and_flagged(text: str) -> None:
    data = session(record(seed=Raw(text)))

    batch = decode(data)

    assert only(batch.records)["seed"] == 0
    assert faults(batch, at_least="warning") == [("seed-zero", 0, "seed", text)]


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("1", 1.0), ("0.988", 0.988), ("1e-09", 1e-9), ("1.0e0", 1.0), ("5E-324", 5e-324)]
)
def test_a_score_is_the_nearest_float(text: str, value: float) -> None:
    data = session(record(stability_score=Raw(text)), stability_score=Raw(text))

    assert only(decode(data).records)["stability_score"] == value


def test_the_declared_score_is_judged_like_a_score() -> None:
    data = session(record(), stability_score=Raw("2.0"))

    batch = decode(data)

    assert only(batch.sessions)["declared_stability_score"] is None
    assert faults(batch) == [("score-range", None, "stability_score", "2.0")]
    assert data[only(batch.violations)["byte_offset"] :].startswith(b"2.0")
    assert batch.records.height == 1


@pytest.mark.parametrize("missing", list(RECORD))
def test_a_missing_field_is_named_with_the_offset_of_its_record(missing: str) -> None:
    data = session(record(seed=5), record(seed=6, without=(missing,)))

    batch = decode(data)

    row = only(batch.violations.filter(severity="error"))
    assert (row["rule"], row["record_index"], row["field"], row["value"]) == ("missing-field", 1, missing, None)
    assert data[row["byte_offset"] :].startswith(b"{")
    assert row["byte_offset"] > data.index(b'"seed":5')
    assert batch.records[1, missing] is None
    assert batch.records[1, "context" if missing != "context" else "thread_id"] is not None


def test_a_missing_declared_score_is_flagged_and_the_records_are_kept() -> None:
    batch = decode(b'{"records":[' + session(record()).split(b"[")[1][:-1] + b"}")

    assert faults(batch) == [("missing-field", None, "stability_score", None)]
    assert batch.records.height == 1


def test_a_missing_declared_score_is_reported_whether_or_not_a_record_is_at_fault() -> None:
    def missing(data: bytes) -> dict[str, Any]:
        return only(decode(data).violations.filter(rule="missing-field").drop("source"))

    sound, faulty = (
        session(entry).replace(b'"stability_score":1.000000,', b"") for entry in (record(), record(seed=-1))
    )

    assert missing(sound) == missing(faulty)


def test_an_absent_timestamp_is_missing_and_an_empty_one_unset() -> None:
    batch = decode(session(record(without=("acquired_at",)), record(acquired_at="", seed=8)))

    found = faults(batch, at_least="warning")

    assert found == [("missing-field", 0, "acquired_at", None), ("timestamp-unset", 1, "acquired_at", '""')]


@pytest.mark.parametrize("broken", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3"])
@pytest.mark.parametrize("field", ["context", "thread_id", "acquired_at", "released_at"])
def test_text_that_is_not_utf8_costs_its_field_only(field: str, broken: bytes) -> None:
    data = session(record(**{field: "a@b"}), record(seed=8)).replace(b"@", broken)

    batch = decode(data)

    assert batch.records[0, field] is None
    assert batch.records["seed"].to_list() == [7, 8]
    row = only(batch.violations.filter(severity="error"))
    assert (row["rule"], row["record_index"], row["field"]) == ("not-utf8", 0, field)
    assert row["value"] == '"a' + "".join(f"\\x{byte:02x}" for byte in broken) + 'b"'
    assert data[row["byte_offset"] :].startswith(b'"a' + broken)


@pytest.mark.parametrize("level", ["top", "record"])
@pytest.mark.parametrize("key", ["backend", "deviceName", "x"])
def test_text_that_is_not_utf8_is_named_at_every_level(level: str, key: str) -> None:
    data = session(record(**{key: "@"})) if level == "record" else session(record(), **{key: "@"})
    data = data.replace(b"@", b"\xff")

    batch = decode(data)

    index = 0 if level == "record" else None
    assert faults(batch) == [("not-utf8", index, key, '"\\xff"')]
    assert batch.records.height == 1


@pytest.mark.parametrize("level", ["top", "record"])
@pytest.mark.parametrize("spelled", [b'"\xff"', b'"\\ud800"'])
def test_an_unknown_key_that_is_not_unicode_is_an_error(level: str, spelled: bytes) -> None:
    data = session(record(x=1)) if level == "record" else session(record(), x=1)
    data = data.replace(b'"x"', spelled)

    batch = decode(data)

    assert [rule for rule, *_ in faults(batch)] == ["not-utf8"]
    assert batch.records.height == 1


@pytest.mark.parametrize("field", ["backend", "deviceName", "device_name"])
@pytest.mark.parametrize("level", ["top", "record"])
def test_a_legacy_field_of_the_wrong_type_is_an_error(field: str, level: str) -> None:
    wrong = {field: Raw("5")}
    data = session(record(**wrong)) if level == "record" else session(record(), **wrong)

    batch = decode(data)

    assert faults(batch) == [("wrong-type", 0 if level == "record" else None, field, "5")]


@pytest.mark.parametrize("level", ["top", "record"])
@pytest.mark.parametrize("beside", ["nothing wrong", "a fault"])
def test_two_device_names_that_differ_are_reported_with_their_original_text(level: str, beside: str) -> None:
    names = {"deviceName": "a", "device_name": Raw('"caf\\u00e9, \xe9"')}
    wrong = {} if beside == "nothing wrong" else {"backend": Raw("5")}
    data = session(record(**names, **wrong)) if level == "record" else session(record(), **names, **wrong)

    batch = decode(data)

    row = only(batch.violations.filter(rule="device-name-conflict"))
    assert row["value"] == '"caf\\u00e9, \xe9"'
    assert data[row["byte_offset"] :].startswith('"caf\\u00e9, \xe9"'.encode())
    assert row["record_index"] == (0 if level == "record" else None)


def test_a_long_value_is_cut_in_its_violation_with_an_ellipsis() -> None:
    text = '"' + "x" * 5000 + '"'

    row = only(decode(session(record(seed=Raw(text)))).violations)

    assert len(row["value"]) == 200
    assert row["value"] == text[:199] + "…"


def test_violations_come_by_record_with_those_of_the_file_first() -> None:
    data = session(
        record(seed=-1, released_at="", node=1),
        record(seed=0),
        record(stability_score=2, context=None),
        stability_score=5,
    )

    found = decode(data).violations.select("record_index", "rule").rows()

    assert [index for index, _ in found] == [None, None, 0, 0, 1, 2, 2]
    assert {rule for index, rule in found if index is None} == {"score-range", "unknown-field"}


def test_a_violation_keeps_the_original_text_of_a_producer_value() -> None:
    data = producer_session({"seed": 1}, {"seed": 0, "acquired_at": "", "duration_ms": Raw("-0.004")})

    violations = decode(data).violations.filter(severity="warning")

    originals = [(row["rule"], row["field"], row["value"]) for row in violations.iter_rows(named=True)]
    assert originals == [
        ("seed-zero", "seed", "0"),
        ("timestamp-unset", "acquired_at", '""'),
        ("duration-negative", "duration_ms", "-0.004"),
    ]
    for row in violations.iter_rows(named=True):
        key = f'"{row["field"]}":'.encode()
        assert data[: row["byte_offset"]].endswith(key)
        assert data[row["byte_offset"] :].startswith(row["value"].encode())


def test_the_same_fault_in_two_files_is_reported_for_each() -> None:
    one, two = session(record(seed=0)), session(record(), record(seed=0, context="é"))

    batch = decode(one, two)

    rows = batch.violations.filter(rule="seed-zero").select("source", "record_index", "byte_offset").rows()
    assert rows == [("0.json", 0, one.index(b'"seed":0') + 7), ("1.json", 1, two.index(b'"seed":0') + 7)]
