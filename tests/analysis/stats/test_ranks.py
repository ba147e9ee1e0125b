"""Rank test, dominance and corrected p-values, against scipy and worked examples."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from clamp_analytics.analysis.stats.ranks import (
    EXACT_BELOW,
    benjamini_hochberg,
    cliffs_delta,
    mann_whitney,
)

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
small = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=8)
shares = st.lists(st.floats(0, 1), max_size=30)


def test_corrected_p_values_agree_with_a_worked_example():
    # 0.01 * 5 / 1, 0.02 * 5 / 2, 0.03 * 5 / 3, 0.04 * 5 / 4 and 0.05 * 5 / 5.
    assert benjamini_hochberg([0.05, 0.01, 0.04, 0.02, 0.03]) == pytest.approx([0.05] * 5)


def test_corrected_p_values_do_not_fall_where_the_p_values_rise():
    # By hand: 0.03 * 3 / 2 = 0.045 and 0.04 * 3 / 3 = 0.04, the lesser of which counts for both.
    assert benjamini_hochberg([0.001, 0.03, 0.04]) == pytest.approx([0.003, 0.04, 0.04])


def test_a_test_that_was_not_made_is_not_counted():
    adjusted = benjamini_hochberg([0.01, math.nan, 0.5])

    assert adjusted == pytest.approx([0.02, math.nan, 0.5], nan_ok=True)


def test_nothing_tested_gives_nothing():
    assert benjamini_hochberg([]).tolist() == []


@given(shares)
def test_corrected_p_values_agree_with_scipy(p):
    expected = stats.false_discovery_control(p) if p else []

    assert benjamini_hochberg(p) == pytest.approx(expected)


def test_sides_that_do_not_overlap_have_the_smallest_p_value():
    # One of the C(6, 3) = 20 ways to deal six ranks, and its mirror image.
    assert mann_whitney([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)


def test_ties_are_counted_exactly():
    # Of the 6 ways to deal 1, 1, 2, 2 to two sides, 1 leaves both ones on the left: the doubled tail is 2 / 6.
    assert mann_whitney([1, 1], [2, 2]) == pytest.approx(2 / 6)


@pytest.mark.parametrize("size", [5, 500])
def test_equal_constants_have_a_p_value_of_1(size):
    assert mann_whitney([1.0] * size, [1.0] * size) == 1


def test_an_empty_side_has_no_p_value():
    assert math.isnan(mann_whitney([], [1.0]))


@given(values, values)
def test_few_values_without_ties_have_the_exact_p_value_of_scipy(a, b):
    a, b = a[:20], b[:20]
    if len({*a, *b}) < len(a) + len(b):
        return

    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)


@given(small, small)
def test_few_values_with_ties_have_the_p_value_of_all_permutations(a, b):
    def rank_sum(x, y, axis):
        return stats.rankdata(np.concatenate([x, y], axis=axis), axis=axis)[..., : len(a)].sum(axis=axis)

    if len(a) + len(b) > 9 or len({*a, *b}) == 1 or min(len(a), len(b)) < 2:
        return
    expected = stats.permutation_test((a, b), rank_sum, vectorized=True, n_resamples=np.inf).pvalue

    assert mann_whitney(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_many_values_have_the_approximate_p_value_of_scipy(seed):
    draw = np.random.default_rng(seed).integers
    a, b = draw(0, 9, EXACT_BELOW).astype(float), draw(1, 10, 70).astype(float)

    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue)


@pytest.mark.parametrize("size, method", [(25, "exact"), (26, "asymptotic")])
def test_the_p_value_is_exact_up_to_fifty_values(size, method):
    generator = np.random.default_rng(8)
    a, b = generator.standard_normal(25), generator.standard_normal(size) + 0.4

    assert mann_whitney(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method=method).pvalue, rel=1e-9)


def test_many_values_whose_ranks_have_equal_means_have_a_p_value_of_1():
    a = [*range(30), *range(60, 90)]
    b = range(30, 60)

    assert mann_whitney(a, b) == 1


@given(values, values)
def test_the_rank_test_is_symmetric(a, b):
    assert mann_whitney(a, b) == pytest.approx(mann_whitney(b, a))


@given(values, values)
def test_the_rank_test_does_not_depend_on_the_scale(a, b):
    assert mann_whitney(np.arctan(a) * 8, np.arctan(b) * 8) == pytest.approx(mann_whitney(np.arctan(a), np.arctan(b)))


def test_dominance_counts_pairs():
    # Of the pairs (1, 2), (1, 3), (3, 2), (3, 3): two rise, one falls, one is equal.
    assert cliffs_delta([1, 3], [2, 3]) == pytest.approx(1 / 4)


def test_a_candidate_that_is_always_above_has_a_delta_of_1():
    assert cliffs_delta([1, 2], [3, 4]) == 1


def test_an_empty_side_has_no_delta():
    assert math.isnan(cliffs_delta([1.0], []))


@given(values, values)
def test_dominance_agrees_with_counting_all_pairs(a, b):
    expected = np.sign(np.subtract.outer(np.array(b), np.array(a))).mean()

    assert cliffs_delta(a, b) == pytest.approx(expected)
