"""The JSON text of a session: format, exact numbers, escaped text and labels."""

import json
import math
import shutil
import subprocess
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
from clamp_analytics.recorder.buffer import Snapshot
from clamp_analytics.recorder.session_json import build_records, encode_session

FIELDS = ["context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score"]

# Every code point, lone surrogates and control characters included.
ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def _one_record(context, score=1.0):
    telemetry = EntropyTelemetry()
    telemetry.record_release(telemetry.record_acquire(context, 5), score)
    return telemetry


def test_a_session_has_exactly_the_fields_of_the_specification(telemetry):
    with ClampAnchor("x", telemetry):
        pass

    session = json.loads(telemetry.to_json())
    assert list(session) == ["stability_score", "records"]
    assert list(session["records"][0]) == FIELDS


def test_a_record_is_written_in_the_format_of_the_specification():
    row = ["thread-0", "MainThread-7.1", ~5, 1_795_367_876_123_456_789, 5_000, 1_005_861, 0.988]

    assert b"".join(encode_session(Snapshot(row, [], b"", 0))) == (
        b'{"stability_score":0.988,"records": [{"context":"thread-0","seed":5,"thread_id":"MainThread-7.1",'
        b'"acquired_at":"2026-11-22T17:17:56.123456Z","released_at":"2026-11-22T17:17:56.124457Z",'
        b'"duration_ms":1.000861,"stability_score":0.988}] }\n'
    )


def test_an_anchor_in_flight_is_written_as_the_cpp_producer_does(telemetry):
    telemetry.record_acquire("x", 5)

    assert '"released_at":null,"duration_ms":0.000,"stability_score":0}' in telemetry.to_json()


def test_an_empty_session_scores_zero(telemetry):
    assert telemetry.to_json() == '{"stability_score":0.0,"records": [] }\n'


def test_the_mean_counts_anchors_in_flight_with_zero(telemetry):
    telemetry.record_acquire("open", 5)
    telemetry.record_release(telemetry.record_acquire("done", 6), 1.0)

    assert json.loads(telemetry.to_json())["stability_score"] == 0.5


def test_a_session_of_several_chunks_is_complete(telemetry):
    for _ in range(2000):
        with ClampAnchor("x", telemetry):
            pass

    session = json.loads(telemetry.to_json())
    assert [record["seed"] for record in session["records"]] == [record.seed for record in telemetry.records()]


@given(ANY_TEXT)
def test_any_context_is_written_as_strict_json_that_agrees_with_memory(context):
    telemetry = _one_record(context)
    data = telemetry.to_json().encode("utf-8")

    session = json.loads(data.decode("utf-8"))
    assert session["records"][0]["context"] == telemetry.records()[0].context


@given(ANY_TEXT.filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)))
def test_a_context_without_surrogates_is_written_unchanged(context):
    assert json.loads(_one_record(context).to_json())["records"][0]["context"] == context


@pytest.mark.parametrize(
    ("context", "read"),
    [("a\ud800b", "a\ufffdb"), ("\udfff", "\ufffd"), ("\ud83d\ude00", "\U0001f600"), ("\udc00\ud800", "\ufffd\ufffd")],
)
def test_a_lone_surrogate_becomes_the_replacement_character(context, read):
    assert json.loads(_one_record(context).to_json())["records"][0]["context"] == read


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=5))
def test_scores_and_their_mean_read_back_to_the_same_double(score, others):
    telemetry = _one_record("x", score)
    for other in others:
        telemetry.record_release(telemetry.record_acquire("x", 5), other)

    session = json.loads(telemetry.to_json())
    assert [record["stability_score"] for record in session["records"]] == [score, *others]
    assert session["stability_score"] == math.fsum([score, *others]) / (1 + len(others))


def test_durations_read_back_to_the_values_in_memory(telemetry):
    for _ in range(100):
        with ClampAnchor("x", telemetry):
            pass

    session = json.loads(telemetry.to_json())
    read = [record["duration_ms"] for record in session["records"]]
    assert read == [record.duration_ms for record in telemetry.records()]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_reads_the_values_in_memory(telemetry):
    contexts = ['quote " and \\', "line\nbreak\x00\x1f\x7f", "\u2028 \U0001f512", "a\ud800b"]
    for number, context in enumerate(contexts):
        telemetry.record_release(telemetry.record_acquire(context, 1), number / 7)
    telemetry.record_acquire("open", 1)
    path = telemetry.write_json()

    shown = subprocess.run(
        ["jq", "[.stability_score, [.records[] | [.context, .stability_score, .released_at == null]]]", path],
        capture_output=True,
        check=True,
    ).stdout
    mean, records = json.loads(shown)
    memory = telemetry.records()
    assert records == [[r.context, r.stability_score, r.released_at is None] for r in memory]
    assert mean == math.fsum(r.stability_score for r in memory) / len(memory)


def test_the_package_reads_the_values_in_memory(telemetry):
    reading = pytest.importorskip("clamp_analytics.reading")
    seeds = [2**64 - 1, 1, 2**53 + 1]
    for seed in seeds:
        telemetry.record_release(telemetry.record_acquire("x\ud800", seed), 0.1)
    telemetry.write_json()

    read = reading.load([str(telemetry.write_json().parent)]).records
    assert sorted(read["seed"].to_list()) == sorted(seeds * 2)
    assert set(read["stability_score"].to_list()) == {0.1}
    memory = telemetry.records()
    assert set(read["acquired_at"].to_list()) == {record.acquired_at for record in memory}
    assert set(read["released_at"].to_list()) == {record.released_at for record in memory}


@pytest.mark.parametrize(
    ("acquired", "timestamp"),
    [(-(10**20), "0001-01-01T00:00:00.000000Z"), (10**21, "9999-12-31T23:59:59.999999Z")],
)
def test_a_clock_outside_the_calendar_gives_the_nearest_timestamp(acquired, timestamp):
    rows = ["x", "thread", ~5, acquired, 0, 2_500_000, 1.0, "y", "thread", ~6, 1_795_367_876_000_000_000, 0, 1000, 1.0]
    snapshot = Snapshot(rows, [("open", "thread", ~7, acquired, 0)], b"", 0)

    written = {record["context"]: record for record in json.loads(b"".join(encode_session(snapshot)))["records"]}
    assert written["x"]["acquired_at"] == written["x"]["released_at"] == timestamp
    assert written["open"]["acquired_at"] == timestamp
    assert written["x"]["duration_ms"] == 2.5
    assert written["y"]["acquired_at"] == "2026-11-22T17:17:56.000000Z"
    in_memory = {record.context: record for record in build_records(snapshot)}
    assert in_memory["x"].acquired_at == in_memory["open"].acquired_at == datetime.fromisoformat(timestamp)


def test_labels_are_written_as_a_top_level_field(tmp_path):
    telemetry = EntropyTelemetry(tmp_path, labels={"commit": "1f3a9c", "é\ud800": '"'})
    with ClampAnchor("x", telemetry):
        pass

    session = json.loads(telemetry.to_json())
    assert list(session) == ["stability_score", "labels", "records"]
    assert session["labels"] == {"commit": "1f3a9c", "é\ufffd": '"'}
    assert json.loads(telemetry.write_json().read_bytes())["labels"] == session["labels"]


def test_a_session_with_labels_can_be_merged(telemetry):
    other = EntropyTelemetry(labels={"commit": "1f3a9c"})
    other.record_release(other.record_acquire("x", 5))
    telemetry.merge_json(other.to_json())

    assert telemetry.records() == other.records()


def test_the_package_reads_the_records_of_a_session_with_labels(tmp_path):
    reading = pytest.importorskip("clamp_analytics.reading")
    telemetry = EntropyTelemetry(tmp_path, labels={"commit": "1f3a9c"})
    telemetry.record_release(telemetry.record_acquire("x", 5))
    telemetry.write_json()

    assert reading.load([str(tmp_path)]).records["seed"].to_list() == [5]
