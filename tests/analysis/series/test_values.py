"""The value of each metric, per session and group."""

import pickle
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from clamp_analytics.analysis.series import (
    SessionFold,
    series,
    session_values,
)
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import load
from tests.analysis.series.conftest import in_flight, one_session, timed, values_of
from tests.conftest import decode, record, session, write


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


def test_a_violation_of_a_whole_file_counts_only_without_groups(tmp_path):
    folder = write(tmp_path, {"a.json": session(record(), record(seed=8), stability_score=0.25)})

    assert values_of(folder, ()).values["violations"].to_list() == [1.0]
    assert values_of(folder, "context").values["violations"].to_list() == [0.0]


def test_a_repeated_session_counts_as_a_violation_without_groups(tmp_path):
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


def test_a_file_that_is_not_a_session_is_only_counted(tmp_path):
    found = values_of(write(tmp_path, {"a.json": session(record()), "b.json": b"{"}), ())

    assert (found.sessions, found.untimed, found.counts.rejected) == (1, 0, 1)


def test_an_unusable_context_is_a_group_of_its_own(tmp_path):
    found = values_of(write(tmp_path, {"a.json": session(record(context=7), record(seed=8))}))

    assert found.values.select("context", "records").rows() == [("alpha", 1), (None, 1)]


def test_values_can_be_grouped_by_several_columns(tmp_path):
    records = [record(backend="CPU"), record(seed=8, backend="HIP"), record(seed=9, backend="HIP", context="beta")]

    found = values_of(write(tmp_path, {"a.json": session(*records)}), ("backend", "context"))

    assert found.values.select("backend", "context", "records").rows() == [
        ("CPU", "alpha", 1),
        ("HIP", "alpha", 1),
        ("HIP", "beta", 1),
    ]


def test_a_fold_needs_only_the_columns_of_its_metrics():
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


def test_a_fold_can_be_pickled():
    fold = SessionFold(("context",), ("violations",))

    assert pickle.loads(pickle.dumps(fold)) == fold


def test_records_that_were_read_without_a_column_are_refused(tmp_path):
    folder = write(tmp_path, {"a.json": session(record())})
    telemetry = load(folder, columns=["source", "context", "thread_id", "released_at", "stability_score"])

    with pytest.raises(UsageError, match="read without backend, device_name, duration_ms"):
        session_values(telemetry)


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


def test_a_batch_without_records_gives_no_values():
    partial = SessionFold()(decode(session()))

    assert (partial.values.height, partial.sessions.height, partial.open) == (0, 1, None)
    assert partial.values.schema["mean_stability"] == pl.Float64
