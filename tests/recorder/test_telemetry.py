import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from clamp_analytics.errors import AnchorError, UsageError
from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry


def test_acquire_and_release_make_one_record_with_the_seed_given(telemetry):
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

    with pytest.raises(AnchorError, match="not held"):
        telemetry.record_release(record_id, 1.0)
    assert len(telemetry.records()) == 1


def test_a_refused_score_leaves_the_record_in_flight(telemetry):
    record_id = telemetry.record_acquire("x", 5)
    with pytest.raises(AnchorError, match="no stability score"):
        telemetry.record_release(record_id, float("nan"))
    assert telemetry.records()[0].released_at is None

    telemetry.record_release(record_id, 0.5)
    assert telemetry.records()[0].stability_score == 0.5


@pytest.mark.parametrize("seed", [0, -5, 2**64, 1.0, True, "7", None])
def test_a_seed_that_is_no_positive_64_bit_integer_is_refused(telemetry, seed):
    with pytest.raises(AnchorError, match="no seed"):
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


def test_a_clock_that_is_set_back_makes_no_negative_duration(telemetry, monkeypatch):
    times = iter([2_000_000_000_000_000_000, 1_000_000_000_000_000_000])
    monkeypatch.setattr("clamp_analytics.recorder.anchor.time_ns", times.__next__)
    for _ in range(2):
        with ClampAnchor("x", telemetry):
            pass

    assert all(record.duration_ms >= 0 for record in telemetry.records())
    assert all(record.released_at >= record.acquired_at for record in telemetry.records())


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


def _record_in_thread(telemetry):
    def work():
        with ClampAnchor("x", telemetry):
            pass

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    return thread.ident


def test_threads_of_one_name_and_one_system_number_have_different_ids(telemetry):
    # The system gives the number of an ended thread to the next one, as a rule at once.
    idents = [_record_in_thread(telemetry) for _ in range(20)]

    thread_ids = {record.thread_id for record in telemetry.records()}
    assert len(thread_ids) == 20 >= len(set(idents))
    assert all(thread_id.startswith("worker-") for thread_id in thread_ids)


def test_one_thread_keeps_its_id(telemetry):
    for _ in range(3):
        with ClampAnchor("x", telemetry):
            pass

    assert len({record.thread_id for record in telemetry.records()}) == 1


def test_tasks_of_asyncio_can_be_told_apart_even_with_one_name(telemetry):
    async def work():
        for _ in range(2):
            with ClampAnchor("plain", telemetry):
                await asyncio.sleep(0)
            async with ClampAnchor("async", telemetry):
                await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(asyncio.create_task(work(), name="job") for _ in range(5)))

    asyncio.run(main())

    by_task = {}
    for record in telemetry.records():
        by_task.setdefault(record.thread_id, []).append(record.context)
    assert len(by_task) == 5
    assert all(sorted(contexts) == ["async", "async", "plain", "plain"] for contexts in by_task.values())


def test_a_bare_callback_of_asyncio_has_the_id_of_its_thread(telemetry):
    def callback(done):
        with ClampAnchor("callback", telemetry):
            done.set_result(None)

    async def main():
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(callback, done)
        await done

    asyncio.run(main())
    with ClampAnchor("plain", telemetry):
        pass

    assert len({record.thread_id for record in telemetry.records()}) == 1


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


def test_merge_json_adds_what_another_process_wrote(tmp_path):
    one, two = EntropyTelemetry(tmp_path), EntropyTelemetry(tmp_path)
    with ClampAnchor("a\ud800", two):
        pass
    two.record_acquire("open", 5)
    one.merge_json(two.to_json())

    assert one.records() == two.records()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"records":[{}]}', '{"records":[1]}', '{"records":1}'])
def test_merge_json_refuses_what_is_no_session(telemetry, text):
    with pytest.raises(AnchorError, match="no session text"):
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


def test_aligned_telemetries_merge_as_they_are(tmp_path):
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
