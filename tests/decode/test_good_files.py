"""Sound files: what the real producer writes, and what the specification promises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from clamp_analytics.reading import Counts, load
from tests.conftest import INTEROP, Raw, decode, faults, only, producer_session, record, session, statuses

REAL = sorted(path for path in INTEROP.glob("*.json") if path.name != "expected.json")


def test_the_real_files_load_whole(interop: Path) -> None:
    telemetry = load(interop)

    assert telemetry.counts == Counts(loaded=14, rejected=0, skipped=0)
    assert telemetry.records.height == 404
    assert faults(telemetry, at_least="warning") == []


def test_the_real_files_have_the_aggregates_that_the_producer_computed(interop: Path) -> None:
    expected = json.loads((INTEROP / "expected.json").read_bytes())["temporal_aggregator"]

    records = load(interop).records

    assert records["stability_score"].count() == expected["session_count"]
    assert f"{records['stability_score'].mean():.6f}" == f"{expected['mean_stability']:.6f}"
    assert f"{records['stability_score'].var():.6f}" == f"{expected['stability_variance']:.6f}"
    span = records["acquired_at"].max() - records["acquired_at"].min()
    assert span.total_seconds() * 1000 == expected["drift_index"]


def test_every_in_flight_anchor_of_the_real_files_is_reported(interop: Path) -> None:
    written = sum(path.read_bytes().count(b'"released_at":null') for path in REAL)

    telemetry = load(interop)

    assert written > 0
    assert telemetry.violations.filter(rule="in-flight").height == written
    assert telemetry.sessions["in_flight_count"].sum() == written


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_file_has_the_values_that_stand_in_it(path: Path) -> None:
    written = json.loads(path.read_bytes())

    batch = decode(path.read_bytes())

    def instant(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    columns = ["record_index", "context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms"]
    columns += ["stability_score", "backend", "device_name", "extra"]
    assert batch.records.select(columns).rows() == [
        (
            index,
            entry["context"],
            entry["seed"],
            entry["thread_id"],
            instant(entry["acquired_at"]),
            instant(entry["released_at"]),
            entry["duration_ms"],
            entry["stability_score"],
            entry["backend"],
            entry["deviceName"],
            None,
        )
        for index, entry in enumerate(written["records"])
    ]


def test_the_builder_of_the_tests_writes_what_the_producer_writes() -> None:
    real = (INTEROP / "run_only_inflight_20261122T171756Z.json").read_bytes()
    in_flight = {
        "context": "thread-0",
        "acquired_at": "2026-11-22T17:17:56Z",
        "released_at": None,
        "duration_ms": Raw("0.000"),
        "stability_score": 0,
    }

    built = producer_session(
        {**in_flight, "seed": 7198192185574077159, "thread_id": "139913530086464"},
        {**in_flight, "seed": 7198192185574175237, "thread_id": "139913530086464", "context": "thread-1"},
        device="node-b",
        score=0.0,
    )

    assert built == real


def test_a_file_of_the_specification_has_no_violation() -> None:
    batch = decode(session(record()))

    assert batch.violations.is_empty()


def test_a_session_row_tells_what_its_records_come_to() -> None:
    data = session(
        record(seed=1, stability_score=Raw("0.5"), acquired_at="2026-01-01T00:00:00Z"),
        record(seed=2, stability_score=1, acquired_at="2026-01-01T00:00:02Z", released_at="2026-01-01T00:00:03Z"),
        record(seed=3, stability_score=0, acquired_at="2026-01-01T00:00:01Z", released_at=None),
        stability_score=Raw("0.500000"),
    )

    row = only(decode(data).sessions)

    assert row == {
        "session_id": None,
        "source": "0.json",
        "size_bytes": len(data),
        "status": "loaded",
        "declared_stability_score": 0.5,
        "mean_stability": 0.5,
        "record_count": 3,
        "scored_count": 3,
        "in_flight_count": 1,
        "first_acquired_at": datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC),
        "last_acquired_at": datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC),
        "backend": None,
        "device_name": None,
        "extra": None,
        "labels": None,
    }


def test_a_session_without_records_has_null_for_what_it_cannot_tell() -> None:
    row = only(decode(b'{"stability_score":0.000000,"records": [] }').sessions)

    assert (row["status"], row["record_count"], row["scored_count"], row["in_flight_count"]) == ("loaded", 0, 0, 0)
    assert (row["mean_stability"], row["first_acquired_at"], row["last_acquired_at"]) == (None, None, None)


def test_a_session_id_is_the_hash_of_the_bytes(interop: Path) -> None:
    import hashlib

    telemetry = load(interop, session_ids=True)

    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in REAL]
    assert telemetry.sessions["session_id"].to_list() == expected
    assert telemetry.records["session_id"].null_count() == 0


def test_a_session_id_is_null_where_it_was_not_asked_for(interop: Path) -> None:
    assert load(interop).sessions["session_id"].null_count() == 14


def test_only_the_columns_that_are_wanted_come(interop: Path) -> None:
    records = load(interop, columns=["stability_score", "context"]).records

    assert records.columns == ["context", "stability_score"]
    assert records.height == 404


def test_columns_that_are_not_wanted_change_no_violation(interop: Path) -> None:
    (interop / "bad.json").write_bytes(session(record(seed=-1, context=5, acquired_at=""), record(thread_id=None)))

    whole, narrow = load(interop), load(interop, columns=["context"])

    assert narrow.violations.equals(whole.violations)
    assert narrow.sessions.equals(whole.sessions)


def test_legacy_fields_are_read_and_counted_once_a_file() -> None:
    batch = decode(producer_session({"seed": 1}, {"seed": 2}))

    assert batch.records.select("backend", "device_name").rows() == [("CPU", "node-a")] * 2
    assert only(batch.sessions)["backend"] == "CPU"
    assert only(batch.sessions)["device_name"] == "node-a"
    row = only(batch.violations)
    assert (row["rule"], row["field"], row["count"]) == ("deprecated-field", "backend, deviceName, device_name", 9)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"deviceName": "a"}, "a"),
        ({"device_name": "b"}, "b"),
        ({"deviceName": "a", "device_name": "b"}, "a"),
        ({"deviceName": None, "device_name": "b"}, "b"),
        ({"deviceName": None}, None),
    ],
)
@pytest.mark.parametrize("level", ["record", "top"])
def test_the_device_name_is_read_from_either_key(
    names: dict[str, str | None], expected: str | None, level: str
) -> None:
    batch = decode(session(record(**names)) if level == "record" else session(record(), **names))

    assert only(batch.records if level == "record" else batch.sessions)["device_name"] == expected


def test_keys_may_stand_in_any_order_and_be_spelled_with_escapes() -> None:
    shuffled = {key: record()[key] for key in reversed(record())}
    data = session(shuffled).replace(b'"seed"', b'"s\\u0065ed"')

    batch = decode(data)

    assert batch.records.drop("source").equals(decode(session(record())).records.drop("source"))
    assert batch.violations.is_empty()


def test_blanks_between_tokens_change_nothing() -> None:
    plain = session(record(seed=1), record(seed=2), backend="CPU")
    spaced = json.dumps(json.loads(plain), indent=4).replace("\n", "\r\n\t").encode() + b" \n\t\r"

    batch = decode(spaced)

    assert batch.records.equals(decode(plain).records)


def test_unknown_fields_are_kept_unchanged() -> None:
    data = session(
        record(node=Raw('{"rack": 12345678901234567890123, "p":[1.50,\n1e-2]}'), a=Raw("null")),
        host=Raw('"x\\u0041"'),
    )

    batch = decode(data)

    extra = only(batch.records)["extra"]
    assert extra == '{"a": null, "node": {"rack": 12345678901234567890123, "p":[1.50,\n1e-2]}}'
    assert only(batch.sessions)["extra"] == '{"host": "x\\u0041"}'
    row = only(batch.violations)
    assert (row["rule"], row["field"], row["count"], row["record_index"]) == ("unknown-field", "a, host, node", 3, None)


def test_records_of_one_file_may_differ_in_their_keys() -> None:
    data = session(record(seed=1), record(seed=2, backend="CPU"), record(seed=3, node=1), record(seed=4))

    batch = decode(data)

    assert statuses(batch) == ["loaded"]
    assert batch.records.select("seed", "backend", "extra").rows() == [
        (1, None, None),
        (2, "CPU", None),
        (3, None, '{"node": 1}'),
        (4, None, None),
    ]
    assert faults(batch, at_least="warning") == []


def test_a_text_may_hold_anything_that_unicode_has() -> None:
    text = 'a,b"c\\d\u0000\u007f\u2028é€𝄞\ufffe}]'

    batch = decode(session(record(context=Raw(json.dumps(text)), thread_id=Raw(json.dumps(text)))))

    assert batch.records.select("context", "thread_id").rows() == [(text, text)]
    assert batch.violations.is_empty()


def test_thousands_of_records_keep_their_order() -> None:
    data = session(*(record(seed=n) for n in range(1, 5001)))

    batch = decode(data)

    assert batch.records["seed"].to_list() == list(range(1, 5001))
    assert batch.records["record_index"].to_list() == list(range(5000))
    assert batch.records.schema["seed"] == pl.UInt64
