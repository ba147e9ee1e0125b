"""What can be compared, and which options."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from clamp_analytics.analysis.compare import CompareOptions, compare
from clamp_analytics.analysis.series import METRICS, AttributeFold, SessionFold, session_values
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import Reader, load
from tests.analysis.compare.conftest import P50, START, side
from tests.conftest import record, session, write


def runs(folder: Any, count: int, duration: float, **fields: Any) -> Any:
    """Session files with two cycles each, the durations around a level."""
    files = {}
    for number in range(count):
        at = (START + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cycles = [
            record(
                seed=10 * number + index + 1,
                acquired_at=at,
                released_at=at,
                duration_ms=duration * (1 + 0.01 * ((7 * number + index) % 5)),
                **fields,
            )
            for index in range(2)
        ]
        files[f"{number:02}.json"] = session(*cycles)
    return write(folder, files)


def test_readers_telemetry_and_values_give_the_same(tmp_path):
    before, after = runs(tmp_path / "before", 12, 100), runs(tmp_path / "after", 12, 150)
    columns = AttributeFold(SessionFold()).columns

    read = compare(Reader(before, columns=columns), Reader(after, columns=columns))

    assert read.verdicts.equals(compare(load(before), load(after)).verdicts)
    assert read.verdicts.equals(compare(session_values(load(before)), session_values(load(after))).verdicts)
    assert set(read.verdicts.filter(pl.col("verdict") == "regressed")["metric"]) == {
        P50,
        "duration_p95_ms",
        "duration_p99_ms",
        "hold_total_ms",
    }


def test_all_records_can_be_one_group(tmp_path):
    found = compare(load(runs(tmp_path / "before", 12, 1)), load(runs(tmp_path / "after", 12, 1)), by=())

    assert found.verdicts["metric"].to_list() == list(METRICS)
    assert found.appeared.is_empty()


def test_only_the_given_metrics_are_compared(tmp_path):
    folder = runs(tmp_path, 2, 1)

    assert compare(load(folder), load(folder), metrics="in_flight").verdicts["metric"].to_list() == ["in_flight"]


def test_sessions_that_are_on_both_sides_are_counted(tmp_path):
    folder = runs(tmp_path, 3, 1)

    assert compare(load(folder), load(folder)).in_both == 3


def test_sessions_without_a_time_are_left_out_and_counted(tmp_path):
    unset = session(record(acquired_at=""))

    found = compare(load(write(runs(tmp_path, 3, 1), {"unset.json": unset})), load(tmp_path))

    assert (found.baseline_sessions, found.untimed) == (3, 2)


def test_a_side_without_a_session_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no usable session"):
        compare(load(runs(tmp_path / "a", 1, 1)), load(write(tmp_path / "b", {"bad.json": b"{"})))


def test_values_that_were_computed_by_other_columns_are_an_error():
    with pytest.raises(UsageError, match="computed by context"):
        compare(side({"a": [1]}), side({"a": [1]}), by="backend")


def test_values_that_were_computed_without_a_metric_are_an_error():
    with pytest.raises(UsageError, match="without in_flight"):
        compare(side({"a": [1]}), side({"a": [1]}), metrics="in_flight")


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0},
        {"confidence": 1},
        {"min_sessions": 1},
        {"suspect_alpha": 0},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        CompareOptions(**options)


@pytest.mark.parametrize("floors", [{P50: -1.0}, {P50: math.nan}, {"durations": 1.0}])
def test_floors_are_for_metrics_and_not_negative(floors):
    with pytest.raises(UsageError):
        CompareOptions(floors=floors)
