"""Traces: valid in their format, with every record as it was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, load
from clamp_analytics.trace import DEPTH, NO_ACQUISITION, NO_CONTEXT, NO_THREAD, OUT_OF_RANGE, Trace, trace
from tests.conftest import EXAMPLES, INTEROP, Raw, record, session, write
from tests.reading.test_properties import documents
from tests.trace_format import check_keys, check_nesting, checked

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SHARED = Path(__file__).parents[1].parent / "shared"


def bytes_of(made: Trace) -> bytes:
    return b"".join(made.chunks())


def traced(folder: Path, *records: Any) -> list[dict[str, Any]]:
    """The checked events of one session, without metadata."""
    write(folder, {"a.json": session(*records)})
    return [event for event in checked(bytes_of(trace(load(folder)))) if event["ph"] != "M"]


def names(events: list[dict[str, Any]], kind: str) -> list[str]:
    return [event["args"]["name"] for event in events if event["name"] == kind]


def hold(start_us: int, length_ms: float | str, **more: Any) -> dict[str, Any]:
    """A record that was held from some microseconds after New Year on."""
    second, micros = divmod(start_us, 1_000_000)
    stamp = f"2026-01-01T00:00:{second:02d}.{micros:06d}Z"
    return record(acquired_at=stamp, duration_ms=Raw(str(length_ms)), **more)


NEW_YEAR_US = 1_767_225_600_000_000


def test_a_record_is_a_complete_event_in_microseconds(tmp_path):
    (event,) = traced(tmp_path, hold(250, "1.234567", context="alpha", seed=2**64 - 1, stability_score=0.5))

    assert event == {
        "name": "alpha",
        "cat": "anchor",
        "ph": "X",
        "ts": NEW_YEAR_US + 250,
        "dur": Decimal("1234.567"),
        "pid": 1,
        "tid": 2,
        "args": {"record_index": 0, "seed": "18446744073709551615", "stability_score": Decimal("0.5")},
    }


def test_a_session_is_a_process_and_a_thread_a_track(tmp_path):
    write(
        tmp_path,
        {"a.json": session(hold(0, 1, thread_id="8"), hold(0, 1, thread_id="7")), "b.json": session(hold(0, 1))},
    )

    events = checked(bytes_of(trace(load(tmp_path))))

    assert names(events, "process_name") == ["a.json", "b.json"]
    assert names(events, "thread_name") == ["7", "8", "1"]


def test_a_session_without_records_is_a_process_too(tmp_path):
    write(tmp_path, {"a.json": session(), "b.json": session(hold(0, 1)), "c.json": session()})

    assert names(checked(bytes_of(trace(load(tmp_path)))), "process_name") == ["a.json", "b.json", "c.json"]


def test_files_with_the_same_name_are_shown_with_their_path(tmp_path):
    write(tmp_path, {"x/a.json": session(hold(0, 1)), "y/a.json": session(hold(0, 2)), "b.json": session()})

    assert names(checked(bytes_of(trace(load(tmp_path)))), "process_name") == [
        "b.json",
        f"{tmp_path}/x/a.json",
        f"{tmp_path}/y/a.json",
    ]


def test_holds_inside_a_hold_share_its_track(tmp_path):
    events = traced(tmp_path, hold(100, 0.1, context="in"), hold(0, 1, context="out"), hold(100, 0.2, context="mid"))

    assert [(event["name"], event["tid"]) for event in events] == [("out", 2), ("mid", 2), ("in", 2)]


def test_a_partial_overlap_goes_to_a_further_track_of_the_thread(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, 1), hold(500, 1), hold(1500, 1), hold(1600, 0.1))})

    events = checked(bytes_of(trace(load(tmp_path))))

    assert names(events, "thread_name") == ["1", "1 (2)"]
    assert [event["tid"] for event in events if event["ph"] == "X"] == [2, 3, 2, 2]


def test_an_event_that_begins_when_another_ends_does_not_overlap_it(tmp_path):
    assert {event["tid"] for event in traced(tmp_path, hold(0, 1), hold(1000, 1))} == {2}


def test_an_end_that_a_viewer_may_round_counts_as_an_overlap(tmp_path):
    assert [event["tid"] for event in traced(tmp_path, hold(0, "1.000001"), hold(1, "0.999001"))] == [2, 3]


def test_nesting_is_never_deeper_than_viewers_show(tmp_path):
    events = traced(tmp_path, *(hold(0, 1, seed=seed + 1) for seed in range(2 * DEPTH + 1)))

    assert sorted({event["tid"] for event in events}) == [2, 3, 4]


def test_an_anchor_in_flight_begins_and_does_not_end(tmp_path):
    (event,) = traced(tmp_path, hold(0, "0.000", released_at=None))

    assert (event["ph"], "dur" in event) == ("B", False)


def test_an_anchor_in_flight_encloses_later_events_only(tmp_path):
    events = traced(tmp_path, hold(0, 1), hold(500, 0, released_at=None), hold(2000, 1))

    assert [(event["ph"], event["tid"]) for event in events] == [("X", 2), ("B", 3), ("X", 2)]


def test_a_measured_duration_counts_where_only_the_release_is_unusable(tmp_path):
    (event,) = traced(tmp_path, hold(0, 2.5, released_at=""))

    assert (event["ph"], event["dur"]) == ("X", 2500)


def test_a_duration_that_is_missing_is_the_time_between_the_timestamps(tmp_path):
    (event,) = traced(tmp_path, hold(0, '"long"'))

    assert event["dur"] == 1_000_000


def test_a_negative_duration_is_shown_as_zero_and_reported(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, -2.5))})

    made = trace(load(tmp_path))

    (event,) = (event for event in checked(bytes_of(made)) if event["ph"] == "X")
    assert (made.negative, event["dur"], event["args"]["duration_ms"]) == (1, 0, Decimal("-2.5"))


def test_a_record_without_a_usable_acquisition_is_reported(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, 1), record(acquired_at=""), record(acquired_at="2026-02-30T00:00:00Z"))})

    made = trace(load(tmp_path))

    assert made.left_out.select("record_index", "reason").rows() == [(1, NO_ACQUISITION), (2, NO_ACQUISITION)]
    assert made.events == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"acquired_at": "1969-12-31T23:59:59.999999Z"},
        {"acquired_at": "2300-01-01T00:00:00Z"},
        {"duration_ms": Raw("1e300")},
    ],
)
def test_a_time_that_viewers_cannot_represent_is_reported(tmp_path, changes):
    write(tmp_path, {"a.json": session(record(**changes))})

    made = trace(load(tmp_path))

    assert made.left_out["reason"].to_list() == [OUT_OF_RANGE]
    assert [event for event in checked(bytes_of(made)) if event["ph"] != "M"] == []


def test_unusable_texts_have_a_name_and_unusable_numbers_are_null(tmp_path):
    write(tmp_path, {"a.json": session(record(context=Raw("7"), thread_id=None, seed=-1, stability_score=2))})

    events = checked(bytes_of(trace(load(tmp_path))))

    assert names(events, "thread_name") == [NO_THREAD]
    assert events[-1]["name"] == NO_CONTEXT
    assert events[-1]["args"] == {"record_index": 0, "seed": None, "stability_score": None}


def test_hostile_text_stays_text_and_an_event_stays_a_line(tmp_path):
    text = '"}],\n</script>\u2028\x00\\{'
    write(tmp_path, {"a.json": session(hold(0, 1, context=text, thread_id=text))})

    data = bytes_of(trace(load(tmp_path)))

    assert names(checked(data), "thread_name") == [text]
    assert checked(data)[-1]["name"] == text
    assert data.isascii()
    assert len(data.splitlines()) == 1 + 4 + 1 + 1


def test_a_rejected_file_has_no_process(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, 1)), "cut.json": b"{"})

    assert names(checked(bytes_of(trace(load(tmp_path)))), "process_name") == ["a.json"]


def test_an_export_gives_the_same_trace_as_its_session_files(tmp_path):
    export(Reader(SAMPLES / "drifting"), tmp_path / "out", ExportOptions(partition_by="day,context"))

    assert bytes_of(trace(load(tmp_path / "out"))) == bytes_of(trace(load(SAMPLES / "drifting")))


def expected_spans(folder: Path) -> list[tuple[str, int, Decimal | None, str]]:
    """Context, begin, length and seed of each record, by the standard library."""
    spans = []
    for path in sorted(folder.glob("*run*.json")):
        for entry in json.loads(path.read_text("utf-8"), parse_float=Decimal)["records"]:
            at = entry["acquired_at"].removesuffix("Z")
            whole = pl.Series([at]).str.to_datetime(time_unit="us").dt.epoch("us")[0]
            length = None if entry["released_at"] is None else entry["duration_ms"] * 1000
            spans.append((entry["context"], whole, length, str(entry["seed"])))
    return sorted(spans, key=repr)


@pytest.mark.parametrize("folder", [INTEROP, SAMPLES / "clean", SAMPLES / "drifting"], ids=lambda path: path.name)
def test_every_record_is_shown_once_as_it_was_measured(folder):
    made = trace(load(folder / "*run*.json"))

    events = [event for event in checked(bytes_of(made)) if event["ph"] != "M"]

    shown = [(event["name"], event["ts"], event.get("dur"), event["args"]["seed"]) for event in events]
    expected = expected_spans(folder)
    assert [(name, ts, seed) for name, ts, _, seed in sorted(shown, key=lambda span: span[3])] == [
        (name, ts, seed) for name, ts, _, seed in sorted(expected, key=lambda span: span[3])
    ]
    assert sorted(dur for _, _, dur, _ in shown if dur is not None) == sorted(
        length for _, _, length, _ in expected if length is not None
    )


def test_the_faulty_samples_give_a_valid_trace():
    made = trace(load(SAMPLES / "faulty"))

    assert made.events + made.left_out.height == load(SAMPLES / "faulty").records.height
    checked(bytes_of(made))


@pytest.mark.skipif(not (SHARED / "interop").is_dir(), reason="../shared is missing")
def test_the_shared_sessions_of_the_producer_give_a_valid_trace():
    checked(bytes_of(trace(load(SHARED / "interop" / "sessions"))))


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_bytes_are_the_same_for_any_number_of_workers(jobs):
    assert bytes_of(trace(load(SAMPLES, jobs=jobs))) == bytes_of(trace(load(SAMPLES)))


@st.composite
def holds(draw: Callable[..., Any]) -> dict[str, Any]:
    """A hold of one of two threads, among others that it may touch, overlap or contain."""
    length = draw(
        st.one_of(st.integers(-1, 9).map(lambda n: f"{n / 1000}"), st.integers(0, 9000).map(lambda n: f"{n}e-6"))
    )
    more = {"released_at": None} if draw(st.integers(0, 7)) == 0 else {}
    return hold(draw(st.integers(0, 12)), length, thread_id=draw(st.sampled_from("ab")), **more)


@given(records=st.lists(holds(), max_size=40))
@settings(max_examples=60 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(records=[hold(0, "0.003"), hold(1, "0.003"), hold(1, "0.002"), hold(2, "0.001"), hold(2, "0")])
def test_holds_of_any_kind_nest_on_their_tracks(tmp_path, records):
    events = traced(tmp_path, *records)

    assert sorted(event["args"]["record_index"] for event in events) == list(range(len(records)))


@given(group=st.lists(documents(), min_size=1, max_size=4))
@settings(max_examples=30 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_documents_of_any_kind_give_a_valid_trace(tmp_path_factory, group):
    folder = tmp_path_factory.mktemp("run")
    telemetry = load(write(folder, {f"{number}.json": data for number, data in enumerate(group)}))

    made = trace(telemetry)

    events = checked(bytes_of(made))
    assert sum(event["ph"] != "M" for event in events) == made.events == telemetry.records.height - made.left_out.height
    assert len(names(events, "process_name")) == telemetry.counts.loaded


@pytest.mark.parametrize(
    "broken",
    [
        [("X", 0, 3), ("X", 1, 3)],
        [("X", 0, 3), ("B", 1, None)],
        [("X", 1, 1), ("X", 0, 1)],
    ],
)
def test_the_check_finds_events_that_do_not_nest(broken):
    events = [{"ph": ph, "ts": ts, "dur": dur, "pid": 1, "tid": 2} for ph, ts, dur in broken]

    with pytest.raises(AssertionError):
        check_nesting(events)


@pytest.mark.parametrize("change", [{"tid": "2"}, {"ts": -1}, {"dur": None}, {"name": None}, {"args": []}])
def test_the_check_finds_a_wrong_key(change):
    event = {"name": "a", "cat": "anchor", "ph": "X", "ts": 1, "dur": 1, "pid": 1, "tid": 2, "args": {}}
    check_keys(event)

    with pytest.raises(AssertionError):
        check_keys({**event, **change})
