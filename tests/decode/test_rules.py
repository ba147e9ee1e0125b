"""Every rule: a file that breaks exactly it, and one beside it that does not."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from clamp_analytics.reading import load
from clamp_analytics.rules import BY_ID, RULES, Severity
from tests.conftest import GOOD, RECORD, Raw, decode, record, run_python, session, write

Z = "2026-01-01T00:00:00Z"
DEEP = "[" * 100_000 + "]" * 100_000

BREAKS = {
    "truncated": GOOD[:-1],
    "not-json": session(record(duration_ms=Raw("nan"))),
    "not-utf8": GOOD.replace(b"alpha", b"\xff"),
    "too-many-keys": session(record(**{f"k{n}": n for n in range(9_994)})),
    "too-deep": session(record(), node=Raw(DEEP)),
    "not-a-session": b"[]",
    "record-not-object": session(record(), Raw("1")),
    "missing-field": session(record(without=("thread_id",))),
    "wrong-type": session(record(context=None)),
    "duplicate-key": GOOD.replace(b'"seed":7', b'"seed":7,"seed":7'),
    "seed-range": session(record(seed=2**64)),
    "score-range": session(record(stability_score=Raw("1.001"))),
    "not-finite": session(record(duration_ms=Raw("1e999"))),
    "byte-order-mark": codecs.BOM_UTF8 + GOOD,
    "seed-zero": session(record(seed=0)),
    "seed-reused": session(record(seed=5), record(seed=5)),
    "timestamp-unset": session(record(acquired_at="")),
    "timestamp-unreadable": session(record(acquired_at="yesterday")),
    "timestamp-not-utc": session(record(acquired_at="2026-01-01T01:00:00+01:00")),
    "timestamp-no-zone": session(record(acquired_at="2026-01-01T00:00:00")),
    "released-before-acquired": session(record(released_at="2025-12-31T23:59:59Z", duration_ms=0)),
    "duration-negative": session(record(released_at=Z, duration_ms=Raw("-0.001"))),
    "duration-contradicts-timestamps": session(record(duration_ms=Raw("2000.002"))),
    "mean-contradicts-records": session(record(), stability_score=Raw("0.999000")),
    "in-flight": session(record(released_at=None)),
    "timestamp-finer-than-microsecond": session(record(acquired_at="2026-01-01T00:00:00.0000001Z")),
}
"""A document that breaks this rule and no other."""

KEEPS = {
    "truncated": GOOD,
    "not-json": session(record(context="nan")),
    "not-utf8": session(record(context="\u00ff")),
    "too-many-keys": session(record(**{f"k{n}": n for n in range(9_993)})),
    "too-deep": session(record(), node=Raw("[" * 200 + "]" * 200)),
    "not-a-session": session(),
    "record-not-object": session(record()),
    "missing-field": session(record(thread_id="")),
    "wrong-type": session(record(context="null")),
    "duplicate-key": session(record(context='"seed":7,"seed":7')),
    "seed-range": session(record(seed=2**64 - 1)),
    "score-range": session(record(stability_score=1), record(seed=8, stability_score=0), stability_score=Raw("0.5")),
    "not-finite": session(record(released_at=None, duration_ms=Raw("1e308"))),
    "byte-order-mark": session(record(context="\ufeff")),
    "seed-zero": session(record(seed=1)),
    "seed-reused": session(record(seed=5), record(seed=6)),
    "timestamp-unset": session(record(released_at=None)),
    "timestamp-unreadable": session(record(acquired_at="2026-01-01t00:00:00z")),
    "timestamp-not-utc": session(record(acquired_at="2026-01-01T00:00:00+00:00")),
    "timestamp-no-zone": session(record(acquired_at="2026-01-01T00:00:00Z")),
    "released-before-acquired": session(record(released_at=Z, duration_ms=0)),
    "duration-negative": session(record(released_at=Z, duration_ms=Raw("-0.0"))),
    "duration-contradicts-timestamps": session(record(duration_ms=Raw("2000.001"))),
    "mean-contradicts-records": session(record(), stability_score=Raw("0.999500")),
    "in-flight": session(record(released_at="")),
    "timestamp-finer-than-microsecond": session(record(acquired_at="2026-01-01T00:00:00.000001000Z")),
    "device-name-conflict": session(record(deviceName="a", device_name="a")),
    "deprecated-field": session(record(Backend="a")),
    "unknown-field": session(record(backend="a", deviceName="b", device_name="b"), device_name="c"),
}
"""A document that is close to breaking the rule and does not."""

CONTAINERS = {"container-damaged", "container-refused", "container-limit", "container-mismatch"}
"""Rules of zips, tars and compressed files; their tests are beside these."""

ELSEWHERE = {"unreadable", "session-repeated", "device-name-conflict", "deprecated-field", "unknown-field"} | CONTAINERS
"""Rules that no single document breaks alone; tests of their own are below."""


def rules_of(data: bytes) -> list[str]:
    return decode(data).violations["rule"].to_list()


@pytest.mark.parametrize("rule", BREAKS)
def test_a_document_breaks_one_rule_and_no_other(rule: str) -> None:
    found = set(rules_of(BREAKS[rule]))

    assert found - {"unknown-field"} == {rule}


@pytest.mark.parametrize("rule", KEEPS)
def test_a_document_close_to_breaking_a_rule_keeps_it(rule: str) -> None:
    assert rule not in rules_of(KEEPS[rule])


def test_every_rule_is_tried() -> None:
    assert set(BREAKS) | ELSEWHERE == set(BY_ID)
    assert set(KEEPS) | {"unreadable", "session-repeated"} | CONTAINERS == set(BY_ID)


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to("gone")

    assert load(tmp_path).violations["rule"].to_list() == ["unreadable"]


def test_one_session_under_two_names_is_repeated(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": GOOD, "c.json": session(record(seed=8))})

    assert load(tmp_path).violations["rule"].to_list() == ["session-repeated"]


def test_two_names_of_one_device_conflict() -> None:
    assert rules_of(session(record(deviceName="a", device_name="b"))) == ["deprecated-field", "device-name-conflict"]


def test_a_deprecated_field_is_reported() -> None:
    assert rules_of(session(record(backend="a"))) == ["deprecated-field"]


def test_an_unknown_field_is_reported() -> None:
    assert rules_of(session(record(node=1))) == ["unknown-field"]


def test_every_rule_has_an_id_a_sentence_and_a_row_in_the_table() -> None:
    assert len(BY_ID) == len(RULES)
    assert all(rule.id == rule.id.lower() and rule.sentence.endswith(".") for rule in RULES)
    ranks = [list(Severity).index(rule.severity) for rule in RULES]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_violation_has_the_severity_of_its_rule(rule: str) -> None:
    found = decode(BREAKS[rule]).violations.filter(rule=rule)

    assert set(found["severity"]) == {BY_ID[rule].severity.value}
    assert all(message.startswith(BY_ID[rule].sentence) for message in found["message"])


SEVERITIES = {
    "error": "unreadable container-damaged container-refused container-limit container-mismatch truncated not-json "
    "not-utf8 too-deep not-a-session record-not-object missing-field wrong-type "
    "duplicate-key seed-range score-range not-finite",
    "info": "in-flight deprecated-field unknown-field",
}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_corrupt_is_an_error_and_what_is_normal_an_info(severity: str) -> None:
    assert {BY_ID[rule].severity for rule in SEVERITIES[severity].split()} == {Severity(severity)}


# Limits of the rules that compare


def released(seconds: str, duration: str, acquired: str = "00") -> bytes:
    return session(
        record(
            acquired_at=f"2026-01-01T00:00:{acquired}Z",
            released_at=f"2026-01-01T00:00:{seconds}Z",
            duration_ms=Raw(duration),
        )
    )


@pytest.mark.parametrize(
    ("data", "contradicts"),
    [
        (released("01", "0"), False),
        (released("01", "2000.001"), False),
        (released("01", "2000.002"), True),
        (released("02", "999.998"), True),
        (released("00.500000", "500.000", "00.000000"), False),
        (released("00.500000", "500.002", "00.000000"), False),
        (released("00.500000", "500.003", "00.000000"), True),
        (released("00.500", "501.001", "00.000"), False),
        (released("00.500", "501.002", "00.000"), True),
        (released("01", "1999", "00.000000"), False),
        (released("01", "1e300"), True),
    ],
)
def test_a_duration_may_differ_from_the_timestamps_by_their_resolution(data: bytes, contradicts: bool) -> None:
    assert ("duration-contradicts-timestamps" in rules_of(data)) == contradicts


@pytest.mark.parametrize(
    ("scores", "declared", "contradicts"),
    [
        (["1", "1"], "1.000000", False),
        (["1", "0"], "0.5", False),
        (["0.988"], "0.988499", False),
        (["0.988"], "0.988501", True),
        (["0"], "0.000500500001", False),
        (["0"], "0.0005005000011", True),
        (["0.98765432"], "0.987654", False),
        (["0.98765432"], "0.987655", True),
        (["0.9876"], "0.987700", True),
        (["0.9876"], "0.987600", False),
        (["1", "1"], "0.999600", False),
        (["1", "1"], "0.999400", True),
        (["0.98765432", "0.988"], "0.987828", True),
        (["1", "0", "0"], "0.333333", False),
        (["1", "0", "0"], "0.332", True),
        ([], "0.7", False),
    ],
)
def test_a_declared_mean_may_differ_from_the_records_by_what_printing_loses(
    scores: list[str], declared: str, contradicts: bool
) -> None:
    entries = (record(seed=n, stability_score=Raw(score)) for n, score in enumerate(scores, 1))
    data = session(*entries, stability_score=Raw(declared))

    assert ("mean-contradicts-records" in rules_of(data)) == contradicts


def test_a_contradicting_mean_is_reported_with_its_original_text() -> None:
    data = session(record(), stability_score=Raw("0.250000"))

    row = decode(data).violations.row(0, named=True)

    assert (row["field"], row["value"], row["record_index"]) == ("stability_score", "0.250000", None)
    assert data[row["byte_offset"] :].startswith(b"0.250000")


def test_an_unusable_score_keeps_the_declared_mean_from_being_judged() -> None:
    data = session(record(stability_score=None), record(seed=8, stability_score=0), stability_score=Raw("0.9"))

    assert rules_of(data) == ["wrong-type"]


def test_a_seed_of_another_session_is_not_reused() -> None:
    batch = decode(session(record(seed=5)), session(record(seed=5, context="b")))

    assert batch.violations.is_empty()


def test_every_reuse_of_a_seed_is_reported() -> None:
    batch = decode(session(*(record(seed=seed) for seed in (5, 6, 5, 0, 5, 0, 6))))

    found = batch.violations.filter(rule="seed-reused")["record_index"].to_list()
    assert found == [2, 4, 6]


def test_a_fault_of_decoding_is_not_reported_a_second_time_by_a_rule() -> None:
    wrong = {key: Raw("[]") for key in RECORD}

    assert set(rules_of(session(wrong))) == {"wrong-type"}


def test_rules_can_be_looked_up_without_reading_anything() -> None:
    done = run_python("import sys, clamp_analytics.rules; print('duckdb' in sys.modules, 'pyarrow' in sys.modules)")

    assert done.stdout == b"False False\n"
