"""The values are the same from every kind of source, and in batches of any size."""

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.series import (
    BY,
    session_values,
)
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, ReadingOptions, load
from tests.analysis.series.conftest import timed, values_of
from tests.conftest import EXAMPLES, INTEROP, SHARED, record, session, write

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
@settings(max_examples=20 * EXAMPLES)
def test_every_value_agrees_with_an_independent_computation(tmp_path_factory, sessions):
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
@settings(max_examples=12 * EXAMPLES)
def test_violations_agree_with_an_independent_count(tmp_path_factory, sessions):
    folder = write(tmp_path_factory.mktemp("sessions"), files(sessions))
    counted = violations_by_group(folder)

    found = values_of(folder, "context", "violations").values

    for source, context, violations in found.select("source", "context", "violations").iter_rows():
        assert violations == counted[source, context]


@given(SESSIONS, st.sampled_from([(), ("context",), ("thread_id", "context")]))
@settings(max_examples=12 * EXAMPLES)
def test_an_export_gives_the_same_values_as_its_files(tmp_path_factory, sessions, by):
    folder = write(tmp_path_factory.mktemp("sessions"), files(sessions))
    target = tmp_path_factory.mktemp("export") / "parquet"
    options = ExportOptions(partition_by="context", row_group_rows=3, rows_per_file=5, buffer_bytes=1)
    export(Reader(folder, jobs=1), target, options)

    from_files, from_export = values_of(folder, by), values_of(target, by)

    assert_frame_equal(from_export.values, from_files.values, check_exact=True)
    assert (from_export.sessions, from_export.untimed) == (from_files.sessions, from_files.untimed)


@pytest.mark.parametrize("by", [(), ("context",)])
@pytest.mark.parametrize("seeds", [50, 100])
def test_a_large_file_in_windows_gives_the_same_values(tmp_path, by, seeds):
    rows = [
        timed(
            number % 7, seed=1 + number % seeds, context="alpha" if number % 3 else "beta", stability_score=number % 2
        )
        for number in range(100)
    ]
    folder = write(tmp_path, {"a.json": session(*rows)})
    whole = values_of(folder, by)

    in_windows = values_of(folder, by, options=ReadingOptions(large_bytes=1, window_bytes=1000))

    assert_frame_equal(in_windows.values, whole.values, check_exact=True)


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
