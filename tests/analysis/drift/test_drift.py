"""Verdicts, series and changes as frames."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.drift import Drift, DriftOptions, drift
from clamp_analytics.analysis.series import METRICS, AttributeFold, SessionFold
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import Reader, load
from tests.analysis.drift.conftest import HOUR, START, session_frame
from tests.conftest import record, session, write

SAMPLES = Path(__file__).parents[3] / "data" / "samples"


def wobble(level: float, length: int) -> list[float]:
    """A level with a little noise, without a trend and with hardly any correlation of neighbours."""
    noise = np.random.default_rng(11).permutation(np.linspace(-0.02, 0.02, length))
    return (level * (1 + noise)).tolist()


STEADY = wobble(10, 30)
SLOWER = wobble(10, 30) + wobble(15, 30)
FASTER = wobble(10, 30) + wobble(6, 30)


def verdict_of(values: list[float | None], metric: str = "duration_p50_ms", **options: Any) -> dict[str, Any]:
    """The only row of verdicts of one context."""
    found = drift(session_frame({"alpha": values}, metric), options=DriftOptions(**options))
    (row,) = found.verdicts.iter_rows(named=True)
    return row


def test_a_slower_context_regressed_where_it_did():
    row = verdict_of(SLOWER)

    assert (row["context"], row["metric"], row["verdict"]) == ("alpha", "duration_p50_ms", "regressed")
    assert (row["change_at"], row["change_source"]) == (START + 30 * HOUR, "run_00030.json")
    assert (row["direction"], row["shape"], row["sessions"]) == ("worse", "step", 60)
    assert row["last_good_source"] == "run_00029.json"


def test_levels_and_effect_are_those_of_the_two_sides():
    row = verdict_of(SLOWER)
    before, after = (math.exp(np.log(side).mean()) for side in (SLOWER[:30], SLOWER[30:]))

    assert (row["before"], row["after"]) == pytest.approx((before, after), rel=0.01)
    assert row["effect"] == pytest.approx(row["after"] - row["before"])
    assert row["effect_relative"] == pytest.approx(row["after"] / row["before"] - 1)


def test_a_faster_context_improved():
    row = verdict_of(FASTER)

    assert (row["verdict"], row["direction"], row["effect"] < 0) == ("improved", "better", True)


def test_less_stability_is_a_regression():
    row = verdict_of([1.0] * 30 + [0.9, 0.8, 0.95] * 10, "mean_stability")

    assert (row["verdict"], row["change_source"], row["before"]) == ("regressed", "run_00030.json", 1.0)


def test_a_steady_context_is_unchanged_at_its_level():
    row = verdict_of(STEADY)

    assert (row["verdict"], row["change_at"], row["before"], row["effect"]) == ("unchanged", None, None, None)
    assert row["after"] == pytest.approx(math.exp(np.log(STEADY).mean()), rel=0.01)


def test_a_steady_context_says_which_shift_would_have_been_found():
    row = verdict_of(STEADY)

    assert 0 < row["detectable"] < 0.2
    assert row["reason"].endswith("would have shown")


def test_a_step_without_any_noise_is_certain():
    row = verdict_of([1.0] * 20 + [0.5] * 20, "mean_stability")

    assert (row["verdict"], row["change_source"]) == ("regressed", "run_00020.json")


def test_a_shift_below_the_floor_is_unchanged():
    row = verdict_of(wobble(10, 40) + wobble(10.4, 40))

    assert row["verdict"] == "unchanged"
    assert row["reason"].endswith("is below the limit of 5 %")


def test_a_short_series_says_how_many_sessions_are_missing():
    row = verdict_of(SLOWER[20:31])

    assert (row["verdict"], row["reason"]) == ("not enough data", "11 sessions, and at least 13 are needed: 2 more")
    assert (row["p_value"], row["detectable"]) == (None, None)


def test_the_headline_compares_the_latest_level_with_the_first():
    row = verdict_of([*wobble(10, 30), *wobble(20, 30), *wobble(16, 30)])

    assert (row["verdict"], row["shape"], row["changes"]) == ("regressed", "several", 2)
    assert row["effect_relative"] == pytest.approx(0.6, abs=0.02)
    assert row["change_source"] == "run_00030.json"


def test_all_changes_are_listed_with_their_sessions_and_levels():
    found = drift(session_frame({"alpha": [*wobble(10, 30), *wobble(20, 30), *wobble(8, 30)]}))

    assert found.changes.select("direction", "change_source").rows() == [
        ("worse", "run_00030.json"),
        ("better", "run_00060.json"),
    ]
    assert found.changes["before"].to_list() == pytest.approx([10, 20], rel=0.01)
    assert found.changes["after"].to_list() == pytest.approx([20, 8], rel=0.01)


def test_a_change_of_a_series_with_gaps_may_have_begun_in_a_session_without_a_value():
    values: list[float | None] = []
    for value in SLOWER:
        values += [None, value]

    (change,) = drift(session_frame({"alpha": values})).changes.iter_rows(named=True)

    assert change["change_source"] == "run_00061.json"
    assert change["earliest_source"] <= "run_00060.json"


def test_a_steady_rise_is_a_trend_over_the_window():
    row = verdict_of([100.0 * 1.01**number * (1 + 0.01 * (-1) ** number) for number in range(60)])

    assert (row["verdict"], row["shape"]) == ("regressed", "trend")
    assert row["effect_relative"] == pytest.approx(1.01**59 - 1, rel=0.05)
    assert row["slope_per_session"] == pytest.approx(0.01, rel=0.05)


def test_a_single_wild_session_is_named_and_no_change():
    values = wobble(10, 60)
    values[30] = 60.0

    row = verdict_of(values)

    assert (row["verdict"], row["outliers"]) == ("unchanged", ["run_00030.json"])


def test_changes_for_the_worse_come_first():
    contexts = {"steady": STEADY * 2, "slower": SLOWER, "faster": FASTER}

    found = drift(session_frame(contexts)).verdicts

    assert found.select("context", "verdict").rows() == [
        ("slower", "regressed"),
        ("faster", "improved"),
        ("steady", "unchanged"),
    ]


def test_a_floor_can_be_lowered():
    assert verdict_of(wobble(10, 40) + wobble(10.4, 40), floors={"duration_p50_ms": 0.01})["verdict"] == "regressed"


def test_a_metric_without_any_value_is_not_enough_data():
    row = verdict_of([None] * 30)

    assert (row["verdict"], row["sessions"], row["after"]) == ("not enough data", 0, None)


def test_one_session_is_not_enough_data():
    row = verdict_of([7.0])

    assert (row["verdict"], row["after"]) == ("not enough data", pytest.approx(7.0))


def test_a_group_whose_name_is_not_known_is_a_row_of_its_own():
    given = session_frame({"alpha": STEADY})
    nameless = given.values.with_columns(pl.lit(None, pl.String).alias("context"))

    assert drift(replace(given, values=nameless)).verdicts["context"].to_list() == [None]


def test_the_series_are_long_and_by_time():
    found = drift(session_frame({"alpha": [1.0, None, 3.0]})).series

    assert found.columns == ["context", "metric", "source", "started_at", "value"]
    assert found.select("source", "value").rows() == [("run_00000.json", 1.0), ("run_00002.json", 3.0)]


def test_the_last_sessions_are_the_latest_ones():
    found = drift(session_frame({"alpha": SLOWER, "beta": SLOWER}), options=DriftOptions(last=25))

    assert (found.sessions, found.verdicts["sessions"].to_list()) == (25, [25, 25])
    assert found.series["source"].min() == "run_00035.json"


def test_since_is_kept_and_until_is_not():
    options = DriftOptions(since=START + 2 * HOUR, until=START + 5 * HOUR)

    assert drift(session_frame({"alpha": STEADY}), options=options).series["source"].to_list() == [
        "run_00002.json",
        "run_00003.json",
        "run_00004.json",
    ]


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_keeps_it():
    values = session_frame({"alpha": STEADY})
    zone = timezone(timedelta(hours=2))

    naive = drift(values, options=DriftOptions(since=datetime(2026, 1, 1, 20)))
    zoned = drift(values, options=DriftOptions(since=datetime(2026, 1, 1, 22, tzinfo=zone)))

    assert naive.sessions == zoned.sessions == 10


def test_a_time_in_which_nothing_happened_is_an_error_that_says_what_there_is():
    with pytest.raises(SourceError, match="no session lies in the time") as caught:
        drift(session_frame({"alpha": STEADY}), options=DriftOptions(since=datetime(2030, 1, 1, tzinfo=UTC)))

    assert caught.value.hint == "they reach from 2026-01-01 00:00:00+00:00 to 2026-01-02 05:00:00+00:00"


def test_sessions_without_any_time_are_an_error(tmp_path):
    folder = write(tmp_path, {"a.json": session(record(acquired_at=""))})

    with pytest.raises(SourceError, match="none of 1 sessions has a usable timestamp"):
        drift(load(folder))


def test_some_sessions_without_a_time_are_counted(tmp_path):
    folder = write(tmp_path, {"a.json": session(record(acquired_at="")), "b.json": session(record(seed=8))})

    found = drift(load(folder))

    assert (found.sessions, found.untimed) == (1, 1)


def test_a_group_in_a_session_without_a_record_of_it_has_no_value_there(tmp_path):
    folder = write(tmp_path, {"a.json": session(record()), "b.json": session(record(context="beta", seed=9))})

    found = drift(load(folder), metrics="in_flight")

    assert found.verdicts["sessions"].to_list() == [1, 1]


@pytest.mark.parametrize("by", [(), "context", ("context", "thread_id")])
def test_a_reader_and_loaded_telemetry_give_the_same(by):
    columns = by if isinstance(by, tuple) else (by,)
    fold = AttributeFold(SessionFold((*columns, *DriftOptions().strata)))

    one = drift(load(SAMPLES / "drifting"), by=by)
    other = drift(Reader(SAMPLES / "drifting", columns=fold.columns, jobs=1), by=by)

    assert_same(one, other)
    groups = one.series.select(one.by).n_unique() if one.by else 1
    assert one.verdicts.height == groups * len(METRICS)


def assert_same(one: Drift, other: Drift) -> None:
    for name in ("verdicts", "series", "changes"):
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_the_drifting_sample_shows_what_was_put_into_it():
    # From the 15th session on, one context is slower by half, and a quarter of its cycles fail.
    found = drift(load(SAMPLES / "drifting")).verdicts.filter(pl.col("verdict") == "regressed")

    assert set(found["context"]) == {"upload-queue"}
    since = dict(found.select("metric", "change_source").rows())
    assert Path(since["duration_p50_ms"]).name == "clamp_run_20261008T180000Z.json"
    assert {"duration_p50_ms", "mean_stability"} <= since.keys()


def test_the_changes_of_the_drifting_sample_are_one_incident():
    (report,) = drift(load(SAMPLES / "drifting")).incidents

    assert report.incident.groups == [("upload-queue",)]
    assert {"duration_p50_ms", "mean_stability"} <= set(report.incident.metrics)


def test_ten_clean_sessions_are_not_enough_data():
    assert set(drift(load(SAMPLES / "clean")).verdicts["verdict"]) == {"not enough data"}


def test_no_number_is_nan_or_infinite():
    contexts = {"none": [None] * 40, "same": [0.0] * 40, "step": [0.0] * 20 + [5.0] * 20, "one": [1.0] + [None] * 39}

    found = drift(session_frame(contexts))

    for frame in (found.verdicts, found.changes):
        floats = frame.select(pl.selectors.float())
        assert floats.select(pl.all().is_finite().all()).row(0) == (True,) * floats.width


def test_without_scipy_the_way_to_it_is_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "clamp_analytics.analysis.drift.find_spec", lambda name: None if name == "scipy" else find_spec(name)
    )

    with pytest.raises(UsageError, match="scipy") as caught:
        drift(session_frame({"alpha": STEADY}))

    assert caught.value.hint == "pip install 'clamp-analytics[drift]'"


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0},
        {"alpha": 1},
        {"suspect_alpha": 0},
        {"last": 0},
        {"replays": 0},
        {"replayed_sessions": 0},
        {"seed": -1},
        {"floors": {"duration_p50_ms": -0.1}},
        {"floors": {"duration_p50_ms": math.nan}},
        {"floors": {"duration": 0.1}},
        {"since": datetime(2026, 1, 2, tzinfo=UTC), "until": datetime(2026, 1, 2, tzinfo=UTC)},
    ],
)
def test_an_option_out_of_its_range_is_refused(wrong):
    with pytest.raises(UsageError):
        DriftOptions(**wrong)
