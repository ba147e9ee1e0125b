"""``EntropyTelemetry``: records, merging, alignment and options."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from clamp_analytics.errors import AnchorError, UsageError
from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry
from clamp_analytics.recorder.buffer import Snapshot
from clamp_analytics.recorder.session_json import build_records


def test_acquire_and_release_create_one_record_with_the_given_seed(telemetry):
    record_id = telemetry.record_acquire("x", 2**64 - 1)
    telemetry.record_release(record_id, 0.5)

    [record] = telemetry.records()
    assert (record.context, record.seed, record.stability_score) == ("x", 2**64 - 1, 0.5)


def test_a_record_that_is_not_released_is_in_flight(telemetry):
    telemetry.record_acquire("x", 5)

    [record] = telemetry.records()
    assert (record.released_at, record.duration_ms, record.stability_score) == (None, 0.0, 0.0)


def test_an_id_can_be_released_once(telemetry):
    record_id = telemetry.record_acquire("x", 5)
    telemetry.record_release(record_id, 1.0)

    with pytest.raises(AnchorError, match="no open record"):
        telemetry.record_release(record_id, 1.0)
    assert len(telemetry.records()) == 1


def test_a_refused_score_leaves_the_record_in_flight(telemetry):
    record_id = telemetry.record_acquire("x", 5)
    with pytest.raises(AnchorError, match="not a valid stability score"):
        telemetry.record_release(record_id, float("nan"))
    assert telemetry.records()[0].released_at is None

    telemetry.record_release(record_id, 0.5)
    assert telemetry.records()[0].stability_score == 0.5


@pytest.mark.parametrize("seed", [0, -5, 2**64, 1.0, True, "7", None])
def test_a_seed_that_is_not_a_positive_64_bit_integer_is_refused(telemetry, seed):
    with pytest.raises(AnchorError, match="not a valid seed"):
        telemetry.record_acquire("x", seed)

    assert telemetry.records() == []


def test_records_are_in_order_of_acquisition(telemetry):
    with ClampAnchor("outer", telemetry), ClampAnchor("inner", telemetry):
        pass

    assert [record.context for record in telemetry.records()] == ["outer", "inner"]


def test_records_cannot_be_changed(telemetry):
    with ClampAnchor("x", telemetry):
        pass

    with pytest.raises(AttributeError):
        telemetry.records()[0].seed = 1


def test_timestamps_are_utc_and_agree_with_the_duration(telemetry):
    begin = datetime.now(UTC) - timedelta(microseconds=1)
    with ClampAnchor("x", telemetry):
        sum(range(1000))
    end = datetime.now(UTC)

    [record] = telemetry.records()
    assert begin <= record.acquired_at <= record.released_at
    assert record.acquired_at <= end
    held = (record.released_at - record.acquired_at) / timedelta(milliseconds=1)
    assert record.duration_ms > 0
    assert abs(held - record.duration_ms) <= 0.001


def test_a_wall_clock_that_is_set_back_during_a_cycle_leaves_the_duration_positive(telemetry):
    [record] = build_records(Snapshot(["x", "thread", ~5, 1_000_000_000, 10, 2_010, 1.0], [], b"", -5_000_000_000))

    assert record.duration_ms == 0.002
    assert record.released_at - record.acquired_at == timedelta(microseconds=2)


def test_seeds_are_positive_64_bit_numbers_and_differ(telemetry):
    anchor = ClampAnchor("x", telemetry)
    for _ in range(5000):
        with anchor:
            pass

    seeds = [record.seed for record in telemetry.records()]
    assert len(set(seeds)) == 5000
    assert all(0 < seed < 2**64 for seed in seeds)
    assert max(seeds) > 2**63


def test_the_seed_of_a_record_stays_the_same(telemetry):
    with ClampAnchor("x", telemetry):
        pass

    assert telemetry.records() == telemetry.records()


def test_two_telemetries_have_different_seeds(tmp_path):
    seeds = set()
    for _ in range(2):
        telemetry = EntropyTelemetry(tmp_path)
        with ClampAnchor("x", telemetry):
            seeds.add(telemetry.records()[0].seed)

    assert len(seeds) == 2


def test_merge_copies_the_records_of_another_telemetry_in_order(tmp_path):
    one, two = EntropyTelemetry(tmp_path), EntropyTelemetry(tmp_path)
    with ClampAnchor("first", one):
        pass
    with ClampAnchor("second", two):
        pass
    with ClampAnchor("third", one):
        pass
    merged = sorted(one.records() + two.records(), key=lambda record: record.acquired_at)
    one.merge(two)

    assert one.records() == merged
    assert len(two.records()) == 1


def test_merge_keeps_what_is_in_flight_in_flight(tmp_path):
    one, two = EntropyTelemetry(tmp_path), EntropyTelemetry(tmp_path)
    anchor = ClampAnchor("open", two).lock()
    one.merge(two)
    anchor.release()

    assert one.records()[0].released_at is None
    assert two.records()[0].released_at is not None


def test_a_telemetry_is_not_merged_into_itself(telemetry):
    with pytest.raises(AnchorError, match="into itself"):
        telemetry.merge(telemetry)


def test_merge_json_adds_the_records_of_another_process(tmp_path):
    one, two = EntropyTelemetry(tmp_path), EntropyTelemetry(tmp_path)
    with ClampAnchor("a\ud800", two):
        pass
    two.record_acquire("open", 5)
    one.merge_json(two.to_json())

    assert one.records() == two.records()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"records":[{}]}', '{"records":[1]}', '{"records":1}'])
def test_merge_json_refuses_a_text_that_is_not_a_session(telemetry, text):
    with pytest.raises(AnchorError, match="not a session text"):
        telemetry.merge_json(text)


def test_alignment_moves_the_earliest_acquisition_to_the_reference(telemetry):
    for _ in range(3):
        with ClampAnchor("x", telemetry):
            pass
    before = telemetry.records()
    reference = datetime(2000, 1, 1, 12, 0, 0, 7, tzinfo=UTC)
    telemetry.align_to_reference(reference)

    after = telemetry.records()
    assert after[0].acquired_at == reference
    assert [record.duration_ms for record in after] == [record.duration_ms for record in before]
    for old, new in zip(before, after, strict=True):
        moved = (new.acquired_at - reference) - (old.acquired_at - before[0].acquired_at)
        assert abs(moved) <= timedelta(microseconds=1)


def test_records_that_follow_an_alignment_are_aligned_too(telemetry):
    with ClampAnchor("x", telemetry):
        pass
    telemetry.align_to_reference(datetime(2000, 1, 1, tzinfo=UTC))
    with ClampAnchor("y", telemetry):
        pass

    assert telemetry.records()[1].acquired_at.year == 2000


def test_aligned_telemetries_keep_their_timestamps_when_merged(tmp_path):
    one, two = EntropyTelemetry(tmp_path), EntropyTelemetry(tmp_path)
    for telemetry, year in [(one, 2000), (two, 1999)]:
        with ClampAnchor(str(year), telemetry):
            pass
        telemetry.align_to_reference(datetime(year, 1, 1, tzinfo=UTC))
    one.merge(two)

    assert [record.acquired_at.year for record in one.records()] == [1999, 2000]


def test_alignment_without_records_changes_nothing(telemetry):
    telemetry.align_to_reference(datetime(2000, 1, 1, tzinfo=UTC))

    assert telemetry.records() == []


@pytest.mark.parametrize("reference", [datetime(2000, 1, 1), datetime(9999, 6, 1, tzinfo=UTC)])
def test_a_reference_without_a_zone_or_beyond_the_calendar_is_refused(telemetry, reference):
    with ClampAnchor("x", telemetry):
        pass
    before = telemetry.records()

    with pytest.raises(AnchorError, match="reference"):
        telemetry.align_to_reference(reference)
    assert telemetry.records() == before


@pytest.mark.parametrize(
    "options",
    [
        {"checkpoint": 0},
        {"checkpoint": -1},
        {"max_records": 0},
        {"max_records": 5, "on_full": "explode"},
        {"exit_timeout": 0},
        {"labels": "commit"},
        {"labels": [("commit", "1f3a9c")]},
        {"labels": {"build": 7}},
        {"labels": {7: "build"}},
        {"labels": {"build": None}},
    ],
)
def test_options_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(UsageError):
        EntropyTelemetry(tmp_path, **options)


def test_on_sigterm_outside_the_main_thread_is_refused(tmp_path):
    errors = []

    def work():
        try:
            EntropyTelemetry(tmp_path, on_sigterm=True)
        except UsageError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert "main thread" in errors[0]


def test_labels_are_copied(tmp_path):
    labels = {"commit": "1f3a9c"}
    telemetry = EntropyTelemetry(tmp_path, labels=labels)
    labels["commit"] = "changed"

    assert '"labels":{"commit":"1f3a9c"}' in telemetry.to_json()


@pytest.mark.parametrize("time", [-(10**20), 10**21])
def test_a_record_with_a_clock_outside_the_calendar_is_written(tmp_path, monkeypatch, sessions, time):
    monkeypatch.setattr("clamp_analytics.recorder.anchor.time_ns", lambda: time)
    telemetry = EntropyTelemetry(tmp_path)
    with ClampAnchor("x", telemetry):
        pass
    telemetry.write_json()

    assert [len(session["records"]) for session in sessions(tmp_path)] == [1]
