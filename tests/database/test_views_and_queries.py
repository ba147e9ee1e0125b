"""The views and queries of ``sql/``: literal rows in, expected rows out."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.database import connect, named, run_query
from clamp_analytics.reading import Telemetry, load
from clamp_analytics.schema import RECORDS, polars_schema
from tests.conftest import SHARED
from tests.database.frames import at, record, rows, telemetry

CASES = SHARED / "cases" / "make_cases.py"
INTEROP = Path(__file__).parents[2].parent / "shared" / "interop" / "sessions"


def test_stability_by_context_takes_each_usable_score() -> None:
    records = [
        record("a.json", 0, context="x", stability_score=0.25),
        record("b.json", 0, context="x", stability_score=0.75, released_at=None),
        record("b.json", 1, context="x", stability_score=None),
        record("b.json", 2, context="y", stability_score=0.125),
        record("b.json", 3, context=None, stability_score=1.0),
    ]

    assert rows(telemetry(records), "stability_by_context") == [
        ("y", 1, 1, 1, 0, 0.125, None, 0.125, 0.125),
        ("x", 2, 3, 2, 1, 0.5, 0.125, 0.25, 0.75),
        (None, 1, 1, 1, 0, 1.0, None, 1.0, 1.0),
    ]


def test_lock_durations_interpolate_and_leave_anchors_in_flight_out() -> None:
    records = [record("a.json", index, context="x", duration_ms=float(index)) for index in range(101)]
    records.append(record("a.json", 101, context="x", duration_ms=0.0, released_at=None))
    records.append(record("a.json", 102, context="y", duration_ms=-2.0))
    records.append(record("a.json", 103, context="y", duration_ms=2.0))

    assert rows(telemetry(records), "lock_durations") == [
        ("x", 101, 0.0, 50.0, 95.0, 99.0, 100.0),
        ("y", 2, -2.0, 0.0, pytest.approx(1.8), pytest.approx(1.96), 2.0),
    ]


def test_lock_duration_percentile_takes_its_parameter_as_text_or_number() -> None:
    records = [record("a.json", index, context="x", duration_ms=float(index)) for index in range(5)]

    assert rows(telemetry(records), "lock_duration_percentile", percentile="0.25") == [("x", 5, 1.0)]
    assert rows(telemetry(records), "lock_duration_percentile", percentile=1) == [("x", 5, 4.0)]


def test_longest_locks_lists_as_many_locks_as_its_limit() -> None:
    records = [
        record("a.json", 0, context="x", thread_id="1", acquired_at=at(0), duration_ms=5.0, stability_score=1.0),
        record("a.json", 1, context="y", thread_id="2", acquired_at=at(1), duration_ms=9.0, stability_score=0.5),
        record("b.json", 0, context="z", thread_id="3", acquired_at=at(2), duration_ms=5.0),
    ]

    assert rows(telemetry(records), "longest_locks", limit="2") == [
        ("a.json", 1, "y", "2", at(1), 9.0, 0.5),
        ("a.json", 0, "x", "1", at(0), 5.0, 1.0),
    ]


def test_seed_collisions_are_found_across_sessions_and_to_the_last_bit() -> None:
    records = [
        record("b.json", 0, seed=2**64 - 1, context="x", acquired_at=at(2)),
        record("a.json", 0, seed=2**64 - 1, context="y", acquired_at=at(1)),
        record("a.json", 1, seed=2**64 - 2, context="x"),
        record("a.json", 2, seed=0),
        record("a.json", 3, seed=0),
        record("a.json", 4, seed=None),
        record("a.json", 5, seed=None),
        record("a.json", 6, seed=7),
        record("a.json", 7, seed=7),
        record("a.json", 8, seed=7),
    ]

    assert rows(telemetry(records), "seed_collisions") == [
        (7, 3, 1, 0, None, None, "a.json"),
        (2**64 - 1, 2, 2, 2, at(1), at(2), "a.json"),
    ]


def test_in_flight_anchors_are_open_until_the_last_acquisition_of_their_session_at_least() -> None:
    records = [
        record("a.json", 0, context="x", thread_id="1", seed=5, acquired_at=at(1), released_at=None),
        record("a.json", 1, context="x", thread_id="1", seed=6, acquired_at=at(3.5)),
        record("a.json", 2, context="y", thread_id="1", seed=7, acquired_at=None, released_at=None),
        record("b.json", 0, context="z", thread_id="2", seed=8, acquired_at=at(9), released_at=None),
    ]

    assert rows(telemetry(records), "in_flight_anchors") == [
        ("a.json", 0, "x", "1", 5, at(1), 2500.0),
        ("b.json", 0, "z", "2", 8, at(9), 0.0),
        ("a.json", 2, "y", "1", 7, None, None),
    ]


def test_busiest_threads_distinguishes_equal_ids_of_different_sessions() -> None:
    records = [
        record("a.json", 0, thread_id="1", context="x", duration_ms=2.0, acquired_at=at(0)),
        record("a.json", 1, thread_id="1", context="y", duration_ms=3.0, acquired_at=at(1)),
        record("a.json", 2, thread_id="1", context="y", duration_ms=-9.0, acquired_at=at(2)),
        record("a.json", 3, thread_id="2", context="x", duration_ms=0.0, acquired_at=at(3), released_at=None),
        record("b.json", 0, thread_id="1", context="x", duration_ms=7.0, acquired_at=at(4)),
    ]

    assert rows(telemetry(records), "busiest_threads") == [
        ("b.json", "1", 1, 0, 1, 7.0, at(4), at(4)),
        ("a.json", "1", 3, 0, 2, 5.0, at(0), at(2)),
        ("a.json", "2", 1, 1, 1, None, at(3), at(3)),
    ]


def held(source: str, index: int, thread: str, context: str, begin: float, milliseconds: float) -> dict[str, Any]:
    return record(source, index, thread_id=thread, context=context, acquired_at=at(begin), duration_ms=milliseconds)


def test_overlap_counts_each_pair_of_threads_once_where_the_later_one_began() -> None:
    records = [
        held("a.json", 0, "1", "x", 0.5, 10_000),
        held("a.json", 1, "2", "y", 1.5, 1_000),
        held("a.json", 2, "3", "y", 2.0, 1_000),
        held("b.json", 0, "4", "y", 2.0, 1_000),
    ]

    assert rows(telemetry(records), "overlap") == [("y", 3, 2, 3, 2, 2), ("x", 1, 0, 0, 0, 0)]


def test_overlap_counts_a_pair_that_begins_together_once() -> None:
    records = [held("a.json", 0, "1", "x", 0, 5), held("a.json", 1, "2", "x", 0, 5)]

    assert rows(telemetry(records), "overlap") == [("x", 2, 1, 1, 1, 2)]


def test_an_anchor_that_begins_when_another_ends_does_not_overlap() -> None:
    records = [held("a.json", 0, "1", "x", 0, 500), held("a.json", 1, "2", "x", 0.5, 500)]

    assert rows(telemetry(records), "overlap") == [("x", 2, 0, 0, 0, 1)]


def test_nested_anchors_of_one_thread_do_not_overlap() -> None:
    records = [held("a.json", 0, "1", "x", 0, 5_000), held("a.json", 1, "1", "y", 1, 1_000)]

    assert rows(telemetry(records), "overlap") == [("x", 1, 0, 0, 0, 1), ("y", 1, 0, 0, 0, 1)]


def test_an_anchor_counts_in_every_bucket_in_which_it_is_held() -> None:
    records = [
        held("a.json", 0, "1", "x", 0.25, 2_500),
        held("b.json", 0, "2", "x", 0.5, 250),
        held("a.json", 1, "1", "x", 1, 500),
    ]

    assert rows(telemetry(records), "concurrency_over_time") == [
        (at(0), 2, 1, 2, 0),
        (at(1), 1, 1, 2, 1),
        (at(2), 0, 1, 1, 0),
    ]


def test_an_anchor_that_ends_with_a_bucket_is_not_held_in_the_next() -> None:
    records = [held("a.json", 0, "1", "x", 0, 1_000)]

    assert rows(telemetry(records), "concurrency_over_time") == [(at(0), 1, 0, 1, 1), (at(1), 0, 1, 0, 0)]


@pytest.mark.parametrize("bucket", ["1 minute", "1min", "60 s", "60000ms", timedelta(minutes=1)])
def test_the_width_of_a_bucket_may_be_written_in_any_unit(bucket: object) -> None:
    records = [held("a.json", 0, "1", "x", 0, 1_000), held("a.json", 1, "1", "x", 30, 1_000)]

    assert rows(telemetry(records), "concurrency_over_time", bucket=bucket) == [(at(0), 2, 2, 1, 2)]


def test_sessions_per_day_are_days_in_utc_without_rejected_files() -> None:
    late = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    common = {"scored_count": 1, "status": "loaded"}
    sessions = [
        {"source": "a", "first_acquired_at": late, "record_count": 2, "in_flight_count": 1, "mean_stability": 0.25},
        {"source": "b", "first_acquired_at": late, "record_count": 3, "in_flight_count": 0, "mean_stability": 0.75},
        {"source": "c", "first_acquired_at": at(0, day=2), "record_count": 1, "in_flight_count": 0},
        {"source": "d", "first_acquired_at": None, "record_count": 0, "in_flight_count": 0},
    ]
    rejected = {"source": "e", "status": "rejected", "record_count": 0, "scored_count": 0, "in_flight_count": 0}

    assert rows(telemetry(sessions=[*({**common, **row} for row in sessions), rejected]), "sessions_per_day") == [
        (date(2026, 3, 1), 2, 5, 1, 0.5),
        (date(2026, 3, 2), 1, 1, 0, None),
        (None, 1, 0, 0, None),
    ]


def test_session_labels_are_one_row_per_label() -> None:
    common = {"status": "loaded", "record_count": 1, "scored_count": 1, "in_flight_count": 0}
    sessions = [
        {**common, "source": "b", "first_acquired_at": at(1), "labels": '{"build": "2"}'},
        {**common, "source": "a", "first_acquired_at": at(0), "labels": '{"a \\"b": "x.y", "commit": "0f3c"}'},
        {**common, "source": "c", "first_acquired_at": None, "labels": None},
    ]

    assert rows(telemetry(sessions=sessions), "session_labels") == [
        ("a", at(0), 'a "b', "x.y"),
        ("a", at(0), "commit", "0f3c"),
        ("b", at(1), "build", "2"),
    ]


def test_statistics_by_label_have_the_records_of_the_sessions_with_each_text() -> None:
    common = {"status": "loaded", "record_count": 1, "scored_count": 1, "in_flight_count": 0}
    sessions = [
        {**common, "source": "a.json", "labels": '{"build": "1", "branch": "main"}'},
        {**common, "source": "b.json", "labels": '{"build": "1"}'},
        {**common, "source": "c.json", "labels": None},
    ]
    records = [
        record("a.json", 0, stability_score=0.5, duration_ms=1.0),
        record("a.json", 1, stability_score=1.0, duration_ms=0.0, released_at=None),
        record("b.json", 0, stability_score=1.0, duration_ms=3.0),
        record("c.json", 0, stability_score=0.25, duration_ms=8.0),
    ]

    found = run_query(connect(telemetry(records, sessions)), *named("statistics_by_label", label="build"))

    columns = ["value", "session_count", "record_count", "in_flight_count", "duration_p50_ms"]
    assert found.select(columns).rows() == [("1", 2, 3, 1, 2.0), (None, 1, 1, 0, 8.0)]
    assert found["mean_stability"].to_list() == [pytest.approx(2.5 / 3), 0.25]


@pytest.mark.skipif(not CASES.is_file(), reason="the cases are not beside this checkout")
def test_the_sql_statistics_of_anchors_in_flight_are_those_of_the_summary(tmp_path: Path) -> None:
    subprocess.run([sys.executable, CASES, tmp_path], check=True)
    tables = load(tmp_path / "onlyinflight", labels=[r"hour=T(\d\d)"])

    groups = summarize(tables, by="label:hour").groups
    by_label = run_query(connect(tables), *named("statistics_by_label", label="hour"))
    by_context = run_query(connect(tables), *named("stability_by_context"))

    assert groups is not None
    names = {"label:hour": "value", "sessions": "session_count", "records": "record_count"}
    names |= {"in_flight": "in_flight_count", "scored": "scored_count"}
    assert groups.drop("drift_index_ms").rename(names).rows() == by_label.rows()
    assert by_label["duration_p50_ms"].to_list() == [None, None, None]
    assert by_context["record_count"].to_list() == [sum(groups["records"])]
    assert run_query(connect(tables), *named("lock_durations")).height == 0


def test_violations_by_rule_count_occurrences_and_files() -> None:
    violations = [
        {"source": source, "rule": rule, "severity": severity, "count": count, "message": "."}
        for source, rule, severity, count in [
            ("a.json", "in-flight", "info", 1),
            ("b.json", "seed-zero", "warning", 1),
            ("a.json", "deprecated-field", "info", 40),
            ("b.json", "deprecated-field", "info", 2),
            ("c.json", "truncated", "error", 1),
        ]
    ]

    assert rows(telemetry(violations=violations), "violations_by_rule") == [
        ("truncated", "error", 1, 1, "c.json"),
        ("seed-zero", "warning", 1, 1, "b.json"),
        ("deprecated-field", "info", 42, 2, "a.json"),
        ("in-flight", "info", 1, 1, "a.json"),
    ]


def test_drift_by_day_compares_with_the_previous_day_that_has_records() -> None:
    records = [
        record("a.json", 0, acquired_at=at(0, day=1), stability_score=0.5, duration_ms=1.0),
        record("a.json", 1, acquired_at=at(1, day=1), stability_score=1.0, duration_ms=3.0),
        record("b.json", 0, acquired_at=at(0, day=4), stability_score=0.25, duration_ms=8.0),
        record("b.json", 1, acquired_at=at(1, day=4), stability_score=0.25, duration_ms=0.0, released_at=None),
        record("b.json", 2, acquired_at=None, stability_score=0.0, duration_ms=100.0),
    ]

    approximately = pytest.approx
    assert rows(telemetry(records), "drift_by_day") == [
        (date(2026, 3, 1), 1, 2, 0.75, 0.125, 2.0, approximately(2.9), approximately(2.98), *[None] * 5),
        (
            *(date(2026, 3, 4), 1, 2, 0.25, 0.0, 8.0, 8.0, 8.0),
            *(-0.5, -0.125, 6.0, approximately(5.1), approximately(5.02)),
        ),
    ]


@pytest.mark.skipif(not INTEROP.is_dir(), reason="../shared is missing")
def test_the_sql_statistics_agree_with_the_summary() -> None:
    groups = summarize(INTEROP, by="context", released_only=True).groups
    assert groups is not None
    tables = load(INTEROP)
    released = tables.records.filter(pl.col("released_at").is_not_null())
    connection = connect(Telemetry(tables.sessions, released, tables.violations, tables.counts, tables.directory))

    stability = run_query(connection, *named("stability_by_context")).sort("context")
    durations = run_query(connection, *named("lock_durations")).sort("context")

    assert stability["record_count"].to_list() == groups["records"].to_list()
    assert stability["mean_stability"].to_list() == pytest.approx(groups["mean_stability"].to_list(), rel=1e-14)
    assert stability["sample_variance"].to_list() == pytest.approx(groups["sample_variance"].to_list(), rel=1e-12)
    for name in ("p50", "p95", "p99"):
        assert durations[f"{name}_ms"].to_list() == pytest.approx(groups[f"duration_{name}_ms"].to_list(), rel=1e-14)


def test_a_mean_of_many_records_has_the_same_bits_for_any_number_of_threads() -> None:
    count = 300_000
    index = pl.int_range(count, eager=True)
    records = pl.DataFrame({"stability_score": (index * 7919 % 10_007) / 10_007, "record_index": index})
    records = records.with_columns(source=pl.lit("a.json"), context=pl.lit("x"))
    missing = {name: kind for name, kind in polars_schema(RECORDS).items() if name not in records.columns}
    records = records.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in missing.items())
    empty = telemetry()
    tables = Telemetry(empty.sessions, records, empty.violations, empty.counts, empty.directory)

    results = [run_query(connect(tables, jobs=jobs), *named("stability_by_context")).rows() for jobs in (1, 2, 4)]

    assert results[0] == results[1] == results[2]
