"""The verdict on a candidate, and the figures that it is based on."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_ind

from benchmarks.verdicts.noise import autoregressive
from clamp_analytics.analysis.compare import compare
from clamp_analytics.analysis.stats.brunner_munzel import brunner_munzel
from clamp_analytics.analysis.stats.multiplicity import adjust_in_groups
from tests.analysis.compare.conftest import P50, noise, one, side
from tests.conftest import only


def test_a_duration_that_rose_has_regressed():
    assert one(noise(20, 1), noise(20, 2, 1.5))["verdict"] == "regressed"


def test_a_candidate_whose_newest_sessions_are_outside_the_baseline_is_not_called_unchanged():
    row = one(noise(20, 1), [*noise(12, 2), *noise(8, 3, 1.5)])

    assert (row["verdict"], row["direction"]) == ("suspect", "worse")
    assert row["reason"].startswith("the newest 5 sessions of the candidate are outside the range of 20 sessions")


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


def test_a_floor_of_the_options_is_used():
    assert one(noise(200, 1), noise(200, 2, 1.03), floors={P50: 0.01})["verdict"] == "regressed"


def test_nine_sessions_of_noise_are_not_enough_and_the_reason_says_how_many_are_missing():
    row = one(noise(9, 1), noise(19, 2))

    assert (row["verdict"], row["p_value"], row["adjusted_p"], row["missing_sessions"]) == (
        "not enough data",
        None,
        None,
        1,
    )
    assert row["reason"] == "9 and 19 sessions; 1 more session of the baseline is needed"


def test_nine_sessions_with_a_plain_difference_are_a_suspect():
    row = one(noise(9, 1), noise(9, 2, 3))

    assert (row["verdict"], row["direction"], row["sessions_to_confirm"]) == ("suspect", "worse", 1)


def test_ten_sessions_per_side_are_enough_for_a_large_difference():
    assert one([1.0, 1.1, 1.2, 1.0, 1.15, 1.05, 1.1, 1.0, 1.2, 1.1], [2.1, 2, 2.2, 2, 2.1, 2.2, 2, 2.1, 2.2, 2])[
        "verdict"
    ] == ("regressed")


def test_a_difference_that_correlated_noise_explains_is_a_suspect():
    wander = autoregressive(0.9)(np.random.default_rng(1), 2, 60)

    row = one(np.exp(wander[0]), np.exp(wander[1] - wander[1].mean() + wander[0].mean() + 0.6))

    assert (row["verdict"], row["direction"]) == ("suspect", "worse")
    assert "correlated noise may" in row["reason"]


def test_a_side_without_a_value_is_not_enough_data():
    found = compare(side({"a": noise(20, 1)}), side({"a": [math.nan] * 20}, name="t"))
    empty = found.verdicts.select("baseline_sessions", "candidate_sessions")

    assert empty.rows() == [(20, 20)]


def test_a_side_without_values_of_a_metric_has_no_level():
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


def test_equal_constants_have_a_difference_of_0():
    row = one([0.1] * 11, [0.1] * 13, "mean_stability")

    assert [row[name] for name in ("difference", "difference_low", "difference_high", "p_value", "adjusted_p")] == [
        0,
        0,
        0,
        1,
        1,
    ]
    assert (row["verdict"], row["effect"]) == ("unchanged", 0)
    assert row["reason"] == "all values are 0.100; a shift of 0.01 would have been found"


def test_an_interval_contains_the_difference():
    row = one(noise(30, 1), noise(30, 2, 1.5))

    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_an_interval_covers_the_true_ratio_at_about_its_level():
    covered = 0
    for number in range(200):
        row = one(noise(20, 2 * number, spread=0.3), noise(20, 2 * number + 1, 1.5, spread=0.3))
        covered += row["difference_low"] <= 0.5 * row["baseline"] <= row["difference_high"]

    # 95 % of 200 is 190.
    assert 180 <= covered <= 200


def test_an_interval_of_scores_stays_between_minus_1_and_1():
    row = one([1.0, 1.0, 1.0], [0.0, 0.0, 1.0], "mean_stability")

    assert row["difference_low"] >= -1


def test_the_effect_is_the_dominance_of_the_candidate():
    assert one([2.0, 3.0], [0.5, 1.0])["effect"] == -1


def test_the_p_value_is_the_larger_one_of_ranks_and_means():
    # Fewer than ten values are taken as independent, so that the means are compared as by Welch.
    generator = np.random.default_rng(1)
    before, after = generator.uniform(0, 1, 9), generator.uniform(0.1, 1.1, 9)

    row = one(before, after, "in_flight", min_sessions=5)

    ranks = brunner_munzel(before, after)
    means = ttest_ind(before, after, equal_var=False).pvalue
    assert row["p_value"] == pytest.approx(max(ranks, means))


def test_p_values_are_corrected_for_the_number_of_contexts():
    before = side({name: noise(20, number) for number, name in enumerate("abcde")})
    after = side({name: noise(20, 50 + number, 1.02) for number, name in enumerate("abcde")}, name="t")

    rows = compare(before, after).verdicts

    expected = adjust_in_groups(rows["p_value"].to_numpy(), rows["context"].to_list(), 0.05)
    assert rows["adjusted_p"].to_list() == pytest.approx(expected.tolist())


def test_constant_values_are_not_counted_as_tests():
    before, after = noise(20, 1), noise(20, 2, 1.5)
    alone = one(before, after)["adjusted_p"]
    constants = {name: [1.0] * 20 for name in "bcdef"}

    found = compare(side({"a": before, **constants}), side({"a": after, **constants}, name="t")).verdicts

    assert found.filter(pl.col("context") == "a")["adjusted_p"].to_list() == [alone]


def test_an_unchanged_metric_has_the_smallest_shift_that_would_have_been_found():
    row = one(noise(300, 1, spread=0.2), noise(300, 2, spread=0.2))

    # (1.96 + 0.84) standard errors of 0.2 * sqrt(2 / 300) each are 0.0457 on the logarithmic scale.
    assert row["verdict"] == "unchanged"
    assert row["detectable"] == pytest.approx(math.expm1(0.0457), rel=0.15)


def test_a_shift_below_the_floor_is_never_called_detectable():
    assert one(noise(300, 1, spread=0.01), noise(300, 2, spread=0.01))["detectable"] == 0.05
