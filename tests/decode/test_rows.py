"""The session of one file: which faults are kept and counted, and which keys are named."""

from __future__ import annotations

import pytest

from clamp_analytics.decode.rows import Fault, FaultLog, SessionRow, json_object, summary_fault
from clamp_analytics.decode.typed import RECORD_FIELDS


def noted(*keys: str, times: int = 1) -> SessionRow:
    row = SessionRow("a")
    row.note_keys(keys, RECORD_FIELDS, times=times)
    return row


def test_the_first_faults_of_a_rule_are_kept_and_the_others_counted() -> None:
    log = FaultLog(rows_per_rule=2)

    for index in range(5):
        log.add(Fault("wrong-type", "context", record_index=index))
    for index in (7, 8):
        log.add(Fault("missing-field", "seed", record_index=index))

    assert [(fault.rule, fault.record_index) for fault in log.kept] == [
        ("wrong-type", 0),
        ("wrong-type", 1),
        ("missing-field", 7),
        ("missing-field", 8),
    ]
    assert log.not_kept() == {"wrong-type": 3}


def test_every_fault_of_a_whole_file_is_kept() -> None:
    log = FaultLog(rows_per_rule=1)

    log.add(Fault("duplicate-key", "a"))
    log.add(Fault("duplicate-key", "b"))

    assert [fault.field for fault in log.kept] == ["a", "b"]
    assert log.not_kept() == {}


def test_faults_of_fields_that_are_checked_again_are_remembered_with_their_record() -> None:
    log = FaultLog(rows_per_rule=1)

    log.add(Fault("wrong-type", "released_at", record_index=3))
    log.add(Fault("wrong-type", "context", record_index=4))
    log.add(Fault("missing-field", "released_at", record_index=5))
    log.add(Fault("wrong-type", "stability_score"))

    assert {field: list(indices) for field, indices in log.faulted.items()} == {"released_at": [3, 5]}


def test_a_fault_that_counts_others_names_how_many_are_listed() -> None:
    fault = summary_fault("seed-zero", 5, 1000)

    assert (fault.rule, fault.times, fault.record_index) == ("seed-zero", 5, None)
    assert fault.detail == "the first 1,000 are listed; this row counts the others"


def test_deprecated_and_unknown_keys_are_counted_once_per_object() -> None:
    row = noted("context", "backend", "node", times=3)
    row.note_keys(["node", "deviceName"], RECORD_FIELDS)

    assert row.shared_faults() == [
        Fault("deprecated-field", "backend, deviceName", times=4),
        Fault("unknown-field", "node", times=4),
    ]


@pytest.mark.parametrize(("key", "rule"), [("backend", "deprecated-field"), ("node", "unknown-field")])
def test_a_file_may_have_deprecated_or_unknown_keys_alone(key: str, rule: str) -> None:
    assert noted(key).shared_faults() == [Fault(rule, key, times=1)]


def test_keys_that_occur_in_no_object_are_not_reported() -> None:
    row = noted("backend", "node", times=0)

    assert (row.deprecated, row.unknown, list(row.shared_faults())) == ({}, {}, [])


def test_known_shared_faults_are_given_where_no_keys_were_counted() -> None:
    row = SessionRow("a", shared=(Fault("unknown-field", "x", times=2),))

    assert row.shared_faults() == (Fault("unknown-field", "x", times=2),)


def test_a_thousand_unknown_keys_are_named_and_the_others_counted() -> None:
    row = noted(*(f"k{number:04}" for number in range(1002)), times=2)
    row.note_keys(["k0000", "k1001"], RECORD_FIELDS)

    (fault,) = row.shared_faults()

    assert fault.field == ", ".join(f"k{number:04}" for number in range(1000))
    assert fault.times == 2 * 1002 + 2


def test_nothing_that_a_rejected_file_says_is_kept() -> None:
    row = noted("backend", "node")
    row.declared_stability_score, row.backend, row.device_name, row.extra, row.labels = 1.0, "a", "b", "{}", "{}"
    row.faults.add(Fault("wrong-type", "seed", record_index=1))

    row.reject(Fault("truncated"))

    assert row.status == "rejected"
    assert (row.declared_stability_score, row.backend, row.device_name, row.extra, row.labels) == (None,) * 5
    assert row.faults.kept == [Fault("truncated")]
    assert list(row.shared_faults()) == []


def test_an_object_has_its_keys_in_order_and_its_values_as_they_were() -> None:
    assert json_object({"b": "1.50", 'a"': "[1,\n2]"}) == '{"a\\"": [1,\n2], "b": 1.50}'
    assert json_object({}) is None
