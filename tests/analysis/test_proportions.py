"""The upper bound of a share of which no case was seen."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from clamp_analytics.analysis.proportions import bound_of_none, bound_text


@pytest.mark.parametrize("trials", [1, 20, 300])
def test_the_bound_is_the_one_of_clopper_and_pearson(trials):
    expected = binomtest(0, trials, alternative="less").proportion_ci(0.95, method="exact").high

    assert bound_of_none(trials) == pytest.approx(expected)


def test_without_a_trial_nothing_is_known():
    assert bound_of_none(0) == 1


@pytest.mark.parametrize("trials, text", [(300, "below 1 %"), (70, "below 4.2 %"), (3, "below 64 %")])
def test_the_text_rounds_the_bound_up(trials, text):
    assert bound_text(trials) == f"{text} with 95 % confidence"
