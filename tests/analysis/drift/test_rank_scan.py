"""The best split of a series, and how likely noise alone splits it as well."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom, mannwhitneyu, rankdata

from clamp_analytics.analysis.drift.rank_scan import best_split, single_level, tail


def test_the_place_is_the_first_one_after_the_shift():
    split = best_split(np.array([1.0, 2, 1, 2, 1, 5, 6, 5, 6, 5]), 2)

    assert split is not None
    assert (split.place, split.z > 0) == (5, True)


def test_a_fall_has_a_negative_deviation():
    split = best_split(np.array([5.0, 6, 5, 6, 5, 1, 2, 1, 2, 1]), 2)

    assert split is not None
    assert (split.place, split.z < 0) == (5, True)


def test_a_series_shorter_than_two_margins_is_not_split():
    assert best_split(np.arange(19.0), 10) is None


def test_equal_values_are_not_split():
    split = best_split(np.full(40, 3.0), 10)

    assert split is not None
    assert split.p == 1.0


def test_the_margins_are_kept():
    split = best_split(np.array([9.0] * 3 + [1.0] * 20 + [2.0] * 17), 10)

    assert split is not None
    assert 10 <= split.place <= 30


VALUES = st.lists(st.integers(0, 30).map(float), min_size=20, max_size=60)


@given(VALUES.filter(lambda values: max(map(values.count, values)) <= len(values) / 2))
def test_the_deviation_is_that_of_scipys_rank_sums(values):
    split = best_split(np.array(values), 5)
    ranks = rankdata(values)
    n = len(values)
    deviations = []
    for place in range(5, n - 4):
        variance = place * (n - place) / (n * (n - 1)) * ((ranks - ranks.mean()) ** 2).sum()
        deviations.append((ranks[place:].sum() - (n - place) * (n + 1) / 2) / math.sqrt(variance))

    assert split is not None
    assert abs(split.z) == pytest.approx(max(map(abs, deviations)))
    assert split.z == pytest.approx(deviations[split.place - 5])


def test_at_its_place_the_deviation_is_that_of_the_rank_test():
    generator = np.random.default_rng(1)
    values = np.concatenate([generator.normal(0, 1, 25), generator.normal(1, 1, 35)])

    split = best_split(values, 10)

    assert split is not None
    p = mannwhitneyu(values[: split.place], values[split.place :], use_continuity=False, method="asymptotic").pvalue
    assert math.erfc(abs(split.z) / math.sqrt(2)) == pytest.approx(p)


@given(VALUES)
def test_an_increasing_scale_changes_nothing(values):
    straight, curved = best_split(np.array(values), 5), best_split(np.exp(np.array(values) / 3), 5)

    assert straight is not None
    assert curved is not None
    assert (straight.place, straight.p) == (curved.place, pytest.approx(curved.p))


def test_a_wider_variance_makes_a_split_less_certain():
    values = np.concatenate([np.arange(20.0) % 7, np.arange(20.0) % 7 + 7])

    splits = [best_split(values, 10, inflation=inflation) for inflation in (1.0, 2.0, 3.0)]

    assert [split.place for split in splits if split] == [20, 20, 20]
    p = [split.p for split in splits if split]
    assert p == sorted(p)


def test_two_failures_at_the_end_of_many_sessions_are_no_proof():
    # Of a hundred sessions two failed, both among the last ten: nine in a thousand orders have that.
    values = np.zeros(100)
    values[[92, 97]] = 0.5

    split = best_split(values, 10)

    assert split is not None
    assert split.p > 2 * hypergeom.sf(1, 100, 2, 10) > 0.01


def test_ten_failures_at_the_end_of_many_sessions_are_proof():
    values = np.concatenate([np.ones(990), np.full(10, 0.9)])

    split = best_split(values, 10)

    assert split is not None
    assert (split.place, split.z < 0, split.p < 1e-6) == (990, True, True)


@pytest.mark.parametrize("level", [0.05, 0.001])
@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: generator.normal(size=100),
        lambda generator: generator.integers(0, 4, 100).astype(float),
        lambda generator: np.where(generator.random(100) < 0.2, generator.random(100), 0.0),
        lambda generator: (generator.random(100) < 0.05).astype(float),
    ],
    ids=["continuous", "tied", "mostly zero", "rarely one"],
)
def test_the_p_value_holds_what_it_promises(draw, level):
    generator = np.random.default_rng(20260102)
    times = 2000

    low = sum(split.p <= level for _ in range(times) if (split := best_split(draw(generator), 10)))

    # Three standard errors above the promise.
    assert low <= times * level + 3 * math.sqrt(times * level)


def test_the_tail_is_that_of_simulated_noise_or_a_little_more():
    generator = np.random.default_rng(20260103)
    n, margin = 60, 10
    sums = np.cumsum(generator.permuted(np.tile(np.arange(n) - (n - 1) / 2, (20_000, 1)), axis=1), axis=1)
    k = np.arange(margin, n - margin + 1)
    largest = np.abs(sums[:, k - 1] / np.sqrt(k * (n - k) * (n + 1) / 12)).max(axis=1)

    # Sums of ranks have lighter tails than normal ones, so the formula errs to the safe side.
    for b in (2.0, 2.5, 3.0, 3.5):
        assert 0.9 <= tail(b, n, margin) / (largest > b).mean() <= 2


def test_the_tail_at_one_place_is_that_of_the_normal_distribution():
    assert tail(2.5, 20, 10) == pytest.approx(math.erfc(2.5 / math.sqrt(2)))


def test_the_tail_falls():
    assert np.all(np.diff([tail(b, 200, 10) for b in np.linspace(0, 8, 60)]) <= 0)


@pytest.mark.parametrize("level", [0.05, 0.001])
def test_a_search_costs_as_much_as_its_level_says(level):
    single = single_level(level, 100, 10)

    assert single < level
    # The deviation with that two-sided p-value at one place has the level's p-value over all places.
    deviation = best_deviation(single)
    assert tail(deviation, 100, 10) == pytest.approx(level, rel=1e-6)


def best_deviation(p: float) -> float:
    return -NormalDist().inv_cdf(p / 2)
