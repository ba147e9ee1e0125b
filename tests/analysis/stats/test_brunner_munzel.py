"""The test of Brunner and Munzel, against scipy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, brunnermunzel

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
