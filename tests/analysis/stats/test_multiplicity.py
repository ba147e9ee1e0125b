"""Corrections for the number of tests in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from clamp_analytics.analysis.stats.multiplicity import adjust_in_groups, simes


def test_simes_takes_the_smallest_corrected_p_value() -> None:
    # 3 * 0.02 / 1 = 0.06, 3 * 0.03 / 2 = 0.045, 3 * 0.9 / 3 = 0.9
    assert simes(np.array([0.9, 0.02, 0.03])) == pytest.approx(0.045)


def test_simes_without_a_test_is_nan() -> None:
    assert math.isnan(simes(np.array([math.nan])))


def test_copies_within_a_group_do_not_make_other_groups_pay() -> None:
    p_values = np.array([0.004] * 8 + [0.5] * 8)

    adjusted = adjust_in_groups(p_values, ["a"] * 8 + ["b"] * 8, 0.05)

    # Two groups, one of them selected: 0.004 for the group and its members, times 2 / 1.
    assert adjusted[:8] == pytest.approx([0.008] * 8)
    assert (adjusted[8:] >= 0.5).all()


def test_a_member_is_not_more_significant_than_its_group() -> None:
    adjusted = adjust_in_groups(np.array([0.02, 0.04, 0.9]), ["a", "b", "c"], 0.05)

    # The second one fails among three groups, 0.04 * 3 / 2, although 0.04 alone would pass.
    assert adjusted[0] == pytest.approx(0.06)
    assert adjusted[1] >= 0.06


def test_one_series_is_not_corrected() -> None:
    assert adjust_in_groups(np.array([0.03]), ["a"], 0.05).tolist() == [0.03]


def test_what_was_not_tested_is_not_counted() -> None:
    adjusted = adjust_in_groups(np.array([0.03, math.nan, math.nan]), ["a", "a", "b"], 0.05)

    assert adjusted[0] == 0.03
    assert np.isnan(adjusted[1:]).all()


def test_nothing_is_corrected_to_nothing() -> None:
    assert adjust_in_groups(np.zeros(0), [], 0.05).size == 0


def corrected(p_values: Sequence[Fraction]) -> list[Fraction]:
    """Each p-value is the least product of a p-value that is not smaller, the number of tests and 1 / its rank."""
    ranks = {p: sum(other <= p for other in p_values) for p in p_values}
    return [min(len(p_values) * other / ranks[other] for other in p_values if other >= p) for p in p_values]


def corrected_in_groups(groups: Sequence[Sequence[Fraction]], alpha: Fraction) -> list[float]:
    of_groups = corrected([min(corrected(group)) for group in groups])
    factor = Fraction(len(groups), max(sum(p <= alpha for p in of_groups), 1))
    return [
        float(min(max(p * factor, of_group), Fraction(1)))
        for group, of_group in zip(groups, of_groups, strict=True)
        for p in corrected(group)
    ]


@pytest.mark.parametrize(
    "groups",
    [
        [["1/64", "1/16"], ["1/4"], ["1"], ["1"]],
        [["1/100", "1/50", "9/10"], ["1/200", "1/20"], ["3/10", "2/5"], ["1/2"]],
        [["1/2", "3/4"], ["3/5", "9/10"]],
        [["1/1000", "1/1000"], ["1/500", "1/3"]],
    ],
    ids=["one at the level", "some selected", "none selected", "all selected"],
)
def test_corrected_p_values_in_groups_agree_with_exact_fractions(groups: list[list[str]]) -> None:
    exact = [[Fraction(p) for p in group] for group in groups]
    names = [number for number, group in enumerate(groups) for _ in group]

    adjusted = adjust_in_groups(np.array([float(p) for group in exact for p in group]), names, 0.5)

    assert adjusted == pytest.approx(corrected_in_groups(exact, Fraction(1, 2)))


def test_groups_may_be_mixed() -> None:
    p_values = np.array([0.01, 0.2, 0.02, 0.6])

    assert adjust_in_groups(p_values, ["a", "b", "a", "b"], 0.05)[[0, 2, 1, 3]] == pytest.approx(
        adjust_in_groups(p_values[[0, 2, 1, 3]], ["a", "a", "b", "b"], 0.05)
    )
