"""One value per session, group and metric."""

import math
import pickle
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.series import (
    BY,
    METRICS,
    Scale,
    SessionFold,
    SessionValues,
    checked_by,
    checked_metrics,
    series,
    session_values,
)
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, ReadingOptions, load
from clamp_analytics.reading.large_file import plan_parts
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.reading.task import ReadRequest
from tests.conftest import INTEROP, SHARED, Raw, decode, record, session, write


def values_of(
    source: Path | list[Path],
    by: Any = ("context",),
    metrics: Any = None,
    options: ReadingOptions = DEFAULT_OPTIONS,
) -> SessionValues:
    fold = SessionFold(checked_by(by), checked_metrics(metrics))
    return session_values(Reader(source, columns=fold.columns, jobs=1, options=options), by=by, metrics=metrics)


def one_session(folder: Path, *records: dict[str, Any]) -> dict[str, Any]:
    """The only row of values of a session, with everything in one series."""
    (row,) = values_of(write(folder, {"a.json": session(*records)}), ()).values.iter_rows(named=True)
    return row


def timed(duration: float | str, **changes: Any) -> dict[str, Any]:
    return record(duration_ms=Raw(str(duration)), **changes)


def in_flight(**changes: Any) -> dict[str, Any]:
    return record(released_at=None, duration_ms=0, stability_score=0, **changes)


def test_the_mean_stability_is_that_of_the_usable_scores(tmp_path):
    scores = [1, 0.5, 0.75]

    row = one_session(tmp_path, *(record(stability_score=score) for score in scores), record(stability_score=7))

    assert row["mean_stability"] == 0.75


def test_the_unstable_share_counts_scores_below_one(tmp_path):
    row = one_session(tmp_path, *(record(stability_score=score) for score in (1, 0.999, 0, 1, 1)))

    assert row["unstable_share"] == 2 / 5


def test_percentiles_are_linear_between_neighbours(tmp_path):
    row = one_session(tmp_path, *(timed(duration) for duration in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)))

    found = row["duration_p50_ms"], row["duration_p95_ms"], row["duration_p99_ms"]
    assert found == pytest.approx((5.5, 9.55, 9.91))


def test_the_hold_total_is_the_sum_of_the_durations(tmp_path):
    assert one_session(tmp_path, timed(1.5), timed(2.25), timed(2.25))["hold_total_ms"] == 6.0


def test_an_anchor_in_flight_is_counted_and_has_no_duration(tmp_path):
    row = one_session(tmp_path, timed(8), in_flight())

    assert (row["in_flight"], row["duration_p50_ms"], row["hold_total_ms"]) == (1.0, 8.0, 8.0)


def test_an_anchor_in_flight_counts_with_the_score_that_it_has(tmp_path):
    row = one_session(tmp_path, record(), in_flight())

    assert (row["mean_stability"], row["unstable_share"]) == (0.5, 0.5)


def test_a_session_without_a_released_anchor_has_no_durations(tmp_path):
    row = one_session(tmp_path, in_flight())

    assert (row["duration_p50_ms"], row["hold_total_ms"]) == (None, None)


def test_a_session_without_a_usable_score_has_no_stability(tmp_path):
    row = one_session(tmp_path, record(stability_score=2))

    assert (row["mean_stability"], row["unstable_share"]) == (None, None)


def test_violations_are_errors_and_warnings(tmp_path):
    # Out of range is an error, a zero seed a warning, and an anchor in flight and a legacy field are infos.
    records = [record(stability_score=2), record(seed=0), in_flight(seed=9, backend="CPU")]

    assert one_session(tmp_path, *records)["violations"] == 2.0


def test_a_violation_of_a_record_counts_in_its_group(tmp_path):
    folder = write(tmp_path, {"a.json": session(record(seed=0), record(context="beta"))})

    found = values_of(folder, "context").values

    assert found.select("context", "violations").rows() == [("alpha", 1.0), ("beta", 0.0)]


def test_a_violation_of_the_whole_file_counts_only_where_nothing_is_grouped(tmp_path):
    folder = write(tmp_path, {"a.json": session(record(), record(seed=8), stability_score=0.25)})

    assert values_of(folder, ()).values["violations"].to_list() == [1.0]
    assert values_of(folder, "context").values["violations"].to_list() == [0.0]


def test_a_session_that_is_there_twice_counts_where_nothing_is_grouped(tmp_path):
    folder = write(tmp_path, {"a.json": session(record()), "b.json": session(record())})

    assert values_of(folder, ()).values["violations"].to_list() == [0.0, 1.0]


def test_sessions_are_in_the_order_of_their_first_acquisition(tmp_path):
    late, early = record(acquired_at="2026-01-02T00:00:00Z"), record(acquired_at="2026-01-01T00:00:00Z")
    folder = write(tmp_path, {"a.json": session(late), "b.json": session(early), "c.json": session(early, late)})

    assert [Path(name).name for name in values_of(folder).values["source"]] == ["b.json", "c.json", "a.json"]


def test_a_group_has_the_time_of_its_whole_session(tmp_path):
    first = record(acquired_at="2026-01-01T00:00:00Z")
    second = record(context="beta", acquired_at="2026-01-01T00:09:00Z")

    found = values_of(write(tmp_path, {"a.json": session(second, first)}), "context").values

    assert found["started_at"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)] * 2


def test_sessions_without_a_usable_time_are_counted_and_left_out(tmp_path):
    folder = write(
        tmp_path, {"a.json": session(record()), "b.json": session(record(acquired_at="")), "c.json": session()}
    )

    found = values_of(folder)

    assert (found.values.height, found.sessions, found.untimed) == (1, 1, 2)


def test_a_file_that_is_no_session_is_only_counted(tmp_path):
    found = values_of(write(tmp_path, {"a.json": session(record()), "b.json": b"{"}), ())

    assert (found.sessions, found.untimed, found.counts.rejected) == (1, 0, 1)


def test_a_context_that_could_not_be_used_is_a_group_of_its_own(tmp_path):
    found = values_of(write(tmp_path, {"a.json": session(record(context=7), record(seed=8))}))

    assert found.values.select("context", "records").rows() == [("alpha", 1), (None, 1)]


def test_values_can_be_told_apart_by_several_columns(tmp_path):
    records = [record(backend="CPU"), record(seed=8, backend="HIP"), record(seed=9, backend="HIP", context="beta")]

    found = values_of(write(tmp_path, {"a.json": session(*records)}), ("backend", "context"))

    assert found.values.select("backend", "context", "records").rows() == [
        ("CPU", "alpha", 1),
        ("HIP", "alpha", 1),
        ("HIP", "beta", 1),
    ]


def test_only_the_columns_that_are_needed_are_asked_for():
    assert SessionFold((), ("duration_p50_ms",)).columns == {"source", "released_at", "duration_ms"}


def test_metrics_keep_the_order_of_reports(tmp_path):
    folder = write(tmp_path, {"a.json": session(record())})

    assert values_of(folder, (), ["in_flight", "mean_stability"]).values.columns == [
        "source",
        "started_at",
        "records",
        "mean_stability",
        "in_flight",
    ]


def test_a_fold_can_be_sent_to_another_process():
    fold = SessionFold(("context",), ("violations",))

    assert pickle.loads(pickle.dumps(fold)) == fold


def test_an_unknown_metric_names_the_nearest_one():
    with pytest.raises(UsageError, match="there is no metric 'mean_stabilty'") as caught:
        checked_metrics("mean_stabilty")

    assert caught.value.hint == "did you mean mean_stability?"


def test_no_metric_at_all_is_refused():
    with pytest.raises(UsageError, match="no metric is given"):
        checked_metrics([])


def test_series_cannot_be_told_apart_by_any_column():
    with pytest.raises(UsageError, match="'seed'") as caught:
        checked_by("seed")

    assert caught.value.hint == "one of context, backend, device_name, thread_id"


def test_records_that_were_read_without_a_column_are_refused(tmp_path):
    folder = write(tmp_path, {"a.json": session(record())})

    with pytest.raises(UsageError, match="read without duration_ms"):
        session_values(load(folder, columns=["source", "context", "released_at", "stability_score", "record_index"]))


def test_no_usable_session_is_an_error(tmp_path):
    folder = write(tmp_path, {"a.json": b"nothing"})

    with pytest.raises(SourceError, match="no usable session"):
        values_of(folder)
    with pytest.raises(SourceError, match="no usable session"):
        session_values(load(folder))


def test_a_series_leaves_out_sessions_without_a_value(tmp_path):
    folder = write(tmp_path, {"a.json": session(timed(3)), "b.json": session(in_flight())})

    found = series(load(folder), metric="duration_p50_ms")

    assert found.columns == ["context", "source", "started_at", "value"]
    assert found["value"].to_list() == [3.0]


# The same from every kind of source.

SCORES = st.sampled_from([1, 1, 1, 0.5, 0.25, 0, 1e-9])
DURATIONS = st.sampled_from([0, 0.001, 1.5, 1.5, 2.25, 40.125, 1000])
START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    at = START + timedelta(seconds=draw(st.integers(0, 10**6)))
    duration = draw(DURATIONS)
    fields = {
        "context": draw(st.sampled_from(["alpha", "beta"])),
        "thread_id": draw(st.sampled_from(["1", "2"])),
        "seed": draw(st.integers(0, 3)),
        "acquired_at": draw(st.sampled_from([at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")] * 5 + [""])),
        "released_at": (at + timedelta(milliseconds=duration)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "duration_ms": duration,
        "stability_score": draw(SCORES),
    }
    if draw(st.booleans()):
        fields |= {"released_at": None, "duration_ms": 0, "stability_score": 0}
    return fields


SESSIONS = st.lists(st.lists(records(), max_size=25), min_size=1, max_size=5)


def files(sessions: list[list[dict[str, Any]]]) -> dict[str, bytes]:
    return {f"{number}.json": session(*rows) for number, rows in enumerate(sessions)}


def expected_row(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """The metrics of some records, computed by other means."""
    scores = [row["stability_score"] for row in rows]
    durations = [row["duration_ms"] for row in rows if row["released_at"] is not None]
    figures: dict[str, float | None] = {
        "mean_stability": math.fsum(scores) / len(scores),
        "unstable_share": sum(score != 1 for score in scores) / len(scores),
        "hold_total_ms": math.fsum(durations) if durations else None,
        "in_flight": float(len(rows) - len(durations)),
    }
    for share in (50, 95, 99):
        figures[f"duration_p{share}_ms"] = float(np.percentile(durations, share)) if durations else None
    return figures


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, rel=1e-12)


@given(SESSIONS)
@settings(max_examples=40)
def test_every_value_is_what_an_independent_computation_gives(tmp_path_factory, sessions):
    folder = write(tmp_path_factory.mktemp("sessions"), files(sessions))
    expected = {}
    for number, rows in enumerate(sessions):
        groups = defaultdict(list)
        for row in rows:
            groups[row["context"], row["thread_id"]].append(row)
        if any(row["acquired_at"] for row in rows):
            expected |= {(f"{number}.json", *key): expected_row(group) for key, group in groups.items()}

    found = values_of(folder, ("context", "thread_id"))

    rows_found = {
        (Path(row["source"]).name, row["context"], row["thread_id"]): row for row in found.values.iter_rows(named=True)
    }
    assert rows_found.keys() == expected.keys()
    for key, figures in expected.items():
        assert [rows_found[key][name] for name in figures] == [near(value) for value in figures.values()]
    assert found.untimed == sum(not any(row["acquired_at"] for row in rows) for rows in sessions)


def violations_by_group(folder: Path) -> dict[tuple[str, str | None], int]:
    """Errors and warnings of records, row by row."""
    telemetry = load(folder)
    contexts = {
        (source, index): context
        for source, index, context in telemetry.records.select("source", "record_index", "context").iter_rows()
    }
    counted: dict[tuple[str, str | None], int] = defaultdict(int)
    for row in telemetry.violations.iter_rows(named=True):
        if row["severity"] != "info" and row["record_index"] is not None:
            counted[row["source"], contexts[row["source"], row["record_index"]]] += row["count"]
    return counted


@given(SESSIONS)
@settings(max_examples=25)
def test_violations_are_those_of_the_records_of_the_group(tmp_path_factory, sessions):
    folder = write(tmp_path_factory.mktemp("sessions"), files(sessions))
    counted = violations_by_group(folder)

    found = values_of(folder, "context", "violations").values

    for source, context, violations in found.select("source", "context", "violations").iter_rows():
        assert violations == counted[source, context]


@given(SESSIONS, st.sampled_from([(), ("context",), ("thread_id", "context")]))
@settings(max_examples=25)
def test_an_export_gives_the_same_values_as_its_files(tmp_path_factory, sessions, by):
    folder = write(tmp_path_factory.mktemp("sessions"), files(sessions))
    target = tmp_path_factory.mktemp("export") / "parquet"
    options = ExportOptions(partition_by="context", row_group_rows=3, rows_per_file=5, buffer_bytes=1)
    export(Reader(folder, jobs=1), target, options)

    from_files, from_export = values_of(folder, by), values_of(target, by)

    assert_frame_equal(from_export.values, from_files.values, check_exact=True)
    assert (from_export.sessions, from_export.untimed) == (from_files.sessions, from_files.untimed)


@pytest.mark.parametrize("by", [(), ("context",)])
def test_a_large_file_in_parts_gives_the_same_values(tmp_path, by):
    rows = [
        timed(number % 7, seed=number % 50, context="alpha" if number % 3 else "beta", stability_score=number % 2)
        for number in range(100)
    ]
    folder = write(tmp_path, {"a.json": session(*rows)})
    whole = values_of(folder, by)
    options = ReadingOptions(large_bytes=1, part_bytes=1000, cut_window_bytes=400)
    path = folder / "a.json"
    planned = plan_parts(str(path), path.stat().st_size, ReadRequest(frozenset()), options)

    in_parts = values_of(folder, by, options=options)

    assert planned is not None
    assert len(planned.spans) > 1
    assert whole.values["violations"].sum() > 0
    assert_frame_equal(in_parts.values, whole.values, check_exact=True)


@pytest.mark.parametrize("by", [(), ("context",), BY])
def test_loaded_telemetry_gives_the_same_values_as_a_reader(by):
    assert_frame_equal(session_values(load(INTEROP), by=by).values, values_of(INTEROP, by).values, check_exact=True)


def test_many_batches_give_the_same_values_as_one(tmp_path):
    folder = write(tmp_path, {f"{n}.json": session(timed(n), record(seed=8, context="beta")) for n in range(20)})
    once = values_of(folder)

    assert_frame_equal(values_of(folder, options=ReadingOptions(batch_files=3)).values, once.values, check_exact=True)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the producer's session files are not here")
def test_the_producers_sessions_have_the_means_that_they_declare():
    declared = load(SHARED / "interop" / "sessions").sessions.select("source", "declared_stability_score")

    found = values_of(SHARED / "interop" / "sessions", ()).values.join(declared, on="source")

    # A record's score is printed with three digits, the declared mean is of all digits.
    difference = (found["mean_stability"] - found["declared_stability_score"]).abs()
    assert difference.max() <= 0.0005


# Scales.


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_scale_keeps_the_order_and_leads_back(metric):
    values = np.array([0.0, 0.001, 0.25, 0.5, 0.999, 1.0])

    scaled = metric.to_scale(values)

    assert (np.diff(scaled) >= 0).all()
    assert metric.from_scale(scaled)[1:] == pytest.approx(values[1:])


def test_durations_that_are_zero_or_negative_count_as_a_microsecond_on_their_scale():
    scaled = METRICS["duration_p50_ms"].to_scale(np.array([-3.0, 0.0, 0.0005, 0.001]))

    assert scaled.tolist() == [math.log(0.001)] * 4


def test_the_scale_of_scores_is_finite_at_both_ends():
    assert METRICS["mean_stability"].to_scale(np.array([0.0, 0.5, 1.0])) == pytest.approx([0, math.pi / 4, math.pi / 2])


def test_the_level_of_durations_is_the_geometric_mean():
    assert METRICS["duration_p50_ms"].level(np.array([1.0, 4.0, 16.0])) == pytest.approx(4.0)


def test_the_level_of_scores_is_the_arithmetic_mean():
    assert METRICS["mean_stability"].level(np.array([1.0, 0.5, 0.0])) == 0.5


def test_half_and_double_a_duration_are_effects_of_one_size():
    metric = METRICS["hold_total_ms"]

    assert (metric.size(2.0, 4.0), metric.size(4.0, 2.0)) == (1.0, 1.0)


def test_the_effect_of_a_score_is_a_difference():
    assert METRICS["mean_stability"].size(1.0, 0.75) == 0.25


def test_every_metric_says_what_it_is():
    assert all(metric.sentence.endswith(".") and metric.unit for metric in METRICS.values())
    assert {metric.scale for metric in METRICS.values()} == set(Scale)


def test_a_batch_without_records_gives_no_values():
    partial = SessionFold()(decode(session()))

    assert (partial.values.height, partial.sessions.height, partial.open) == (0, 1, None)
    assert partial.values.schema["mean_stability"] == pl.Float64
