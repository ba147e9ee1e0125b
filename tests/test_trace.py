"""The trace: valid by the rules of its format, and true to the records."""

from __future__ import annotations

import json
import math
from collections import defaultdict
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
from tests.conftest import INTEROP, Raw, record, session, write
from tests.reading.test_properties import documents

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SHARED = Path(__file__).parents[1].parent / "shared"
ENDLESS = Decimal("Infinity")
REQUIRED = {
    "X": {"name": str, "cat": str, "ts": Decimal, "dur": Decimal, "pid": int, "tid": int, "args": dict},
    "B": {"name": str, "cat": str, "ts": Decimal, "pid": int, "tid": int, "args": dict},
    "M": {"name": str, "pid": int, "args": dict},
}
"""The keys of each phase and their types; numbers are read as decimals, so that nothing is rounded."""


def exactly(text: str) -> Decimal:
    return Decimal(text)


def refuse(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def parsed(data: bytes) -> list[dict[str, Any]]:
    """The events of a trace, after a check of its envelope."""
    document = json.loads(data, parse_float=exactly, parse_constant=refuse, object_pairs_hook=no_key_twice)
    assert document["displayTimeUnit"] in ("ms", "ns")
    # Perfetto reads the unit only where it stands before the events.
    assert list(document) == ["displayTimeUnit", "traceEvents"]
    events: list[dict[str, Any]] = document["traceEvents"]
    assert isinstance(events, list)
    return events


def check_keys(event: dict[str, Any]) -> None:
    required = REQUIRED[event["ph"]]
    assert required.keys() - {"ts", "dur"} <= event.keys()
    for key, kind in required.items():
        kinds = (int, Decimal) if kind is Decimal else (kind,)
        assert isinstance(event[key], kinds), (key, event)
        assert not isinstance(event[key], bool)
    for key in ("ts", "dur"):
        assert math.isfinite(event.get(key, 0))
        assert event.get(key, 0) >= 0
    assert 0 <= event["pid"] < 2**32
    assert 0 <= event.get("tid", 0) < 2**32


def check_metadata(events: list[dict[str, Any]]) -> None:
    """Every process and every track has one name and one place, and numbers mean one thing each."""
    described: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "M":
            track = (event["pid"], event["tid"]) if event["name"].startswith("thread_") else (event["pid"],)
            described[event["name"]].append(track)
            kind = "sort_index" if event["name"].endswith("sort_index") else "name"
            assert isinstance(event["args"][kind], int if kind == "sort_index" else str)
    assert set(described) <= {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}
    for tracks in described.values():
        assert len(set(tracks)) == len(tracks)
    assert described["process_name"] == described["process_sort_index"]
    assert described["thread_name"] == described["thread_sort_index"]
    used = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    assert used == set(described["thread_name"])
    assert {(pid,) for pid, _ in used} <= set(described["process_name"])
    numbers = [pid for (pid,) in described["process_name"]] + [tid for _, tid in described["thread_name"]]
    assert len(set(numbers)) == len(numbers)


def check_nesting(events: list[dict[str, Any]]) -> None:
    """On one track an event begins after the one before it, and ends before whatever is open around it."""
    tracks: defaultdict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["ph"] != "M":
            tracks[event["pid"], event["tid"]].append(event)
    for track in tracks.values():
        stack: list[Decimal] = []
        last = Decimal(0)
        for event in track:
            start = Decimal(event["ts"])
            end = start + event["dur"] if event["ph"] == "X" else ENDLESS
            assert start >= last
            last = start
            while stack and stack[-1] <= start:
                stack.pop()
            assert not stack or end <= stack[-1], event
            stack.append(end)
            assert len(stack) <= DEPTH


def checked(data: bytes) -> list[dict[str, Any]]:
    """The events of a trace that keeps every rule of its format."""
    events = parsed(data)
    for event in events:
        check_keys(event)
    check_metadata(events)
    check_nesting(events)
    return events


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


def test_files_of_one_name_are_told_apart_by_their_path(tmp_path):
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


def test_what_begins_when_another_ends_is_no_overlap(tmp_path):
    assert {event["tid"] for event in traced(tmp_path, hold(0, 1), hold(1000, 1))} == {2}


def test_an_end_that_a_viewer_may_round_is_kept_apart(tmp_path):
    assert [event["tid"] for event in traced(tmp_path, hold(0, "1.000001"), hold(1, "0.999001"))] == [2, 3]


def test_nesting_is_never_deeper_than_viewers_show(tmp_path):
    events = traced(tmp_path, *(hold(0, 1, seed=seed + 1) for seed in range(2 * DEPTH + 1)))

    assert sorted({event["tid"] for event in events}) == [2, 3, 4]


def test_an_anchor_in_flight_begins_and_does_not_end(tmp_path):
    (event,) = traced(tmp_path, hold(0, "0.000", released_at=None))

    assert (event["ph"], "dur" in event) == ("B", False)


def test_what_follows_an_anchor_in_flight_is_inside_of_it_and_what_it_overlaps_is_not(tmp_path):
    events = traced(tmp_path, hold(0, 1), hold(500, 0, released_at=None), hold(2000, 1))

    assert [(event["ph"], event["tid"]) for event in events] == [("X", 2), ("B", 3), ("X", 2)]


def test_a_measured_duration_counts_where_only_the_release_is_unusable(tmp_path):
    (event,) = traced(tmp_path, hold(0, 2.5, released_at=""))

    assert (event["ph"], event["dur"]) == ("X", 2500)


def test_a_duration_that_is_missing_is_the_time_between_the_timestamps(tmp_path):
    (event,) = traced(tmp_path, hold(0, '"long"'))

    assert event["dur"] == 1_000_000


def test_a_negative_duration_is_shown_with_none_and_told(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, -2.5))})

    made = trace(load(tmp_path))

    (event,) = (event for event in checked(bytes_of(made)) if event["ph"] == "X")
    assert (made.negative, event["dur"], event["args"]["duration_ms"]) == (1, 0, Decimal("-2.5"))


def test_a_record_without_a_usable_acquisition_is_told_and_not_invented(tmp_path):
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
def test_a_time_that_viewers_cannot_hold_is_told(tmp_path, changes):
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


def test_a_rejected_file_is_no_process(tmp_path):
    write(tmp_path, {"a.json": session(hold(0, 1)), "cut.json": b"{"})

    assert names(checked(bytes_of(trace(load(tmp_path)))), "process_name") == ["a.json"]


def test_an_export_gives_the_trace_of_the_files_it_was_made_from(tmp_path):
    export(Reader(SAMPLES / "drifting"), tmp_path / "out", ExportOptions(partition_by="day,context"))

    assert bytes_of(trace(load(tmp_path / "out"))) == bytes_of(trace(load(SAMPLES / "drifting")))


def expected_spans(folder: Path) -> list[tuple[str, int, Decimal | None, str]]:
    """Context, begin, length and seed of each record, by the standard library's own means."""
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


@pytest.mark.skipif(not (SHARED / "interop").is_dir(), reason="../shared is not there")
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
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(records=[hold(0, "0.003"), hold(1, "0.003"), hold(1, "0.002"), hold(2, "0.001"), hold(2, "0")])
def test_holds_of_any_kind_nest_on_their_tracks(tmp_path, records):
    events = traced(tmp_path, *records)

    assert sorted(event["args"]["record_index"] for event in events) == list(range(len(records)))


@given(group=st.lists(documents(), min_size=1, max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
def test_the_check_sees_events_that_do_not_nest(broken):
    events = [{"ph": ph, "ts": ts, "dur": dur, "pid": 1, "tid": 2} for ph, ts, dur in broken]

    with pytest.raises(AssertionError):
        check_nesting(events)


@pytest.mark.parametrize("change", [{"tid": "2"}, {"ts": -1}, {"dur": None}, {"name": None}, {"args": []}])
def test_the_check_sees_a_key_that_is_wrong(change):
    event = {"name": "a", "cat": "anchor", "ph": "X", "ts": 1, "dur": 1, "pid": 1, "tid": 2, "args": {}}
    check_keys(event)

    with pytest.raises(AssertionError):
        check_keys({**event, **change})
