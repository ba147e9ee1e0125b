"""Evidence for changes in series of which most values are equal, such as stabilities of 1."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.calibration import p_value
from clamp_analytics.analysis.stats.change_points import find_changes, smallest_variances
from clamp_analytics.analysis.stats.evidence import weigh
from clamp_analytics.analysis.stats.noise_model import cosine_transform, fit_noise
from clamp_analytics.analysis.stats.trend_fit import fit_trend


def rare_events(rates: Floats, seed: int) -> Floats:
    """Series of 0, with a 1 at the given rates."""
    generator = np.random.default_rng(seed)
    events: Floats = (generator.random(rates.size) < rates).astype(np.float64)
    return events[None]


@pytest.mark.parametrize("n", [400, 3000])
def test_a_lasting_rise_of_rare_events_is_significant(n: int) -> None:
    rates = np.where(np.arange(n) < n // 2, 0.01, 0.2)

    assert weigh(rare_events(rates, seed=1)).p_values[0] < 0.01


def test_rare_events_at_one_rate_are_seldom_significant() -> None:
    p_values = [weigh(rare_events(np.full(1000, 0.03), seed)).p_values[0] for seed in range(12)]

    # Three or more of twelve have a probability of 2 % where 5 % are significant; the seeds are fixed.
    assert sum(p <= 0.05 for p in p_values) < 3


def test_the_order_of_events_alone_decides_about_their_p_value() -> None:
    clustered, scattered = np.zeros(3000), np.zeros(3000)
    clustered[2000:2030] = 1
    scattered[::100] = 1

    assert weigh(clustered[None]).p_values[0] < 0.01 < 0.5 < weigh(scattered[None]).p_values[0]


def events(n: int, values: dict[int, float]) -> Floats:
    """A series of zeros, with other values at some indices."""
    series = np.zeros(n)
    series[list(values)] = list(values.values())
    return series


def evidence(scores: Floats) -> Floats:
    without = fit_noise(cosine_transform(scores), smallest_variances(scores))
    result: Floats = np.maximum(find_changes(scores, without).evidence, without.losses - fit_trend(scores).losses)
    return result


def p_by_table(series: Floats) -> float:
    return float(p_value(evidence(series[None]), series.size)[0])


def p_by_permutations(values: Floats, seed: int) -> float:
    """The share of orders with as much evidence where ten have it, and an exponential tail beyond a tenth otherwise."""
    generator = np.random.default_rng(seed)
    strongest = evidence(values[None])[0]
    orders: list[float] = []
    while len(orders) < 200:
        orders += evidence(np.stack([generator.permuted(values) for _ in range(25)])).tolist()
        if sum(one >= strongest for one in orders) >= 10:
            return sum(one >= strongest for one in orders) / len(orders)
    largest = sorted(orders)[-20:]
    scale = sum(largest) / 20 - largest[0]
    return 0.1 * math.exp(-float(strongest - largest[0]) / max(scale, 1.0))


@pytest.mark.parametrize(
    "n, values",
    [
        (40, {29: 2.0, 30: 2.5, 33: 3.0, 34: 1.0}),
        (40, {32: 0.9, 33: 0.6, 34: 1.3, 37: 0.5, 39: 1.5}),
        (40, {30: 1.0, 31: 2.0, 33: 1.0, 36: 1.0, 37: 3.0}),
        (24, {12: 1.0, 20: 1.0, 22: 1.0, 23: 1.0}),
    ],
    ids=["long tail", "short tail", "ordinary", "with the same order among them"],
)
def test_the_p_value_of_rare_events_is_that_of_their_permutations(n: int, values: dict[int, float]) -> None:
    series = events(n, values)

    expected = p_by_permutations(series, seed=n)
    assert expected > p_by_table(series)
    assert weigh(series[None]).p_values == pytest.approx([expected])


def test_the_p_value_of_rare_events_is_not_below_the_share_of_orders_that_have_them_close_together() -> None:
    series = events(20, {12: 1.0, 13: 1.0, 14: 1.0})

    assert weigh(series[None]).p_values == pytest.approx([20 * 3 / math.comb(20, 3)])


def test_permutations_are_not_drawn_where_the_table_finds_nothing() -> None:
    series = events(30, {19: -1.0, 22: 2.0, 23: 3.0})

    assert 0.1 < p_by_table(series) < p_by_permutations(series, seed=30)
    assert weigh(series[None]).p_values == pytest.approx([p_by_table(series)])


def test_the_sessions_of_a_long_series_are_permuted_in_at_most_400_bins() -> None:
    series = events(401, dict.fromkeys(range(207, 401, 11), 1.0))

    # The oldest session is left out; all others form pairs.
    pairs = series[1:].reshape(200, 2).mean(axis=1)
    expected = p_by_permutations(pairs, seed=401)
    assert expected > p_by_table(series)
    assert weigh(series[None]).p_values == pytest.approx([expected])
