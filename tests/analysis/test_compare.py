"""A candidate against a baseline: verdicts, what they rest on, and how often they are wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from clamp_analytics.analysis.compare import VERDICT_COLUMNS, CompareOptions, Comparison, compare, compare_groups
from clamp_analytics.analysis.series import METRICS, SessionFold, SessionValues, session_values
from clamp_analytics.analysis.stats import benjamini_hochberg, mann_whitney
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import Counts, Reader, load
from tests.conftest import only, record, session, write

START = datetime(2026, 1, 1, tzinfo=UTC)
P50 = "duration_p50_ms"


def side(
    groups: dict[Any, Any], metric: str = P50, by: tuple[str, ...] = ("context",), name: str = "s"
) -> SessionValues:
    """Sessions an hour apart, with the values of one metric in each group; None where a session has no row of it."""
    rows = [
        {
            "source": f"{name}{number}.json",
            "started_at": START + timedelta(hours=number),
            **dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)),
            "records": 3,
            metric: float(value),
        }
        for key, values in groups.items()
        for number, value in enumerate(values)
        if value is not None
    ]
    schema = {
        "source": pl.String,
        "started_at": pl.Datetime("us", "UTC"),
        **dict.fromkeys(by, pl.String),
        "records": pl.UInt32,
        metric: pl.Float64,
    }
    frame = pl.DataFrame(rows, schema=schema).sort("started_at", "source")
    sessions = frame["source"].n_unique()
    return SessionValues(frame, by, (metric,), sessions, 0, Counts(sessions, 0, 0))


def one(before: Any, after: Any, metric: str = P50, **options: Any) -> dict[str, Any]:
    """The only row of a comparison of one metric in one context."""
    found = compare(
        side({"a": before}, metric), side({"a": after}, metric, name="t"), options=CompareOptions(**options)
    )
    return only(found.verdicts)


def noise(size: int, seed: int, level: float = 1.0, spread: float = 0.05) -> np.ndarray:
    return level * np.random.default_rng(seed).lognormal(0, spread, size)


def verdicts(found: Comparison) -> list[tuple[str, ...]]:
    return found.verdicts.select(*found.by, "verdict").rows()


# Verdicts


def test_a_duration_that_rose_has_regressed():
    assert one(noise(20, 1), noise(20, 2, 1.5))["verdict"] == "regressed"


def test_a_duration_that_fell_has_improved():
    assert one(noise(20, 1), noise(20, 2, 0.5))["verdict"] == "improved"


def test_a_stability_that_fell_has_regressed():
    assert one([1.0] * 20, [0.9, 0.8] * 10, "mean_stability")["verdict"] == "regressed"


def test_noise_is_unchanged():
    assert one(noise(20, 1), noise(20, 3))["verdict"] == "unchanged"


def test_a_sure_difference_below_the_floor_is_unchanged():
    row = one(noise(200, 1), noise(200, 2, 1.03))

    assert row["adjusted_p"] < 0.001
    assert (row["verdict"], row["reason"].endswith("below the floor of 5 %")) == ("unchanged", True)


def test_a_floor_of_ones_own_counts():
    assert one(noise(200, 1), noise(200, 2, 1.03), floors={P50: 0.01})["verdict"] == "regressed"


def test_nine_sessions_are_not_enough_and_what_would_be_is_said():
    row = one(noise(9, 1), noise(20, 2, 3))

    assert (row["verdict"], row["p_value"], row["adjusted_p"]) == ("not enough data", None, None)
    assert row["needed_sessions"] >= 20


def test_ten_sessions_a_side_are_enough_for_what_is_plain():
    assert one([1.0, 1.1, 1.2, 1.0, 1.15, 1.05, 1.1, 1.0, 1.2, 1.1], [2.1, 2, 2.2, 2, 2.1, 2.2, 2, 2.1, 2.2, 2])[
        "verdict"
    ] == ("regressed")


def test_correlated_sessions_make_a_warning_at_most():
    slow = np.repeat(noise(20, 4, spread=0.2), 3) * noise(60, 5, spread=0.05)

    row = one(slow, slow + 1)

    assert row["autocorrelation"] > 0.3
    assert row["verdict"] == "warning"


def test_a_side_without_a_value_is_not_enough_data():
    found = compare(side({"a": noise(20, 1)}), side({"a": [math.nan] * 20}, name="t"))
    empty = found.verdicts.select("baseline_sessions", "candidate_sessions")

    assert empty.rows() == [(20, 20)]


def test_a_metric_that_one_side_lacks_in_a_group_has_no_level_there():
    before = side({"a": noise(20, 1)})
    after = side({"a": noise(20, 1)}, name="t")
    after.values.replace_column(after.values.get_column_index(P50), pl.Series(P50, [None] * 20, dtype=pl.Float64))

    row = only(compare(before, after).verdicts)

    assert (row["candidate_sessions"], row["candidate"], row["difference"], row["difference_low"]) == (
        0,
        None,
        None,
        None,
    )
    assert row["verdict"] == "not enough data"


# Figures


def test_durations_have_geometric_means():
    row = one([1.0, 4.0], [2.0, 8.0])

    # sqrt(1 * 4) and sqrt(2 * 8).
    assert (row["baseline"], row["candidate"]) == pytest.approx((2, 4))
    assert (row["difference"], row["relative_difference"], row["unit"]) == (pytest.approx(2), pytest.approx(1), "ms")


def test_shares_and_counts_have_arithmetic_means():
    row = one([0.0, 1.0], [2.0, 5.0], "violations")

    assert (row["baseline"], row["candidate"], row["difference"]) == (0.5, 3.5, 3)


def test_there_is_no_relative_difference_from_0():
    assert one([0, 0, 0], [1, 2, 3], "violations")["relative_difference"] is None


def test_equal_constants_differ_by_nothing():
    row = one([0.1] * 11, [0.1] * 13, "mean_stability")

    assert [row[name] for name in ("difference", "difference_low", "difference_high", "p_value", "adjusted_p")] == [
        0,
        0,
        0,
        1,
        1,
    ]
    assert (row["verdict"], row["effect"]) == ("unchanged", 0)


def test_an_interval_surrounds_the_difference():
    row = one(noise(30, 1), noise(30, 2, 1.5))

    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_an_interval_covers_the_true_ratio_about_as_often_as_it_says():
    covered = 0
    for number in range(200):
        row = one(noise(20, 2 * number, spread=0.3), noise(20, 2 * number + 1, 1.5, spread=0.3), resamples=300)
        covered += row["difference_low"] <= 0.5 * row["baseline"] <= row["difference_high"]

    # 95 % of 200 is 190.
    assert 180 <= covered <= 200


def test_an_interval_of_scores_stays_between_them():
    row = one([1.0, 1.0, 1.0], [0.0, 0.0, 1.0], "mean_stability")

    assert row["difference_low"] >= -1


def test_the_effect_is_the_dominance_of_the_candidate():
    assert one([2.0, 3.0], [0.5, 1.0])["effect"] == -1


def test_p_values_are_those_of_the_rank_test_where_nothing_correlates():
    before, after = np.array([1, 9, 2, 8, 3, 7, 4, 6, 5, 5.5]), np.array([2, 10, 3, 9, 4, 8, 5, 7, 6, 6.5])

    row = one(before, after, "in_flight")

    assert row["autocorrelation"] < 0
    assert row["p_value"] == mann_whitney(before, after)


def test_p_values_are_corrected_for_all_that_was_tested():
    before = side({name: noise(20, number) for number, name in enumerate("abcde")})
    after = side({name: noise(20, 50 + number, 1.02) for number, name in enumerate("abcde")}, name="t")

    rows = compare(before, after).verdicts

    assert rows["adjusted_p"].to_list() == pytest.approx(benjamini_hochberg(rows["p_value"].to_numpy()).tolist())


def test_values_that_are_all_one_do_not_make_the_correction_stricter():
    before, after = noise(20, 1), noise(20, 2, 1.5)
    alone = one(before, after)["adjusted_p"]
    constants = {name: [1.0] * 20 for name in "bcdef"}

    found = compare(side({"a": before, **constants}), side({"a": after, **constants}, name="t")).verdicts

    assert found.filter(pl.col("context") == "a")["adjusted_p"].to_list() == [alone]


def test_the_noise_says_how_many_sessions_the_floor_takes():
    few = one(noise(300, 1, spread=0.02), noise(300, 2, spread=0.02))["needed_sessions"]
    many = one(noise(300, 1, spread=0.2), noise(300, 2, spread=0.2))["needed_sessions"]

    # A floor of 5 % is a step of log 1.05. A rank test needs pi / 3 times what a t test does, and that is
    # 2 ((1.96 + 0.84) * 0.2 / log 1.05)^2 a side: 276, or 552 in all. Ten times less noise leaves twice the least, 10.
    assert few == 20
    assert many == pytest.approx(552, rel=0.25)


# Groups


def test_groups_on_one_side_only_are_listed():
    found = compare(side({"a": [1, 1], "gone": [1, 1]}), side({"a": [1, 1], "new": [1, 1, 1]}, name="t"))

    assert found.appeared.rows() == [("new", 3, 9)]
    assert found.vanished.rows() == [("gone", 2, 6)]
    assert found.verdicts["context"].to_list() == ["a"]


def test_a_group_without_a_name_is_a_group():
    found = compare(side({None: [1, 2], "a": [1, 2]}), side({None: [1, 2]}, name="t"))

    assert (found.verdicts["context"].to_list(), found.vanished["context"].to_list()) == ([None], ["a"])


def test_the_worst_comes_first_and_then_the_largest():
    before = {"small": noise(20, 1), "large": noise(20, 2), "same": noise(20, 3), "better": noise(20, 4)}
    after = {"small": noise(20, 5, 1.5), "large": noise(20, 6, 3), "same": noise(20, 7), "better": noise(20, 8, 0.5)}

    found = compare(side({**before, "few": [1, 1]}), side({**after, "few": [1, 1]}, name="t"))

    assert verdicts(found) == [
        ("large", "regressed"),
        ("small", "regressed"),
        ("better", "improved"),
        ("few", "not enough data"),
        ("same", "unchanged"),
    ]
    assert found.worst == "regressed"


def test_nothing_in_common_has_no_worst_verdict():
    found = compare(side({"a": [1, 2]}), side({"b": [1, 2]}, name="t"))

    assert (found.worst, found.verdicts.height) == (None, 0)


def test_columns_are_those_declared():
    found = compare(side({"a": [1, 2]}), side({"a": [1, 2]}, name="t"))

    assert dict(found.verdicts.schema) == {
        "context": pl.String,
        **{name: kind for name, (kind, _) in VERDICT_COLUMNS.items()},
    }


def test_two_runs_give_the_same():
    before, after = side({"a": noise(30, 1), "b": noise(30, 2)}), side({"a": noise(30, 3), "b": noise(30, 4)}, name="t")

    assert compare(before, after).verdicts.equals(compare(before, after).verdicts)


def test_backends_are_compared_within_the_same_sessions():
    groups = {
        ("CPU", "a"): noise(20, 1),
        ("HIP", "a"): noise(20, 2, 0.2),
        ("HIP", "b"): noise(20, 3),
        ("CUDA", "a"): noise(20, 4, 9),
    }

    found = compare_groups(side(groups, by=("backend", "context")), split="backend", baseline="CPU", candidate="HIP")

    assert verdicts(found) == [("a", "improved")]
    assert found.appeared["context"].to_list() == ["b"]
    assert (found.baseline_sessions, found.candidate_sessions, found.in_both) == (20, 20, 0)


def test_a_backend_that_no_record_has_is_an_error_with_the_near_name():
    values = side({("CPU", "a"): [1], ("HIP", "a"): [1]}, by=("backend", "context"))

    with pytest.raises(UsageError, match="did you mean CPU"):
        compare_groups(values, split="backend", baseline="cpu", candidate="HIP")


def test_a_backend_is_not_compared_with_itself():
    values = side({("CPU", "a"): [1]}, by=("backend", "context"))

    with pytest.raises(UsageError, match="both sides"):
        compare_groups(values, split="backend", baseline="CPU", candidate="CPU")


# Sides


def runs(folder: Any, count: int, duration: float, **fields: Any) -> Any:
    """Session files with two cycles each, the durations around a level."""
    files = {}
    for number in range(count):
        at = (START + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cycles = [
            record(
                seed=10 * number + place + 1,
                acquired_at=at,
                released_at=at,
                duration_ms=duration * (1 + 0.01 * ((7 * number + place) % 5)),
                **fields,
            )
            for place in range(2)
        ]
        files[f"{number:02}.json"] = session(*cycles)
    return write(folder, files)


def test_readers_telemetry_and_values_give_the_same(tmp_path):
    before, after = runs(tmp_path / "before", 12, 100), runs(tmp_path / "after", 12, 150)
    columns = SessionFold().columns

    read = compare(Reader(before, columns=columns), Reader(after, columns=columns))

    assert read.verdicts.equals(compare(load(before), load(after)).verdicts)
    assert read.verdicts.equals(compare(session_values(load(before)), session_values(load(after))).verdicts)
    assert set(read.verdicts.filter(pl.col("verdict") == "regressed")["metric"]) == {
        P50,
        "duration_p95_ms",
        "duration_p99_ms",
        "hold_total_ms",
    }


def test_everything_can_be_one_group(tmp_path):
    found = compare(load(runs(tmp_path / "before", 12, 1)), load(runs(tmp_path / "after", 12, 1)), by=())

    assert found.verdicts["metric"].to_list() == list(METRICS)
    assert found.appeared.is_empty()


def test_only_the_metrics_that_were_named_are_compared(tmp_path):
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
        {"resamples": 5},
        {"seed": -1},
        {"autocorrelation_limit": 1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        CompareOptions(**options)


@pytest.mark.parametrize("floors", [{P50: -1.0}, {P50: math.nan}, {"durations": 1.0}])
def test_floors_are_for_metrics_and_not_negative(floors):
    with pytest.raises(UsageError):
        CompareOptions(floors=floors)


# How often it is wrong


def autoregressive(generator: np.random.Generator, size: int) -> np.ndarray:
    shocks = generator.normal(size=size + 50)
    series = [0.0]
    for shock in shocks:
        series.append(0.5 * series[-1] + shock)
    return np.array(series[51:])


NULL = {
    "normal": lambda generator: (P50, 10 + generator.normal(size=100)),
    "lognormal": lambda generator: (P50, generator.lognormal(0, 0.5, 100)),
    "beta": lambda generator: ("mean_stability", generator.beta(5, 1, 100)),
    "autoregressive": lambda generator: (P50, np.exp(0.3 * autoregressive(generator, 100))),
}
ANY_EFFECT = {P50: 0.0, "mean_stability": 0.0}


@pytest.mark.parametrize("kind", NULL)
def test_noise_raises_no_more_alarms_than_alpha(kind):
    generator = np.random.default_rng(7)
    alarms = 0
    for _ in range(400):
        metric, values = NULL[kind](generator)
        # Without a floor, so that it is the test alone that keeps still.
        row = one(values[:50], values[50:], metric, resamples=100, floors=ANY_EFFECT)
        alarms += row["verdict"] in {"regressed", "improved"}

    assert alarms <= 0.05 * 400


def test_fifty_contexts_of_noise_together_raise_no_more_alarms_than_alpha():
    alarms = 0
    for number in range(40):
        generator = np.random.default_rng(number)
        contexts = [f"c{place:02}" for place in range(50)]
        before = side({name: generator.lognormal(0, 0.5, 20) for name in contexts})
        after = side({name: generator.lognormal(0, 0.5, 20) for name in contexts}, name="t")
        found = compare(before, after, options=CompareOptions(resamples=100, floors=ANY_EFFECT))
        alarms += found.worst in {"regressed", "warning"}

    # 5 % of 40 is 2; more than 5 would happen once in a hundred times.
    assert alarms <= 5


def test_a_shift_of_two_deviations_is_found_in_nine_of_ten():
    hits = 0
    for number in range(200):
        generator = np.random.default_rng(number)
        before, after = np.exp(generator.normal(0, 0.2, 20)), np.exp(generator.normal(0.4, 0.2, 20))
        hits += one(before, after, resamples=100)["verdict"] == "regressed"

    assert hits >= 180
