"""The test of Brunner and Munzel, against scipy and by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, brunnermunzel, t

from clamp_analytics.analysis.stats.brunner_munzel import brunner_munzel


@pytest.mark.parametrize("sizes", [(20, 30), (40, 15)])
def test_large_sets_are_tested_as_by_scipy(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(4)
    a, b = generator.standard_normal(sizes[0]), 2 * generator.standard_normal(sizes[1]) + 0.5

    assert brunner_munzel(a, b) == pytest.approx(brunnermunzel(a, b).pvalue)


def test_small_disjoint_sets_have_the_p_value_of_their_permutations() -> None:
    # Two of the 252 ways to deal ten values to two sides of five separate them completely.
    assert brunner_munzel([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)


def test_unequal_spreads_of_small_sets_do_not_raise_false_alarms() -> None:
    generator = np.random.default_rng(5)

    alarms = sum(
        brunner_munzel(generator.standard_normal(5), 4 * generator.standard_normal(8)) <= 0.05 for _ in range(150)
    )

    assert alarms <= binom.ppf(1 - 1e-6, 150, 0.06)


def test_equal_values_do_not_differ_in_rank() -> None:
    assert brunner_munzel([1.0, 1.0], [1.0, 1.0, 1.0]) == 1.0


def test_one_value_has_no_p_value() -> None:
    assert math.isnan(brunner_munzel([1.0], [2.0, 3.0]))


def placements(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """The share of the others that is below each value; equal values count half."""
    return [sum((value > other) + 0.5 * (value == other) for other in others) / len(others) for value in values]


def statistic(a: Sequence[float], b: Sequence[float]) -> float:
    """The difference of the mean placements in units of its error, which is at least a quarter of a pair."""
    of_a, of_b = np.array(placements(a, b)), np.array(placements(b, a))
    variance = of_a.var(ddof=1) / len(a) + of_b.var(ddof=1) / len(b)
    return float((of_b.mean() - of_a.mean()) / 2 / math.sqrt(max(variance, 0.25 / (len(a) * len(b)) ** 2)))


def p_of_all_permutations(a: Sequence[float], b: Sequence[float]) -> float:
    pooled = [*a, *b]
    given, extreme, number = abs(statistic(a, b)), 0, 0
    for chosen in combinations(range(len(pooled)), len(a)):
        other = [value for index, value in enumerate(pooled) if index not in chosen]
        number += 1
        extreme += abs(statistic([pooled[index] for index in chosen], other)) >= given - 1e-9
    return extreme / number


@pytest.mark.parametrize(
    "a, b",
    [
        ([1.0, 2.0], [3.0, 4.0, 5.0]),
        ([0.3, 1.9, 0.8, 2.4], [1.1, 2.2, 3.7]),
        ([1.0, 1.0, 2.0, 3.0], [1.0, 2.0, 4.0, 4.0, 5.0]),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 0.0]),
        ([5.0, 1.0], [4.0, 2.0, 3.0, 3.5]),
    ],
)
def test_the_p_value_of_small_sets_is_the_share_of_permutations_with_as_large_a_statistic(
    a: list[float], b: list[float]
) -> None:
    assert brunner_munzel(a, b) == pytest.approx(p_of_all_permutations(a, b))
    assert brunner_munzel(b, a) == pytest.approx(p_of_all_permutations(a, b))


@pytest.mark.parametrize("sizes", [(15, 15), (15, 40), (14, 87), (99, 2)])
def test_two_sets_of_15_and_sets_of_more_than_100_are_tested_with_student(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(6)
    a, b = generator.integers(0, 30, sizes[0]) / 2, generator.integers(5, 35, sizes[1]) / 2

    assert brunner_munzel(a, b) == pytest.approx(brunnermunzel(a, b).pvalue)


@pytest.mark.parametrize("sizes", [(14, 15), (40, 14), (14, 86)])
def test_a_sample_of_permutations_has_9999_and_the_given_one(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(7)
    a, b = generator.standard_normal(sizes[0]), 0.5 + generator.standard_normal(sizes[1])

    p = brunner_munzel(a, b)

    assert 10_000 * p == pytest.approx(round(10_000 * p), abs=1e-6)
    assert p == pytest.approx(brunnermunzel(a, b).pvalue, abs=0.05)


def test_large_disjoint_sets_differ_with_the_error_of_a_quarter_of_a_pair() -> None:
    a, b = np.arange(20.0), np.arange(100.0, 140.0)

    # The statistic is 1/2 / (1/4 / 400 * 2), and its degrees of freedom are 58.
    assert brunner_munzel(a, b) == pytest.approx(2 * t.sf(0.5 / (0.5 / 800), 58), rel=1e-6, abs=0)
